#include "common/run/settings.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/number.h"
#include "common/base/url.h"
#include "common/base/visible.h"
#include "common/json/json.h"
#include "common/run/secret_file.h"
#include "common/run/settings_list.h"

enum {
    HELP_COLUMNS = 100,
    QUOTED_MAX = 60, /* of a bad value that a message repeats */
    TOPIC_NAME_MAX = 249,
    TOPIC_PREFIX_MAX = 200,
    TOKEN_MIN = 16,
    PREFIX_MAX = 64,
};

#define TEN_YEARS_MS (INT64_C(3650) * 24 * 3600 * 1000)
#define KAFKA_PREFIX "IVR_KAFKA_"
#define FILE_SUFFIX  "_FILE"
#define BOOTSTRAP    "bootstrap.servers"
#define TOPIC_PREFIX "ivr."

enum kind { KIND_TEXT, KIND_INT, KIND_DURATION, KIND_WORD, KIND_BOOTSTRAP };

/* What is not OPEN also reads from NAME_FILE. SECRET_URL may hold a password, which alone is hidden when
 * printed. */
enum secrecy { OPEN, SECRET, SECRET_URL };

struct row {
    const char *name;
    enum kind kind;
    enum secrecy secrecy;
    size_t offset;             /* of the field in struct settings */
    const char *fallback;      /* parsed as if it had been set; NULL: see default_of */
    const char *fallback_text; /* what documents say instead of `fallback`, NULL: the same */
    int64_t min, max;          /* of numbers and, in milliseconds, of durations */
    const char *const *words;  /* of KIND_WORD, in the order of their enum */
    int (*fits)(const char *value, struct err *err); /* of KIND_TEXT; NULL: any text */
    const char *sentence;
};

static int fits_topic(const char *value, struct err *err);
static int fits_topic_prefix(const char *value, struct err *err);
static int fits_prefix(const char *value, struct err *err);
static int fits_listener(const char *value, struct err *err);
static int fits_redis_url(const char *value, struct err *err);
static int fits_public_url(const char *value, struct err *err);
static int fits_one_row(const char *value, struct err *err);
static int fits_names(const char *value, struct err *err);
static int fits_token(const char *value, struct err *err);

static const char *const level_words[] = {"debug", "info", "warn", "error", NULL};
static const char *const format_words[] = {"json", "text", NULL};
static const char *const pii_words[] = {"mask", "hash", "plain", NULL};
static const char *const yes_no_words[] = {"no", "yes", NULL};

#define FIELD(member) .offset = offsetof(struct settings, member)
#define TOPIC(index)  .offset = offsetof(struct settings, topics) + (index) * sizeof(char *)
#define DURATION      .kind = KIND_DURATION, .max = TEN_YEARS_MS

