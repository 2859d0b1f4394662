#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "workers/providers/channels.h"

#define KEY "\"credentials\": {\"account_sid\": \"AC1\", \"auth_token\": \"t0ken-value\"}"
#define TW  "\"provider\": \"twilio\", " KEY

/* A directory of the test's own; `write_file` fills it, `gone` empties it. */
static char dir[] = P_tmpdir "/ivr-test-channels-XXXXXX";
static char path[64], secret_path[64];

static int make_dir(void **state)
{
    (void)state;
    if (!mkdtemp(dir))
        return -1;
    snprintf(path, sizeof path, "%s/channels.json", dir);
    snprintf(secret_path, sizeof secret_path, "%s/secret", dir);
    return 0;
}

static int remove_dir(void **state)
{
    (void)state;
    unlink(path);
    unlink(secret_path);
    return rmdir(dir);
}

static void write_file(const char *where, const char *bytes, size_t n)
{
    FILE *f = fopen(where, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    fclose(f);
}

static int load(struct channels **channels, const char *text, struct buf *problems)
{
    buf_init(problems, 64 * 1024);
    write_file(path, text, strlen(text));
    return channels_load(channels, path, problems);
}

static struct channels *load_good(const char *text)
{
    struct channels *channels;
    struct buf problems;
    if (load(&channels, text, &problems) != 0)
        fail_msg("%s", problems.p);
    assert_int_equal(problems.n, 0);
    buf_done(&problems);
    return channels;
}

/* One channel "a" with these members. */
static struct channels *load_one(const char *members)
{
    char text[2048];
    snprintf(text, sizeof text, "{\"channels\": {\"a\": {%s}}}", members);
    return load_good(text);
}

/* Exactly one problem, which begins "PATH: where: " and holds `what`; no secret is quoted. */
static void assert_problem(const char *text, const char *where, const char *what)
{
    struct channels *channels;
    struct buf problems;
    char start[256];
    assert_int_equal(load(&channels, text, &problems), ERR_CONFIG);
    assert_null(channels);
    snprintf(start, sizeof start, "%s: %s", path, where);
    const char *end = strchr(problems.p, '\n');
    if (strncmp(problems.p, start, strlen(start)) != 0 || !strstr(problems.p, what) || !end || end[1] != '\0')
        fail_msg("expected \"%s...%s\" alone, got %s", start, what, problems.p);
    assert_null(strstr(problems.p, "t0ken-value"));
    buf_done(&problems);
}

static void assert_channel_problem(const char *members, const char *field, const char *what)
{
    char text[4096], where[128];
    snprintf(text, sizeof text, "{\"channels\": {\"a\": {%s}}}", members);
    snprintf(where, sizeof where, "channels.a%s%s: ", *field ? "." : "", field);
    assert_problem(text, where, what);
}

static void the_smallest_channel_has_defaults(void **state)
{
    struct channels *channels = load_one(TW);
    struct channel *channel = channels_find(channels, SPAN_LIT("a"));
    (void)state;
    assert_non_null(channel);
    assert_string_equal(channel->name, "a");
    assert_string_equal(channel->provider->name, "twilio");
    assert_string_equal(channel->base_url, "https://api.twilio.com");
    assert_null(channel->from);
    assert_true(channel->calls_per_second == 0);
    assert_int_equal(channel->concurrent_calls, 0);
    assert_int_equal(channel->request_timeout_ms, 10000);
    assert_int_equal(channel->idle_timeout_ms, 15000);
    assert_null(channel->country_codes[0]);
    assert_null(channel->fallback[0]);
    assert_null(channel->callback_secrets[0]);
    assert_false(channel->insecure);
    assert_true(channel->one_call_per_number);
    assert_true(span_is(channel_credential(channel, "account_sid"), "AC1"));
    assert_true(span_is(channel_credential(channel, "auth_token"), "t0ken-value"));
    assert_null(channel_credential(channel, "api_key_sid").p);
    assert_null(channel_credential(channel, "nothing").p);
    assert_null(channels_default(channels));
    channels_free(&channels);
    assert_null(channels);
}

static void every_field_is_read(void **state)
{
    struct channels *channels = load_good(
        "{\"channels\": {\"ke-main\": {\"provider\": \"twilio\", \"from\": \"+254711082000\","
        "\"credentials\": {\"account_sid\": \"AC1\", \"auth_token\": \"x\", \"api_key_sid\": \"SK1\", "
        "\"api_key_secret\": \"y\"},"
        "\"base_url\": \"https://space.signalwire.com/api/laml/\", \"calls_per_second\": 0.5, "
        "\"concurrent_calls\": 200.0,"
        "\"request_timeout\": \"2s\", \"idle_timeout\": \"500ms\", \"country_codes\": [\"254\", \"1246\"],"
        "\"fallback\": [\"b\"], \"callback_secret\": [\"s1\", \"s2\"], \"insecure\": true, "
        "\"one_call_per_number\": false},"
        "\"b\": {" TW "}}, \"default_channel\": \"b\"}");
    struct channel *channel = channels_at(channels, 0);
    (void)state;
    assert_int_equal(channels_count(channels), 2);
    assert_string_equal(channel->name, "ke-main");
    assert_string_equal(channels_at(channels, 1)->name, "b");
    assert_null(channels_at(channels, 2));
    assert_string_equal(channel->from, "+254711082000");
    assert_string_equal(channel->base_url, "https://space.signalwire.com/api/laml");
    assert_true(channel->calls_per_second == 0.5);
    assert_int_equal(channel->concurrent_calls, 200);
    assert_int_equal(channel->request_timeout_ms, 2000);
    assert_int_equal(channel->idle_timeout_ms, 500);
    assert_string_equal(channel->country_codes[1], "1246");
    assert_null(channel->country_codes[2]);
    assert_string_equal(channel->fallback[0], "b");
    assert_string_equal(channel->callback_secrets[1], "s2");
    assert_null(channel->callback_secrets[2]);
    assert_true(channel->insecure);
    assert_false(channel->one_call_per_number);
    assert_true(channels_at(channels, 1)->one_call_per_number);
    assert_string_equal(channels_default(channels), "b");
    channels_free(&channels);
}

static void secrets_come_from_text_environment_or_file(void **state)
{
    struct channels *channels;
    char text[512];
    (void)state;
    setenv("IVR_TEST_CHANNELS_SID", "AC-from-env", 1);
    write_file(secret_path, "line one\nline two\r\n\n", 20);
    snprintf(
        text, sizeof text,
        "\"provider\": \"twilio\", \"credentials\": {\"account_sid\": {\"env\": \"IVR_TEST_CHANNELS_SID\"},"
        "\"auth_token\": {\"file\": \"%s\"}}",
        secret_path);
    channels = load_one(text);
    assert_true(span_is(channel_credential(channels_at(channels, 0), "account_sid"), "AC-from-env"));
    assert_true(span_is(channel_credential(channels_at(channels, 0), "auth_token"), "line one\nline two"));
    channels_free(&channels);
}

static void assert_token_problem(const char *json, const char *what)
{
    char text[512];
    snprintf(text, sizeof text,
             "\"provider\": \"twilio\", \"credentials\": {\"account_sid\": \"AC1\", \"auth_token\": %s}",
             json);
    assert_channel_problem(text, "credentials.auth_token", what);
}

static void a_secret_that_cannot_be_had_is_a_problem(void **state)
{
    char json[128];
    (void)state;
    unsetenv("IVR_TEST_CHANNELS_NONE");
    assert_token_problem("{\"env\": \"IVR_TEST_CHANNELS_NONE\"}", "IVR_TEST_CHANNELS_NONE");
    setenv("IVR_TEST_CHANNELS_NONE", "", 1);
    assert_token_problem("{\"env\": \"IVR_TEST_CHANNELS_NONE\"}", "is not set");
    assert_token_problem("{\"file\": \"/nowhere/at-all\"}", "/nowhere/at-all: No such file");
    snprintf(json, sizeof json, "{\"file\": \"%s\"}", secret_path);
    write_file(secret_path, "\n\n", 2);
    assert_token_problem(json, "is empty");
    write_file(secret_path, "a\0b", 3);
    assert_token_problem(json, "NUL");
    assert_token_problem("\"\"", "expected a text");
    assert_token_problem("17", "expected a text");
    assert_token_problem("null", "expected a text");
    assert_token_problem("{}", "expected a text");
    assert_token_problem("{\"env\": \"HOME\", \"file\": \"/etc/passwd\"}", "expected a text");
    assert_token_problem("[\"a\", \"b\"]", "expected a text");
}

static void providers_and_credentials_must_be_known(void **state)
{
    static const char *const planned[] = {"plivo", "telnyx", "infobip"};
    char text[256];
    (void)state;
    for (size_t i = 0; i < sizeof planned / sizeof planned[0]; i++) {
        snprintf(text, sizeof text, "\"provider\": \"%s\", \"credentials\": {}", planned[i]);
        assert_channel_problem(text, "provider", "has no adapter in this build");
    }
    assert_channel_problem("\"provider\": \"pigeon\"", "provider", "\"pigeon\" is no provider");
    assert_channel_problem("\"provider\": 7", "provider", "expected");
    assert_channel_problem(KEY, "provider", "is missing");
    assert_channel_problem("\"provider\": \"twilio\", \"credentials\": {\"account_sid\": \"AC1\"}",
                           "credentials.auth_token", "is missing");
    assert_channel_problem("\"provider\": \"twilio\", \"credentials\": {\"account_sid\": \"AC1\", "
                           "\"auth_token\": \"x\", \"username\": \"y\"}",
                           "credentials.username", "twilio has no such credential");
    assert_channel_problem("\"provider\": \"twilio\", \"credentials\": {\"account_sid\": \"AC1\", "
                           "\"auth_token\": \"x\", \"api_key_sid\": \"y\"}",
                           "", "credentials.api_key_secret is missing");
}

static void fields_are_typed_and_bounded(void **state)
{
    static const char *const rows[][2] = {
        {"\"colour\": 1", "colour"},
        {"\"from\": \"0722\"", "from"},
        {"\"from\": 254722000111", "from"},
        {"\"base_url\": 1", "base_url"},
        {"\"base_url\": \"api.twilio.com\"", "base_url"},
        {"\"base_url\": \"ftp://a.test\"", "base_url"},
        {"\"base_url\": \"https://a.test,b.test\"", "base_url"},
        {"\"base_url\": \"https://user:t0ken-value@a.test\"", "base_url"},
        {"\"base_url\": \"https://a.test/x?y=1\"", "base_url"},
        {"\"base_url\": \"https://a.test/x#y\"", "base_url"},
        {"\"calls_per_second\": 0", "calls_per_second"},
        {"\"calls_per_second\": -1", "calls_per_second"},
        {"\"calls_per_second\": -0.5", "calls_per_second"},
        {"\"calls_per_second\": 0.0999", "calls_per_second"},
        {"\"calls_per_second\": \"10\"", "calls_per_second"},
        {"\"calls_per_second\": true", "calls_per_second"},
        {"\"calls_per_second\": null", "calls_per_second"},
        {"\"calls_per_second\": [10]", "calls_per_second"},
        {"\"calls_per_second\": 100000.5", "calls_per_second"},
        {"\"calls_per_second\": 1e9", "calls_per_second"},
        {"\"concurrent_calls\": 0", "concurrent_calls"},
        {"\"concurrent_calls\": -1", "concurrent_calls"},
        {"\"concurrent_calls\": 1.5", "concurrent_calls"},
        {"\"concurrent_calls\": \"5\"", "concurrent_calls"},
        {"\"concurrent_calls\": null", "concurrent_calls"},
        {"\"concurrent_calls\": 1000001", "concurrent_calls"},
        {"\"request_timeout\": 10", "request_timeout"},
        {"\"request_timeout\": \"10\"", "request_timeout"},
        {"\"request_timeout\": \"0s\"", "request_timeout"},
        {"\"request_timeout\": \"6m\"", "request_timeout"},
        {"\"idle_timeout\": \"soon\"", "idle_timeout"},
        {"\"idle_timeout\": \"2h\"", "idle_timeout"},
        {"\"country_codes\": \"254\"", "country_codes"},
        {"\"country_codes\": [254]", "country_codes"},
        {"\"country_codes\": [\"+254\"]", "country_codes"},
        {"\"country_codes\": [\"\"]", "country_codes"},
        {"\"fallback\": \"b\"", "fallback"},
        {"\"fallback\": [1]", "fallback"},
        {"\"callback_secret\": []", "callback_secret"},
        {"\"callback_secret\": 1", "callback_secret"},
        {"\"callback_secret\": [\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\"]", "callback_secret"},
        {"\"insecure\": \"yes\"", "insecure"},
        {"\"one_call_per_number\": \"no\"", "one_call_per_number"},
        {"\"one_call_per_number\": 0", "one_call_per_number"},
        {"\"one_call_per_number\": null", "one_call_per_number"},
        {"\"tenants\": {}", "tenants"},
    };
    char text[512];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        snprintf(text, sizeof text, TW ", %s", rows[i][0]);
        assert_channel_problem(text, rows[i][1], "");
    }
}

