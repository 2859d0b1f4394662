#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/json/json.h"
#include "common/run/log.h"

/* Stderr goes into a pipe for the length of one test. */
static int real_stderr = -1, read_end = -1;
static char lines[65536];

static int capture(void **state)
{
    (void)state;
    int ends[2];
    if (pipe(ends) != 0)
        return -1;
    real_stderr = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    read_end = ends[0];
    fcntl(read_end, F_SETFL, O_NONBLOCK);
    return 0;
}

static int release(void **state)
{
    (void)state;
    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
    close(read_end);
    return 0;
}

/* What was written since the last call. */
static const char *written(void)
{
    ssize_t n = read(read_end, lines, sizeof lines - 1);
    lines[n > 0 ? n : 0] = '\0';
    return lines;
}

static json_t *written_json(void)
{
    const char *text = written();
    size_t n = strlen(text);
    assert_true(n > 0 && text[n - 1] == '\n');
    assert_ptr_equal(strchr(text, '\n'), text + n - 1);
    struct err err = ERR_INIT;
    json_t *line = json_parse(span_of(text, n - 1), sizeof lines, &err);
    if (!line)
        fail_msg("%s: %s", err.text, text);
    return line;
}

static void before_setup_lines_are_text_at_level_info(void **state)
{
    (void)state;
    LOG_DEBUG("hidden");
    LOG_INFO("shown");
    const char *text = written();
    assert_null(strstr(text, "hidden"));
    assert_non_null(strstr(text, " INFO  shown\n"));
}

static void a_text_line_has_time_level_message_and_fields(void **state)
{
    (void)state;
    log_setup("ivr-test", LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT);
    LOG_WARN("claim given back", LOG_STR("channel", "ke-main"), LOG_INT("wait_ms", 250),
             LOG_BOOL("again", true));
    const char *text = written();
    assert_true(strlen(text) > 12 && text[2] == ':' && text[5] == ':' && text[8] == '.');
    assert_string_equal(text + 12, " WARN  claim given back channel=ke-main wait_ms=250 again=true\n");
}

static void text_values_are_quoted_where_they_would_mislead(void **state)
{
    (void)state;
    log_setup("ivr-test", LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT);
    LOG_ERROR("m", LOG_STR("a", "two words"), LOG_STR("b", ""), LOG_STR("c", "x=y"),
              LOG_STR("d", "line\nend"), LOG_SPAN("e", SPAN_NONE));
    assert_string_equal(written() + 12,
                        " ERROR m a=\"two words\" b=\"\" c=\"x=y\" d=\"line\\nend\" e=\"\"\n");
}

static void nothing_in_a_line_is_obeyed_by_a_terminal_or_deceives_an_eye(void **state)
{
    (void)state;
    static const char bad[] = "x\x1b[2J\x7f\xC2\x9B"
                              "2J\xE2\x80\xA8\xE2\x80\xAE\xE2\x81\xA6\r\nforged";
    static const char shown[] = "\"x\\u001b[2J\\u007f\\u009b2J\\u2028\\u202e\\u2066\\r\\nforged\"";
    char expected[300];
    log_setup("ivr-test", LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT);
    LOG_ERROR("m", LOG_STR("a", bad));
    snprintf(expected, sizeof expected, " ERROR m a=%s\n", shown);
    assert_string_equal(written() + 12, expected);
    log_setup("ivr-test", LOG_LEVEL_DEBUG, LOG_FORMAT_JSON);
    LOG_ERROR("m", LOG_STR("a", bad));
    json_t *line = written_json();
    assert_true(span_is(json_get_span(line, "a"), bad));
    snprintf(expected, sizeof expected, "\"a\":%s}\n", shown);
    assert_non_null(strstr(lines, expected));
    json_decref(line);
}

static void numbers_in_text_of_others_are_masked(void **state)
{
    (void)state;
    log_setup("ivr-test", LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT);
    LOG_ERROR("m", LOG_TEXT("path", SPAN_LIT("/x/+254-722-000-111/1")), LOG_STR("offset", "12345678"));
    assert_string_equal(written() + 12, " ERROR m path=/x/+2547****0111/1 offset=12345678\n");
}

