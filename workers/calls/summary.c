#include "workers/calls/summary.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/json/json.h"
#include "scripts.h"
#include "workers/calls/counters.h"
#include "workers/store/verbs.h"

enum {
    NAME_MAX_LEN = 512,
    REVISION_MAX = 24,
    REVISE_TRIES = 10,
    WINDOW_REVISION_KEEP_MS = 49 * 3600 * 1000, /* an hour longer than its counters */
};

struct summary {
    struct counters *counters;
    int64_t last_change_ms; /* 0: unknown */
    int64_t stored_revision;
};

/* ---- keys ---- */

void summary_key_add(struct buf *b, const struct summary_key *key)
{
    buf_adds(b, key->window ? "window:" : "campaign:");
    buf_addspan(b, key->tenant);
    buf_addc(b, '/');
    buf_addspan(b, key->campaign);
    if (!key->window)
        return;
    buf_addc(b, '/');
    buf_addspan(b, key->channel);
    buf_addc(b, '/');
    clock_add_rfc3339(b, key->minute_ms);
}

void summary_key_add_name(struct buf *b, const struct summary_key *key)
{
    buf_addspan(b, key->tenant);
    buf_addc(b, '/');
    buf_addspan(b, key->campaign);
    if (!key->window)
        return;
    buf_addc(b, '|');
    buf_addspan(b, key->channel);
    buf_addc(b, '|');
    buf_addint(b, key->minute_ms);
}

/* Cuts the text at the first `mark`; what is before it. */
static struct span cut(struct span *text, char mark)
{
    const char *at = text->n > 0 ? memchr(text->p, mark, text->n) : NULL;
    struct span head = *text;
    if (at == NULL) {
        *text = SPAN_NONE;
        return head;
    }
    head.n = (size_t)(at - text->p);
    *text = span_of(at + 1, text->n - head.n - 1);
    return head;
}

static bool parse_ms(struct span text, int64_t *ms)
{
    int64_t value = 0;
    if (text.n == 0 || text.n > 15)
        return false;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9')
            return false;
        value = value * 10 + (text.p[i] - '0');
    }
    *ms = value;
    return true;
}

bool summary_key_of_name(struct summary_key *key, bool window, struct span name)
{
    *key = (struct summary_key){.window = window};
    key->tenant = cut(&name, '/');
    key->campaign = window ? cut(&name, '|') : name;
    if (window) {
        key->channel = cut(&name, '|');
        if (key->channel.n == 0 || !parse_ms(name, &key->minute_ms))
            return false;
    }
    return key->tenant.n > 0 && key->campaign.n > 0;
}

/* ---- reading all shards ---- */

/* One summary being read, and where it goes. Ends with exactly one callback. */
struct summary_reading {
    struct store *store;
    struct summary_key key; /* spans into `text` */
    char *text;
    struct buf key_text, name;
    struct summary summary;
    char revision[REVISION_MAX]; /* as stored; "" without */
    int64_t as_of_ms;
    size_t left; /* answers that are still to come */
    enum store_status status;
    int tries;
    summary_fn read;            /* either this one */
    summary_revised_fn revised; /* or this one */
    summary_latest_fn latest;   /* or this one, which reads no shard */
    int64_t published;          /* the revision it asks about */
    void *arg;
};

static char *copy_span(char *to, struct span *span)
{
    if (span->n > 0)
        memcpy(to, span->p, span->n);
    span->p = to;
    return to + span->n;
}

static struct summary_reading *reading_new(struct store *store, const struct summary_key *key, void *arg)
{
    struct summary_reading *reading = mem_calloc(1, sizeof(*reading));
    reading->store = store;
    reading->arg = arg;
    reading->key = *key;
    reading->text = mem_alloc(key->tenant.n + key->campaign.n + key->channel.n + 1);
    char *to = copy_span(reading->text, &reading->key.tenant);
    to = copy_span(to, &reading->key.campaign);
    copy_span(to, &reading->key.channel);
    buf_init(&reading->key_text, NAME_MAX_LEN);
    buf_init(&reading->name, NAME_MAX_LEN);
    summary_key_add(&reading->key_text, key);
    summary_key_add_name(&reading->name, key);
    return reading;
}

static void reading_free(struct summary_reading *reading)
{
    buf_done(&reading->key_text);
    buf_done(&reading->name);
    free(reading->text);
    free(reading);
}