static const struct row rows[] = {
    {"IVR_KAFKA_BOOTSTRAP_SERVERS", KIND_BOOTSTRAP, .fallback = "localhost:9092",
     .sentence = "Kafka brokers to start from, host:port with commas between. Any other IVR_KAFKA_X_Y sets "
                 "librdkafka's property x.y, for consumer and producer alike where both know it"},
    {"IVR_REDIS_URL", FIELD(redis_url), .fallback = "redis://localhost:6379/0", .secrecy = SECRET_URL,
     .fits = fits_redis_url,
     .sentence = "where Redis is: redis://, rediss://, unix://, redis+sentinel://h1:p,h2:p/MASTER/DB or "
                 "redis+cluster://h1:p,h2:p, with user and password as in any URL"},
    {"IVR_REDIS_PASSWORD", FIELD(redis_password), .secrecy = SECRET,
     .sentence = "password for Redis, where it should not stand in the URL"},
    {"IVR_REDIS_PREFIX", FIELD(redis_prefix), .fallback = "ivr", .fits = fits_prefix,
     .sentence = "first part of every key in Redis"},
    {"IVR_REDIS_SHARDS", KIND_INT, FIELD(redis_shards), .fallback = "16", .min = 1, .max = 1024,
     .sentence = "shards that calls are spread over; fixed at first start, another value later is refused"},
    {"IVR_REDIS_REPLICAS", KIND_INT, FIELD(redis_replicas), .fallback = "0", .min = 0, .max = 100,
     .sentence =
         "replicas that must acknowledge before a request leaves and before an offset counts as done"},
    {"IVR_CHANNELS", FIELD(channels_path), .fallback = "channels.json",
     .sentence = "path of the channels file"},
    {"IVR_TOPIC_PREFIX", FIELD(topic_prefix), .fallback = TOPIC_PREFIX, .fits = fits_topic_prefix,
     .sentence = "first part of the topics' names below that are not set"},
    {"IVR_TOPIC_CALL_REQUESTS", TOPIC(TOPIC_CALL_REQUESTS), .fallback = "ivr.call-requests",
     .fits = fits_topic, .sentence = "topic that call requests are read from"},
    {"IVR_TOPIC_CALLBACKS", TOPIC(TOPIC_CALLBACKS), .fallback = "ivr.callbacks", .fits = fits_topic,
     .sentence = "topic of the providers' callbacks"},
    {"IVR_TOPIC_CALL_EVENTS", TOPIC(TOPIC_CALL_EVENTS), .fallback = "ivr.call-events", .fits = fits_topic,
     .sentence = "topic of what happens to calls"},
    {"IVR_TOPIC_CALL_RECORDS", TOPIC(TOPIC_CALL_RECORDS), .fallback = "ivr.call-records", .fits = fits_topic,
     .sentence = "topic of what became of each call"},
    {"IVR_TOPIC_DELIVERY_SUMMARIES", TOPIC(TOPIC_DELIVERY_SUMMARIES), .fallback = "ivr.delivery-summaries",
     .fits = fits_topic, .sentence = "topic of the delivery summaries"},
    {"IVR_TOPIC_DEAD_LETTERS", TOPIC(TOPIC_DEAD_LETTERS), .fallback = "ivr.dead-letters", .fits = fits_topic,
     .sentence = "topic of what could not be processed"},
    {"IVR_TOPIC_AUDIT", TOPIC(TOPIC_AUDIT), .fallback = "ivr.audit", .fits = fits_topic,
     .sentence = "topic of who did what"},
    {"IVR_GROUP_ID", FIELD(group_id), .fallback_text = "the program's name", .fits = fits_one_row,
     .sentence = "Kafka consumer group"},
    {"IVR_MAX_IN_FLIGHT", KIND_INT, FIELD(max_in_flight), .fallback = "1000", .min = 1, .max = 100000,
     .sentence = "messages being worked on at once, per process"},
    {"IVR_ADMIN_LISTEN", FIELD(admin_listen), .fallback = "0.0.0.0:9090", .fits = fits_listener,
     .sentence = "address of /metrics, /healthz and /readyz; port 0 picks one and logs it"},
    {"IVR_GATEWAY_LISTEN", FIELD(gateway_listen), .fallback = "0.0.0.0:8080", .fits = fits_listener,
     .sentence = "address of the gateway's public side; port 0 picks one and logs it"},
    {"IVR_PUBLIC_URL", FIELD(public_url), .secrecy = SECRET_URL, .fits = fits_public_url,
     .sentence = "the gateway's address as providers see it, http or https; callback URLs are built "
                 "from it and signatures verified with it; it may have a path"},
    {"IVR_REPORT_INTERVAL", DURATION, FIELD(report_interval_ms), .fallback = "5s", .min = 1,
     .sentence = "how often a changed campaign's summary may be published"},
    {"IVR_PENDING_CHECK", DURATION, FIELD(pending_check_ms), .fallback = "15m", .min = 1,
     .sentence = "when a Pending attempt is first looked up at the provider"},
    {"IVR_PENDING_LIMIT", DURATION, FIELD(pending_limit_ms), .fallback = "24h", .min = 1,
     .sentence = "when a Pending attempt is closed as Failed_unknown_reason, reason no_report"},
    {"IVR_DRAIN_TIMEOUT", DURATION, FIELD(drain_timeout_ms), .fallback = "20s",
     .sentence = "how long work in flight may take to finish after SIGTERM"},
    {"IVR_RETENTION", DURATION, FIELD(retention_ms), .fallback = "7d", .min = 1,
     .sentence = "how long a finished call's state stays in Redis"},
    {"IVR_GIVE_UP", DURATION, FIELD(give_up_ms), .fallback = "1h",
     .sentence = "how long placing is tried while the provider cannot be reached, "
                 "where the request has no expires_at"},
    {"IVR_UNKNOWN_CALLBACK_KEEP", DURATION, FIELD(unknown_callback_keep_ms), .fallback = "10m",
     .sentence = "how long a callback waits for its call to be known before it is a dead letter"},
    {"IVR_LOG_LEVEL", KIND_WORD, FIELD(log_level), .fallback = "info", .words = level_words,
     .sentence = "debug, info, warn or error"},
    {"IVR_LOG_FORMAT", KIND_WORD, FIELD(log_format), .fallback_text = "json, or text on a terminal",
     .words = format_words, .sentence = "json or text; one line an event on stderr"},
    {"IVR_PII", KIND_WORD, FIELD(pii), .fallback = "mask", .words = pii_words,
     .sentence = "phone numbers in logs, events and summaries: mask (+2547****1234), hash (keyed with "
                 "IVR_PII_KEY) or plain"},
    {"IVR_PII_KEY", FIELD(pii_key), .secrecy = SECRET, .fits = settings_list_fits,
     .sentence =
         "key of hashes: IVR_PII=hash, to_hash, and search by number; the same for all programs; a list "
         "with commas while it is changed: the first makes hashes, all are searched"},
    {"IVR_PII_METADATA", FIELD(pii_metadata), .fallback = "*", .fits = fits_names,
     .sentence = "keys of metadata whose values events and records keep, with commas between, or *: all; the "
                 "others become ***; read when the request comes in"},
    {"IVR_ACTOR", FIELD(actor), .fallback_text = "the login name", .fits = fits_one_row,
     .sentence = "who ivrctl says acts, on the audit topic"},
    {"IVR_API_TOKEN", FIELD(api_token), .secrecy = SECRET, .fits = fits_token,
     .sentence = "bearer token of the gateway's /v1, which is off without one; "
                 "at least 16 characters and no blanks"},
    {"IVR_CORE_DUMPS", KIND_WORD, FIELD(core_dumps), .fallback = "no", .words = yes_no_words,
     .sentence = "yes or no; a core dump, and whoever may attach a debugger, "
                 "sees every secret and number in memory"},
};
enum { ROWS = sizeof rows / sizeof rows[0] };