static void rates_from_a_call_in_ten_seconds_to_100000_a_second_are_taken(void **state)
{
    static const char *const rows[] = {"0.1", "1e-1", "0.5", "1", "10.25", "5000", "100000", "1e5"};
    char text[512];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        snprintf(text, sizeof text, TW ", \"calls_per_second\": %s, \"concurrent_calls\": 1000000", rows[i]);
        struct channels *channels = load_one(text);
        assert_true(channels_at(channels, 0)->calls_per_second == strtod(rows[i], NULL));
        assert_int_equal(channels_at(channels, 0)->concurrent_calls, 1000000);
        channels_free(&channels);
    }
    assert_channel_problem(TW ", \"calls_per_second\": 0.01", "calls_per_second",
                           "expected a number from 0.1 to 100000");
    assert_channel_problem(TW ", \"concurrent_calls\": -1", "concurrent_calls",
                           "expected a whole number from 1 to 1000000");
}

static void plain_http_is_refused_away_from_loopback(void **state)
{
    static const char *const bad[] = {"http://a.test",
                                      "http://10.0.0.1:8080",
                                      "http://127.evil.test",
                                      "http://127.0.0.1.evil.test",
                                      "http://localhost.evil.test",
                                      "http://[::2]"};
    static const char *const good[] = {"http://localhost:1", "http://127.0.0.1", "http://127.8.9.1:80/x",
                                       "http://[::1]:8080"};
    char text[512];
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        snprintf(text, sizeof text, TW ", \"base_url\": \"%s\"", bad[i]);
        assert_channel_problem(text, "base_url", "plain http");
        snprintf(text, sizeof text, TW ", \"base_url\": \"%s\", \"insecure\": true", bad[i]);
        struct channels *channels = load_one(text);
        channels_free(&channels);
    }
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        snprintf(text, sizeof text, TW ", \"base_url\": \"%s\"", good[i]);
        struct channels *channels = load_one(text);
        channels_free(&channels);
    }
}

