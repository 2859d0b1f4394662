#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/ivrctl/input.h"

/* A pipe that somebody fills, to be opened by its name. */
struct filled {
    char name[32];
    pthread_t thread;
    size_t n;
    int read_fd, write_fd;
};

/* The alphabet over and over; what is written and read at once is whole ones. */
enum { BLOCK = 26 * 1000 };

static void make_block(char *block)
{
    for (size_t i = 0; i < BLOCK; i++)
        block[i] = (char)('a' + i % 26);
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void *fill(void *arg)
{
    struct filled *pipe = arg;
    char block[BLOCK];
    make_block(block);
    for (size_t left = pipe->n; left > 0;) {
        ssize_t n = write(pipe->write_fd, block, least(left, BLOCK));
        if (n != (ssize_t)least(left, BLOCK))
            break; /* the reader has gone: the test has failed, or wanted that */
        left -= (size_t)n;
    }
    close(pipe->write_fd);
    return NULL;
}

static void start_filling(struct filled *filled, size_t n)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    *filled = (struct filled){.n = n, .read_fd = fds[0], .write_fd = fds[1]};
    snprintf(filled->name, sizeof(filled->name), "/dev/fd/%d", fds[0]);
    assert_int_equal(pthread_create(&filled->thread, NULL, fill, filled), 0);
}

static void stop_filling(struct filled *filled)
{
    close(filled->read_fd);
    pthread_join(filled->thread, NULL);
}

static void assert_holds(FILE *file, size_t n)
{
    char block[BLOCK], found[BLOCK];
    make_block(block);
    rewind(file);
    for (size_t left = n; left > 0; left -= least(left, BLOCK)) {
        assert_int_equal(fread(found, 1, least(left, BLOCK), file), least(left, BLOCK));
        assert_memory_equal(found, block, least(left, BLOCK));
    }
    assert_int_equal(getc(file), EOF);
}

static void assert_reads_twice(struct input *input, size_t n)
{
    assert_holds(input->file, n);
    assert_false(input_changed(input));
    assert_holds(input->file, n);
}

/* No byte may be written to any file. */
static void forbid_files(struct rlimit *before)
{
    struct rlimit none;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, before), 0);
    none = (struct rlimit){0, before->rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
}

static void a_pipe_is_read_twice_and_no_file_is_written(void **state)
{
    (void)state;
    const size_t sizes[] = {0, 1, 100000, INPUT_MEMORY - 1};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        struct filled filled;
        struct input input;
        struct rlimit before;
        struct err err = ERR_INIT;
        start_filling(&filled, sizes[i]);
        forbid_files(&before);
        int rc = input_open(&input, filled.name, &err);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
        assert_int_equal(rc, 0);
        assert_reads_twice(&input, sizes[i]);
        input_close(&input);
        stop_filling(&filled);
    }
}

static size_t files_in(const char *directory)
{
    DIR *dir = opendir(directory);
    size_t n = 0;
    assert_non_null(dir);
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;)
        n += *entry->d_name != '.';
    closedir(dir);
    return n;
}

static void a_long_pipe_goes_to_tmpdir_and_nothing_is_left_there(void **state)
{
    (void)state;
    char directory[] = "/tmp/test-input-XXXXXX";
    struct filled filled;
    struct input input;
    struct err err = ERR_INIT;
    assert_non_null(mkdtemp(directory));
    setenv("TMPDIR", directory, 1);
    start_filling(&filled, INPUT_MEMORY + 100000);
    int rc = input_open(&input, filled.name, &err);
    unsetenv("TMPDIR");
    assert_int_equal(rc, 0);
    struct stat file, folder;
    assert_int_equal(fstat(fileno(input.file), &file), 0);
    assert_int_equal(stat(directory, &folder), 0);
    assert_int_equal(file.st_dev, folder.st_dev);
    assert_int_equal(files_in(directory), 0);
    assert_reads_twice(&input, INPUT_MEMORY + 100000);
    input_close(&input);
    stop_filling(&filled);
    rmdir(directory);
}

static void a_long_pipe_without_a_place_for_it_is_refused_and_told_what_to_do(void **state)
{
    (void)state;
    struct filled filled;
    struct input input;
    struct err err = ERR_INIT;
    setenv("TMPDIR", "/nonexistent", 1);
    start_filling(&filled, INPUT_MEMORY);
    assert_int_equal(input_open(&input, filled.name, &err), ERR_SYSTEM);
    unsetenv("TMPDIR");
    stop_filling(&filled);
    assert_null(input.file);
    assert_non_null(strstr(err.text, "/nonexistent"));
    assert_non_null(strstr(err.text, "set TMPDIR"));
}

static void a_disk_that_is_full_is_said(void **state)
{
    (void)state;
    struct filled filled;
    struct input input;
    struct rlimit before;
    struct err err = ERR_INIT;
    start_filling(&filled, INPUT_MEMORY + 1);
    forbid_files(&before);
    int rc = input_open(&input, filled.name, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    stop_filling(&filled);
    assert_int_equal(rc, ERR_SYSTEM);
    assert_non_null(strstr(err.text, "cannot be written"));
}

static void a_file_is_read_in_place_and_a_change_of_it_is_seen(void **state)
{
    (void)state;
    char name[] = "/tmp/test-input-XXXXXX";
    struct input input;
    struct err err = ERR_INIT;
    int fd = mkstemp(name);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "abc", 3), 3);
    assert_int_equal(input_open(&input, name, &err), 0);
    assert_null(input.memory);
    assert_reads_twice(&input, 3);
    assert_int_equal(write(fd, "d", 1), 1);
    assert_true(input_changed(&input));
    input_close(&input);
    close(fd);
    unlink(name);
}

static void what_cannot_be_read_is_named(void **state)
{
    (void)state;
    struct input input;
    struct err err = ERR_INIT;
    assert_int_equal(input_open(&input, "/nonexistent/contacts.csv", &err), ERR_CONFIG);
    assert_non_null(strstr(err.text, "/nonexistent/contacts.csv"));
    assert_int_equal(input_open(&input, "/tmp", &err), ERR_SYSTEM);
    assert_non_null(strstr(err.text, "/tmp: cannot be read"));
    assert_null(input.file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pipe_is_read_twice_and_no_file_is_written),
        cmocka_unit_test(a_long_pipe_goes_to_tmpdir_and_nothing_is_left_there),
        cmocka_unit_test(a_long_pipe_without_a_place_for_it_is_refused_and_told_what_to_do),
        cmocka_unit_test(a_disk_that_is_full_is_said),
        cmocka_unit_test(a_file_is_read_in_place_and_a_change_of_it_is_seen),
        cmocka_unit_test(what_cannot_be_read_is_named),
    };
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
