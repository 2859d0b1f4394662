#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "tools/ivrctl/intake.h"

/* What went through, and what was said about the rest. */
struct outcome {
    int rc;
    struct err err;
    struct intake_result result;
    size_t taken;
    char said[4096];
};

static volatile sig_atomic_t never;

static int count(void *arg, struct span call_id, struct span id, struct span value, struct err *err)
{
    size_t *taken = arg;
    (void)call_id, (void)id, (void)value, (void)err;
    (*taken)++;
    return 0;
}

static void run(struct outcome *out, const char *text, struct intake_options options)
{
    FILE *in = tmpfile(), *said = tmpfile();
    int stderr_fd = dup(STDERR_FILENO);
    memset(out, 0, sizeof(*out));
    assert_true(fputs(text, in) >= 0);
    rewind(in);
    if (options.name == NULL)
        options.name = "stdin";
    options.stopped = &never;
    options.take = count;
    options.take_arg = &out->taken;
    fflush(stderr);
    dup2(fileno(said), STDERR_FILENO);
    out->rc = intake_read(in, &options, &out->result, &out->err);
    fflush(stderr);
    dup2(stderr_fd, STDERR_FILENO);
    close(stderr_fd);
    rewind(said);
    out->said[fread(out->said, 1, sizeof(out->said) - 1, said)] = '\0';
    fclose(said);
    fclose(in);
}

#define CALL(id, to)                                                                                         \
    "{\"call_id\":\"" id "\",\"tenant\":\"acme\",\"campaign\":\"c\",\"to\":\"" to                            \
    "\",\"message\":{\"say\":\"Hi\"}}\n"

static void requests_that_fit_are_kept(void **state)
{
    (void)state;
    struct outcome out;
    run(&out, CALL("a", "+254722000111") "\n" CALL("b", "+254722000112"), (struct intake_options){0});
    assert_int_equal(out.rc, 0);
    assert_int_equal(out.result.lines, 2);
    assert_int_equal(out.result.accepted, 2);
    assert_int_equal(out.taken, 2);
    assert_int_equal(out.result.made_ids, 0);
    assert_string_equal(out.said, "");
}

static void a_wrong_line_is_named_with_its_field_and_without_the_number(void **state)
{
    (void)state;
    struct outcome out;
    run(&out, CALL("a", "+254722000111") CALL("b", "0722000112") "{\n[]\n", (struct intake_options){0});
    assert_int_equal(out.rc, 0);
    assert_int_equal(out.result.wrong, 3);
    assert_int_equal(out.taken, 1);
    assert_non_null(strstr(out.said, "stdin:2: to: "));
    assert_non_null(strstr(out.said, "stdin:3: "));
    assert_non_null(strstr(out.said, "stdin:4: "));
    assert_null(strstr(out.said, "0722000112"));
}

static void a_repeated_call_is_left_out_and_another_content_is_wrong(void **state)
{
    (void)state;
    struct outcome out;
    run(&out, CALL("a", "+254722000111") CALL("a", "+254722000111") CALL("a", "+254722000112"),
        (struct intake_options){0});
    assert_int_equal(out.taken, 1);
    assert_int_equal(out.result.repeated, 1);
    assert_int_equal(out.result.wrong, 1);
    assert_non_null(strstr(out.said, "stdin:3: call_id: line 1 "));
}

static void a_table_gets_defaults_and_ids(void **state)
{
    (void)state;
    struct outcome out;
    const struct intake_options options = {
        .name = "contacts.csv", .tenant = "acme", .campaign = "c", .say = "Hi", .language = "en-GB"};
    run(&out, "to,metadata.name\n+254722000111,Amina\n0722,Juma\n+254722000111,Amina\n+254722000113,\n",
        options);
    assert_int_equal(out.result.lines, 4);
    assert_int_equal(out.taken, 2);
    assert_int_equal(out.result.made_ids, 2);
    assert_int_equal(out.result.repeated, 1);
    assert_non_null(strstr(out.said, "contacts.csv:3: to: "));
}

static void without_a_default_what_is_missing_is_said(void **state)
{
    (void)state;
    struct outcome out;
    run(&out, "to\n+254722000111\n", (struct intake_options){.tenant = "acme", .campaign = "c"});
    assert_int_equal(out.taken, 0);
    assert_non_null(strstr(out.said, "stdin:2: message"));
}

static void a_header_that_names_no_field_ends_it(void **state)
{
    (void)state;
    struct outcome out;
    run(&out, "to,phone\n+254722000111,x\n", (struct intake_options){.say = "Hi"});
    assert_int_equal(out.rc, ERR_INVALID);
    assert_non_null(strstr(out.err.text, "stdin:1: column \"phone\""));
    run(&out, "", (struct intake_options){.format = INTAKE_CSV});
    assert_int_equal(out.rc, ERR_INVALID);
}

static void many_calls_are_told_apart(void **state)
{
    (void)state;
    struct outcome out;
    struct buf b;
    buf_init(&b, 16 * 1024 * 1024);
    buf_adds(&b, "to\n");
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 5000; i++)
            buf_addf(&b, "+2547%08d\n", i);
    }
    run(&out, b.p, (struct intake_options){.tenant = "acme", .campaign = "c", .say = "Hi"});
    assert_int_equal(out.taken, 5000);
    assert_int_equal(out.result.repeated, 5000);
    buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_that_fit_are_kept),
        cmocka_unit_test(a_wrong_line_is_named_with_its_field_and_without_the_number),
        cmocka_unit_test(a_repeated_call_is_left_out_and_another_content_is_wrong),
        cmocka_unit_test(a_table_gets_defaults_and_ids),
        cmocka_unit_test(without_a_default_what_is_missing_is_said),
        cmocka_unit_test(a_header_that_names_no_field_ends_it),
        cmocka_unit_test(many_calls_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