static void fallbacks_must_exist_and_end(void **state)
{
    struct channels *channels = load_good("{\"channels\": {\"a\": {" TW ", \"fallback\": [\"b\", \"c\"]},"
                                          "\"b\": {" TW ", \"fallback\": [\"c\"]}, \"c\": {" TW "}}}");
    (void)state;
    channels_free(&channels);
    assert_problem("{\"channels\": {\"a\": {" TW ", \"fallback\": [\"z\"]}}}",
                   "channels.a.fallback: ", "\"z\" is no channel");
    assert_problem("{\"channels\": {\"a\": {" TW ", \"fallback\": [\"b\", \"z\"]}, \"b\": {" TW "}}}",
                   "channels.a.fallback: ", "\"z\" is no channel");
    assert_problem("{\"channels\": {\"a\": {" TW ", \"fallback\": [\"b\", \"a\"]}, \"b\": {" TW "}}}",
                   "channels.a.fallback: ", "\"a\" falls back to this channel in turn: a cycle");
    assert_problem("{\"channels\": {\"a\": {" TW ", \"fallback\": [\"a\"]}}}",
                   "channels.a.fallback: ", "a cycle");
    assert_problem("{\"channels\": {\"a\": {" TW ", \"fallback\": [\"b\"]}, \"b\": {" TW
                   ", \"fallback\": [\"c\"]},"
                   "\"c\": {" TW ", \"fallback\": [\"a\"]}}}",
                   "channels.c.fallback: ", "a cycle");
}

