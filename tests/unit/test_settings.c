#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/run/settings.h"

/* What one reading gave. */
struct read_settings {
    struct settings s;
    int rc;
    struct buf problems, warnings;
};

#define READ(...) read_env((char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})

static struct read_settings read_env(char *const *env)
{
    struct read_settings out;
    buf_init(&out.problems, 65536);
    buf_init(&out.warnings, 65536);
    out.rc = settings_read(&out.s, "ivr-test", env, &out.problems, &out.warnings);
    assert_int_equal(out.rc != 0, out.problems.n > 0);
    assert_true(out.rc == 0 || out.rc == ERR_CONFIG);
    return out;
}

static void done(struct read_settings *out)
{
    settings_free(&out->s);
    settings_free(&out->s);
    buf_done(&out->problems);
    buf_done(&out->warnings);
}

static size_t lines_of(const struct buf *b)
{
    size_t n = 0;
    for (size_t i = 0; i < b->n; i++)
        n += b->p[i] == '\n';
    return n;
}

static const char *property(const struct read_settings *out, const char *name)
{
    const char *found = NULL;
    for (size_t i = 0; i < out->s.kafka_n; i++) {
        if (strcmp(out->s.kafka[i].name, name) != 0)
            continue;
        assert_null(found);
        found = out->s.kafka[i].value;
    }
    return found;
}

/* One variable is refused, in one line that starts with `name`. */
static void check_refused_as(const char *entry, const char *name)
{
    struct read_settings out = READ((char *)(uintptr_t)entry);
    if (out.rc != ERR_CONFIG || lines_of(&out.problems) != 1 ||
        strncmp(out.problems.p, name, strlen(name)) != 0 || out.problems.p[strlen(name)] != ':')
        fail_msg("%s gave: %s", entry, out.problems.p);
    done(&out);
}

static void check_refused(const char *entry)
{
    char name[100];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(entry, "="), entry);
    check_refused_as(entry, name);
}

static void check_taken(const char *entry)
{
    struct read_settings out = READ((char *)(uintptr_t)entry);
    if (out.rc != 0 || out.warnings.n != 0)
        fail_msg("%s gave: %s%s", entry, out.problems.p, out.warnings.p);
    done(&out);
}

/* A file in a directory of its own, removed by done_file. */
static char directory[64], path[128];

static const char *secret_file(const void *content, size_t n)
{
    snprintf(directory, sizeof directory, P_tmpdir "/ivr-settings-XXXXXX");
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/secret", directory);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(content, 1, n, f), n);
    fclose(f);
    return path;
}

static void done_file(void)
{
    unlink(path);
    rmdir(directory);
}

static void an_empty_environment_gives_the_documented_defaults(void **state)
{
    (void)state;
    struct read_settings out = READ();
    assert_int_equal(out.rc, 0);
    assert_int_equal(out.warnings.n, 0);
    const struct settings *s = &out.s;
    assert_int_equal(s->kafka_n, 1);
    assert_string_equal(property(&out, "bootstrap.servers"), "localhost:9092");
    assert_string_equal(s->redis_url, "redis://localhost:6379/0");
    assert_string_equal(s->redis_prefix, "ivr");
    assert_int_equal(s->redis_shards, 16);
    assert_int_equal(s->redis_replicas, 0);
    assert_string_equal(s->channels_path, "channels.json");
    assert_string_equal(s->topics[TOPIC_CALL_REQUESTS], "ivr.call-requests");
    assert_string_equal(s->topics[TOPIC_CALLBACKS], "ivr.callbacks");
    assert_string_equal(s->topics[TOPIC_CALL_EVENTS], "ivr.call-events");
    assert_string_equal(s->topics[TOPIC_CALL_RECORDS], "ivr.call-records");
    assert_string_equal(s->topics[TOPIC_DELIVERY_SUMMARIES], "ivr.delivery-summaries");
    assert_string_equal(s->topics[TOPIC_DEAD_LETTERS], "ivr.dead-letters");
    assert_string_equal(s->topics[TOPIC_AUDIT], "ivr.audit");
    assert_string_equal(s->pii_metadata, "*");
    assert_true(s->pii_keys_n == 0 && !s->actor && settings_hash_key(s).p == NULL);
    assert_string_equal(s->group_id, "ivr-test");
    assert_int_equal(s->max_in_flight, 1000);
    assert_string_equal(s->admin_listen, "0.0.0.0:9090");
    assert_string_equal(s->gateway_listen, "0.0.0.0:8080");
    assert_true(!s->public_url && !s->redis_password && !s->pii_key && !s->api_token);
    assert_int_equal(s->report_interval_ms, 5000);
    assert_int_equal(s->pending_check_ms, 900000);
    assert_int_equal(s->pending_limit_ms, 86400000);
    assert_int_equal(s->drain_timeout_ms, 20000);
    assert_int_equal(s->retention_ms, 604800000);
    assert_int_equal(s->give_up_ms, 3600000);
    assert_int_equal(s->unknown_callback_keep_ms, 600000);
    assert_int_equal(s->log_level, LOG_LEVEL_INFO);
    assert_int_equal(s->log_format, isatty(STDERR_FILENO) ? LOG_FORMAT_TEXT : LOG_FORMAT_JSON);
    assert_int_equal(s->pii, PHONE_MASK);
    done(&out);
}

