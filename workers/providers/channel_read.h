/*
 * Reading one channel of the channels file. Private to the channels module: others include channels.h.
 *
 * Nothing here stops at a problem: each becomes a row in `problems` that names the file and the field, and
 * quotes no secret.
 */
#ifndef IVR_PROVIDERS_CHANNEL_READ_H
#define IVR_PROVIDERS_CHANNEL_READ_H

#include <stdbool.h>

#include "common/base/buf.h"
#include "common/json/json.h"
#include "workers/providers/channels.h"

struct channels_reader {
    const char *path;
    struct buf *problems; /* one row a problem, appended */
    const char *name;     /* the channel that is being read; NULL at the top of the file */
    bool failed;          /* this channel has a problem */
    bool any;             /* the file has one */
};

/* "PATH: channels.NAME.FIELD: text"; an empty field is the channel, or the file, as a whole. */
void reader_problem(struct channels_reader *r, const char *field, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* A problem for each member of `object` that is not in `known` (ends with NULL). */
void reader_unknown(struct channels_reader *r, json_t *object, const char *const *known);

/*
 * The channel `name` as `object` describes it, owned by the caller. Never NULL, so that others may name it in
 * `fallback` without a second problem; after a problem it must not be used otherwise.
 */
struct channel *channel_read(struct channels_reader *r, const char *name, json_t *object);

/* A cap on calls in progress; 0 where there is none, and after a problem. */
int reader_concurrent_calls(struct channels_reader *r, const char *field, const json_t *value);

/* One to seven digits, the first not 0. */
bool reader_country_code(struct span code);

/* Appends a file's bytes; 0, else errno (EFBIG when the buffer does not take it). */
int reader_file(struct buf *b, const char *path);
/* buf_done() that leaves no secret behind. */
void reader_wipe(struct buf *b);

#endif