/* ---- what values look like ---- */

static bool all_of(const char *value, const char *besides_letters_and_digits, size_t most)
{
    size_t n = strlen(value);
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)value[i];
        if (c >= 0x80 || !(isalnum(c) || strchr(besides_letters_and_digits, c)))
            return false;
    }
    return n >= 1 && n <= most;
}

static int fits_topic(const char *value, struct err *err)
{
    if (all_of(value, "._-", TOPIC_NAME_MAX) && strcmp(value, ".") != 0 && strcmp(value, "..") != 0)
        return 0;
    return err_set(err, ERR_CONFIG, "expected a Kafka topic name: 1 to %d of A-Z a-z 0-9 . _ -",
                   TOPIC_NAME_MAX);
}

static int fits_topic_prefix(const char *value, struct err *err)
{
    if (all_of(value, "._-", TOPIC_PREFIX_MAX))
        return 0;
    return err_set(err, ERR_CONFIG, "expected 1 to %d of A-Z a-z 0-9 . _ -", TOPIC_PREFIX_MAX);
}

/* Braces are out: they would decide the slot of every key in a Redis Cluster. */
static int fits_prefix(const char *value, struct err *err)
{
    if (all_of(value, "._:/-", PREFIX_MAX))
        return 0;
    return err_set(err, ERR_CONFIG, "expected 1 to %d of A-Z a-z 0-9 . _ : / -", PREFIX_MAX);
}

static int fits_one_row(const char *value, struct err *err)
{
    for (const char *c = value; *c; c++) {
        if (iscntrl((unsigned char)*c))
            return err_set(err, ERR_CONFIG, "expected text without control characters");
    }
    return span_utf8(span_str(value)) ? 0 : err_set(err, ERR_CONFIG, "expected UTF-8");
}

