#include "workers/calls/control.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/model/request.h"
#include "scripts.h"
#include "workers/calls/audit.h"
#include "workers/store/pack.h"
#include "workers/store/verbs.h"

enum { KEY_MAX = 512, SWEEP_LIMIT = 64, RESUMED_MAX = 256 };

static const char *const whats[] = {
    [CONTROL_PAUSE] = "pause", [CONTROL_RESUME] = "resume", [CONTROL_CANCEL] = "cancel"};
static const char *const kinds[] = {[CONTROL_CAMPAIGN] = "campaign",
                                    [CONTROL_TENANT] = "tenant",
                                    [CONTROL_CHANNEL] = "channel",
                                    [CONTROL_CALL] = "call"};
static const char *const states[] = {
    [CONTROL_UNKNOWN] = "unknown",     [CONTROL_RUNNING] = "running",         [CONTROL_PAUSED] = "paused",
    [CONTROL_CANCELLED] = "cancelled", [CONTROL_NOT_WAITING] = "not_waiting", [CONTROL_FINAL] = "final"};

#define COUNT(words) (sizeof(words) / sizeof((words)[0]))

static bool read_word(struct span word, const char *const *words, size_t n, unsigned *out)
{
    for (unsigned i = 0; i < n; i++) {
        if (words[i] != NULL && span_is(word, words[i])) {
            *out = i;
            return true;
        }
    }
    return false;
}

bool control_what_read(struct span word, enum control_what *what)
{
    unsigned i = 0;
    bool found = read_word(word, whats, COUNT(whats), &i);
    *what = (enum control_what)i;
    return found;
}

bool control_kind_read(struct span word, enum control_kind *kind)
{
    unsigned i = 0;
    bool found = read_word(word, kinds, COUNT(kinds), &i);
    *kind = (enum control_kind)i;
    return found;
}

const char *control_kind_name(enum control_kind kind)
{
    return kinds[kind];
}

const char *control_state_name(enum control_state state)
{
    return states[state];
}

bool control_name_valid(enum control_kind kind, struct span name)
{
    if (kind == CONTROL_TENANT || kind == CONTROL_CHANNEL)
        return request_valid_tenant(name); /* channels are named alike */
    const char *slash = name.n > 0 ? memchr(name.p, '/', name.n) : NULL;
    if (slash == NULL)
        return false;
    struct span tenant = span_of(name.p, (size_t)(slash - name.p));
    struct span rest = span_of(slash + 1, name.n - tenant.n - 1);
    return request_valid_tenant(tenant) &&
           (kind == CONTROL_CALL ? request_valid_call_id(rest) : request_valid_campaign(rest));
}

static enum control_state state_of(const msgpack_object *results)
{
    unsigned state = CONTROL_UNKNOWN;
    read_word(pack_get_span(results, 0), states, COUNT(states), &state);
    return (enum control_state)state;
}

/* ---- a call ---- */

static bool is_done(enum control_what what, enum control_state state)
{
    return state == (what == CONTROL_PAUSE    ? CONTROL_PAUSED
                     : what == CONTROL_RESUME ? CONTROL_RUNNING
                                              : CONTROL_CANCELLED);
}

/* Who waits for what became of a call. */
struct asking_call {
    struct control *control;
    control_fn fn;
    void *arg;
};

static void deliver_call(enum store_status status, const msgpack_object *results, void (*fn)(void), void *arg)
{
    struct asking_call asking = *(struct asking_call *)arg;
    struct control_result result = {.state = results != NULL ? state_of(results) : CONTROL_UNKNOWN};
    (void)fn;
    free(arg);
    result.waiting = status == STORE_OK && is_done(asking.control->what, result.state);
    asking.control->affected = result.waiting;
    asking.fn(status, &result, asking.arg);
}

static void set_call(struct store *store, struct control *control, control_fn fn, void *arg)
{
    struct asking_call *asking = mem_alloc(sizeof(*asking));
    *asking = (struct asking_call){control, fn, arg};
    const struct span args[] = {control->name, span_str(whats[control->what]), control->audit};
    store_run(store, &script_control, store_shard_of(store, control->name), args, 3, deliver_call, NULL,
              asking);
}

/* ---- a campaign, a tenant, a channel: every shard is asked ---- */

/* What is said is said to the shard first that notes who said it: it holds nowhere unrecorded. */
enum asking_step { ASKING_LOOKS, ASKING_FIRST, ASKING_REST };

struct asking_all {
    struct store *store;
    struct control *control; /* NULL: it is only looked at */
    enum asking_step step;
    unsigned out;
    enum store_status status;     /* the worst so far */
    struct control_result result; /* the weightiest state so far */
    bool known;
    control_fn fn;
    void *arg;
    struct buf key, audit;
};

static void ask_shards(struct asking_all *asking);

/* After a look, where there is something to say, and somebody to say it of. */
static void count_affected(struct asking_all *asking)
{
    struct control *control = asking->control;
    if (!control->counted)
        control->affected =
            asking->result.waiting + (control->what == CONTROL_CANCEL ? asking->result.placed : 0);
    control->counted = true;
    if (asking->audit.n > 0)
        audit_add_affected(&asking->audit, control->affected);
}

static bool goes_on(struct asking_all *asking, bool known)
{
    if (asking->status != STORE_OK || asking->control == NULL || !known || asking->step == ASKING_REST)
        return false;
    if (asking->step == ASKING_LOOKS)
        count_affected(asking);
    asking->known = true;
    asking->step++;
    return asking->step != ASKING_REST || store_shards(asking->store) > 1;
}

