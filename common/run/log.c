#include "common/run/log.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/pii.h"
#include "common/base/visible.h"
#include "common/json/json.h"

enum {
    ROW_MAX_BYTES = 4096,   /* PIPE_BUF: taken as a whole, and at once where poll says writable */
    VALUE_MAX_BYTES = 1024, /* so that one long value does not push out the ids that stand behind it */
    LIMIT_WINDOW_MS = 1000,
};

/* What every row ends with at the latest: room for it is kept free. */
#define JSON_CUT  ",\"truncated\":true"
#define JSON_TAIL "}\n"
#define TEXT_CUT  " truncated=true"
#define TEXT_TAIL "\n"
enum { TAIL_ROOM = sizeof JSON_CUT JSON_TAIL };

static struct {
    const char *program;
    enum log_level level;
    enum log_format format;
} conf = {.level = LOG_LEVEL_INFO, .format = LOG_FORMAT_TEXT};

static atomic_uint_fast64_t dropped;

void log_setup(const char *program, enum log_level level, enum log_format format)
{
    conf.program = program;
    conf.level = level;
    conf.format = format;
}

bool log_enabled(enum log_level level)
{
    return level >= conf.level;
}

uint64_t log_dropped(void)
{
    return dropped;
}

bool log_limit_pass(struct log_limit *limit, int64_t most, int64_t *suppressed)
{
    int64_t now = clock_mono_ms();
    if (limit->since_mono_ms == 0 || now - limit->since_mono_ms >= LIMIT_WINDOW_MS) {
        limit->since_mono_ms = now;
        limit->written = 0;
    }
    if (limit->written >= most) {
        limit->suppressed++;
        return false;
    }
    limit->written++;
    *suppressed = limit->suppressed;
    limit->suppressed = 0;
    return true;
}

/* At most VALUE_MAX_BYTES, cut at a character, of which nothing is lost but what follows. */
static struct span shortened(struct span text)
{
    if (text.n <= VALUE_MAX_BYTES)
        return text;
    size_t n = VALUE_MAX_BYTES;
    while (n > VALUE_MAX_BYTES - 4 && ((unsigned char)text.p[n] & 0xC0) == 0x80)
        n--;
    return span_of(text.p, n);
}

/* A string of JSON in which nothing hides. */
static void add_string(struct buf *row, struct span text)
{
    struct buf string;
    if (visible_is(text)) {
        json_str(row, text);
        return;
    }
    buf_init(&string, 4 * ROW_MAX_BYTES);
    json_str(&string, text);
    visible_add(row, buf_span(&string));
    buf_done(&string);
}

static void add_json_field(struct buf *row, const struct log_field *field)
{
    switch (field->kind) {
    case LOG_FIELD_SPAN:
        json_key(row, field->name);
        add_string(row, shortened(field->text));
        break;
    case LOG_FIELD_INT:
        json_kint(row, field->name, field->number);
        break;
    case LOG_FIELD_BOOL:
        json_kbool(row, field->name, field->number != 0);
        break;
    case LOG_FIELD_TEXT: /* add_text_of_others() made it a span */
    case LOG_FIELD_END:
        break;
    }
}

static bool needs_quotes(struct span text)
{
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c >= 0x7F)
            return true;
    }
    return text.n == 0;
}

static void add_text_value(struct buf *row, struct span text)
{
    if (needs_quotes(text))
        add_string(row, text);
    else
        buf_addspan(row, text);
}

static void add_text_field(struct buf *row, const struct log_field *field)
{
    buf_addc(row, ' ');
    buf_adds(row, field->name);
    buf_addc(row, '=');
    if (field->kind == LOG_FIELD_SPAN)
        add_text_value(row, shortened(field->text));
    else if (field->kind == LOG_FIELD_INT)
        buf_addint(row, field->number);
    else
        buf_adds(row, field->number ? "true" : "false");
}

static void add_field(struct buf *row, const struct log_field *field)
{
    if (conf.format == LOG_FORMAT_JSON)
        add_json_field(row, field);
    else
        add_text_field(row, field);
}

static void add_text_of_others(struct buf *row, const struct log_field *field)
{
    struct buf shown;
    buf_init(&shown, 16 * ROW_MAX_BYTES);
    pii_add_text(&shown, shortened(field->text));
    add_field(row, &LOG_SPAN(field->name, buf_span(&shown)));
    buf_done(&shown);
}

/* Adds fields until one does not fit, which is taken back. False when some were left out. */
static bool add_fields(struct buf *row, const struct log_field *fields)
{
    for (const struct log_field *field = fields; field->kind != LOG_FIELD_END; field++) {
        size_t before = row->n;
        if (field->kind == LOG_FIELD_TEXT)
            add_text_of_others(row, field);
        else
            add_field(row, field);
        if (!buf_ok(row)) {
            row->n = before;
            row->overflow = false;
            return false;
        }
    }
    return true;
}

static void add_json_head(struct buf *row, enum log_level level, const char *msg)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    buf_addc(row, '{');
    json_ktime(row, "time", clock_wall_ms());
    json_kstrz(row, "level", names[level]);
    if (conf.program)
        json_kstrz(row, "program", conf.program);
    json_kstr(row, "msg", shortened(span_str(msg)));
}

static void add_text_head(struct buf *row, enum log_level level, const char *msg)
{
    static const char *const names[] = {" DEBUG ", " INFO  ", " WARN  ", " ERROR "};
    char time[CLOCK_RFC3339_LEN + 1];
    clock_rfc3339(clock_wall_ms(), time);
    buf_add(row, time + 11, 12); /* the time of day, UTC */
    buf_adds(row, names[level]);
    buf_addspan(row, shortened(span_str(msg)));
}

/* Never waits: a row that stderr cannot take now is counted and gone. */
static void put_row(struct span row)
{
    struct pollfd ready = {.fd = STDERR_FILENO, .events = POLLOUT};
    if (poll(&ready, 1, 0) != 1 || (ready.revents & (POLLOUT | POLLERR | POLLNVAL)) != POLLOUT) {
        dropped++;
        return;
    }
    ssize_t done;
    do {
        done = write(STDERR_FILENO, row.p, row.n);
    } while (done < 0 && errno == EINTR);
    if (done != (ssize_t)row.n)
        dropped++;
}

void log_write(enum log_level level, const char *msg, const struct log_field *fields)
{
    int saved_errno = errno; /* a log row must not change what its caller is about to look at */
    bool json = conf.format == LOG_FORMAT_JSON;
    struct buf row;
    buf_init(&row, ROW_MAX_BYTES - TAIL_ROOM);
    if (json)
        add_json_head(&row, level, msg);
    else
        add_text_head(&row, level, msg);
    bool whole = add_fields(&row, fields);
    row.max = ROW_MAX_BYTES;
    if (!whole)
        buf_adds(&row, json ? JSON_CUT : TEXT_CUT);
    buf_adds(&row, json ? JSON_TAIL : TEXT_TAIL);
    put_row(buf_span(&row));
    buf_done(&row);
    errno = saved_errno;
}