static void every_variable_reaches_its_field(void **state)
{
    (void)state;
    struct read_settings out = READ(
        "IVR_KAFKA_BOOTSTRAP_SERVERS=k1:1,k2:2", "IVR_REDIS_URL=redis+cluster://h1:1,h2:2",
        "IVR_REDIS_PASSWORD=pw", "IVR_REDIS_PREFIX=p:x", "IVR_REDIS_SHARDS=1024", "IVR_REDIS_REPLICAS=2",
        "IVR_CHANNELS=/etc/c.json", "IVR_TOPIC_CALL_REQUESTS=t1", "IVR_TOPIC_CALLBACKS=t2",
        "IVR_TOPIC_CALL_EVENTS=t3", "IVR_TOPIC_CALL_RECORDS=t4", "IVR_TOPIC_DELIVERY_SUMMARIES=t5",
        "IVR_TOPIC_DEAD_LETTERS=t6", "IVR_TOPIC_AUDIT=t7", "IVR_TOPIC_PREFIX=x.", "IVR_PII_METADATA=a,b",
        "IVR_ACTOR=jane", "IVR_GROUP_ID=g", "IVR_MAX_IN_FLIGHT=100000", "IVR_ADMIN_LISTEN=127.0.0.1:0",
        "IVR_GATEWAY_LISTEN=[::1]:81", "IVR_PUBLIC_URL=https://x.example/base/", "IVR_REPORT_INTERVAL=1s",
        "IVR_PENDING_CHECK=2s", "IVR_PENDING_LIMIT=3s", "IVR_DRAIN_TIMEOUT=4s", "IVR_RETENTION=5s",
        "IVR_GIVE_UP=6s", "IVR_UNKNOWN_CALLBACK_KEEP=7s", "IVR_LOG_LEVEL=debug", "IVR_LOG_FORMAT=text",
        "IVR_PII=hash", "IVR_PII_KEY=k", "IVR_API_TOKEN=sixteen-and-more", "IVR_CORE_DUMPS=yes");
    assert_int_equal(out.rc, 0);
    assert_int_equal(out.warnings.n, 0);
    const struct settings *s = &out.s;
    assert_string_equal(property(&out, "bootstrap.servers"), "k1:1,k2:2");
    assert_string_equal(s->redis_url, "redis+cluster://h1:1,h2:2");
    assert_string_equal(s->redis_password, "pw");
    assert_string_equal(s->redis_prefix, "p:x");
    assert_int_equal(s->redis_shards, 1024);
    assert_int_equal(s->redis_replicas, 2);
    assert_string_equal(s->channels_path, "/etc/c.json");
    for (int i = 0; i < TOPIC_COUNT; i++)
        assert_true(s->topics[i][0] == 't' && s->topics[i][1] == '1' + i && s->topics[i][2] == '\0');
    assert_string_equal(s->group_id, "g");
    assert_int_equal(s->max_in_flight, 100000);
    assert_string_equal(s->admin_listen, "127.0.0.1:0");
    assert_string_equal(s->gateway_listen, "[::1]:81");
    assert_string_equal(s->public_url, "https://x.example/base");
    assert_int_equal(s->report_interval_ms, 1000);
    assert_int_equal(s->pending_check_ms, 2000);
    assert_int_equal(s->pending_limit_ms, 3000);
    assert_int_equal(s->drain_timeout_ms, 4000);
    assert_int_equal(s->retention_ms, 5000);
    assert_int_equal(s->give_up_ms, 6000);
    assert_int_equal(s->unknown_callback_keep_ms, 7000);
    assert_int_equal(s->log_level, LOG_LEVEL_DEBUG);
    assert_int_equal(s->log_format, LOG_FORMAT_TEXT);
    assert_int_equal(s->pii, PHONE_HASH);
    assert_string_equal(s->pii_key, "k");
    assert_string_equal(s->pii_metadata, "a,b");
    assert_string_equal(s->actor, "jane");
    assert_string_equal(s->api_token, "sixteen-and-more");
    assert_int_equal(s->core_dumps, 1);
    done(&out);
}

