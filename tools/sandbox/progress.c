#include "tools/sandbox/progress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/json/json.h"

enum {
    SUMMARY_MAX = 1024 * 1024,
    DRAW_EVERY_MS = 200,
    ROW_EVERY_MS = 2000,
    MARK_EVERY_MS = 200,
    BAR_COLUMNS = 24,
};

void progress_init(struct progress *progress)
{
    *progress = (struct progress){.terminal = isatty(STDOUT_FILENO)};
}

/* ---- taking ---- */

static int64_t int_of(const json_t *object, const char *key)
{
    return (int64_t)json_integer_value(json_object_get(object, key));
}

static int64_t sum_of(const json_t *counts)
{
    const char *key;
    json_t *count;
    int64_t sum = 0;
    json_object_foreach((json_t *)(uintptr_t)counts, key, count) sum += (int64_t)json_integer_value(count);
    return sum;
}

/* The promise of every revision: calls = waiting + dropped + those with a status. */
static bool adds_up(const json_t *counts)
{
    return int_of(counts, "calls") == int_of(counts, "waiting") + sum_of(json_object_get(counts, "dropped")) +
                                          sum_of(json_object_get(counts, "by_status"));
}

/* ... of each channel, too, and the channels make up the whole. */
static bool channels_add_up(const json_t *summary)
{
    json_t *channels = json_object_get(summary, "by_channel"), *part;
    const json_t *all = json_object_get(summary, "by_status");
    const char *channel;
    int64_t calls = 0, by_status[STATUS_COUNT] = {0};
    json_object_foreach(channels, channel, part)
    {
        const json_t *own = json_object_get(part, "by_status");
        if (!adds_up(part))
            return false;
        calls += int_of(part, "calls");
        for (int status = 1; status < STATUS_COUNT; status++)
            by_status[status] += int_of(own, status_name((enum call_status)status));
    }
    for (int status = 1; status < STATUS_COUNT; status++) {
        if (by_status[status] != int_of(all, status_name((enum call_status)status)))
            return false;
    }
    return calls == int_of(summary, "calls");
}

static void read_summary(struct progress *p, const json_t *summary)
{
    p->calls = int_of(summary, "calls");
    p->waiting = int_of(summary, "waiting");
    p->retrying = int_of(summary, "retrying");
    p->attempts = int_of(summary, "attempts");
    p->ended = int_of(json_object_get(summary, "hops"), "session_completed");
    p->complete = json_is_true(json_object_get(summary, "complete"));
    p->dropped = sum_of(json_object_get(summary, "dropped"));
    for (int status = 1; status < STATUS_COUNT; status++)
        p->by_status[status] =
            int_of(json_object_get(summary, "by_status"), status_name((enum call_status)status));
}

static void mark(struct progress *p, int64_t now_ms)
{
    if (p->marks_n > 0 && now_ms - p->marks[p->marks_n - 1].mono_ms < MARK_EVERY_MS)
        return;
    if (p->marks_n == PROGRESS_MARKS)
        memmove(&p->marks[0], &p->marks[1], sizeof(p->marks[0]) * (size_t)--p->marks_n);
    p->marks[p->marks_n].mono_ms = now_ms;
    p->marks[p->marks_n++].attempts = p->attempts;
}

void progress_take(struct progress *p, struct span row, int64_t now_ms)
{
    json_t *summary = json_parse(row, SUMMARY_MAX, NULL);
    const char *kind = json_string_value(json_object_get(summary, "kind"));
    if (kind != NULL && strcmp(kind, "campaign") == 0) {
        int64_t revision = int_of(summary, "revision");
        read_summary(p, summary);
        p->wrong += !adds_up(summary) || !channels_add_up(summary) || revision <= p->revision;
        p->revision = revision;
        p->summaries++;
        p->changed_mono_ms = now_ms;
    }
    json_decref(summary);
}

bool progress_done(const struct progress *p)
{
    return p->expected > 0 && p->complete && p->calls >= p->expected;
}

bool progress_settled(const struct progress *p)
{
    return progress_done(p) && p->ended >= p->attempts;
}

/* ---- drawing ---- */

static double rate(const struct progress *p)
{
    if (p->marks_n < 2)
        return 0;
    int64_t ms = p->marks[p->marks_n - 1].mono_ms - p->marks[0].mono_ms;
    return ms > 0 ? 1000.0 * (double)(p->marks[p->marks_n - 1].attempts - p->marks[0].attempts) / (double)ms
                  : 0;
}

/* Calls of which nothing more is expected. */
static int64_t finished(const struct progress *p)
{
    int64_t n = p->dropped - p->retrying;
    for (int status = 1; status < STATUS_COUNT; status++)
        n += status != STATUS_PENDING ? p->by_status[status] : 0;
    return n > 0 ? n : 0;
}

static void add_bar(struct buf *b, int64_t n, int64_t all)
{
    buf_addc(b, '[');
    for (int64_t i = 0; i < BAR_COLUMNS; i++)
        buf_addc(b, all > 0 && i < n * BAR_COLUMNS / all ? '#' : '.');
    buf_adds(b, "] ");
}

static void add_row(struct buf *b, const struct progress *p, int64_t now_ms)
{
    int64_t all = p->expected > p->calls ? p->expected : p->calls;
    double seconds = (double)(now_ms - p->started_mono_ms) / 1000.0;
    buf_addf(b, "%6.1f s  ", seconds);
    if (all == 0) {
        buf_adds(b, "sending the requests");
        return;
    }
    if (p->terminal)
        add_bar(b, finished(p), all);
    buf_addf(b, "%lld of %lld calls done, %lld in flight", (long long)finished(p), (long long)all,
             (long long)p->by_status[STATUS_PENDING]);
    if (p->retrying > 0)
        buf_addf(b, ", %lld to be tried again", (long long)p->retrying);
    if (!progress_done(p))
        buf_addf(b, ", %.0f attempts/s", rate(p));
}

static void draw(const struct progress *p, int64_t now_ms, bool last)
{
    struct buf b;
    buf_init(&b, 4096);
    if (p->terminal)
        buf_adds(&b, "\r\033[K");
    add_row(&b, p, now_ms);
    if (!p->terminal || last)
        buf_addc(&b, '\n');
    (void)!write(STDOUT_FILENO, b.p, b.n);
    buf_done(&b);
}

void progress_draw(struct progress *p, int64_t now_ms, bool last)
{
    int64_t every_ms = p->terminal ? DRAW_EVERY_MS : ROW_EVERY_MS;
    mark(p, now_ms);
    if (!last && now_ms - p->drawn_mono_ms < every_ms)
        return;
    /* Lines say what is new; on a terminal time goes by, too. */
    if (!p->terminal && p->drawn_revision == p->revision)
        return;
    draw(p, now_ms, last);
    p->drawn_mono_ms = now_ms;
    p->drawn_revision = p->revision;
}
