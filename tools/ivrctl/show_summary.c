#include "tools/ivrctl/show_summary.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/model/hop.h"
#include "common/model/status.h"
#include "tools/ivrctl/show.h"
#include "tools/ivrctl/show_channels.h"

enum { LABEL_COLUMNS = 12, STATUS_COLUMNS = 24, BAR_COLUMNS = 30, REASONS_SHOWN = 10 };

static void add_label(struct buf *out, const char *label)
{
    buf_adds(out, "  ");
    show_add_column(out, label, LABEL_COLUMNS);
}

static void add_head(struct buf *out, const json_t *summary)
{
    const json_t *dropped = json_object_get(summary, "dropped");
    int64_t revision = show_int(summary, "revision");
    buf_addf(out, "%s/%s\n", show_text(summary, "tenant", "?"), show_text(summary, "campaign", "?"));
    add_label(out, "as of");
    show_add_time(out, show_text(summary, "as_of", NULL));
    if (revision > 0)
        buf_addf(out, ", revision %lld", (long long)revision);
    buf_adds(out, json_is_true(json_object_get(summary, "complete")) ? ", complete\n" : ", under way\n");
    add_label(out, "calls");
    show_add_count(out, show_int(summary, "calls"));
    buf_adds(out, " = ");
    show_add_count(out, show_int(summary, "waiting"));
    buf_adds(out, " waiting + ");
    show_add_count(out, show_sum(dropped));
    buf_adds(out, " dropped + ");
    show_add_count(out, show_sum(json_object_get(summary, "by_status")));
    buf_adds(out, " with a status");
    if (show_int(summary, "retrying") > 0) {
        buf_adds(out, ", ");
        show_add_count(out, show_int(summary, "retrying"));
        buf_adds(out, " of them to be tried again");
    }
    buf_addc(out, '\n');
}

/* "  Completed        700   70.0 %  #####". */
static void add_status_row(struct buf *out, const char *name, int64_t n, int64_t all)
{
    struct buf count;
    buf_init(&count, 32);
    show_add_count(&count, n);
    buf_adds(out, "  ");
    show_add_column(out, name, STATUS_COLUMNS);
    buf_addf(out, "%10s", count.p);
    buf_addf(out, " %6.1f %%  ", all > 0 ? 100.0 * (double)n / (double)all : 0.0);
    for (int64_t bar = 0; all > 0 && bar < (n * BAR_COLUMNS + all - 1) / all; bar++)
        buf_addc(out, '#');
    while (out->p[out->n - 1] == ' ')
        out->p[--out->n] = '\0';
    buf_addc(out, '\n');
    buf_done(&count);
}

static void add_statuses(struct buf *out, const json_t *summary)
{
    const json_t *counts = json_object_get(summary, "by_status");
    int64_t all = show_sum(counts);
    for (int i = 0; i < SHOW_STATUSES; i++)
        add_status_row(out, status_name(show_statuses[i]), show_int(counts, status_name(show_statuses[i])),
                       all);
}

static void add_attempts(struct buf *out, const json_t *summary, bool with_rate)
{
    const json_t *rate = with_rate ? json_object_get(summary, "answer_rate") : NULL;
    add_label(out, "attempts");
    show_add_count(out, show_int(summary, "attempts"));
    if (json_is_number(rate))
        buf_addf(out, ", answer rate %.1f %%", 100.0 * json_number_value(rate));
    buf_addc(out, '\n');
    add_label(out, "hops");
    for (int hop = 0; hop < HOP_COUNT; hop++) {
        buf_addf(out, "%s%s ", hop > 0 ? ", " : "", hop_name((enum hop)hop));
        show_add_count(out, show_int(json_object_get(summary, "hops"), hop_name((enum hop)hop)));
    }
    buf_addc(out, '\n');
}

static void add_seconds(struct buf *out, const char *label, const json_t *seconds)
{
    if (!show_is_set(seconds, "p50"))
        return;
    add_label(out, label);
    buf_addf(out, "p50 %lld s, p95 %lld s, together ", (long long)show_int(seconds, "p50"),
             (long long)show_int(seconds, "p95"));
    show_add_span_of_time(out, 1000 * show_int(seconds, "sum"));
    buf_addc(out, '\n');
}

struct named {
    const char *name;    /* borrowed */
    const json_t *value; /* a whole number, an object with "calls", or an amount as text */
};

static int64_t number_of(const struct named *named)
{
    return json_is_object(named->value) ? show_int(named->value, "calls")
                                        : (int64_t)json_integer_value(named->value);
}

static int larger_first(const void *a, const void *b)
{
    const struct named *x = a, *y = b;
    int64_t n = number_of(x), m = number_of(y);
    return n != m ? (m > n) - (m < n) : strcmp(x->name, y->name);
}

/* "name 12, other 3": the largest first, at most REASONS_SHOWN of them. */
static void add_named(struct buf *out, const char *label, const json_t *counts)
{
    json_t *object = (json_t *)(uintptr_t)counts;
    size_t n = 0, all = json_object_size(object);
    if (all == 0)
        return;
    struct named *named = mem_calloc(all, sizeof(*named));
    for (void *at = json_object_iter(object); at != NULL; at = json_object_iter_next(object, at))
        named[n++] = (struct named){json_object_iter_key(at), json_object_iter_value(at)};
    qsort(named, n, sizeof(*named), larger_first);
    add_label(out, label);
    for (size_t i = 0; i < n && i < REASONS_SHOWN; i++) {
        buf_addf(out, "%s%s ", i > 0 ? ", " : "", named[i].name);
        if (json_is_string(named[i].value))
            buf_adds(out, json_string_value(named[i].value));
        else
            show_add_count(out, number_of(&named[i]));
    }
    buf_adds(out, n > REASONS_SHOWN ? ", ... (--json has all)\n" : "\n");
    free(named);
}

void show_summary(struct buf *out, const json_t *summary)
{
    const json_t *channels = json_object_get(summary, "by_channel");
    bool side_by_side = json_object_size(channels) > 1;
    add_head(out, summary);
    buf_addc(out, '\n');
    if (side_by_side)
        show_channels(out, summary);
    else
        add_statuses(out, summary);
    buf_addc(out, '\n');
    add_attempts(out, summary, !side_by_side);
    add_seconds(out, "ringing", json_object_get(summary, "ring_seconds"));
    add_seconds(out, "talking", json_object_get(summary, "talk_seconds"));
    add_named(out, "cost", json_object_get(summary, "cost"));
    if (!side_by_side)
        add_named(out, "channels", channels);
    add_named(out, "reasons", json_object_get(summary, "by_reason"));
    if (show_sum(json_object_get(summary, "dropped")) > 0)
        add_named(out, "dropped", json_object_get(summary, "dropped"));
}