static void the_file_must_be_an_object_with_channels(void **state)
{
    (void)state;
    assert_problem("", "", "nothing there");
    assert_problem("{\"channels\": {\"a\": {" TW "}}", "", "line 1");
    assert_problem("{\"channels\": {\"a\": {" TW "}, \"a\": {" TW "}}}", "", "line 1");
    assert_problem("[]", "", "expected an object");
    assert_problem("{}", "channels: ", "is missing");
    assert_problem("{\"channels\": {}}", "channels: ", "at least one");
    assert_problem("{\"channels\": []}", "channels: ", "at least one");
    assert_problem("{\"channels\": {\"a\": 1}}", "channels.a: ", "expected an object");
    assert_problem("{\"channels\": {\"a\": {" TW "}}, \"chanels\": {}}", "chanels: ", "no such field");
    assert_problem("{\"channels\": {\"a\": {" TW "}}, \"default_channel\": \"b\"}",
                   "default_channel: ", "\"b\" is no channel");
    assert_problem("{\"channels\": {\"a\": {" TW "}}, \"default_channel\": 1}",
                   "default_channel: ", "expected");
    assert_problem("{\"channels\": {\"a/b\": {" TW "}}}", "channels.a/b: ", "a name is");
    assert_problem("{\"channels\": {\"..\": {" TW "}}}", "channels...: ", "a name is");
    struct channels *channels = load_good("{\"$schema\": \"x\", \"channels\": {\"a\": {" TW
                                          "}}, \"tenants\": {}, \"calling_hours\": {}}");
    channels_free(&channels);
}

