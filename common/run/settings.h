/*
 * Configuration from the environment: one table, everything else is derived from it (parsing, --help,
 * --check, the table of deploy/CONFIGURATION.md, which a test compares).
 *
 * All problems are reported at once, each naming its variable. A variable marked `secret` also reads from
 * NAME_FILE (its trailing newline dropped) and is never printed. An empty variable counts as unset. An
 * unknown IVR_ variable is a warning. IVR_KAFKA_X_Y sets librdkafka's property x.y and is checked by
 * common/kafka.
 */
#ifndef IVR_COMMON_SETTINGS_H
#define IVR_COMMON_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/phone.h"
#include "common/run/log.h"

enum settings_topic {
    TOPIC_CALL_REQUESTS,
    TOPIC_CALLBACKS,
    TOPIC_CALL_EVENTS,
    TOPIC_CALL_RECORDS,
    TOPIC_DELIVERY_SUMMARIES,
    TOPIC_DEAD_LETTERS,
    TOPIC_AUDIT,
    TOPIC_COUNT
};

/* One IVR_KAFKA_X_Y=value as "x.y" and value. */
struct settings_kafka_property {
    char *name;
    char *value;
};

/* All strings are owned by the struct and never NULL unless said so. Durations in milliseconds. */
struct settings {
    const char *program;
    struct settings_kafka_property *kafka; /* includes bootstrap.servers */
    size_t kafka_n;
    char *redis_url;
    char *redis_password; /* NULL: as in the URL */
    char *redis_prefix;
    int redis_shards;
    int redis_replicas;
    char *channels_path;
    char *topic_prefix; /* has its place in those of `topics` already that were not set */
    char *topics[TOPIC_COUNT];
    char *group_id;
    int max_in_flight;
    char *admin_listen;
    char *gateway_listen;
    char *public_url; /* without trailing slash; NULL when unset */
    int64_t report_interval_ms;
    int64_t pending_check_ms;
    int64_t pending_limit_ms;
    int64_t drain_timeout_ms;
    int64_t retention_ms;
    int64_t give_up_ms;
    int64_t unknown_callback_keep_ms;
    enum log_level log_level;
    enum log_format log_format;
    enum phone_shown pii;
    char *pii_metadata;    /* keys of metadata that are shown, with commas; "*": all */
    char *pii_key;         /* as set; NULL when unset; required (ERR_CONFIG) when pii is hash */
    struct span *pii_keys; /* of pii_key: the first makes hashes, all are searched */
    size_t pii_keys_n;     /* 0 when unset */
    char *actor;           /* NULL when unset: ivrctl takes the login name */
    char *api_token;       /* NULL: /v1 is off; 16 characters and more, no blanks */
    unsigned core_dumps;   /* 0: none */
};

/*
 * Reads `environ`-like `env` ("NAME=value", NULL-terminated). `problems` collects one row an error ("IVR_X:
 * …\n"), `warnings` one row a warning. Returns 0, or ERR_CONFIG when there was a problem; settings_free() in
 * any case.
 */
int settings_read(struct settings *s, const char *program, char *const *env, struct buf *problems,
                  struct buf *warnings);
void settings_free(struct settings *s);
/* The key that makes hashes; SPAN_NONE without. */
struct span settings_hash_key(const struct settings *s);

/* The table for --help: name, default, meaning, wrapped at 100 columns. */
void settings_add_help(struct buf *out);
/* The same as Markdown table rows, for deploy/CONFIGURATION.md and the test that compares. */
void settings_add_markdown(struct buf *out);
/* The effective values, one "NAME=value" a row, secrets as "(set)": what --check prints with --verbose, what
 * debug logs. */
void settings_add_effective(struct buf *out, const struct settings *s);

#endif
