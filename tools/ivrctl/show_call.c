#include "tools/ivrctl/show_call.h"

#include <string.h>

#include "tools/ivrctl/show.h"

enum { LABEL_COLUMNS = 12, HOP_COLUMNS = 20, TIME_COLUMNS = 26, LATER_COLUMNS = 14 };

static void add_label(struct buf *out, const char *label)
{
    buf_adds(out, "  ");
    show_add_column(out, label, LABEL_COLUMNS);
}

static void add_time_line(struct buf *out, const char *label, const char *rfc3339)
{
    if (rfc3339 == NULL)
        return;
    add_label(out, label);
    show_add_time(out, rfc3339);
    buf_addc(out, '\n');
}

/* "Completed (final)", "No_answer, another attempt follows", "none yet (waiting)". */
static void add_status(struct buf *out, const json_t *call)
{
    const char *status = show_text(call, "status", NULL), *phase = show_text(call, "phase", "");
    const char *dropped = show_text(call, "drop_reason", NULL);
    add_label(out, "status");
    if (dropped != NULL)
        buf_addf(out, "%s (dropped: %s)", status != NULL ? status : "none", dropped);
    else if (status == NULL)
        buf_addf(out, "none yet (%s)", phase);
    else if (json_is_true(json_object_get(call, "final")))
        buf_addf(out, "%s (final)", status);
    else
        buf_addf(out, "%s (%s)", status, strcmp(phase, "waiting") == 0 ? "another attempt follows" : phase);
    buf_addc(out, '\n');
}

/* "rang 4 s, talked 31 s, cost 0.0065 USD", whatever of it is known. */
static void add_figures(struct buf *out, const json_t *attempt)
{
    const json_t *cost = json_object_get(attempt, "cost");
    const char *between = "";
    add_label(out, "");
    size_t before = out->n;
    if (show_is_set(attempt, "ring_seconds")) {
        buf_addf(out, "rang %lld s", (long long)show_int(attempt, "ring_seconds"));
        between = ", ";
    }
    if (show_is_set(attempt, "talk_seconds")) {
        buf_addf(out, "%stalked %lld s", between, (long long)show_int(attempt, "talk_seconds"));
        between = ", ";
    }
    if (json_is_object(cost))
        buf_addf(out, "%scost %s %s", between, show_text(cost, "amount", "?"),
                 show_text(cost, "currency", ""));
    if (out->n == before)
        buf_addc(out, '-');
    buf_addc(out, '\n');
}

static void add_reason(struct buf *out, const json_t *attempt)
{
    const json_t *reason = json_object_get(attempt, "reason");
    if (!json_is_object(reason))
        return;
    const char *code = show_text(reason, "code", ""), *detail = show_text(reason, "detail", "");
    add_label(out, "");
    buf_addf(out, "reason: %s%s%s\n", code, *code != '\0' && *detail != '\0' ? ", " : "", detail);
}

/* The hop, the provider's time (in brackets ours, where it gave none), how much later we had it, the detail.
 */
static void add_hop(struct buf *out, const json_t *hop)
{
    const char *at = show_text(hop, "at", NULL), *recorded = show_text(hop, "recorded_at", NULL);
    struct buf column;
    buf_init(&column, 128);
    add_label(out, "");
    show_add_column(out, show_text(hop, "hop", "?"), HOP_COLUMNS);
    buf_adds(&column, at != NULL ? "" : "(");
    show_add_time(&column, at != NULL ? at : recorded);
    buf_adds(&column, at != NULL ? "" : ")");
    show_add_column(out, column.p, TIME_COLUMNS);
    buf_clear(&column);
    if (at != NULL && recorded != NULL) {
        int64_t later_ms = show_time_ms(recorded) - show_time_ms(at);
        buf_addc(&column, later_ms < 0 ? '-' : '+');
        show_add_span_of_time(&column, later_ms < 0 ? -later_ms : later_ms);
    }
    show_add_column(out, column.p, LATER_COLUMNS);
    buf_done(&column);
    buf_adds(out, show_text(hop, "detail", ""));
    while (out->n > 0 && out->p[out->n - 1] == ' ')
        out->p[--out->n] = '\0';
    buf_addc(out, '\n');
}

static void add_attempt(struct buf *out, const json_t *attempt)
{
    const json_t *hops = json_object_get(attempt, "hops"), *hop;
    const char *id = show_text(attempt, "provider_call_id", NULL);
    size_t i;
    buf_addf(out, "\n  attempt %-3lld %s over %s", (long long)show_int(attempt, "attempt"),
             show_text(attempt, "status", "placing"), show_text(attempt, "channel", "?"));
    buf_addf(out, " (%s%s%s)\n", show_text(attempt, "provider", "?"), id != NULL ? " " : "",
             id != NULL ? id : "");
    add_figures(out, attempt);
    add_reason(out, attempt);
    if (json_array_size(hops) == 0)
        return;
    add_label(out, "");
    show_add_column(out, "HOP", HOP_COLUMNS);
    show_add_column(out, "AT (UTC)", TIME_COLUMNS);
    buf_adds(out, "RECORDED\n");
    json_array_foreach(hops, i, hop) add_hop(out, hop);
}

void show_call(struct buf *out, const json_t *call)
{
    const json_t *attempts = json_object_get(call, "attempts"), *attempt;
    size_t i;
    buf_addf(out, "%s/%s\n", show_text(call, "tenant", "?"), show_text(call, "call_id", "?"));
    add_status(out, call);
    add_label(out, "to");
    buf_addf(out, "%s\n", show_text(call, "to", "?"));
    add_label(out, "campaign");
    buf_addf(out, "%s\n", show_text(call, "campaign", "?"));
    add_time_line(out, "created", show_text(call, "created_at", NULL));
    add_time_line(out, "changed", show_text(call, "updated_at", NULL));
    add_time_line(out, "next try", show_text(call, "next_attempt_at", NULL));
    const char *paused_by = show_text(call, "paused_by", NULL);
    if (paused_by != NULL) {
        add_label(out, "paused by");
        buf_addf(out, "%s\n", strcmp(paused_by, "call") == 0 ? "its own pause" : paused_by);
    }
    int64_t omitted = show_int(call, "attempts_omitted");
    if (omitted > 0)
        buf_addf(out, "\n  %lld attempts that reached nobody are not kept\n", (long long)omitted);
    json_array_foreach(attempts, i, attempt) add_attempt(out, attempt);
}