static int fits_names(const char *value, struct err *err)
{
    int rc = fits_one_row(value, err);
    return rc == 0 ? settings_list_fits(value, err) : rc;
}

/* What an Authorization header can carry, and long enough not to be guessed. */
static int fits_token(const char *value, struct err *err)
{
    size_t n = strlen(value);
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)value[i];
        if (c <= ' ' || c == 0x7F)
            return err_set(err, ERR_CONFIG,
                           "expected a token without blanks, line breaks and control characters");
    }
    return n >= TOKEN_MIN
               ? 0
               : err_set(err, ERR_CONFIG, "expected at least %d characters, it has %zu", TOKEN_MIN, n);
}

static int fits_listener(const char *value, struct err *err)
{
    const char *colon = strrchr(value, ':');
    int64_t port;
    size_t host = colon ? (size_t)(colon - value) : 0;
    bool bracketed = host > 2 && value[0] == '[' && value[host - 1] == ']';
    bool plain = host > 0 && all_of(value, ".-:", strlen(value)) && strchr(value, ':') == colon;
    if ((bracketed || plain) && number_read(span_str(colon + 1), 0, 65535, &port))
        return 0;
    return err_set(err, ERR_CONFIG,
                   "expected address:port with a port from 0 to 65535, "
                   "such as 0.0.0.0:9090 or [::]:9090");
}

/* What the scheme makes of host and path is the business of common/redis; here it is only a URL of a known
 * kind. */
static int fits_redis_url(const char *value, struct err *err)
{
    static const char *const schemes[] = {"redis", "rediss", "unix", "redis+sentinel", "redis+cluster"};
    struct url_parts parts;
    if (url_split(span_str(value), &parts, err) != 0)
        return ERR_CONFIG;
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        if (span_is(parts.scheme, schemes[i]))
            return 0;
    }
    return err_set(err, ERR_CONFIG,
                   "expected redis://, rediss://, unix://, redis+sentinel:// or redis+cluster://");
}

static int fits_public_url(const char *value, struct err *err)
{
    struct url_parts parts;
    if (url_split(span_str(value), &parts, err) != 0)
        return ERR_CONFIG;
    if (!span_is(parts.scheme, "http") && !span_is(parts.scheme, "https"))
        return err_set(err, ERR_CONFIG, "expected a URL that starts with http:// or https://");
    if (memchr(parts.host.p, ',', parts.host.n))
        return err_set(err, ERR_CONFIG, "expected one host");
    if (parts.query.p || parts.fragment.p)
        return err_set(err, ERR_CONFIG, "expected a URL without '?' and '#', because paths are added to it");
    if (url_has_stray_at(&parts))
        return err_set(err, ERR_CONFIG, "expected no '@' behind the host; in a password '/' is written %%2F");
    return 0;
}

/* ---- the fields ---- */

static void *field_of(struct settings *s, const struct row *row)
{
    return (char *)s + row->offset;
}

static const void *const_field_of(const struct settings *s, const struct row *row)
{
    return (const char *)s + row->offset;
}

static void add_property(struct settings *s, const char *name, const char *value)
{
    s->kafka = mem_realloc(s->kafka, (s->kafka_n + 1) * sizeof *s->kafka);
    s->kafka[s->kafka_n++] =
        (struct settings_kafka_property){.name = mem_strdup(name), .value = mem_strdup(value)};
}

static int store_text(char **field, const struct row *row, const char *value, struct err *err)
{
    int rc = row->fits ? row->fits(value, err) : 0;
    if (rc == 0)
        *field = mem_strdup(value);
    return rc;
}

static int store_int(int *field, const struct row *row, const char *value, struct err *err)
{
    int64_t number;
    if (!number_read(span_str(value), row->min, row->max, &number))
        return err_set(err, ERR_CONFIG, "expected a whole number from %lld to %lld", (long long)row->min,
                       (long long)row->max);
    *field = (int)number;
    return 0;
}

