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

/* What the file lists is found by its name. */
static void find_all(const struct channels *channels)
{
    const char *tenant;
    int cap;
    for (size_t i = 0; i < channels_count(channels); i++)
        assert(channels_find(channels, span_str(channels_at(channels, i)->name)) != NULL);
    for (size_t i = 0; (tenant = channels_tenants_at(channels, i, &cap)) != NULL; i++)
        assert(cap > 0 && channels_tenant_cap(channels, span_str(tenant)) == cap);
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
        find_all(channels);
        channels_free(&channels);
    } else {
        assert(channels == NULL && problems.n > 0);
    }
    buf_done(&problems);
    return 0;
}
