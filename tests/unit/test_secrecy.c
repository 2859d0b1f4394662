#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/secrecy.h"

enum { NOBODY = 65534, DUMPABLE = 1, LIMITED = 2, OWN_FDS = 4, KEY_LOG = 8 };

/* What holds of a process that began so, as bits. It is a child's: there is no way back. */
static int begun(const char *core_dumps, bool nobody)
{
    pid_t child = fork();
    if (child == 0) {
        struct rlimit limit = {1000000, RLIM_INFINITY};
        (void)setrlimit(RLIMIT_CORE, &limit);
        (void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
        (void)setenv("SSLKEYLOGFILE", "/dev/null", 1);
        (void)unsetenv("IVR_CORE_DUMPS");
        if (core_dumps != NULL)
            (void)setenv("IVR_CORE_DUMPS", core_dumps, 1);
        if (nobody && setuid(NOBODY) != 0)
            _exit(99);
        secrecy_begin();
        (void)getrlimit(RLIMIT_CORE, &limit);
        DIR *fds = opendir("/proc/self/fd");
        _exit((prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 1 ? DUMPABLE : 0) | (limit.rlim_cur == 0 ? LIMITED : 0) |
              (fds != NULL ? OWN_FDS : 0) | (getenv("SSLKEYLOGFILE") != NULL ? KEY_LOG : 0));
    }
    int status = -1;
    assert_true(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status));
    return WEXITSTATUS(status);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { USUAL = DUMPABLE | OWN_FDS };
#else
enum { USUAL = LIMITED | OWN_FDS };
#endif

static void memory_is_dumped_only_where_it_was_asked_for(void **state)
{
    (void)state;
    assert_int_equal(begun(NULL, false), USUAL);
    assert_int_equal(begun("no", false), USUAL);
    assert_int_equal(begun("", false), USUAL);
    assert_int_equal(begun("yes!", false), USUAL);
    assert_int_equal(begun("yes", false), DUMPABLE | OWN_FDS);
}

/* process_open_fds and the like come from there. */
static void a_process_of_an_ordinary_user_still_sees_itself(void **state)
{
    (void)state;
    bool is_root = getuid() == 0; /* anybody else is an ordinary user already */
    assert_int_equal(begun(NULL, is_root) & OWN_FDS, OWN_FDS);
}

static void a_key_log_is_warned_of_once_it_is_ignored(void **state)
{
    (void)state;
    struct buf warnings;
    buf_init(&warnings, 1000);
    unsetenv("SSLKEYLOGFILE");
    setenv("IVR_CORE_DUMPS", "yes", 1);
    secrecy_begin();
    secrecy_add_warning(&warnings);
    assert_string_equal(warnings.p, "");
    setenv("SSLKEYLOGFILE", "/tmp/keys", 1);
    secrecy_begin();
    secrecy_add_warning(&warnings);
    assert_non_null(strstr(warnings.p, "SSLKEYLOGFILE"));
    assert_ptr_equal(strchr(warnings.p, '\n'), warnings.p + warnings.n - 1);
    assert_null(getenv("SSLKEYLOGFILE"));
    buf_done(&warnings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_dumped_only_where_it_was_asked_for),
        cmocka_unit_test(a_process_of_an_ordinary_user_still_sees_itself),
        cmocka_unit_test(a_key_log_is_warned_of_once_it_is_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