static int store_duration(int64_t *field, const struct row *row, const char *value, struct err *err)
{
    int64_t ms;
    if (!clock_parse_duration(span_str(value), &ms))
        return err_set(err, ERR_CONFIG,
                       "expected a duration: a whole number and ms, s, m, h or d, such as %s", row->fallback);
    if (ms < row->min || ms > row->max)
        return err_set(err, ERR_CONFIG, "expected a duration from %lldms to 3650d", (long long)row->min);
    *field = ms;
    return 0;
}

static int store_word(void *field, const struct row *row, const char *value, struct err *err)
{
    struct buf expected;
    for (unsigned i = 0; row->words[i]; i++) {
        if (strcmp(value, row->words[i]) == 0) {
            memcpy(field, &i, sizeof i); /* each of these enums is an unsigned int from 0 */
            return 0;
        }
    }
    buf_init(&expected, sizeof err->text);
    for (size_t i = 0; row->words[i]; i++)
        buf_addf(&expected, "%s%s", i ? (row->words[i + 1] ? ", " : " or ") : "", row->words[i]);
    err_set(err, ERR_CONFIG, "expected %s", expected.p);
    buf_done(&expected);
    return ERR_CONFIG;
}
_Static_assert(sizeof(enum log_level) == sizeof(unsigned) && sizeof(enum log_format) == sizeof(unsigned) &&
                   sizeof(enum phone_shown) == sizeof(unsigned),
               "store_word writes them all alike");

static int store(struct settings *s, const struct row *row, const char *value, struct err *err)
{
    switch (row->kind) {
    case KIND_TEXT:
        return store_text(field_of(s, row), row, value, err);
    case KIND_INT:
        return store_int(field_of(s, row), row, value, err);
    case KIND_DURATION:
        return store_duration(field_of(s, row), row, value, err);
    case KIND_WORD:
        return store_word(field_of(s, row), row, value, err);
    case KIND_BOOTSTRAP:
        add_property(s, BOOTSTRAP, value);
        return 0;
    }
    return 0;
}

/* ---- reading ---- */

static bool ends_with(struct span text, struct span end)
{
    return text.n >= end.n && memcmp(text.p + text.n - end.n, end.p, end.n) == 0;
}

struct settings_reading {
    struct settings *s;
    char *const *env;
    struct buf *problems;
    struct buf *warnings;
    bool failed;
};

/* `value` NULL: not to be repeated. It may hold anything, so it is quoted as JSON does. */
static void problem(struct settings_reading *r, const char *name, const char *value, const char *text)
{
    r->failed = true;
    visible_add(r->problems, span_str(name));
    buf_adds(r->problems, ": ");
    if (value) {
        size_t n = strnlen(value, QUOTED_MAX);
        json_str(r->problems, span_of(value, n));
        buf_adds(r->problems, value[n] ? "… does not fit, " : " does not fit, ");
    }
    buf_addf(r->problems, "%s\n", text);
}

/* The first of that name, as getenv has it; NULL when it is not there or empty. */
static const char *env_get(char *const *env, struct span name)
{
    for (; *env; env++) {
        if (strncmp(*env, name.p, name.n) == 0 && (*env)[name.n] == '=')
            return (*env)[name.n + 1] ? *env + name.n + 1 : NULL;
    }
    return NULL;
}

/*
 * The value of a variable that may hold a secret, from NAME or from the file that NAME_FILE names; the caller
 * frees it. NULL when neither is set, or after a problem, which is then reported.
 */
static char *secret_value(struct settings_reading *r, const char *name)
{
    struct buf file_name;
    struct err err = ERR_INIT;
    char *value = NULL;
    buf_init(&file_name, 1024);
    buf_addf(&file_name, "%s%s", name, FILE_SUFFIX);
    const char *direct = env_get(r->env, span_str(name));
    const char *path = env_get(r->env, buf_span(&file_name));
    if (direct && path) {
        err_set(&err, ERR_CONFIG, "set either this or %s, not both", file_name.p);
        problem(r, name, NULL, err.text);
    } else if (path) {
        value = secret_file_read(path, &err);
        if (!value)
            problem(r, file_name.p, path, err.text);
    } else if (direct) {
        value = mem_strdup(direct);
    }
    buf_done(&file_name);
    return value;
}