static void an_empty_variable_counts_as_unset(void **state)
{
    (void)state;
    struct read_settings out =
        READ("IVR_REDIS_SHARDS=", "IVR_PUBLIC_URL=", "IVR_API_TOKEN=", "IVR_NONSENSE=", "IVR_KAFKA_ACKS=",
             "IVR_KAFKA_BOOTSTRAP_SERVERS=", "IVR_API_TOKEN_FILE=", "IVR_KAFKA_CLIENT_RACK=");
    assert_int_equal(out.rc, 0);
    assert_int_equal(out.warnings.n, 0);
    assert_int_equal(out.s.redis_shards, 16);
    assert_true(!out.s.public_url && !out.s.api_token);
    assert_int_equal(out.s.kafka_n, 1);
    done(&out);
}

static void all_problems_are_reported_at_once(void **state)
{
    (void)state;
    struct read_settings out =
        READ("IVR_REDIS_SHARDS=0", "IVR_DRAIN_TIMEOUT=20", "IVR_PII=none", "IVR_KAFKA_ACKS=1",
             "IVR_API_TOKEN_FILE=/nonexistent/file", "IVR_TOPIC_CALLBACKS=a b");
    assert_int_equal(out.rc, ERR_CONFIG);
    assert_int_equal(lines_of(&out.problems), 6);
    static const char *const names[] = {
        "IVR_REDIS_SHARDS: ", "IVR_DRAIN_TIMEOUT: ",  "IVR_PII: ",
        "IVR_KAFKA_ACKS: ",   "IVR_API_TOKEN_FILE: ", "IVR_TOPIC_CALLBACKS: "};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_non_null(strstr(out.problems.p, names[i]));
    done(&out);
}

static void a_problem_says_what_it_held_and_what_was_expected(void **state)
{
    (void)state;
    struct read_settings out = READ("IVR_DRAIN_TIMEOUT=20");
    assert_string_equal(out.problems.p,
                        "IVR_DRAIN_TIMEOUT: \"20\" does not fit, expected a duration: a whole number "
                        "and ms, s, m, h or d, such as 20s\n");
    done(&out);
    out = READ("IVR_REDIS_SHARDS=two\nlines");
    assert_string_equal(
        out.problems.p,
        "IVR_REDIS_SHARDS: \"two\\nlines\" does not fit, expected a whole number from 1 to 1024\n");
    done(&out);
}

