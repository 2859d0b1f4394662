#include "tools/ivrctl/input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/mem.h"

enum { COPY_BYTES = 64 * 1024, PATH_LEN = 4096 };

/* ---- what can be read only once ---- */

static const char *temporary_directory(void)
{
    const char *directory = getenv("TMPDIR");
    return directory != NULL && *directory != '\0' ? directory : P_tmpdir;
}

/* In the directory that the person chose, which tmpfile() does not look at. -1: errno says why. */
static int open_unnamed(const char *directory)
{
    struct buf path;
    buf_init(&path, PATH_LEN);
    buf_addf(&path, "%s/ivrctl-XXXXXX", directory);
    int fd = buf_ok(&path) ? mkostemp(path.p, O_CLOEXEC) : -1;
    if (fd >= 0)
        unlink(path.p);
    buf_done(&path);
    return fd;
}

static int open_temporary(struct input *input, struct err *err)
{
    const char *directory = temporary_directory();
    int fd = open_unnamed(directory);
    input->file = fd >= 0 ? fdopen(fd, "w+b") : NULL;
    if (input->file != NULL)
        return 0;
    err_set(
        err, ERR_SYSTEM,
        "%s has more than %d MiB, and a temporary file cannot be made in %s: %s; name a file, which needs "
        "none, or set TMPDIR",
        input->name, INPUT_MEMORY / (1024 * 1024), directory, strerror(errno));
    if (fd >= 0)
        close(fd);
    return ERR_SYSTEM;
}

/* What is in memory already, then the rest. */
static int move_to_file(struct input *input, FILE *from, struct err *err)
{
    size_t n = INPUT_MEMORY;
    int rc = open_temporary(input, err);
    if (rc != 0)
        return rc;
    while (n > 0 && fwrite(input->memory, 1, n, input->file) == n)
        n = fread(input->memory, 1, COPY_BYTES, from);
    if (n > 0 || fflush(input->file) != 0)
        return err_set(err, ERR_SYSTEM, "the temporary file in %s cannot be written: %s",
                       temporary_directory(), strerror(errno));
    if (ferror(from))
        return err_set(err, ERR_SYSTEM, "%s: cannot be read: %s", input->name, strerror(errno));
    rewind(input->file);
    free(input->memory);
    input->memory = NULL;
    return 0;
}

/* The system gives the memory as it fills. */
static int keep(struct input *input, FILE *from, struct err *err)
{
    input->memory = mem_alloc(INPUT_MEMORY);
    size_t n = fread(input->memory, 1, INPUT_MEMORY, from);
    if (n == INPUT_MEMORY)
        return move_to_file(input, from, err);
    if (ferror(from))
        return err_set(err, ERR_SYSTEM, "%s: cannot be read: %s", input->name, strerror(errno));
    input->file = fmemopen(input->memory, n, "rb");
    return input->file != NULL ? 0 : err_set(err, ERR_SYSTEM, "%s: %s", input->name, strerror(errno));
}

/* ---- files ---- */

static void look(const struct input *input, struct input_state *state)
{
    struct stat found = {0};
    fstat(fileno(input->file), &found);
    *state = (struct input_state){found.st_size, (int64_t)found.st_mtim.tv_sec, found.st_mtim.tv_nsec};
}

/* Standard input may be a file of which somebody has read the beginning: that is gone, as in a pipe. */
static bool can_go_back(FILE *file)
{
    struct stat found;
    return fstat(fileno(file), &found) == 0 && S_ISREG(found.st_mode) &&
           lseek(fileno(file), 0, SEEK_CUR) == 0;
}

int input_open(struct input *input, const char *name, struct err *err)
{
    bool is_stdin = strcmp(name, "-") == 0;
    FILE *file = is_stdin ? stdin : fopen(name, "rb");
    *input = (struct input){.name = is_stdin ? "stdin" : name};
    if (file == NULL)
        return err_set(err, ERR_CONFIG, "%s: %s", name, strerror(errno));
    if (can_go_back(file)) {
        input->file = file;
        input->in_place = true;
        look(input, &input->state);
        return 0;
    }
    int rc = keep(input, file, err);
    if (!is_stdin)
        fclose(file);
    if (rc != 0)
        input_close(input);
    return rc;
}

bool input_changed(const struct input *input)
{
    struct input_state state;
    if (!input->in_place)
        return false;
    look(input, &state);
    return state.size != input->state.size || state.modified_s != input->state.modified_s ||
           state.modified_ns != input->state.modified_ns;
}

void input_close(struct input *input)
{
    if (input->file != NULL && input->file != stdin)
        fclose(input->file);
    free(input->memory);
    *input = (struct input){0};
}