static void a_file_that_is_not_there_is_named(void **state)
{
    struct channels *channels;
    struct buf problems;
    (void)state;
    buf_init(&problems, 4096);
    assert_int_equal(channels_load(&channels, "/nowhere/channels.json", &problems), ERR_CONFIG);
    assert_string_equal(problems.p, "/nowhere/channels.json: No such file or directory\n");
    buf_clear(&problems);
    assert_int_equal(channels_load(&channels, "/", &problems), ERR_CONFIG);
    assert_non_null(strstr(problems.p, "directory"));
    buf_done(&problems);
}

static void all_problems_are_told_at_once(void **state)
{
    static const char *const fields[] = {"channels.a.colour: ",
                                         "channels.a.from: ",
                                         "channels.a.insecure: ",
                                         "channels.a.credentials.auth_token: ",
                                         "channels.a.base_url: ",
                                         "channels.b.provider: ",
                                         "channels.b.calls_per_second: ",
                                         "channels.b.fallback: ",
                                         "default_channel: "};
    struct channels *channels;
    struct buf problems;
    size_t lines = 0;
    (void)state;
    assert_int_equal(load(&channels,
                          "{\"channels\": {\"a\": {\"provider\": \"twilio\", \"credentials\": "
                          "{\"account_sid\": \"x\"}, \"colour\": 1,"
                          "\"from\": \"x\", \"insecure\": 1, \"base_url\": \"http://a.test\"},"
                          "\"b\": {\"provider\": \"x\", \"calls_per_second\": 0, \"fallback\": [\"c\"]}}, "
                          "\"default_channel\": \"d\"}",
                          &problems),
                     ERR_CONFIG);
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        if (!strstr(problems.p, fields[i]))
            fail_msg("no %s in %s", fields[i], problems.p);
    }
    for (size_t i = 0; i < problems.n; i++)
        lines += problems.p[i] == '\n';
    assert_int_equal(lines, sizeof fields / sizeof fields[0]);
    buf_done(&problems);
}

static const char *chosen(const struct channels *channels, const char *requested, const char *to)
{
    struct channel *channel = channels_choose(channels, span_str(requested), span_str(to));
    return channel ? channel->name : "(none)";
}

static void a_request_s_channel_is_its_own_then_by_country_then_the_default(void **state)
{
    struct channels *channels = load_good(
        "{\"channels\": {\"ke\": {" TW ", \"country_codes\": [\"254\", \"255\"]},"
        "\"na\": {" TW ", \"country_codes\": [\"1\"]}, \"bb\": {" TW ", \"country_codes\": [\"1246\"]},"
        "\"ke2\": {" TW ", \"country_codes\": [\"254\"]}, \"rest\": {" TW
        "}}, \"default_channel\": \"rest\"}");
    (void)state;
    assert_string_equal(chosen(channels, "rest", "+254722000111"), "rest");
    assert_string_equal(chosen(channels, "nobody", "+254722000111"), "(none)");
    assert_string_equal(chosen(channels, NULL, "+254722000111"), "ke");
    assert_string_equal(chosen(channels, NULL, "+255722000111"), "ke");
    assert_string_equal(chosen(channels, NULL, "+12125550100"), "na");
    assert_string_equal(chosen(channels, NULL, "+12465550100"), "bb");
    assert_string_equal(chosen(channels, NULL, "+4915112345678"), "rest");
    channels_free(&channels);
    channels = load_one(TW);
    assert_string_equal(chosen(channels, NULL, "+254722000111"), "(none)");
    channels_free(&channels);
}

#define NAIROBI           "\"timezone\": \"Africa/Nairobi\", \"from\": \"08:00\", \"to\": \"20:00\""
#define WITH_HOURS(hours) "{\"channels\": {\"a\": {" TW "}}, \"calling_hours\": " hours "}"

static const char *zone_for(const struct channels *channels, const char *number)
{
    const struct hours *hours = channels_hours(channels, span_str(number));
    return hours ? zone_name(hours->zone) : "none";
}

