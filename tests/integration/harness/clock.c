/* Preloaded into a program: its wall clock is CLOCK_OFFSET_S seconds off, its monotonic ones are not.
 * (libfaketime does not get on with jemalloc.)
 *
 * What it tells of the time is shifted, and a deadline by that clock is shifted back for the kernel, which
 * knows nothing of it: who waits half a second must not wait a year. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

/* Seconds by which an instant is taken for one of the wall clock: no machine has been up for so long. */
enum { WALL_S = 1000000000 };

static long offset_s(void)
{
    const char *text = getenv("CLOCK_OFFSET_S");
    return text != NULL ? strtol(text, NULL, 10) : 0;
}

/* ---- what it tells ---- */

int clock_gettime(clockid_t id, struct timespec *at)
{
    long rc = syscall(SYS_clock_gettime, id, at);
    if (rc == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
        at->tv_sec += offset_s();
    return (int)rc;
}

int timespec_get(struct timespec *at, int base)
{
    return base == TIME_UTC && clock_gettime(CLOCK_REALTIME, at) == 0 ? base : 0;
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

/* ---- until when somebody waits ---- */

static struct timespec of_the_kernel(const struct timespec *until)
{
    struct timespec shifted = *until;
    if (shifted.tv_sec > WALL_S)
        shifted.tv_sec -= offset_s();
    return shifted;
}

/* The default version of a name that has an older one, too: RTLD_NEXT alone may find that. */
static void *next(const char *name)
{
    static const char *const versions[] = {"GLIBC_2.34", "GLIBC_2.28", "GLIBC_2.17", "GLIBC_2.3.2"};
    for (size_t i = 0; i < sizeof(versions) / sizeof(*versions); i++) {
        void *found = dlvsym(RTLD_NEXT, name, versions[i]);
        if (found != NULL)
            return found;
    }
    return dlsym(RTLD_NEXT, name);
}

int pthread_cond_timedwait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict until)
{
    static int (*real)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
    const struct timespec shifted = of_the_kernel(until);
    if (real == NULL)
        real = (int (*)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *))next(__func__);
    return real(cond, mutex, &shifted);
}

int cnd_timedwait(cnd_t *restrict cond, mtx_t *restrict mutex, const struct timespec *restrict until)
{
    static int (*real)(cnd_t *, mtx_t *, const struct timespec *);
    const struct timespec shifted = of_the_kernel(until);
    if (real == NULL)
        real = (int (*)(cnd_t *, mtx_t *, const struct timespec *))next(__func__);
    return real(cond, mutex, &shifted);
}

int sem_timedwait(sem_t *restrict sem, const struct timespec *restrict until)
{
    static int (*real)(sem_t *, const struct timespec *);
    const struct timespec shifted = of_the_kernel(until);
    if (real == NULL)
        real = (int (*)(sem_t *, const struct timespec *))next(__func__);
    return real(sem, &shifted);
}