static void malformed_values_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"IVR_REDIS_SHARDS=0",
                                      "IVR_REDIS_SHARDS=1025",
                                      "IVR_REDIS_SHARDS=-1",
                                      "IVR_REDIS_SHARDS=+1",
                                      "IVR_REDIS_SHARDS= 1",
                                      "IVR_REDIS_SHARDS=1.0",
                                      "IVR_REDIS_SHARDS=0x10",
                                      "IVR_REDIS_SHARDS=99999999999999999999999999",
                                      "IVR_MAX_IN_FLIGHT=0",
                                      "IVR_MAX_IN_FLIGHT=100001",
                                      "IVR_REDIS_REPLICAS=-1",
                                      "IVR_REPORT_INTERVAL=5",
                                      "IVR_REPORT_INTERVAL=0s",
                                      "IVR_PENDING_CHECK=15 m",
                                      "IVR_PENDING_LIMIT=1.5h",
                                      "IVR_DRAIN_TIMEOUT=-1s",
                                      "IVR_RETENTION=1w",
                                      "IVR_GIVE_UP=forever",
                                      "IVR_UNKNOWN_CALLBACK_KEEP=10M",
                                      "IVR_RETENTION=3651d",
                                      "IVR_LOG_LEVEL=verbose",
                                      "IVR_LOG_LEVEL=INFO",
                                      "IVR_LOG_FORMAT=xml",
                                      "IVR_PII=Mask",
                                      "IVR_PUBLIC_URL=ftp://x",
                                      "IVR_PUBLIC_URL=example.com",
                                      "IVR_PUBLIC_URL=https://",
                                      "IVR_PUBLIC_URL=https://x/?a=b",
                                      "IVR_PUBLIC_URL=https://x/#f",
                                      "IVR_PUBLIC_URL=https://a,b/",
                                      "IVR_REDIS_URL=localhost:6379",
                                      "IVR_REDIS_URL=http://localhost",
                                      "IVR_REDIS_URL=redis://",
                                      "IVR_REDIS_PREFIX={x}",
                                      "IVR_REDIS_PREFIX=a b",
                                      "IVR_TOPIC_CALLBACKS=a/b",
                                      "IVR_TOPIC_CALLBACKS=..",
                                      "IVR_TOPIC_CALLBACKS=.",
                                      "IVR_TOPIC_CALL_EVENTS=\xC3\xA9",
                                      "IVR_ADMIN_LISTEN=9090",
                                      "IVR_ADMIN_LISTEN=:9090",
                                      "IVR_ADMIN_LISTEN=0.0.0.0",
                                      "IVR_ADMIN_LISTEN=h:65536",
                                      "IVR_ADMIN_LISTEN=h:",
                                      "IVR_ADMIN_LISTEN=::1:90",
                                      "IVR_GATEWAY_LISTEN=[]:1",
                                      "IVR_GATEWAY_LISTEN=h:-1",
                                      "IVR_GROUP_ID=a\nb",
                                      "IVR_GROUP_ID=\xFF"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        check_refused(bad[i]);
    char topic[300] = "IVR_TOPIC_CALLBACKS=";
    memset(topic + 20, 't', 249);
    check_taken(topic);
    topic[269] = 't';
    check_refused(topic);
}