static void calling_hours_are_those_of_the_longest_country_code(void **state)
{
    struct channels *channels = load_good(
        WITH_HOURS("{\"1\": {\"timezone\": \"America/New_York\", \"from\": \"09:00\", \"to\": \"21:00\", "
                   "\"days\": [\"mon\", \"sat\"]}, \"254\": {" NAIROBI
                   "}, \"1808\": {\"timezone\": \"Pacific/Honolulu\", \"from\": \"22:00\", \"to\": "
                   "\"24:00\"}}"));
    const char *code;
    const struct hours *hours = channels_hours_at(channels, 0, &code);
    (void)state;
    assert_string_equal(code, "1");
    assert_int_equal(hours->days, 1 | 1 << 5);
    assert_null(channels_hours_at(channels, 3, &code));
    assert_string_equal(zone_for(channels, "+12125551212"), "America/New_York");
    assert_string_equal(zone_for(channels, "+18085551212"), "Pacific/Honolulu");
    assert_string_equal(zone_for(channels, "+254722000111"), "Africa/Nairobi");
    assert_string_equal(zone_for(channels, "+255722000111"), "none");
    assert_string_equal(zone_for(channels, "+2547"), "Africa/Nairobi");
    assert_string_equal(zone_for(channels, ""), "none");
    channels_free(&channels);
    channels = load_one(TW);
    assert_null(channels_hours(channels, SPAN_LIT("+254722000111")));
    channels_free(&channels);
}

static void calling_hours_that_cannot_be_are_named(void **state)
{
    (void)state;
    assert_problem(WITH_HOURS("[]"), "calling_hours: ", "expected an object");
    assert_problem(WITH_HOURS("{\"+254\": {" NAIROBI "}}"), "calling_hours: ", "\"+254\", expected digits");
    assert_problem(WITH_HOURS("{\"254\": \"08:00-20:00\"}"), "calling_hours.254: ", "expected an object");
    assert_problem(WITH_HOURS("{\"254\": {" NAIROBI ", \"day\": []}}"),
                   "calling_hours.254.day: ", "no such field");
    assert_problem(WITH_HOURS("{\"254\": {" NAIROBI ", \"days\": []}}"),
                   "calling_hours.254.days: ", "one or more");
    assert_problem(WITH_HOURS("{\"254\": {" NAIROBI ", \"days\": [\"Mon\"]}}"),
                   "calling_hours.254.days: ", "\"Mon\", expected one of mon");
    assert_problem(WITH_HOURS("{\"254\": {\"from\": \"08:00\", \"to\": \"20:00\"}}"),
                   "calling_hours.254.timezone: ", "is missing");
    assert_problem(
        WITH_HOURS("{\"254\": {\"timezone\": \"Africa/Nairobbi\", \"from\": \"08:00\", \"to\": \"20:00\"}}"),
        "calling_hours.254.timezone: ", "\"Africa/Nairobbi\", expected an IANA time zone");
    assert_problem(WITH_HOURS("{\"254\": {\"timezone\": \"UTC\", \"from\": \"8\", \"to\": \"20:00\"}}"),
                   "calling_hours.254.from: ", "time of day");
    assert_problem(WITH_HOURS("{\"254\": {\"timezone\": \"UTC\", \"from\": \"08:00\", \"to\": \"08:00\"}}"),
                   "calling_hours.254.to: ", "would never open");
    assert_channel_problem(TW ", \"calling_hours\": {}", "calling_hours", "no such field");
}

#define WITH_TENANTS(tenants) "{\"channels\": {\"a\": {" TW "}}, \"tenants\": " tenants "}"

static void a_tenants_cap_is_found_by_its_whole_name(void **state)
{
    struct channels *channels = load_good(
        WITH_TENANTS("{\"zed\": {\"concurrent_calls\": 1000000}, \"acme\": {\"concurrent_calls\": 50}, "
                     "\"acme.eu\": {\"concurrent_calls\": 1}, \"Acme\": {\"concurrent_calls\": 2.0}}"));
    static const char *const by_name[] = {"Acme", "acme", "acme.eu", "zed"};
    static const int caps[] = {2, 50, 1, 1000000};
    int cap;
    (void)state;
    for (size_t i = 0; i < sizeof caps / sizeof caps[0]; i++) {
        assert_string_equal(channels_tenants_at(channels, i, &cap), by_name[i]);
        assert_int_equal(cap, caps[i]);
        assert_int_equal(channels_tenant_cap(channels, span_str(by_name[i])), caps[i]);
    }
    assert_null(channels_tenants_at(channels, 4, &cap));
    assert_int_equal(channels_tenant_cap(channels, span_of("acme.eurasia", 7)), 1);
    assert_int_equal(channels_tenant_cap(channels, SPAN_LIT("acm")), 0);
    assert_int_equal(channels_tenant_cap(channels, SPAN_LIT("acme.e")), 0);
    assert_int_equal(channels_tenant_cap(channels, SPAN_LIT("zed2")), 0);
    assert_int_equal(channels_tenant_cap(channels, SPAN_NONE), 0);
    channels_free(&channels);
}