/* Text where stderr is a terminal, which a person reads; JSON otherwise, for programs. */
static const char *default_of(const struct settings *s, const struct row *row)
{
    if (row->offset == offsetof(struct settings, group_id))
        return s->program;
    if (row->offset == offsetof(struct settings, log_format))
        return format_words[isatty(STDERR_FILENO) ? LOG_FORMAT_TEXT : LOG_FORMAT_JSON];
    return row->fallback;
}

static void read_row(struct settings_reading *r, const struct row *row)
{
    struct err err = ERR_INIT;
    bool was_bad = r->failed;
    r->failed = false;
    char *secret = row->secrecy == OPEN ? NULL : secret_value(r, row->name);
    const char *value = row->secrecy == OPEN ? env_get(r->env, span_str(row->name)) : secret;
    if (!value)
        value = default_of(r->s, row);
    if (!r->failed && value && store(r->s, row, value, &err) != 0)
        problem(r, row->name, row->secrecy == OPEN ? value : NULL, err.text);
    /* The checks beyond the settings run in any case and may read every string: no member stays NULL. */
    if (r->failed && (value = default_of(r->s, row)))
        (void)store(r->s, row, value, &err);
    r->failed |= was_bad;
    free(secret);
}

/* ---- librdkafka's properties ---- */

/* "IVR_KAFKA_SASL_USERNAME" is sasl.username. The caller frees it. */
static char *property_name(struct span variable)
{
    const size_t skip = sizeof KAFKA_PREFIX - 1;
    char *name = mem_strndup(variable.p + skip, variable.n - skip);
    for (char *c = name; *c; c++)
        *c = (char)(*c == '_' ? '.' : tolower((unsigned char)*c));
    return name;
}

static bool property_secret(const char *property)
{
    static const char *const parts[] = {"password", "passphrase", "secret", "key.pem", "oauthbearer.config"};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (strstr(property, parts[i]))
            return true;
    }
    return false;
}

/* With librdkafka's other names for the same. */
static bool property_refused(const char *property)
{
    static const char *const names[] = {
        "enable.auto.commit",    "auto.commit.enable", "enable.auto.offset.store", "acks",
        "request.required.acks", "enable.idempotence", "auto.offset.reset"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(property, names[i]) == 0)
            return true;
    }
    return false;
}

static bool property_known(const struct settings *s, const char *property)
{
    for (size_t i = 0; i < s->kafka_n; i++) {
        if (strcmp(s->kafka[i].name, property) == 0)
            return true;
    }
    return false;
}

static void store_property(struct settings_reading *r, const char *variable, const char *property)
{
    bool secret = property_secret(property);
    char *owned = secret ? secret_value(r, variable) : NULL;
    const char *value = secret ? owned : env_get(r->env, span_str(variable));
    if (value && property_refused(property))
        problem(r, variable, NULL, "cannot be set: what the workers promise depends on it");
    else if (value && !property_known(r->s, property))
        add_property(r->s, property, value);
    free(owned);
}

/* Whether `name` is the NAME_FILE of a property that is a secret; `base` is then NAME. */
static bool names_secret_file(struct span name, struct span *base)
{
    if (!ends_with(name, SPAN_LIT(FILE_SUFFIX)))
        return false;
    *base = span_of(name.p, name.n - (sizeof FILE_SUFFIX - 1));
    if (base->n <= sizeof KAFKA_PREFIX - 1)
        return false;
    char *property = property_name(*base);
    bool secret = property_secret(property);
    free(property);
    return secret;
}

static void read_property(struct settings_reading *r, struct span name)
{
    struct span base;
    if (names_secret_file(name, &base)) {
        if (env_get(r->env, base))
            return; /* NAME's own turn says that both are set */
        name = base;
    }
    char *variable = mem_strndup(name.p, name.n);
    char *property = property_name(name);
    store_property(r, variable, property);
    free(property);
    free(variable);
}

/* ---- what is not in the table ---- */

