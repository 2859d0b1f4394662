/* common/program: what a person sees who types --help, --version, --check or something wrong. Each run is a
 * child with its own environment; its output and exit code are read back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/run/program.h"

#define VAR(text) ((char[]){text})

enum { WENT_ON = 77 };

static char out[65536], err[65536];

static void no_problem(const struct settings *settings, struct buf *problems)
{
    (void)settings, (void)problems;
}

static void two_problems(const struct settings *settings, struct buf *problems)
{
    buf_addf(problems, "%s: no such file\nchannels.json: channels.x: something\n", settings->channels_path);
    buf_addf(problems, "redis %s, group %s\n", settings->redis_url, settings->group_id);
}

static void child(char *const *env, const char *const *args,
                  void (*check)(const struct settings *, struct buf *))
{
    struct program program;
    const struct program_info info = {.name = "ivr-test",
                                      .sentence = "tests the start",
                                      .examples = "  ivr-test --check\n",
                                      .check = check};
    char *argv[8] = {(char[]){"./ivr-test"}};
    int argc = 1;
    for (; args[argc - 1]; argc++)
        argv[argc] = strdup(args[argc - 1]);
    (void)clearenv();
    (void)putenv(VAR("LANG=C")); /* an environment of nothing at all is a NULL pointer */
    for (; *env; env++)
        (void)putenv(*env);
    int code = program_start(&program, &info, argc, argv);
    for (int i = 1; i < argc; i++)
        free(argv[i]);
    if (code >= 0)
        exit(code);
    if (!program.loop || program.check_only)
        exit(99);
    exit(program_end(&program, WENT_ON));
}

static void read_all(int fd, char *text, size_t size)
{
    size_t n = 0;
    ssize_t got;
    while (n + 1 < size && (got = read(fd, text + n, size - 1 - n)) > 0)
        n += (size_t)got;
    text[n] = '\0';
    close(fd);
}