static void a_file_without_tenants_caps_none(void **state)
{
    struct channels *channels = load_one(TW);
    int cap;
    (void)state;
    assert_int_equal(channels_tenant_cap(channels, SPAN_LIT("acme")), 0);
    assert_null(channels_tenants_at(channels, 0, &cap));
    channels_free(&channels);
}

static void tenants_that_cannot_be_are_named(void **state)
{
    static const char *const caps[] = {"0", "-1", "1.5", "1000001", "\"50\"", "true", "null", "1e300"};
    char text[512];
    (void)state;
    for (size_t i = 0; i < sizeof caps / sizeof caps[0]; i++) {
        snprintf(text, sizeof text, WITH_TENANTS("{\"acme\": {\"concurrent_calls\": %s}}"), caps[i]);
        assert_problem(text, "tenants.acme.concurrent_calls: ", "expected a whole number from 1 to 1000000");
    }
    assert_problem(WITH_TENANTS("[]"), "tenants: ", "expected an object");
    assert_problem(WITH_TENANTS("null"), "tenants: ", "expected an object");
    assert_problem(WITH_TENANTS("{\"acme\": 50}"), "tenants.acme: ", "expected an object");
    assert_problem(WITH_TENANTS("{\"acme\": {}}"), "tenants.acme.concurrent_calls: ", "is missing");
    assert_problem(WITH_TENANTS("{\"acme\": {\"concurrent_calls\": 5, \"calls_per_second\": 1}}"),
                   "tenants.acme.calls_per_second: ", "no such field");
    assert_problem(WITH_TENANTS("{\"a:b\": {\"concurrent_calls\": 5}}"),
                   "tenants.a:b: ", "a tenant's name is 1 to 64");
    assert_problem(WITH_TENANTS("{\"..\": {\"concurrent_calls\": 5}}"), "tenants...: ", "a tenant's name is");
    assert_problem(WITH_TENANTS("{\"\": {\"concurrent_calls\": 5}}"), "tenants.: ", "a tenant's name is");
}

static void tenants_may_have_64_characters(void **state)
{
    char name[66], text[512];
    (void)state;
    memset(name, 'x', sizeof name);
    snprintf(text, sizeof text, WITH_TENANTS("{\"%.64s\": {\"concurrent_calls\": 5}}"), name);
    struct channels *channels = load_good(text);
    assert_int_equal(channels_tenant_cap(channels, span_of(name, 64)), 5);
    assert_int_equal(channels_tenant_cap(channels, span_of(name, 65)), 0);
    channels_free(&channels);
    snprintf(text, sizeof text, WITH_TENANTS("{\"%.65s\": {\"concurrent_calls\": 5}}"), name);
    assert_problem(text, "tenants.xxx", "a tenant's name is");
}

static void a_channel_in_use_outlives_its_file(void **state)
{
    struct channels *channels = load_one(TW);
    struct channel *channel = channel_ref(channels_at(channels, 0));
    (void)state;
    channels_free(&channels);
    assert_string_equal(channel->name, "a");
    channel_unref(&channel);
    assert_null(channel);
    channel_unref(&channel);
}

static void a_callback_token_guards_one_path_under_any_of_the_secrets(void **state)
{
    struct channels *old = load_one(TW ", \"callback_secret\": \"first\"");
    struct channels *rotating = load_one(TW ", \"callback_secret\": [\"second\", \"first\"]");
    struct channel *channel = channels_at(rotating, 0);
    struct span url_path = SPAN_LIT("/callbacks/twilio/a/acme/c-1/1");
    struct buf token, other;
    (void)state;
    buf_init(&token, 128);
    buf_init(&other, 128);
    channel_add_token(&token, channels_at(old, 0), url_path);
    channel_add_token(&other, channel, url_path);
    /* base64url(HMAC-SHA256("first", path)), unpadded */
    assert_int_equal(token.n, 43);
    assert_string_not_equal(token.p, other.p);
    assert_true(channel_token_ok(channel, url_path, false, buf_span(&token)));
    assert_true(channel_token_ok(channel, url_path, false, buf_span(&other)));
    assert_false(
        channel_token_ok(channel, SPAN_LIT("/callbacks/twilio/a/acme/c-1/2"), false, buf_span(&token)));
    assert_false(channel_token_ok(channels_at(old, 0), url_path, false, buf_span(&other)));
    assert_false(channel_token_ok(channel, url_path, false, SPAN_LIT("first")));
    assert_true(channel_token_ok(channel, url_path, true, SPAN_LIT("first")));
    assert_false(channel_token_ok(channel, url_path, true, SPAN_LIT("third")));
    assert_false(channel_token_ok(channel, url_path, true, SPAN_NONE));
    buf_done(&token);
    buf_done(&other);
    channels_free(&old);
    channels_free(&rotating);
}

