#include "workers/calls/counters.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/json/json.h"
#include "common/model/hop.h"
#include "common/model/status.h"

enum { EXACT_SECONDS = 60, NUMBER_DIGITS = 18, TEXT_MAX = 256 * 1024 * 1024 };

struct count {
    struct span channel; /* empty in a window and in the totals */
    struct span what;
    int64_t value;
};

/* A run of counts, each `what` once, sorted by it. */
struct tally {
    const struct count *items;
    size_t n;
};

struct counters {
    bool window;
    bool any;
    int64_t first_ms;
    struct buf text;     /* the fields; the counts' spans are lengths only until counters_sum() */
    struct count *items; /* as added; then sorted by channel and what, each pair once */
    size_t n, cap;
    struct count *totals; /* over the channels, sorted by what */
    size_t totals_n;
};

/* ---- collecting ---- */

struct counters *counters_new(bool window)
{
    struct counters *counters = mem_calloc(1, sizeof(*counters));
    counters->window = window;
    buf_init(&counters->text, TEXT_MAX);
    return counters;
}

void counters_free(struct counters **counters)
{
    struct counters *c = *counters;
    *counters = NULL;
    if (c == NULL)
        return;
    buf_done(&c->text);
    free(c->items);
    free(c->totals);
    free(c);
}

static bool parse_number(struct span text, int64_t *number)
{
    bool negative = text.n > 0 && text.p[0] == '-';
    int64_t value = 0;
    if (text.n == (negative ? 1u : 0u) || text.n > NUMBER_DIGITS)
        return false;
    for (size_t i = negative ? 1 : 0; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9')
            return false;
        value = value * 10 + (text.p[i] - '0');
    }
    *number = negative ? -value : value;
    return true;
}

static void append(struct counters *counters, size_t channel_n, struct span field, int64_t value)
{
    if (counters->n == counters->cap) {
        counters->cap = counters->cap > 0 ? counters->cap * 2 : 256;
        counters->items = mem_realloc(counters->items, counters->cap * sizeof(*counters->items));
    }
    size_t skip = counters->window ? 0 : channel_n + 1;
    counters->items[counters->n++] =
        (struct count){span_of(NULL, channel_n), span_of(NULL, field.n - skip), value};
    buf_addspan(&counters->text, field);
}

void counters_add(struct counters *counters, struct span field, struct span value)
{
    int64_t number;
    if (field.n == 0 || !parse_number(value, &number))
        return;
    counters->any = true;
    const char *bar = counters->window ? field.p : memchr(field.p, '|', field.n);
    if (bar != NULL)
        append(counters, (size_t)(bar - field.p), field, number);
    else if (span_is(field, "first") && (counters->first_ms == 0 || number < counters->first_ms))
        counters->first_ms = number;
}

/* ---- adding up ---- */

static int compare_spans(struct span a, struct span b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int order = n > 0 ? memcmp(a.p, b.p, n) : 0;
    if (order != 0)
        return order;
    return a.n < b.n ? -1 : a.n > b.n;
}

static int by_channel_and_what(const void *a, const void *b)
{
    const struct count *left = a, *right = b;
    int order = compare_spans(left->channel, right->channel);
    return order != 0 ? order : compare_spans(left->what, right->what);
}

/* Sorts and adds up what is equal; returns how many are left. */
static size_t merge(struct count *items, size_t n)
{
    size_t kept = 0;
    if (n == 0)
        return 0;
    qsort(items, n, sizeof(*items), by_channel_and_what);
    for (size_t i = 1; i < n; i++) {
        if (by_channel_and_what(&items[kept], &items[i]) == 0)
            items[kept].value += items[i].value;
        else
            items[++kept] = items[i];
    }
    return kept + 1;
}

void counters_sum(struct counters *counters)
{
    const char *p = counters->text.p;
    for (size_t i = 0; i < counters->n; i++) {
        struct count *item = &counters->items[i];
        item->channel.p = p;
        item->what.p = counters->window ? p : p + item->channel.n + 1;
        p = item->what.p + item->what.n;
    }
    counters->n = merge(counters->items, counters->n);
    counters->totals = mem_calloc(counters->n + 1, sizeof(*counters->totals));
    for (size_t i = 0; i < counters->n; i++)
        counters->totals[i] = (struct count){SPAN_LIT(""), counters->items[i].what, counters->items[i].value};
    counters->totals_n = merge(counters->totals, counters->n);
}

static struct tally totals_of(const struct counters *counters)
{
    return (struct tally){counters->totals, counters->totals_n};
}

bool counters_empty(const struct counters *counters)
{
    return !counters->any;
}

int64_t counters_first_ms(const struct counters *counters)
{
    return counters->first_ms;
}

/* ---- looking up ---- */

