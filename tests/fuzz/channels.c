/* The channels file. */
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"
#include "workers/providers/channels.h"

/* One file for all inputs: in memory, read by its path as any other. */
static int file(void)
{
    static int fd = -1;
    if (fd < 0)
        fd = memfd_create("channels.json", 0);
    assert(fd >= 0);
    return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    struct channels *channels = NULL;
    struct buf problems;
    assert(ftruncate(file(), 0) == 0 && pwrite(file(), data, size, 0) == (ssize_t)size);
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", file());
    buf_init(&problems, 256 * 1024);
    if (channels_load(&channels, path, &problems) == 0) {
        assert(channels != NULL && problems.n == 0);
        for (size_t i = 0; i < channels_count(channels); i++)
            assert(channels_find(channels, span_str(channels_at(channels, i)->name)) != NULL);
        channels_free(&channels);
    } else {
        assert(channels == NULL && problems.n > 0);
    }
    buf_done(&problems);
    return 0;
}