static void reading_end(struct summary_reading *reading, int64_t revision)
{
    bool known = reading->status == STORE_OK && !counters_empty(reading->summary.counters);
    const struct summary *summary = known ? &reading->summary : NULL;
    if (reading->status == STORE_OK && !known && !store_takes(reading->store))
        reading->status = STORE_REFUSED; /* it may not have been let in yet */
    if (reading->revised != NULL)
        reading->revised(reading->status, summary, revision, reading->as_of_ms, reading->arg);
    else
        reading->read(reading->status, summary, reading->arg);
    counters_free(&reading->summary.counters);
    reading_free(reading);
}

static void command(struct summary_reading *reading, const struct span *argv, size_t argc, redis_fn fn)
{
    store_command(reading->store, argv, argc, fn, reading);
}

static bool answered(struct summary_reading *reading, const struct redis_result *result)
{
    store_command_ended(reading->store);
    if (result->status == REDIS_OK)
        return true;
    reading->status = store_status_of(result);
    return false;
}

static void read_revision(struct summary_reading *reading);

static void on_revised(const struct redis_result *result, void *arg)
{
    struct summary_reading *reading = arg;
    struct span revision = SPAN_NONE;
    int64_t number = 0;
    if (answered(reading, result) && redis_reply_span(result->reply, &revision) && revision.n == 0) {
        /* Somebody else published meanwhile: what we read may be old. */
        if (++reading->tries < REVISE_TRIES) {
            counters_free(&reading->summary.counters);
            read_revision(reading);
            return;
        }
        reading->status = STORE_REFUSED;
    }
    if (reading->status == STORE_OK && !parse_ms(revision, &number))
        reading->status = STORE_REFUSED;
    reading_end(reading, number);
}

static void revise(struct summary_reading *reading)
{
    char keep[24];
    snprintf(keep, sizeof(keep), "%lld",
             (long long)(reading->key.window ? WINDOW_REVISION_KEEP_MS : store_retention_ms(reading->store)));
    const struct span args[] = {buf_span(&reading->key_text), span_str(reading->revision), span_str(keep)};
    unsigned shard = store_shard_of(reading->store, buf_span(&reading->key_text));
    store_eval(reading->store, &script_revise, shard, args, 3, on_revised, reading);
}

static void one_less(struct summary_reading *reading)
{
    if (--reading->left > 0)
        return;
    counters_sum(reading->summary.counters);
    if (reading->revised == NULL || reading->status != STORE_OK || counters_empty(reading->summary.counters))
        reading_end(reading, 0);
    else
        revise(reading);
}

static void on_counters(const struct redis_result *result, void *arg)
{
    struct summary_reading *reading = arg;
    if (answered(reading, result)) {
        for (long i = 0; i + 1 < redis_reply_len(result->reply); i += 2) {
            struct span field = SPAN_NONE, value = SPAN_NONE;
            redis_reply_span(redis_reply_at(result->reply, (size_t)i), &field);
            redis_reply_span(redis_reply_at(result->reply, (size_t)i + 1), &value);
            counters_add(reading->summary.counters, field, value);
        }
    }
    one_less(reading);
}

static void on_last_change(const struct redis_result *result, void *arg)
{
    struct summary_reading *reading = arg;
    struct span score = SPAN_NONE;
    int64_t ms;
    if (answered(reading, result) && redis_reply_span(result->reply, &score) && parse_ms(score, &ms) &&
        ms > reading->summary.last_change_ms)
        reading->summary.last_change_ms = ms;
    one_less(reading);
}

static void read_shard(struct summary_reading *reading, unsigned shard)
{
    struct span base = store_shard_key(reading->store, shard);
    bool window = reading->key.window;
    struct buf counters, changes;
    buf_init(&counters, 2 * NAME_MAX_LEN);
    buf_init(&changes, 2 * NAME_MAX_LEN);
    key_add(&counters, base, window ? KEY_WINDOW_COUNTERS : KEY_COUNTERS, buf_span(&reading->name));
    key_add(&changes, base, window ? KEY_WINDOWS : KEY_CAMPAIGNS, SPAN_NONE);
    command(reading, (const struct span[]){SPAN_LIT("HGETALL"), buf_span(&counters)}, 2, on_counters);
    command(reading, (const struct span[]){SPAN_LIT("ZSCORE"), buf_span(&changes), buf_span(&reading->name)},
            3, on_last_change);
    buf_done(&counters);
    buf_done(&changes);
}

