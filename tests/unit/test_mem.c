#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/mem.h"

static void nothing_is_ever_null_even_of_no_size(void **state)
{
    (void)state;
    void *a = mem_alloc(0), *b = mem_calloc(0, 8), *c = mem_realloc(NULL, 0);
    assert_true(a && b && c);
    c = mem_realloc(c, 100);
    memset(c, 1, 100);
    free(a);
    free(b);
    free(c);
}

static void calloc_gives_zeros(void **state)
{
    (void)state;
    static const char zeros[64];
    char *p = mem_calloc(8, 8);
    assert_memory_equal(p, zeros, sizeof zeros);
    free(p);
}

static void a_copy_has_exactly_the_bytes_and_a_nul(void **state)
{
    (void)state;
    char *p = mem_strndup("ab\0cdef", 5);
    assert_memory_equal(p, "ab\0cd", 6);
    free(p);
    p = mem_strndup(NULL, 0);
    assert_string_equal(p, "");
    free(p);
    p = mem_strdup("abc");
    assert_string_equal(p, "abc");
    free(p);
}

static void a_process_without_memory_stops_with_a_word_on_stderr(void **state)
{
    (void)state;
    int pipe_fds[2];
    assert_int_equal(pipe(pipe_fds), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(pipe_fds[1], STDERR_FILENO);
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        signal(SIGABRT, SIG_DFL);
        volatile size_t too_much = (size_t)1 << 62;
        void *p = mem_alloc(too_much);
        _exit(p != NULL);
    }
    close(pipe_fds[1]);
    char text[4096] = "";
    size_t n = 0;
    ssize_t got;
    while (n < sizeof text - 1 && (got = read(pipe_fds[0], text + n, sizeof text - 1 - n)) > 0)
        n += (size_t)got;
    close(pipe_fds[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    /* The address sanitizer stops the process itself, in its own words. */
    assert_true(strstr(text, "out of memory") || strstr(text, "allocation size"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_ever_null_even_of_no_size),
        cmocka_unit_test(calloc_gives_zeros),
        cmocka_unit_test(a_copy_has_exactly_the_bytes_and_a_nul),
        cmocka_unit_test(a_process_without_memory_stops_with_a_word_on_stderr),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
