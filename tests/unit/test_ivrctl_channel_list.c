#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "tools/ivrctl/channel_list.h"

static const char FILE_TEXT[] =
    "{\"channels\": {"
    "\"ke\": {\"provider\": \"twilio\", \"credentials\": {\"account_sid\": \"AC1\", \"auth_token\": "
    "\"t0ken\"},"
    " \"from\": \"+254711082000\", \"calls_per_second\": 0.5, \"concurrent_calls\": 200,"
    " \"fallback\": [\"spare\"], \"one_call_per_number\": false},"
    "\"spare\": {\"provider\": \"twilio\", \"credentials\": {\"account_sid\": \"AC1\", \"auth_token\": "
    "\"t0ken\"}}},"
    "\"default_channel\": \"ke\","
    "\"calling_hours\": {\"254\": {\"timezone\": \"UTC\", \"from\": \"08:00\", \"to\": \"20:00\"}},"
    "\"tenants\": {\"acme\": {\"concurrent_calls\": 50}, \"tiny\": {\"concurrent_calls\": 1}}}";

static struct channels *load(void)
{
    char path[64];
    struct channels *channels;
    struct buf problems;
    int fd = memfd_create("channels.json", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, FILE_TEXT, strlen(FILE_TEXT)), strlen(FILE_TEXT));
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    buf_init(&problems, 4096);
    if (channels_load(&channels, path, &problems) != 0)
        fail_msg("%s", problems.p);
    buf_done(&problems);
    close(fd);
    return channels;
}

static void every_limit_of_ours_stands_in_its_channels_line(void **state)
{
    static const struct channel_live live[] = {
        {.control = CONTROL_RUNNING,
         .heard = true,
         .state = CHANNEL_SUSPENDED,
         .why = "20003 Authenticate",
         .since_ms = 1764000000000,
         .queued = 12,
         .lines = 7},
        {.control = CONTROL_PAUSED, .heard = true, .state = CHANNEL_OPEN},
    };
    struct channels *channels = load();
    struct buf text;
    (void)state;
    buf_init(&text, 4096);
    channel_list_text(&text, channels, live);
    assert_string_equal(text.p,
                        "ke     twilio          +254711082000    0.5/s, 200 lines, https://api.twilio.com, "
                        "fallback spare, one_call_per_number off, default, 12 queued, 7 lines in use, "
                        "SUSPENDED since 2025-11-24T16:00:00.000Z: 20003 Authenticate\n"
                        "spare  twilio          -                https://api.twilio.com, PAUSED\n"
                        "calling hours of +254: 08:00-20:00 UTC\n"
                        "tenant acme: 50 lines of each channel\n"
                        "tenant tiny: 1 line of each channel\n");
    buf_done(&text);
    channels_free(&channels);
}

static void as_json_every_setting_is_there_and_what_was_not_heard_is_null(void **state)
{
    static const struct channel_live live[] = {
        {.control = CONTROL_UNKNOWN},
        {.control = CONTROL_RUNNING, .heard = true, .state = CHANNEL_OPEN, .queued = 3},
    };
    struct channels *channels = load();
    struct buf text;
    (void)state;
    buf_init(&text, 4096);
    channel_list_json(&text, channels, live, "channels.json");
    assert_string_equal(
        text.p,
        "{\"file\":\"channels.json\",\"default_channel\":\"ke\",\"channels\":["
        "{\"name\":\"ke\",\"provider\":\"twilio\",\"from\":\"+254711082000\",\"base_url\":\"https://"
        "api.twilio.com\",\"calls_per_second\":0.5,\"concurrent_calls\":200,\"request_timeout_ms\":10000,"
        "\"idle_timeout_ms\":15000,\"country_codes\":[],\"fallback\":[\"spare\"],\"one_call_per_number\":"
        "false,"
        "\"insecure\":false,\"paused\":null,\"state\":null,\"default\":true},"
        "{\"name\":\"spare\",\"provider\":\"twilio\",\"from\":null,\"base_url\":\"https://api.twilio.com\","
        "\"calls_per_second\":null,\"concurrent_calls\":null,\"request_timeout_ms\":10000,"
        "\"idle_timeout_ms\":15000,\"country_codes\":[],\"fallback\":[],\"one_call_per_number\":true,"
        "\"insecure\":false,\"paused\":false,\"state\":\"open\",\"reason\":null,\"since\":null,\"queued\":3,"
        "\"lines_in_use\":0,\"default\":false}],"
        "\"calling_hours\":{\"254\":{\"timezone\":\"UTC\",\"from\":\"08:00\",\"to\":\"20:00\"}},"
        "\"tenants\":{\"acme\":{\"concurrent_calls\":50},\"tiny\":{\"concurrent_calls\":1}}}\n");
    buf_done(&text);
    channels_free(&channels);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_limit_of_ours_stands_in_its_channels_line),
        cmocka_unit_test(as_json_every_setting_is_there_and_what_was_not_heard_is_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
