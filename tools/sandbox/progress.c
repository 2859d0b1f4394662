#include "tools/sandbox/progress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/json.h"

enum {
    SUMMARY_MAX = 1024 * 1024,
    DRAW_EVERY_MS = 200,
    LINE_EVERY_MS = 1000,
    MARK_EVERY_MS = 200,
    BAR_COLUMNS = 36,
};

/* What people ask for first stands first. */
static const struct {
    enum call_status status;
    const char *name;
} rows[] = {
    {STATUS_PENDING, "Pending (in flight)"},
    {STATUS_COMPLETED, "Completed"},
    {STATUS_NO_ANSWER, "No_answer"},
    {STATUS_USER_BUSY, "User_busy"},
    {STATUS_SUBSCRIBER_ABSENT, "Subscriber_absent"},
    {STATUS_GATEWAY_UNAVAILABLE, "Gateway_unavailable"},
    {STATUS_FAILED_UNKNOWN_REASON, "Failed_unknown_reason"},
};

enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

void progress_init(struct progress *progress, const char *title)
{
    *progress = (struct progress){.terminal = isatty(STDOUT_FILENO), .title = title};
}

/* ---- taking ---- */

static int64_t int_of(const json_t *object, const char *key)
{
    return (int64_t)json_integer_value(json_object_get(object, key));
}

/* The promise of every revision: calls = waiting + dropped + those with a status; revisions grow. */
static bool adds_up(const struct progress *p, int64_t revision)
{
    int64_t sum = p->waiting + p->dropped;
    for (int status = 1; status < STATUS_COUNT; status++)
        sum += p->by_status[status];
    return sum == p->calls && revision > p->revision;
}

static void read_summary(struct progress *p, json_t *summary)
{
    const char *reason;
    json_t *count;
    p->calls = int_of(summary, "calls");
    p->waiting = int_of(summary, "waiting");
    p->retrying = int_of(summary, "retrying");
    p->attempts = int_of(summary, "attempts");
    p->ended = int_of(json_object_get(summary, "hops"), "session_completed");
    p->complete = json_is_true(json_object_get(summary, "complete"));
    p->dropped = 0;
    json_object_foreach(json_object_get(summary, "dropped"), reason, count) p->dropped +=
        (int64_t)json_integer_value(count);
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

void progress_take(struct progress *p, struct span line, int64_t now_ms)
{
    json_t *summary = json_parse(line, SUMMARY_MAX, NULL);
    const char *kind = json_string_value(json_object_get(summary, "kind"));
    if (kind != NULL && strcmp(kind, "campaign") == 0) {
        int64_t revision = int_of(summary, "revision");
        read_summary(p, summary);
        p->wrong += !adds_up(p, revision);
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

static void add_row(struct buf *b, const char *name, int64_t n, int64_t all)
{
    buf_addf(b, "\r\033[K  %-24s%8lld  ", name, (long long)n);
    for (int64_t i = 0; all > 0 && i < (n * BAR_COLUMNS + all - 1) / all; i++)
        buf_addc(b, '#');
    buf_addc(b, '\n');
}

static void draw_table(struct progress *p, int64_t now_ms)
{
    struct buf b;
    buf_init(&b, 16 * 1024);
    if (p->lines_drawn > 0)
        buf_addf(&b, "\033[%dA", p->lines_drawn);
    int64_t all = p->expected > p->calls ? p->expected : p->calls;
    buf_addf(&b, "\r\033[K%s  %.1f s\n\r\033[K\n", p->title, (double)(now_ms - p->started_mono_ms) / 1000.0);
    add_row(&b, "waiting", p->waiting, all);
    for (size_t i = 0; i < ROWS; i++)
        add_row(&b, rows[i].name, p->by_status[rows[i].status], all);
    if (p->dropped > 0)
        add_row(&b, "dropped", p->dropped, all);
    buf_addf(&b,
             "\r\033[K\n\r\033[K  %lld of %ld calls known, %lld attempts, %.0f attempts/s, %lld to be tried "
             "again\n",
             (long long)p->calls, p->expected, (long long)p->attempts, rate(p), (long long)p->retrying);
    p->lines_drawn = 5 + (int)ROWS + (p->dropped > 0);
    (void)!write(STDOUT_FILENO, b.p, b.n);
    buf_done(&b);
}

static void draw_line(struct progress *p, int64_t now_ms)
{
    struct buf b;
    buf_init(&b, 4096);
    buf_addf(&b, "%6.1f s  waiting %lld", (double)(now_ms - p->started_mono_ms) / 1000.0,
             (long long)p->waiting);
    for (size_t i = 0; i < ROWS; i++) {
        if (p->by_status[rows[i].status] > 0)
            buf_addf(&b, ", %s %lld", rows[i].name, (long long)p->by_status[rows[i].status]);
    }
    if (p->dropped > 0)
        buf_addf(&b, ", dropped %lld", (long long)p->dropped);
    buf_addf(&b, ", %.0f attempts/s\n", rate(p));
    (void)!write(STDOUT_FILENO, b.p, b.n);
    buf_done(&b);
}

void progress_draw(struct progress *p, int64_t now_ms, bool last)
{
    int64_t every_ms = p->terminal ? DRAW_EVERY_MS : LINE_EVERY_MS;
    mark(p, now_ms);
    if (!last && now_ms - p->drawn_mono_ms < every_ms)
        return;
    /* Lines say what is new; a table also shows that time goes by. */
    if (!p->terminal && p->drawn_revision == p->revision)
        return;
    if (p->terminal)
        draw_table(p, now_ms);
    else
        draw_line(p, now_ms);
    p->drawn_mono_ms = now_ms;
    p->drawn_revision = p->revision;
}
