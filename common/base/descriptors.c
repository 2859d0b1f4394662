#include "common/base/descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

void descriptors_open_standard(void)
{
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF)
            continue;
        /* The lowest number that is free is this one: those below are open by now. */
        if (open("/dev/null", fd == 0 ? O_RDONLY : O_WRONLY) != fd)
            abort();
    }
}

/* A worker holds thousands of connections; the soft limit of 1,024 exists for select(2), which nothing here
 * uses. */
void descriptors_raise_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

int descriptors_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > INT_MAX)
        return INT_MAX;
    return (int)limit.rlim_cur;
}

int descriptors_check(const char *who, int n, struct err *err)
{
    int limit = descriptors_limit();
    if (limit >= n)
        return 0;
    return err_set(err, ERR_SYSTEM,
                   "%s needs %d open files and may have %d: "
                   "raise the limit (ulimit -n, systemd's LimitNOFILE, the container's ulimits)",
                   who, n, limit);
}