static void a_channel_without_secret_has_no_token(void **state)
{
    struct channels *channels = load_one(TW);
    struct buf token;
    (void)state;
    buf_init(&token, 128);
    channel_add_token(&token, channels_at(channels, 0), SPAN_LIT("/callbacks/x"));
    assert_int_equal(token.n, 0);
    assert_false(channel_token_ok(channels_at(channels, 0), SPAN_LIT("/callbacks/x"), true, SPAN_NONE));
    buf_done(&token);
    channels_free(&channels);
}

static void every_provider_keeps_the_adapters_contract(void **state)
{
    size_t n;
    const struct provider *const *all = provider_all(&n);
    (void)state;
    assert_true(n > 0);
    for (size_t i = 0; i < n; i++) {
        const struct provider *p = all[i];
        size_t settings = 0;
        while (p->settings[settings].name)
            settings++;
        assert_true(settings <= CHANNEL_MAX_CREDENTIALS);
        assert_ptr_equal(provider_by_name(span_str(p->name)), p);
        assert_true(p->place && p->placed && p->callback && p->callback_id);
        assert_true(!(p->signs_callbacks || p->signs_with_callback_secret) || p->verify);
        assert_true(!p->lookup == !p->looked_up);
    }
    assert_null(provider_by_name(SPAN_LIT("Twilio")));
    assert_null(provider_by_name(SPAN_NONE));
}

static void a_name_is_looked_up_without_the_secrets(void **state)
{
    static const char *const unreadable[] = {"{\"channels\": [", "[]", "{\"channels\": 1}"};
    const char *text =
        "{\"channels\": {\"a\": {\"credentials\": {\"auth_token\": {\"file\": \"/no/secret\"}}}}}";
    (void)state;
    write_file(path, text, strlen(text));
    assert_false(channels_lacks(path, SPAN_LIT("a")));
    assert_true(channels_lacks(path, SPAN_LIT("aa")));
    assert_true(channels_lacks(path, SPAN_LIT("b")));
    for (size_t i = 0; i < sizeof(unreadable) / sizeof(*unreadable); i++) {
        write_file(path, unreadable[i], strlen(unreadable[i]));
        assert_false(channels_lacks(path, SPAN_LIT("b")));
    }
    assert_false(channels_lacks("/no/channels.json", SPAN_LIT("b")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_smallest_channel_has_defaults),
        cmocka_unit_test(every_field_is_read),
        cmocka_unit_test(secrets_come_from_text_environment_or_file),
        cmocka_unit_test(a_secret_that_cannot_be_had_is_a_problem),
        cmocka_unit_test(providers_and_credentials_must_be_known),
        cmocka_unit_test(fields_are_typed_and_bounded),
        cmocka_unit_test(rates_from_a_call_in_ten_seconds_to_100000_a_second_are_taken),
        cmocka_unit_test(plain_http_is_refused_away_from_loopback),
        cmocka_unit_test(fallbacks_must_exist_and_end),
        cmocka_unit_test(the_file_must_be_an_object_with_channels),
        cmocka_unit_test(a_file_that_is_not_there_is_named),
        cmocka_unit_test(all_problems_are_told_at_once),
        cmocka_unit_test(a_request_s_channel_is_its_own_then_by_country_then_the_default),
        cmocka_unit_test(calling_hours_are_those_of_the_longest_country_code),
        cmocka_unit_test(calling_hours_that_cannot_be_are_named),
        cmocka_unit_test(a_tenants_cap_is_found_by_its_whole_name),
        cmocka_unit_test(a_file_without_tenants_caps_none),
        cmocka_unit_test(tenants_that_cannot_be_are_named),
        cmocka_unit_test(tenants_may_have_64_characters),
        cmocka_unit_test(a_channel_in_use_outlives_its_file),
        cmocka_unit_test(a_callback_token_guards_one_path_under_any_of_the_secrets),
        cmocka_unit_test(a_channel_without_secret_has_no_token),
        cmocka_unit_test(every_provider_keeps_the_adapters_contract),
        cmocka_unit_test(a_name_is_looked_up_without_the_secrets),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