/* Only after the stored revision is known: shards may live on several nodes, and nothing but this order makes
 * sure that a higher revision never carries older counters. */
static void on_revision(const struct redis_result *result, void *arg)
{
    struct summary_reading *reading = arg;
    struct span revision = SPAN_NONE;
    unsigned shards = store_shards(reading->store);
    reading->summary.counters = counters_new(reading->key.window);
    if (!answered(reading, result)) {
        counters_sum(reading->summary.counters);
        reading_end(reading, 0);
        return;
    }
    redis_reply_span(result->reply, &revision);
    snprintf(reading->revision, sizeof(reading->revision), "%.*s", SPAN_ARG(revision));
    if (!parse_ms(revision, &reading->summary.stored_revision))
        reading->summary.stored_revision = 0;
    reading->as_of_ms = clock_wall_ms();
    reading->left = 2 * (size_t)shards;
    for (unsigned shard = 0; shard < shards; shard++)
        read_shard(reading, shard);
}

static void on_stored(const struct redis_result *result, void *arg)
{
    struct summary_reading *reading = arg;
    struct span revision = SPAN_NONE;
    int64_t stored = 0;
    if (answered(reading, result) && redis_reply_span(result->reply, &revision))
        parse_ms(revision, &stored);
    reading->latest(reading->status, stored <= reading->published, reading->arg);
    reading_free(reading);
}

static void read_revision(struct summary_reading *reading)
{
    struct buf key;
    unsigned shard = store_shard_of(reading->store, buf_span(&reading->key_text));
    buf_init(&key, 2 * NAME_MAX_LEN);
    key_add(&key, store_shard_key(reading->store, shard), KEY_REVISION, buf_span(&reading->key_text));
    command(reading, (const struct span[]){SPAN_LIT("GET"), buf_span(&key)}, 2,
            reading->latest != NULL ? on_stored : on_revision);
    buf_done(&key);
}

void summary_read(struct store *store, const struct summary_key *key, summary_fn fn, void *arg)
{
    struct summary_reading *reading = reading_new(store, key, arg);
    reading->read = fn;
    read_revision(reading);
}

void summary_revise(struct store *store, const struct summary_key *key, summary_revised_fn fn, void *arg)
{
    struct summary_reading *reading = reading_new(store, key, arg);
    reading->revised = fn;
    read_revision(reading);
}

void summary_is_latest(struct store *store, const struct summary_key *key, int64_t revision,
                       summary_latest_fn fn, void *arg)
{
    struct summary_reading *reading = reading_new(store, key, arg);
    reading->latest = fn;
    reading->published = revision;
    read_revision(reading);
}

/* ---- what it says ---- */

bool summary_complete(const struct summary *summary)
{
    const struct counters *counters = summary->counters;
    return counters_get(counters, "waiting") == 0 && counters_get(counters, "retrying") == 0 &&
           counters_get(counters, "s:1") == 0 && counters_get(counters, "unended") <= 0;
}

int64_t summary_last_change_ms(const struct summary *summary)
{
    return summary->last_change_ms;
}

void summary_add_json(struct buf *b, const struct summary_key *key, const struct summary *summary,
                      int64_t revision, int64_t as_of_ms)
{
    buf_addc(b, '{');
    json_kint(b, "v", 1);
    json_kstr(b, "kind", key->window ? SPAN_LIT("window") : SPAN_LIT("campaign"));
    json_kstr(b, "tenant", key->tenant);
    json_kstr(b, "campaign", key->campaign);
    if (key->window) {
        json_kstr(b, "channel", key->channel);
        json_ktime(b, "window_start", key->minute_ms);
    }
    json_kint(b, "revision", revision > 0 ? revision : summary->stored_revision);
    json_ktime(b, "as_of", as_of_ms);
    if (!key->window)
        json_kbool(b, "complete", summary_complete(summary));
    counters_add_json(b, summary->counters);
    if (!key->window)
        json_ktime(b, "first_call_at", counters_first_ms(summary->counters));
    json_ktime(b, "last_change_at", summary->last_change_ms);
    buf_addc(b, '}');
}