/* Runs a program in a child; `out` and `err` hold what it wrote, the result is its exit code. */
static int run(char *const *env, const char *const *args,
               void (*check)(const struct settings *, struct buf *))
{
    int outs[2], errs[2], status = 0;
    assert_int_equal(pipe(outs), 0);
    assert_int_equal(pipe(errs), 0);
    pid_t pid = fork();
    if (pid == 0) {
        (void)dup2(outs[1], STDOUT_FILENO);
        (void)dup2(errs[1], STDERR_FILENO);
        close(outs[0]), close(outs[1]), close(errs[0]), close(errs[1]);
        child(env, args, check);
    }
    close(outs[1]);
    close(errs[1]);
    read_all(outs[0], out, sizeof(out));
    read_all(errs[0], err, sizeof(err));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

#define ENV(...)  ((char *[]){__VA_ARGS__ __VA_OPT__(, ) NULL})
#define ARGS(...) ((const char *[]){__VA_ARGS__ __VA_OPT__(, ) NULL})

static void help_names_every_setting_and_ends_well(void **state)
{
    (void)state;
    assert_int_equal(run(ENV(), ARGS("--help"), NULL), 0);
    assert_memory_equal(out, "ivr-test - tests the start\n", 27);
    assert_non_null(strstr(out, "--check"));
    assert_non_null(strstr(out, "IVR_KAFKA_BOOTSTRAP_SERVERS"));
    assert_non_null(strstr(out, "IVR_DRAIN_TIMEOUT"));
    assert_non_null(strstr(out, "  ivr-test --check\n"));
    assert_string_equal(err, "");
}

static void help_works_with_a_wrong_setting_too(void **state)
{
    (void)state;
    assert_int_equal(run(ENV(VAR("IVR_DRAIN_TIMEOUT=20")), ARGS("--check", "--help"), NULL), 0);
    assert_string_equal(err, "");
}

static void the_version_is_name_and_number(void **state)
{
    (void)state;
    char expected[64];
    (void)snprintf(expected, sizeof(expected), "ivr-test %s\n", program_version());
    assert_int_equal(run(ENV(), ARGS("--version"), NULL), 0);
    assert_string_equal(out, expected);
}

static void an_unknown_argument_is_2_and_points_to_help(void **state)
{
    (void)state;
    assert_int_equal(run(ENV(), ARGS("--chekc"), NULL), 2);
    assert_non_null(strstr(err, "\"--chekc\""));
    assert_non_null(strstr(err, "ivr-test --help"));
    assert_string_equal(out, "");
    assert_int_equal(run(ENV(), ARGS("--check", "file"), NULL), 2);
}

static void a_good_configuration_is_said_to_be_ok(void **state)
{
    (void)state;
    assert_int_equal(run(ENV(), ARGS("--check"), no_problem), 0);
    assert_string_equal(out, "configuration ok\n");
    assert_string_equal(err, "");
}

static void verbose_shows_values_and_hides_secrets(void **state)
{
    (void)state;
    assert_int_equal(run(ENV(VAR("IVR_API_TOKEN=s3cret-token-of-16")), ARGS("--check", "--verbose"), NULL),
                     0);
    assert_non_null(strstr(out, "IVR_DRAIN_TIMEOUT=20s\n"));
    assert_non_null(strstr(out, "IVR_API_TOKEN="));
    assert_null(strstr(out, "s3cret"));
    assert_non_null(strstr(out, "configuration ok\n"));
}

static void all_problems_are_told_at_once(void **state)
{
    (void)state;
    char *const *env = ENV(VAR("IVR_DRAIN_TIMEOUT=20"), VAR("IVR_REDIS_SHARDS=many"),
                           VAR("IVR_REDIS_URL=nonsense"), VAR("IVR_ODD=1"));
    for (int i = 0; i < 2; i++) { /* with --check and without */
        assert_int_equal(run(env, i ? ARGS("--check") : ARGS(), two_problems), 2);
        assert_string_equal(out, "");
        assert_non_null(strstr(err, "ivr-test: IVR_DRAIN_TIMEOUT"));
        assert_non_null(strstr(err, "ivr-test: IVR_REDIS_SHARDS"));
        assert_non_null(strstr(err, "ivr-test: IVR_REDIS_URL"));
        assert_non_null(strstr(err, "ivr-test: channels.json: no such file\n"));
        assert_non_null(strstr(err, "ivr-test: channels.json: channels.x: something\n"));
        assert_non_null(
            strstr(err, "redis redis://localhost:6379/0, group ivr-test\n")); /* defaults, never NULL */
        assert_non_null(strstr(err, "IVR_ODD"));
    }
}

static void a_problem_of_the_check_alone_is_2(void **state)
{
    (void)state;
    assert_int_equal(run(ENV(), ARGS(), two_problems), 2);
}

static void a_start_goes_on_and_logs_what_is_odd(void **state)
{
    (void)state;
    assert_int_equal(run(ENV(VAR("IVR_ODD=1")), ARGS(), no_problem), WENT_ON);
    assert_non_null(strstr(err, "IVR_ODD"));
    assert_non_null(strstr(err, "\"level\":\"warn\""));
    assert_string_equal(out, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(help_names_every_setting_and_ends_well),
        cmocka_unit_test(help_works_with_a_wrong_setting_too),
        cmocka_unit_test(the_version_is_name_and_number),
        cmocka_unit_test(an_unknown_argument_is_2_and_points_to_help),
        cmocka_unit_test(a_good_configuration_is_said_to_be_ok),
        cmocka_unit_test(verbose_shows_values_and_hides_secrets),
        cmocka_unit_test(all_problems_are_told_at_once),
        cmocka_unit_test(a_problem_of_the_check_alone_is_2),
        cmocka_unit_test(a_start_goes_on_and_logs_what_is_odd),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