static void values_at_their_bounds_are_taken(void **state)
{
    (void)state;
    static const char *const good[] = {"IVR_REDIS_SHARDS=1",
                                       "IVR_REDIS_SHARDS=1024",
                                       "IVR_MAX_IN_FLIGHT=1",
                                       "IVR_DRAIN_TIMEOUT=0s",
                                       "IVR_RETENTION=3650d",
                                       "IVR_REPORT_INTERVAL=1ms",
                                       "IVR_ADMIN_LISTEN=localhost:65535",
                                       "IVR_ADMIN_LISTEN=[::]:0",
                                       "IVR_REDIS_URL=rediss://u:p@h:6380/1",
                                       "IVR_REDIS_URL=unix:///run/redis.sock",
                                       "IVR_REDIS_URL=redis+sentinel://h1:1,h2:2/main/0",
                                       "IVR_LOG_LEVEL=error",
                                       "IVR_PUBLIC_URL=http://u:p@x.example:8080/a/b",
                                       "IVR_PII=plain"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        check_taken(good[i]);
}

static void the_public_url_loses_its_trailing_slash(void **state)
{
    (void)state;
    static const char *const cases[][2] = {{"IVR_PUBLIC_URL=https://x.example/", "https://x.example"},
                                           {"IVR_PUBLIC_URL=https://x.example", "https://x.example"},
                                           {"IVR_PUBLIC_URL=http://x.example/a/b/", "http://x.example/a/b"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct read_settings out = READ((char *)(uintptr_t)cases[i][0]);
        assert_string_equal(out.s.public_url, cases[i][1]);
        done(&out);
    }
}

static void unknown_variables_are_warned_of_by_name_and_never_by_value(void **state)
{
    (void)state;
    struct read_settings out = READ("IVR_DRAIN_TIMOUT=hidden", "IVR_=hidden", "IVR_KAFKA_=hidden", "IVRX=1",
                                    "PATH=/bin", "NOEQUALS", "IVR_GROUP_ID_FILE=hidden");
    assert_int_equal(out.rc, 0);
    assert_int_equal(lines_of(&out.warnings), 4);
    assert_non_null(strstr(out.warnings.p, "IVR_DRAIN_TIMOUT: "));
    assert_non_null(strstr(out.warnings.p, "IVR_GROUP_ID_FILE: "));
    assert_null(strstr(out.warnings.p, "hidden"));
    done(&out);
}

static void any_other_kafka_variable_is_a_property_of_librdkafka(void **state)
{
    (void)state;
    struct read_settings out = READ("IVR_KAFKA_SECURITY_PROTOCOL=SASL_SSL", "IVR_KAFKA_LINGER_MS=5",
                                    "IVR_KAFKA_SSL_CA_LOCATION=/ca", "IVR_KAFKA_SASL_PASSWORD=s3cret");
    assert_int_equal(out.rc, 0);
    assert_int_equal(out.s.kafka_n, 5);
    assert_string_equal(property(&out, "bootstrap.servers"), "localhost:9092");
    assert_string_equal(property(&out, "security.protocol"), "SASL_SSL");
    assert_string_equal(property(&out, "linger.ms"), "5");
    assert_string_equal(property(&out, "ssl.ca.location"), "/ca");
    assert_string_equal(property(&out, "sasl.password"), "s3cret");
    done(&out);
}

static void properties_that_carry_promises_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"IVR_KAFKA_ENABLE_AUTO_COMMIT=false",
                                      "IVR_KAFKA_ENABLE_AUTO_OFFSET_STORE=false",
                                      "IVR_KAFKA_ACKS=all",
                                      "IVR_KAFKA_ENABLE_IDEMPOTENCE=true",
                                      "IVR_KAFKA_AUTO_OFFSET_RESET=earliest",
                                      "IVR_KAFKA_REQUEST_REQUIRED_ACKS=-1",
                                      "IVR_KAFKA_AUTO_COMMIT_ENABLE=false"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        check_refused(bad[i]);
}

static void secrets_are_read_from_files_without_their_last_line_end(void **state)
{
    (void)state;
    static const char *const contents[] = {"s3cret-and-longer", "s3cret-and-longer\n",
                                           "s3cret-and-longer\r\n"};
    for (size_t i = 0; i < sizeof contents / sizeof contents[0]; i++) {
        char api[300], redis[300], key[300], sasl[300];
        const char *file = secret_file(contents[i], strlen(contents[i]));
        snprintf(api, sizeof api, "IVR_API_TOKEN_FILE=%s", file);
        snprintf(redis, sizeof redis, "IVR_REDIS_PASSWORD_FILE=%s", file);
        snprintf(key, sizeof key, "IVR_PII_KEY_FILE=%s", file);
        snprintf(sasl, sizeof sasl, "IVR_KAFKA_SASL_PASSWORD_FILE=%s", file);
        struct read_settings out = READ(api, redis, key, sasl, "IVR_PII=hash");
        assert_int_equal(out.rc, 0);
        assert_int_equal(out.warnings.n, 0);
        assert_string_equal(out.s.api_token, "s3cret-and-longer");
        assert_string_equal(out.s.redis_password, "s3cret-and-longer");
        assert_string_equal(out.s.pii_key, "s3cret-and-longer");
        assert_string_equal(property(&out, "sasl.password"), "s3cret-and-longer");
        done(&out);
        done_file();
    }
}

static void only_one_line_end_is_dropped_from_a_secret(void **state)
{
    (void)state;
    char entry[300];
    snprintf(entry, sizeof entry, "IVR_REDIS_PASSWORD_FILE=%s", secret_file(" a\r\nb \n\n", 8));
    struct read_settings out = READ(entry);
    assert_string_equal(out.s.redis_password, " a\r\nb \n");
    done(&out);
    done_file();
}

static void secret_files_that_cannot_be_meant_are_refused(void **state)
{
    (void)state;
    char entry[300];
    static char big[70000];
    static const struct {
        const char *content;
        size_t n;
    } cases[] = {{"", 0}, {"\n", 1}, {"a\0b", 3}, {big, sizeof big}};
    memset(big, 'x', sizeof big);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        snprintf(entry, sizeof entry, "IVR_API_TOKEN_FILE=%s", secret_file(cases[i].content, cases[i].n));
        check_refused(entry);
        done_file();
    }
    check_refused("IVR_API_TOKEN_FILE=/nonexistent/secret");
    check_refused("IVR_API_TOKEN_FILE=/");
    check_refused("IVR_KAFKA_SASL_PASSWORD_FILE=/nonexistent/secret");
}

