/* Preloaded into a program: its wall clock is CLOCK_OFFSET_S seconds off, its monotonic ones are not.
 * (libfaketime does not get on with jemalloc.) */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long offset_s(void)
{
    const char *text = getenv("CLOCK_OFFSET_S");
    return text != NULL ? strtol(text, NULL, 10) : 0;
}

int clock_gettime(clockid_t id, struct timespec *at)
{
    long rc = syscall(SYS_clock_gettime, id, at);
    if (rc == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
        at->tv_sec += offset_s();
    return (int)rc;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone)
{
    long rc = syscall(SYS_gettimeofday, at, zone);
    if (rc == 0)
        at->tv_sec += offset_s();
    return (int)rc;
}

time_t time(time_t *at)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at != NULL)
        *at = now.tv_sec;
    return now.tv_sec;
}
