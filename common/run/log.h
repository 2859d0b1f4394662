/*
 * Structured logging: one row an event on stderr, JSON or text.
 *
 * The message is fixed, values stand in fields:
 *
 *     LOG_WARN("claim given back", LOG_STR("channel", chan->name), LOG_INT("wait_ms", wait));
 *
 * As JSON (one row):
 *
 *     {"time":"2026-11-22T18:50:50.123Z","level":"warn","program":"ivr-dispatch",
 *      "msg":"claim given back","channel":"ke-main","wait_ms":250}
 *
 * As text, the time of day in UTC:
 *
 *     18:50:50.123 WARN  claim given back channel=ke-main wait_ms=250
 *
 * Rows are written with one write(2) each; a full pipe drops rows and counts them (log_dropped), so that a
 * stalled reader never stalls a worker. A row is at most 4096 bytes, which a pipe takes as a whole: a value
 * is cut after 1024 bytes, and fields that no longer fit give way to "truncated": true.
 *
 * Field names are ours; values are escaped, with all that a terminal obeys or an eye is deceived by
 * (common/base/visible.h). Text of others that may quote phone numbers is logged with LOG_TEXT, which shows
 * them as IVR_PII says; everything else stands as it is.
 *
 * Repeats: LOG_LIMITED writes at most one row per call site and second, and adds "suppressed": n to the next
 * where some were left out. LOG_LIMITED_TO writes up to `most` of them, for rows that each name another
 * thing that somebody has to look at. Both belong to the loop's thread; everything else may be called from
 * any thread after log_setup.
 */
#ifndef IVR_COMMON_LOG_H
#define IVR_COMMON_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/base/span.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };
enum log_format { LOG_FORMAT_JSON, LOG_FORMAT_TEXT };

enum log_kind { LOG_FIELD_END, LOG_FIELD_SPAN, LOG_FIELD_TEXT, LOG_FIELD_INT, LOG_FIELD_BOOL };

struct log_field {
    const char *name;
    enum log_kind kind;
    struct span text;
    int64_t number;
};

#define LOG_SPAN(name, value) ((struct log_field){(name), LOG_FIELD_SPAN, (value), 0})
#define LOG_STR(name, value)  ((struct log_field){(name), LOG_FIELD_SPAN, span_str(value), 0})
#define LOG_TEXT(name, value) ((struct log_field){(name), LOG_FIELD_TEXT, (value), 0})
#define LOG_INT(name, value)  ((struct log_field){(name), LOG_FIELD_INT, SPAN_NONE, (int64_t)(value)})
#define LOG_BOOL(name, value) ((struct log_field){(name), LOG_FIELD_BOOL, SPAN_NONE, (value) ? 1 : 0})
#define LOG_ERR(err)          LOG_STR("error", (err)->text)
#define LOG_END               ((struct log_field){NULL, LOG_FIELD_END, SPAN_NONE, 0})

/* Called once at start; before it, text at level info. `program` is kept, not copied. */
void log_setup(const char *program, enum log_level level, enum log_format format);
bool log_enabled(enum log_level level);
uint64_t log_dropped(void);

/* `fields` ends with LOG_END. Use the macros. */
void log_write(enum log_level level, const char *msg, const struct log_field *fields);

/* One per call site of LOG_LIMITED and LOG_LIMITED_TO. */
struct log_limit {
    int64_t since_mono_ms; /* of the second that runs */
    int64_t written;       /* in it */
    int64_t suppressed;    /* since the last row */
};
bool log_limit_pass(struct log_limit *limit, int64_t most, int64_t *suppressed);

#define LOG_AT(level, msg, ...)                                                                              \
    do {                                                                                                     \
        if (log_enabled(level))                                                                              \
            log_write((level), (msg), (const struct log_field[]){__VA_ARGS__ __VA_OPT__(, ) LOG_END});       \
    } while (0)
#define LOG_DEBUG(msg, ...)          LOG_AT(LOG_LEVEL_DEBUG, msg, __VA_ARGS__)
#define LOG_INFO(msg, ...)           LOG_AT(LOG_LEVEL_INFO, msg, __VA_ARGS__)
#define LOG_WARN(msg, ...)           LOG_AT(LOG_LEVEL_WARN, msg, __VA_ARGS__)
#define LOG_ERROR(msg, ...)          LOG_AT(LOG_LEVEL_ERROR, msg, __VA_ARGS__)
#define LOG_LIMITED(level, msg, ...) LOG_LIMITED_TO(1, level, msg, __VA_ARGS__)
#define LOG_LIMITED_TO(most, level, msg, ...)                                                                \
    do {                                                                                                     \
        static struct log_limit limit_here;                                                                  \
        int64_t suppressed_here = 0;                                                                         \
        if (log_enabled(level) && log_limit_pass(&limit_here, (most), &suppressed_here))                     \
            log_write((level), (msg),                                                                        \
                      (const struct log_field[]){__VA_ARGS__ __VA_OPT__(, ) suppressed_here                  \
                                                     ? LOG_INT("suppressed", suppressed_here)                \
                                                     : LOG_END,                                              \
                                                 LOG_END});                                                  \
    } while (0)

#endif