static void a_secret_both_direct_and_from_a_file_is_refused_once(void **state)
{
    (void)state;
    static const char *const names[] = {"IVR_API_TOKEN", "IVR_REDIS_PASSWORD", "IVR_KAFKA_SASL_PASSWORD"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char direct[100], file[300];
        snprintf(direct, sizeof direct, "%s=topsecret", names[i]);
        snprintf(file, sizeof file, "%s_FILE=%s", names[i], secret_file("x", 1));
        struct read_settings out = READ(file, direct);
        assert_int_equal(lines_of(&out.problems), 1);
        assert_memory_equal(out.problems.p, names[i], strlen(names[i]));
        assert_non_null(strstr(out.problems.p, "not both"));
        assert_null(strstr(out.problems.p, "topsecret"));
        done(&out);
        done_file();
    }
}

static void a_token_that_can_be_guessed_or_not_be_sent_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"t",
                                      "fifteen-letters",
                                      "sixteen-letters\n",
                                      "with a blank in the middle",
                                      "with\ta-tab-in-the-middle",
                                      "with-a-line\r\nX-Other: header",
                                      "with-a-\x1b-in-the-middle",
                                      "with-a-\x7f-in-the-middle"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char entry[100];
        snprintf(entry, sizeof entry, "IVR_API_TOKEN=%s", bad[i]);
        check_refused(entry);
        struct read_settings out = READ(entry);
        if (strlen(bad[i]) > 1)
            assert_null(strstr(out.problems.p, bad[i]));
        assert_null(out.s.api_token);
        done(&out);
        snprintf(entry, sizeof entry, "%s\n", bad[i]);
        char file[300];
        snprintf(file, sizeof file, "IVR_API_TOKEN_FILE=%s", secret_file(entry, strlen(entry)));
        check_refused_as(file, "IVR_API_TOKEN");
        done_file();
    }
    struct read_settings out = READ("IVR_API_TOKEN=0123456789abcdef");
    assert_int_equal(out.rc, 0);
    done(&out);
}

/* A '/' in a password ends the host for who reads the URL; the rest of it would be shown as a path. */
static void half_a_password_is_no_part_of_a_path(void **state)
{
    (void)state;
    check_refused("IVR_PUBLIC_URL=https://u:12/topsecret@x.example/base");
    struct read_settings out = READ("IVR_PUBLIC_URL=https://u:12/topsecret@x.example/base");
    assert_null(strstr(out.problems.p, "topsecret"));
    done(&out);
}

static void a_name_from_the_environment_begins_no_line(void **state)
{
    (void)state;
    struct read_settings out = READ("IVR_X\nIVR_REDIS_URL: all is well\x1b[2J=1");
    assert_int_equal(lines_of(&out.warnings), 1);
    assert_null(strchr(out.warnings.p, '\x1b'));
    done(&out);
}

static void hashing_numbers_needs_a_key(void **state)
{
    (void)state;
    check_refused_as("IVR_PII=hash", "IVR_PII_KEY");
    struct read_settings out = READ("IVR_PII=hash", "IVR_PII_KEY_FILE=/nonexistent");
    assert_int_equal(lines_of(&out.problems), 1);
    done(&out);
}

static void the_first_key_hashes_and_all_are_kept(void **state)
{
    (void)state;
    struct read_settings out = READ("IVR_PII_KEY=new one,old,older");
    assert_int_equal(out.rc, 0);
    assert_int_equal(out.s.pii_keys_n, 3);
    assert_true(span_is(settings_hash_key(&out.s), "new one"));
    assert_true(span_is(out.s.pii_keys[1], "old") && span_is(out.s.pii_keys[2], "older"));
    done(&out);
    check_refused("IVR_PII_KEY=a,,b");
    check_refused("IVR_PII_KEY=,a");
    check_refused("IVR_PII_KEY=a,");
    check_refused("IVR_PII_METADATA=a,,b");
    check_refused("IVR_PII_METADATA=a\nb");
}

static void a_prefix_begins_the_topics_that_are_not_set(void **state)
{
    (void)state;
    struct read_settings out = READ("IVR_TOPIC_PREFIX=acme_", "IVR_TOPIC_CALLBACKS=ivr.callbacks");
    assert_int_equal(out.rc, 0);
    assert_string_equal(out.s.topics[TOPIC_CALL_REQUESTS], "acme_call-requests");
    assert_string_equal(out.s.topics[TOPIC_CALLBACKS], "ivr.callbacks");
    assert_string_equal(out.s.topics[TOPIC_CALL_RECORDS], "acme_call-records");
    assert_string_equal(out.s.topics[TOPIC_AUDIT], "acme_audit");
    done(&out);
    check_refused("IVR_TOPIC_PREFIX=a/");
    check_refused_as("IVR_TOPIC_AUDIT=ivr.call-records", "IVR_TOPIC_AUDIT");
}