static void all_answered(struct asking_all *asking)
{
    bool known = asking->known || asking->result.state != CONTROL_RUNNING;
    if (goes_on(asking, known)) {
        ask_shards(asking);
        return;
    }
    if (!known)
        asking->result.state = CONTROL_UNKNOWN;
    asking->fn(asking->status, &asking->result, asking->arg);
    buf_done(&asking->key);
    buf_done(&asking->audit);
    free(asking);
}

static void on_answer(enum store_status status, const msgpack_object *results, void (*fn)(void), void *arg)
{
    struct asking_all *asking = arg;
    (void)fn;
    if (status != STORE_OK)
        asking->status = status;
    if (results != NULL) {
        enum control_state state = state_of(results);
        asking->result.state = state > asking->result.state ? state : asking->result.state;
        asking->known = asking->known || pack_get_int(results, 1) != 0;
        asking->result.waiting += pack_get_int(results, 2);
        asking->result.placed += pack_get_int(results, 3);
    }
    if (--asking->out == 0)
        all_answered(asking);
}

static void ask_shards(struct asking_all *asking)
{
    bool looks = asking->step == ASKING_LOOKS;
    unsigned from = asking->step == ASKING_REST ? 1 : 0;
    unsigned to = asking->step == ASKING_FIRST ? 1 : store_shards(asking->store);
    const struct span args[] = {span_str(looks ? "look" : whats[asking->control->what]),
                                buf_span(&asking->key),
                                asking->step == ASKING_FIRST ? buf_span(&asking->audit) : SPAN_NONE};
    if (asking->step != ASKING_REST)
        asking->result.state = CONTROL_RUNNING;
    asking->status = STORE_OK;
    asking->out = to - from;
    for (unsigned shard = from; shard < to; shard++)
        store_run(asking->store, &script_controls, shard, args, 3, on_answer, NULL, asking);
}

static struct asking_all *asking_new(struct store *store, enum control_kind kind, struct span name,
                                     control_fn fn, void *arg)
{
    struct asking_all *asking = mem_calloc(1, sizeof(*asking));
    asking->store = store;
    asking->known = kind != CONTROL_CAMPAIGN;
    asking->fn = fn;
    asking->arg = arg;
    buf_init(&asking->key, KEY_MAX);
    buf_init(&asking->audit, 2 * AUDIT_MAX);
    buf_addf(&asking->key, "%s:%.*s", kinds[kind], SPAN_ARG(name));
    return asking;
}

/* First every shard is looked at: whether anybody knows the campaign, and how many calls it is about. */
void control_set(struct store *store, struct control *control, control_fn fn, void *arg)
{
    if (control->kind == CONTROL_CALL) {
        set_call(store, control, fn, arg);
        return;
    }
    struct asking_all *asking = asking_new(store, control->kind, control->name, fn, arg);
    asking->known = asking->known || control->ahead;
    asking->control = control;
    buf_addspan(&asking->audit, control->audit);
    ask_shards(asking);
}

void control_read(struct store *store, enum control_kind kind, struct span name, control_fn fn, void *arg)
{
    ask_shards(asking_new(store, kind, name, fn, arg));
}

/* ---- carrying it out ---- */

static void deliver_sweep(enum store_status status, const msgpack_object *results, void (*fn)(void),
                          void *arg)
{
    struct control_resumed resumed[RESUMED_MAX];
    size_t n = 0;
    bool more = false;
    if (results != NULL) {
        const msgpack_object *channels = &results->via.array.ptr[1];
        more = pack_get_int(results, 0) != 0;
        /* A script's empty table may come as a map. */
        bool some = channels->type == MSGPACK_OBJECT_ARRAY;
        for (size_t i = 0; some && i + 1 < channels->via.array.size && n < RESUMED_MAX; i += 2)
            resumed[n++] =
                (struct control_resumed){pack_get_span(channels, i), pack_get_span(channels, i + 1)};
    }
    ((control_sweep_fn)fn)(status, more, resumed, n, arg);
}

void control_sweep(struct store *store, unsigned shard, control_sweep_fn fn, void *arg)
{
    char most[16];
    snprintf(most, sizeof(most), "%d", SWEEP_LIMIT);
    const struct span args[] = {span_str(most)};
    store_run(store, &script_sweep, shard, args, 1, deliver_sweep, (void (*)(void))fn, arg);
}

static void deliver_hangups(enum store_status status, const msgpack_object *results, void (*fn)(void),
                            void *arg)
{
    struct control_hangup items[STORE_BATCH];
    size_t n = 0;
    for (; results != NULL && n < results->via.array.size && n < STORE_BATCH; n++) {
        const msgpack_object *item = &results->via.array.ptr[n];
        items[n] = (struct control_hangup){pack_get_span(item, 0), (int)pack_get_int(item, 1),
                                           pack_get_span(item, 2), pack_get_span(item, 3)};
    }
    ((control_hangup_fn)fn)(status, items, n, arg);
}

void control_hangups(struct store *store, unsigned shard, unsigned limit, control_hangup_fn fn, void *arg)
{
    char most[16];
    snprintf(most, sizeof(most), "%u", limit < STORE_BATCH ? limit : STORE_BATCH);
    const struct span args[] = {span_str(most)};
    store_run(store, &script_hangup, shard, args, 1, deliver_hangups, (void (*)(void))fn, arg);
}

static void on_hung_up(enum store_status status, const msgpack_object *results, void (*fn)(void), void *arg)
{
    (void)status, (void)results, (void)fn, (void)arg;
}

void control_hung_up(struct store *store, struct span id)
{
    const struct span args[] = {id};
    store_run(store, &script_hung_up, store_shard_of(store, id), args, 1, on_hung_up, NULL, NULL);
}