static void a_json_line_has_the_same_as_members(void **state)
{
    (void)state;
    log_setup("ivr-test", LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    struct err err = ERR_INIT;
    err_set(&err, ERR_INVALID, "bad \"thing\"\n");
    LOG_WARN("claim given back", LOG_SPAN("channel", span_of("ke-mainXX", 7)), LOG_INT("wait_ms", INT64_MIN),
             LOG_BOOL("again", false), LOG_ERR(&err));
    json_t *line = written_json();
    assert_true(span_is(json_get_span(line, "level"), "warn"));
    assert_true(span_is(json_get_span(line, "program"), "ivr-test"));
    assert_true(span_is(json_get_span(line, "msg"), "claim given back"));
    assert_true(span_is(json_get_span(line, "channel"), "ke-main"));
    assert_true(span_is(json_get_span(line, "error"), "bad \"thing\"\n"));
    assert_int_equal(json_get_span(line, "time").n, 24);
    assert_int_equal(json_integer_value(json_object_get(line, "wait_ms")), INT64_MIN);
    assert_true(json_is_false(json_object_get(line, "again")));
    json_decref(line);
}

static void lines_below_the_level_are_not_written(void **state)
{
    (void)state;
    log_setup("ivr-test", LOG_LEVEL_WARN, LOG_FORMAT_JSON);
    LOG_DEBUG("no");
    LOG_INFO("no");
    assert_false(log_enabled(LOG_LEVEL_INFO));
    assert_string_equal(written(), "");
    LOG_ERROR("yes");
    assert_non_null(strstr(written(), "\"msg\":\"yes\""));
}

static void fields_are_not_evaluated_for_a_line_that_is_not_written(void **state)
{
    (void)state;
    int evaluated = 0;
    log_setup("ivr-test", LOG_LEVEL_WARN, LOG_FORMAT_JSON);
    LOG_DEBUG("no", LOG_INT("n", ++evaluated));
    assert_int_equal(evaluated, 0);
}

static void what_is_no_text_still_makes_a_valid_line(void **state)
{
    (void)state;
    log_setup("ivr-test", LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    LOG_INFO("m", LOG_SPAN("v", SPAN_LIT("\xFF\0\x01\xE2\x82")));
    json_t *line = written_json();
    assert_non_null(json_get_span(line, "v").p);
    json_decref(line);
}

static void long_values_are_cut_at_a_character(void **state)
{
    (void)state;
    char value[5001];
    for (size_t pad = 0; pad < 3; pad++) {
        memset(value, 'x', pad);
        for (size_t i = pad; i + 3 < sizeof value; i += 3)
            memcpy(value + i, "\xE2\x82\xAC", 4);
        log_setup("ivr-test", LOG_LEVEL_INFO, LOG_FORMAT_JSON);
        LOG_INFO("m", LOG_STR("long", value), LOG_STR("after", "kept"));
        json_t *line = written_json();
        struct span cut = json_get_span(line, "long");
        assert_in_range(cut.n, 1021, 1024);
        assert_memory_equal(cut.p, value, cut.n);
        assert_true(span_is(json_get_span(line, "after"), "kept"));
        json_decref(line);
    }
}

static void a_line_is_at_most_4096_bytes_and_says_what_it_lacks(void **state)
{
    (void)state;
    char value[1001];
    memset(value, '\1', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    for (int format = LOG_FORMAT_JSON; format <= LOG_FORMAT_TEXT; format++) {
        log_setup("ivr-test", LOG_LEVEL_INFO, (enum log_format)format);
        LOG_INFO("m", LOG_STR("id", "kept"), LOG_STR("long", value), LOG_STR("never", "seen"));
        assert_in_range(strlen(written()), 1, PIPE_BUF);
        assert_non_null(strstr(lines, "kept"));
        assert_null(strstr(lines, "never"));
        assert_non_null(
            strstr(lines, format == LOG_FORMAT_JSON ? "\"truncated\":true}\n" : " truncated=true\n"));
    }
}

static void a_full_pipe_drops_lines_and_counts_them_without_waiting(void **state)
{
    (void)state;
    log_setup("ivr-test", LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    uint64_t before = log_dropped();
    for (int i = 0; i < 2000; i++)
        LOG_INFO("a line that fills the pipe", LOG_INT("i", i));
    uint64_t lost = log_dropped() - before, seen = 0;
    for (const char *text = written(); *text; text = written()) {
        for (const char *c = text; *c; c++)
            seen += *c == '\n';
    }
    assert_true(lost > 0);
    assert_int_equal(seen + lost, 2000);
    LOG_INFO("room again");
    assert_non_null(strstr(written(), "room again"));
}

static void a_reader_that_is_gone_costs_lines_and_nothing_else(void **state)
{
    (void)state;
    log_setup("ivr-test", LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    close(read_end);
    uint64_t before = log_dropped();
    LOG_INFO("nobody reads this");
    assert_int_equal(log_dropped(), before + 1);
    read_end = dup(STDERR_FILENO);
}

static void logging_keeps_errno(void **state)
{
    (void)state;
    log_setup("ivr-test", LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    errno = ENOENT;
    LOG_INFO("m");
    assert_int_equal(errno, ENOENT);
}

static void repeat(int64_t i)
{
    LOG_LIMITED(LOG_LEVEL_WARN, "repeated", LOG_INT("i", i));
}

static void a_call_site_writes_one_line_a_second_and_then_how_many_it_left_out(void **state)
{
    (void)state;
    log_setup("ivr-test", LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    for (int64_t i = 0; i < 5; i++)
        repeat(i);
    json_t *line = written_json();
    assert_int_equal(json_integer_value(json_object_get(line, "i")), 0);
    assert_null(json_object_get(line, "suppressed"));
    json_decref(line);
    usleep(1010 * 1000);
    repeat(5);
    line = written_json();
    assert_int_equal(json_integer_value(json_object_get(line, "i")), 5);
    assert_int_equal(json_integer_value(json_object_get(line, "suppressed")), 4);
    json_decref(line);
}

static void the_count_of_repeats_starts_again_after_each_line(void **state)
{
    (void)state;
    struct log_limit limit = {0};
    int64_t suppressed = 0;
    assert_true(log_limit_pass(&limit, 1, &suppressed));
    assert_int_equal(suppressed, 0);
    for (int i = 0; i < 3; i++)
        assert_false(log_limit_pass(&limit, 1, &suppressed));
    limit.since_mono_ms -= 1000;
    assert_true(log_limit_pass(&limit, 1, &suppressed));
    assert_int_equal(suppressed, 3);
    limit.since_mono_ms -= 1000;
    assert_true(log_limit_pass(&limit, 1, &suppressed));
    assert_int_equal(suppressed, 0);
}

static void lines_that_each_name_another_thing_pass_up_to_their_number(void **state)
{
    (void)state;
    struct log_limit limit = {0};
    int64_t suppressed = 0;
    for (int i = 0; i < 3; i++) {
        assert_true(log_limit_pass(&limit, 3, &suppressed));
        assert_int_equal(suppressed, 0);
    }
    assert_false(log_limit_pass(&limit, 3, &suppressed));
    limit.since_mono_ms -= 1000;
    assert_true(log_limit_pass(&limit, 3, &suppressed));
    assert_int_equal(suppressed, 1);
    assert_true(log_limit_pass(&limit, 3, &suppressed));
    assert_int_equal(suppressed, 0);
}

#define CAPTURED(test) cmocka_unit_test_setup_teardown(test, capture, release)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CAPTURED(before_setup_lines_are_text_at_level_info),
        CAPTURED(a_text_line_has_time_level_message_and_fields),
        CAPTURED(text_values_are_quoted_where_they_would_mislead),
        CAPTURED(nothing_in_a_line_is_obeyed_by_a_terminal_or_deceives_an_eye),
        CAPTURED(numbers_in_text_of_others_are_masked),
        CAPTURED(a_json_line_has_the_same_as_members),
        CAPTURED(lines_below_the_level_are_not_written),
        CAPTURED(fields_are_not_evaluated_for_a_line_that_is_not_written),
        CAPTURED(what_is_no_text_still_makes_a_valid_line),
        CAPTURED(long_values_are_cut_at_a_character),
        CAPTURED(a_line_is_at_most_4096_bytes_and_says_what_it_lacks),
        CAPTURED(a_full_pipe_drops_lines_and_counts_them_without_waiting),
        CAPTURED(a_reader_that_is_gone_costs_lines_and_nothing_else),
        CAPTURED(logging_keeps_errno),
        CAPTURED(a_call_site_writes_one_line_a_second_and_then_how_many_it_left_out),
        CAPTURED(the_count_of_repeats_starts_again_after_each_line),
        CAPTURED(lines_that_each_name_another_thing_pass_up_to_their_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