static void one_topic_cannot_serve_two_purposes(void **state)
{
    (void)state;
    check_refused_as("IVR_TOPIC_CALLBACKS=ivr.call-requests", "IVR_TOPIC_CALLBACKS");
    check_refused_as("IVR_TOPIC_CALL_REQUESTS=ivr.dead-letters", "IVR_TOPIC_DEAD_LETTERS");
}

static void no_secret_is_ever_printed(void **state)
{
    (void)state;
    struct read_settings out =
        READ("IVR_API_TOKEN=topsecret-topsecret", "IVR_PII_KEY=topsecret", "IVR_REDIS_PASSWORD=topsecret",
             "IVR_REDIS_URL=redis://user:topsecret@h:1/0", "IVR_KAFKA_SASL_PASSWORD=topsecret",
             "IVR_KAFKA_SSL_KEY_PEM=topsecret", "IVR_PUBLIC_URL=https://u:topsecret@x.example");
    struct buf b;
    buf_init(&b, 65536);
    assert_int_equal(out.rc, 0);
    settings_add_effective(&b, &out.s);
    assert_null(strstr(b.p, "topsecret"));
    assert_non_null(strstr(b.p, "IVR_API_TOKEN=(set)\n"));
    assert_non_null(strstr(b.p, "IVR_REDIS_URL=redis://(set)@h:1/0\n"));
    assert_non_null(strstr(b.p, "IVR_KAFKA_SASL_PASSWORD=(set)\n"));
    done(&out);
    buf_done(&b);
    out = READ("IVR_REDIS_URL=http://user:topsecret@h", "IVR_PUBLIC_URL=ftp://u:topsecret@x");
    assert_int_equal(lines_of(&out.problems), 2);
    assert_null(strstr(out.problems.p, "topsecret"));
    done(&out);
}

static void effective_values_read_back_as_they_are(void **state)
{
    (void)state;
    struct read_settings out = READ("IVR_RETENTION=90s", "IVR_LOG_LEVEL=warn", "IVR_KAFKA_LINGER_MS=5");
    struct buf b;
    buf_init(&b, 65536);
    settings_add_effective(&b, &out.s);
    assert_non_null(strstr(b.p, "IVR_RETENTION=90s\n"));
    assert_non_null(strstr(b.p, "IVR_PENDING_CHECK=15m\n"));
    assert_non_null(strstr(b.p, "IVR_LOG_LEVEL=warn\n"));
    assert_non_null(strstr(b.p, "IVR_KAFKA_LINGER_MS=5\n"));
    assert_non_null(strstr(b.p, "IVR_KAFKA_BOOTSTRAP_SERVERS=localhost:9092\n"));
    assert_non_null(strstr(b.p, "IVR_API_TOKEN=\n"));
    char *env[64], *rest = b.p;
    size_t n = 0;
    for (char *line = strsep(&rest, "\n"); line && n < 63; line = strsep(&rest, "\n"))
        env[n++] = line;
    env[n] = NULL;
    struct read_settings again = read_env(env);
    assert_int_equal(again.rc, 0);
    assert_int_equal(again.warnings.n, 0);
    assert_int_equal(again.s.retention_ms, 90000);
    assert_int_equal(again.s.log_level, LOG_LEVEL_WARN);
    done(&again);
    done(&out);
    buf_done(&b);
}

