/* What is told of a placement: its line in the log and in GET /_sim/placements. */
#include "tests/simulator/simulator.h"

#include <string.h>

#include "common/base/url.h"
#include "common/json/json.h"

static void add_faults(struct buf *out, uint32_t faults)
{
    json_key(out, "faults");
    buf_addc(out, '[');
    for (int i = 0; i < SIM_FAULTS; i++) {
        if (faults & SIM_BIT(i)) {
            json_sep(out);
            json_str(out, span_str(sim_faults[i].name));
        }
    }
    buf_addc(out, ']');
}

/* The path of a callback URL behind "/callbacks/PROVIDER/CHANNEL/"; SPAN_NONE for any other URL. */
static struct span reference_in(struct span url)
{
    struct span before = sim_short_url(url);
    if (before.n + 1 >= url.n || url.p[before.n] != '/')
        return SPAN_NONE;
    const char *at = url.p + before.n + 1;
    size_t n = 0, most = url.n - before.n - 1;
    while (n < most && !strchr("?#", at[n]))
        n++;
    return span_of(at, n);
}

static bool has_three_parts(struct span text)
{
    int slashes = 0;
    bool empty = true;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '/' && empty)
            return false;
        slashes += text.p[i] == '/';
        empty = text.p[i] == '/';
    }
    return slashes == 2 && !empty;
}

bool sim_add_attempt_ref(struct buf *out, struct span reference, struct span callback)
{
    struct span found = reference.n ? reference : reference_in(callback);
    if (!has_three_parts(found))
        return false;
    if (reference.n)
        buf_addspan(out, found);
    else
        url_decode(out, found, false);
    return true;
}

void sim_add_placement(struct buf *out, const struct sim_call *call)
{
    char id[SIM_ID_MAX];
    struct buf ref;
    buf_init(&ref, 1024);
    bool known = sim_add_attempt_ref(&ref, call->order.reference, call->order.callback);
    call->speech->id(call, id);
    buf_adds(out, "{\"at_ms\":");
    buf_addint(out, call->placed_wall_ms);
    json_kint(out, "at_mono_us", call->placed_mono_us);
    if (call->ended_mono_us)
        json_kint(out, "ended_mono_us", call->ended_mono_us);
    else
        json_knull(out, "ended_mono_us");
    json_kstrz(out, "provider", call->speech->name);
    json_kstr(out, "to", call->order.to);
    json_kstr(out, "from", call->order.from);
    json_kstrz(out, "attempt_ref", known ? ref.p : NULL);
    json_kstr(out, "status_callback", call->order.callback);
    json_kstrz(out, "sid", call->fate.exists ? id : NULL);
    json_kbool(out, "dialled", call->fate.exists);
    json_kstrz(out, "outcome", call->fate.exists ? sim_outcome_names[call->fate.outcome] : NULL);
    add_faults(out, call->fate.faults);
    buf_adds(out, "}\n");
    buf_done(&ref);
}