static bool in_table(struct span name)
{
    for (size_t i = 0; i < ROWS; i++) {
        if (span_is(name, rows[i].name))
            return true;
        size_t n = strlen(rows[i].name);
        if (rows[i].secrecy != OPEN && name.n == n + sizeof FILE_SUFFIX - 1 &&
            strncmp(name.p, rows[i].name, n) == 0 && ends_with(name, SPAN_LIT(FILE_SUFFIX)))
            return true;
    }
    return false;
}

static void warn_of(struct settings_reading *r, struct span name, const char *text)
{
    visible_add(r->warnings, name);
    buf_addf(r->warnings, ": %s\n", text);
}

static void read_others(struct settings_reading *r)
{
    for (char *const *entry = r->env; *entry; entry++) {
        const char *equals = strchr(*entry, '=');
        if (!equals || strncmp(*entry, "IVR_", 4) != 0 || equals[1] == '\0')
            continue;
        struct span name = span_of(*entry, (size_t)(equals - *entry));
        if (in_table(name))
            continue;
        if (strncmp(name.p, KAFKA_PREFIX, sizeof KAFKA_PREFIX - 1) == 0 && name.n > sizeof KAFKA_PREFIX - 1)
            read_property(r, name);
        else
            warn_of(r, name, "unknown variable, ignored");
    }
}

/* ---- rules between variables ---- */

static void drop_trailing_slashes(char *url)
{
    size_t n = url ? strlen(url) : 0;
    while (n > 0 && url[n - 1] == '/')
        url[--n] = '\0';
}

static bool is_topic(const struct settings *s, const struct row *row)
{
    const char *field = const_field_of(s, row);
    return field >= (const char *)s->topics && field < (const char *)(s->topics + TOPIC_COUNT);
}

static void prefix_topics(struct settings_reading *r)
{
    for (size_t i = 0; i < ROWS; i++) {
        if (!is_topic(r->s, &rows[i]) || env_get(r->env, span_str(rows[i].name)))
            continue;
        char **topic = field_of(r->s, &rows[i]);
        struct buf name;
        buf_init(&name, TOPIC_NAME_MAX + 1);
        buf_addf(&name, "%s%s", r->s->topic_prefix, rows[i].fallback + sizeof TOPIC_PREFIX - 1);
        free(*topic);
        *topic = mem_strdup(name.p);
        buf_done(&name);
    }
}

/* One topic for two purposes would feed the workers their own output. */
static void check_topics(struct settings_reading *r)
{
    for (int i = 0; i < TOPIC_COUNT; i++) {
        for (int k = 0; k < i; k++) {
            const char *a = r->s->topics[i], *b = r->s->topics[k];
            if (!a || !b || strcmp(a, b) != 0)
                continue;
            for (size_t row = 0; row < ROWS; row++) {
                if (const_field_of(r->s, &rows[row]) == (const void *)&r->s->topics[i])
                    problem(r, rows[row].name, a, "another topic has that name already");
            }
        }
    }
}

static bool is_set(const struct settings_reading *r, const char *name, const char *file_name)
{
    return env_get(r->env, span_str(name)) || env_get(r->env, span_str(file_name));
}

int settings_read(struct settings *s, const char *program, char *const *env, struct buf *problems,
                  struct buf *warnings)
{
    *s = (struct settings){.program = program};
    struct settings_reading r = {.s = s, .env = env, .problems = problems, .warnings = warnings};
    for (size_t i = 0; i < ROWS; i++)
        read_row(&r, &rows[i]);
    read_others(&r);
    drop_trailing_slashes(s->public_url);
    prefix_topics(&r);
    check_topics(&r);
    s->pii_keys = settings_list_split(s->pii_key, &s->pii_keys_n);
    if (s->pii == PHONE_HASH && !is_set(&r, "IVR_PII_KEY", "IVR_PII_KEY" FILE_SUFFIX))
        problem(&r, "IVR_PII_KEY", NULL, "must be set, because IVR_PII is hash");
    return r.failed ? ERR_CONFIG : 0;
}

struct span settings_hash_key(const struct settings *s)
{
    return s->pii_keys_n > 0 ? s->pii_keys[0] : SPAN_NONE;
}

static void free_secret(char *text)
{
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
}