static void help_and_markdown_name_every_variable_of_the_contract(void **state)
{
    (void)state;
    static const char *const names[] = {"IVR_KAFKA_BOOTSTRAP_SERVERS",
                                        "IVR_REDIS_URL",
                                        "IVR_REDIS_PASSWORD",
                                        "IVR_REDIS_PREFIX",
                                        "IVR_REDIS_SHARDS",
                                        "IVR_REDIS_REPLICAS",
                                        "IVR_CHANNELS",
                                        "IVR_TOPIC_CALL_REQUESTS",
                                        "IVR_TOPIC_CALLBACKS",
                                        "IVR_TOPIC_CALL_EVENTS",
                                        "IVR_TOPIC_DELIVERY_SUMMARIES",
                                        "IVR_TOPIC_DEAD_LETTERS",
                                        "IVR_GROUP_ID",
                                        "IVR_MAX_IN_FLIGHT",
                                        "IVR_ADMIN_LISTEN",
                                        "IVR_GATEWAY_LISTEN",
                                        "IVR_PUBLIC_URL",
                                        "IVR_REPORT_INTERVAL",
                                        "IVR_PENDING_CHECK",
                                        "IVR_PENDING_LIMIT",
                                        "IVR_DRAIN_TIMEOUT",
                                        "IVR_RETENTION",
                                        "IVR_LOG_LEVEL",
                                        "IVR_LOG_FORMAT",
                                        "IVR_PII",
                                        "IVR_GIVE_UP",
                                        "IVR_UNKNOWN_CALLBACK_KEEP",
                                        "IVR_API_TOKEN",
                                        "IVR_CORE_DUMPS",
                                        "IVR_TOPIC_PREFIX",
                                        "IVR_TOPIC_CALL_RECORDS",
                                        "IVR_TOPIC_AUDIT",
                                        "IVR_PII_METADATA",
                                        "IVR_ACTOR",
                                        "IVR_PII_KEY"};
    struct buf help, markdown;
    buf_init(&help, 65536);
    buf_init(&markdown, 65536);
    settings_add_help(&help);
    settings_add_markdown(&markdown);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char row[100];
        snprintf(row, sizeof row, "\n  %s", names[i]);
        assert_true(strstr(help.p, row) || strncmp(help.p, row + 1, strlen(row) - 1) == 0);
        snprintf(row, sizeof row, "| `%s", names[i]);
        assert_non_null(strstr(markdown.p, row));
    }
    assert_int_equal(lines_of(&markdown), sizeof names / sizeof names[0]);
    for (const char *line = help.p; *line; line = strchr(line, '\n') + 1)
        assert_in_range(strcspn(line, "\n"), 1, 100);
    buf_done(&help);
    buf_done(&markdown);
}

/* Run from the top of the tree, as make does. */
static void the_manual_has_the_table_as_it_is(void **state)
{
    (void)state;
    static char manual[256 * 1024];
    struct buf markdown;
    FILE *file = fopen("deploy/CONFIGURATION.md", "r");
    assert_non_null(file);
    manual[fread(manual, 1, sizeof manual - 1, file)] = '\0';
    fclose(file);
    buf_init(&markdown, 65536);
    settings_add_markdown(&markdown);
    assert_non_null(strstr(manual, markdown.p));
    buf_done(&markdown);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_manual_has_the_table_as_it_is),
        cmocka_unit_test(an_empty_environment_gives_the_documented_defaults),
        cmocka_unit_test(every_variable_reaches_its_field),
        cmocka_unit_test(an_empty_variable_counts_as_unset),
        cmocka_unit_test(all_problems_are_reported_at_once),
        cmocka_unit_test(a_problem_says_what_it_held_and_what_was_expected),
        cmocka_unit_test(malformed_values_are_refused),
        cmocka_unit_test(values_at_their_bounds_are_taken),
        cmocka_unit_test(the_public_url_loses_its_trailing_slash),
        cmocka_unit_test(unknown_variables_are_warned_of_by_name_and_never_by_value),
        cmocka_unit_test(any_other_kafka_variable_is_a_property_of_librdkafka),
        cmocka_unit_test(properties_that_carry_promises_are_refused),
        cmocka_unit_test(secrets_are_read_from_files_without_their_last_line_end),
        cmocka_unit_test(only_one_line_end_is_dropped_from_a_secret),
        cmocka_unit_test(secret_files_that_cannot_be_meant_are_refused),
        cmocka_unit_test(a_secret_both_direct_and_from_a_file_is_refused_once),
        cmocka_unit_test(a_token_that_can_be_guessed_or_not_be_sent_is_refused),
        cmocka_unit_test(half_a_password_is_no_part_of_a_path),
        cmocka_unit_test(a_name_from_the_environment_begins_no_line),
        cmocka_unit_test(hashing_numbers_needs_a_key),
        cmocka_unit_test(the_first_key_hashes_and_all_are_kept),
        cmocka_unit_test(a_prefix_begins_the_topics_that_are_not_set),
        cmocka_unit_test(one_topic_cannot_serve_two_purposes),
        cmocka_unit_test(no_secret_is_ever_printed),
        cmocka_unit_test(effective_values_read_back_as_they_are),
        cmocka_unit_test(help_and_markdown_name_every_variable_of_the_contract),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