/* The place of the first item that is not before `what`. */
static size_t place_of(struct tally tally, struct span what)
{
    size_t low = 0, high = tally.n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_spans(tally.items[middle].what, what) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int64_t get(struct tally tally, const char *what)
{
    size_t i = place_of(tally, span_str(what));
    return i < tally.n && span_is(tally.items[i].what, what) ? tally.items[i].value : 0;
}

int64_t counters_get(const struct counters *counters, const char *what)
{
    return get(totals_of(counters), what);
}

/* The items that begin with `prefix`. */
static struct tally range_of(struct tally tally, const char *prefix)
{
    struct span begin = span_str(prefix);
    size_t from = place_of(tally, begin), to = from;
    while (to < tally.n && tally.items[to].what.n >= begin.n &&
           memcmp(tally.items[to].what.p, begin.p, begin.n) == 0)
        to++;
    return (struct tally){tally.items + from, to - from};
}

static struct span name_of(const struct count *item, const char *prefix)
{
    size_t n = strlen(prefix);
    return span_of(item->what.p + n, item->what.n - n);
}

/* ---- seconds ---- */

/* The edges are computed once, as the script computes them: 60 * 1.05^(b-60), cut to whole seconds. The small
 * addend makes up for pow() ending just below a whole number. */
int64_t counters_bucket_seconds(size_t bucket)
{
    if (bucket <= EXACT_SECONDS)
        return (int64_t)bucket;
    return (int64_t)floor(EXACT_SECONDS * pow(1.05, (double)bucket - EXACT_SECONDS) + 1e-6);
}

int64_t counters_percentile(const int64_t *histogram, int percent)
{
    int64_t n = 0, seen = 0;
    for (size_t b = 0; b < COUNTERS_BUCKETS; b++)
        n += histogram[b] > 0 ? histogram[b] : 0;
    if (n == 0)
        return -1;
    int64_t rank = (n * percent + 99) / 100;
    for (size_t b = 0; b < COUNTERS_BUCKETS; b++) {
        seen += histogram[b] > 0 ? histogram[b] : 0;
        if (seen >= rank && seen > 0)
            return counters_bucket_seconds(b);
    }
    return -1;
}

static void add_percentile(struct buf *b, const char *key, const int64_t *histogram, int percent)
{
    int64_t seconds = counters_percentile(histogram, percent);
    if (seconds >= 0)
        json_kint(b, key, seconds);
    else
        json_knull(b, key);
}

static void add_seconds(struct buf *b, const char *key, struct tally tally, const char *prefix,
                        const char *sum)
{
    int64_t histogram[COUNTERS_BUCKETS] = {0}, bucket;
    struct tally buckets = range_of(tally, prefix);
    for (size_t i = 0; i < buckets.n; i++)
        if (parse_number(name_of(&buckets.items[i], prefix), &bucket) && bucket >= 0)
            histogram[bucket < COUNTERS_BUCKETS ? bucket : COUNTERS_BUCKETS - 1] += buckets.items[i].value;
    json_key(b, key);
    buf_addc(b, '{');
    add_percentile(b, "p50", histogram, 50);
    add_percentile(b, "p95", histogram, 95);
    json_kint(b, "sum", get(tally, sum));
    buf_addc(b, '}');
}

/* ---- as JSON ---- */

static void add_member(struct buf *b, struct span name, int64_t value)
{
    json_sep(b);
    json_str(b, name);
    buf_addc(b, ':');
    buf_addint(b, value);
}

/* Always the two reasons that everybody has, and any other one that occurred. */
static void add_dropped(struct buf *b, struct tally tally)
{
    struct tally reasons = range_of(tally, "d:");
    json_key(b, "dropped");
    buf_addc(b, '{');
    json_kint(b, "cancelled", get(tally, "d:cancelled"));
    json_kint(b, "expired", get(tally, "d:expired"));
    for (size_t i = 0; i < reasons.n; i++) {
        struct span name = name_of(&reasons.items[i], "d:");
        if (reasons.items[i].value != 0 && !span_is(name, "cancelled") && !span_is(name, "expired"))
            add_member(b, name, reasons.items[i].value);
    }
    buf_addc(b, '}');
}

static int64_t status_count(struct tally tally, enum call_status status)
{
    char what[16];
    snprintf(what, sizeof(what), "s:%d", (int)status);
    return get(tally, what);
}

static void add_by_status(struct buf *b, struct tally tally)
{
    json_key(b, "by_status");
    buf_addc(b, '{');
    for (int status = STATUS_PENDING; status < STATUS_COUNT; status++)
        json_kint(b, status_name((enum call_status)status), status_count(tally, (enum call_status)status));
    buf_addc(b, '}');
}

/* Completed of those that ended; null while none has. Six digits, rounded half up. */
static void add_answer_rate(struct buf *b, struct tally tally)
{
    int64_t completed = status_count(tally, STATUS_COMPLETED), ended = 0;
    for (int status = STATUS_PENDING + 1; status < STATUS_COUNT; status++)
        ended += status_count(tally, (enum call_status)status);
    if (ended <= 0) {
        json_knull(b, "answer_rate");
        return;
    }
    int64_t millionths = (completed * 2000000 / ended + 1) / 2;
    char text[40];
    int n = snprintf(text, sizeof(text), "%lld.%06lld", (long long)(millionths / 1000000),
                     (long long)(millionths % 1000000));
    while (n > 0 && text[n - 1] == '0')
        n--;
    if (n > 0 && text[n - 1] == '.')
        n--;
    json_kraw(b, "answer_rate", span_of(text, (size_t)n));
}

static void add_hops(struct buf *b, struct tally tally)
{
    char what[16];
    json_key(b, "hops");
    buf_addc(b, '{');
    for (int hop = 0; hop < HOP_COUNT; hop++) {
        snprintf(what, sizeof(what), "h:%d", hop);
        json_kint(b, hop_name((enum hop)hop), get(tally, what));
    }
    buf_addc(b, '}');
}

/* The largest first; of equal ones the bytewise lesser, so that every reader of the counters keeps the same.
 */
static int by_value(const void *a, const void *b)
{
    const struct count *left = a, *right = b;
    if (left->value != right->value)
        return left->value > right->value ? -1 : 1;
    return compare_spans(left->what, right->what);
}

/* Takes the reasons that occurred; more than fit become `other`, the smallest of them. Returns how many are
 * named. */
static size_t choose_reasons(struct tally reasons, struct count *chosen, int64_t *other)
{
    size_t n = 0;
    for (size_t i = 0; i < reasons.n; i++)
        if (reasons.items[i].value != 0)
            chosen[n++] = reasons.items[i];
    *other = 0;
    if (n <= COUNTERS_MAX_REASONS)
        return n;
    qsort(chosen, n, sizeof(*chosen), by_value);
    size_t named = 0;
    for (size_t i = 0; i < n; i++) {
        if (named < COUNTERS_MAX_REASONS - 1 && !span_is(chosen[i].what, "r:other"))
            chosen[named++] = chosen[i];
        else
            *other += chosen[i].value;
    }
    qsort(chosen, named, sizeof(*chosen), by_channel_and_what);
    return named;
}

static void add_by_reason(struct buf *b, struct tally tally)
{
    struct tally reasons = range_of(tally, "r:");
    struct count *chosen = mem_calloc(reasons.n + 1, sizeof(*chosen));
    int64_t other;
    size_t n = choose_reasons(reasons, chosen, &other);
    json_key(b, "by_reason");
    buf_addc(b, '{');
    for (size_t i = 0; i < n; i++)
        add_member(b, name_of(&chosen[i], "r:"), chosen[i].value);
    if (other != 0)
        add_member(b, SPAN_LIT("other"), other);
    buf_addc(b, '}');
    free(chosen);
}

static void add_cost(struct buf *b, struct tally tally)
{
    struct tally costs = range_of(tally, "cost:");
    json_key(b, "cost");
    buf_addc(b, '{');
    for (size_t i = 0; i < costs.n; i++) {
        char currency[16];
        struct span name = name_of(&costs.items[i], "cost:");
        if (costs.items[i].value == 0 || name.n == 0 || name.n >= sizeof(currency))
            continue;
        snprintf(currency, sizeof(currency), "%.*s", SPAN_ARG(name));
        json_kmicros(b, currency, costs.items[i].value);
    }
    buf_addc(b, '}');
}

/* What counts of attempts a campaign and a window both have. */
static void add_details(struct buf *b, struct tally tally)
{
    add_by_reason(b, tally);
    add_hops(b, tally);
    add_seconds(b, "ring_seconds", tally, "ring:", "ringsum");
    add_seconds(b, "talk_seconds", tally, "talk:", "talksum");
    add_cost(b, tally);
}

static void add_calls(struct buf *b, struct tally tally)
{
    json_kint(b, "calls", get(tally, "calls"));
    json_kint(b, "waiting", get(tally, "waiting"));
    add_dropped(b, tally);
    json_kint(b, "retrying", get(tally, "retrying"));
    add_by_status(b, tally);
    json_kint(b, "attempts", get(tally, "attempts"));
    add_answer_rate(b, tally);
}

/* A channel from which everything moved on to another one is left out. */
static bool all_zero(struct tally tally)
{
    for (size_t i = 0; i < tally.n; i++)
        if (tally.items[i].value != 0)
            return false;
    return true;
}

static void add_by_channel(struct buf *b, const struct counters *counters)
{
    json_key(b, "by_channel");
    buf_addc(b, '{');
    for (size_t from = 0, to; from < counters->n; from = to) {
        struct span channel = counters->items[from].channel;
        for (to = from; to < counters->n && span_eq(counters->items[to].channel, channel);)
            to++;
        struct tally tally = {counters->items + from, to - from};
        if (all_zero(tally))
            continue;
        json_sep(b);
        json_str(b, channel);
        buf_adds(b, ":{");
        add_calls(b, tally);
        add_details(b, tally);
        buf_addc(b, '}');
    }
    buf_addc(b, '}');
}

void counters_add_json(struct buf *b, const struct counters *counters)
{
    struct tally tally = totals_of(counters);
    if (counters->window) {
        json_kint(b, "attempts", get(tally, "attempts"));
        add_by_status(b, tally);
    } else {
        add_calls(b, tally);
        add_by_channel(b, counters);
    }
    add_details(b, tally);
}