void settings_free(struct settings *s)
{
    for (size_t i = 0; i < ROWS; i++) {
        if (rows[i].kind == KIND_TEXT)
            free_secret(*(char **)field_of(s, &rows[i]));
    }
    for (size_t i = 0; i < s->kafka_n; i++) {
        free(s->kafka[i].name);
        free_secret(s->kafka[i].value);
    }
    free(s->kafka);
    free(s->pii_keys);
    *s = (struct settings){0};
}

/* ---- showing ---- */

static const char *fallback_text(const struct row *row)
{
    if (row->fallback_text)
        return row->fallback_text;
    return row->fallback ? row->fallback : "none";
}

/* Words from `indent` on, a new row where the next one would pass HELP_COLUMNS. */
static void add_wrapped(struct buf *out, const char *text, size_t indent)
{
    size_t column = 0;
    while (*text) {
        size_t n = strcspn(text, " ");
        if (column == 0 || column + 1 + n > HELP_COLUMNS) {
            buf_addf(out, "%s%*s", column ? "\n" : "", (int)indent, "");
            column = indent;
        } else {
            buf_addc(out, ' ');
            column++;
        }
        buf_add(out, text, n);
        column += n;
        text += n + (text[n] == ' ');
    }
    buf_addc(out, '\n');
}

void settings_add_help(struct buf *out)
{
    for (size_t i = 0; i < ROWS; i++) {
        const struct row *row = &rows[i];
        buf_addf(out, "  %s%s (default: %s)\n", row->name, row->secrecy == OPEN ? "" : "[" FILE_SUFFIX "]",
                 fallback_text(row));
        add_wrapped(out, row->sentence, 6);
    }
}

void settings_add_markdown(struct buf *out)
{
    for (size_t i = 0; i < ROWS; i++) {
        const struct row *row = &rows[i];
        buf_addf(out, "| `%s%s` | %s | %s |\n", row->name, row->secrecy == OPEN ? "" : "[" FILE_SUFFIX "]",
                 fallback_text(row), row->sentence);
    }
}

/* A URL without its user information. */
static void add_open_url(struct buf *out, const char *url)
{
    struct url_parts parts;
    if (url_split(span_str(url), &parts, NULL) != 0 || !parts.userinfo.p) {
        buf_adds(out, url);
        return;
    }
    buf_add(out, url, (size_t)(parts.userinfo.p - url));
    buf_adds(out, "(set)");
    buf_adds(out, parts.userinfo.p + parts.userinfo.n);
}

static void add_text(struct buf *out, const struct row *row, const char *text)
{
    if (!text)
        return;
    if (row->secrecy == SECRET)
        buf_adds(out, "(set)");
    else if (row->secrecy == SECRET_URL)
        add_open_url(out, text);
    else
        buf_adds(out, text);
}

static void add_value(struct buf *out, const struct settings *s, const struct row *row)
{
    const void *field = const_field_of(s, row);
    switch (row->kind) {
    case KIND_TEXT:
        add_text(out, row, *(char *const *)field);
        break;
    case KIND_INT:
        buf_addint(out, *(const int *)field);
        break;
    case KIND_DURATION:
        clock_add_duration(out, *(const int64_t *)field);
        break;
    case KIND_WORD:
        buf_adds(out, row->words[*(const unsigned *)field]);
        break;
    case KIND_BOOTSTRAP:
        break;
    }
}

static void add_properties(struct buf *out, const struct settings *s)
{
    for (size_t i = 0; i < s->kafka_n; i++) {
        buf_adds(out, KAFKA_PREFIX);
        for (const char *c = s->kafka[i].name; *c; c++)
            buf_addc(out, (char)(*c == '.' ? '_' : toupper((unsigned char)*c)));
        buf_addf(out, "=%s\n", property_secret(s->kafka[i].name) ? "(set)" : s->kafka[i].value);
    }
}

void settings_add_effective(struct buf *out, const struct settings *s)
{
    add_properties(out, s);
    for (size_t i = 0; i < ROWS; i++) {
        if (rows[i].kind == KIND_BOOTSTRAP)
            continue;
        buf_addf(out, "%s=", rows[i].name);
        add_value(out, s, &rows[i]);
        buf_addc(out, '\n');
    }
}
