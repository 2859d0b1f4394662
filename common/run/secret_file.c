#include "common/run/secret_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/mem.h"

enum { SECRET_FILE_MAX = 64 * 1024 };

static int read_all(int fd, struct buf *content, struct err *err)
{
    for (;;) {
        char *to = buf_room(content, 4096);
        if (!to)
            return err_set(err, ERR_CONFIG, "the file holds more than %d bytes", SECRET_FILE_MAX);
        ssize_t got = read(fd, to, 4096);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_set(err, ERR_CONFIG, "cannot read the file: %s", strerror(errno));
        if (got == 0)
            return 0;
        buf_grew(content, (size_t)got);
    }
}

char *secret_file_read(const char *path, struct err *err)
{
    struct buf content;
    buf_init(&content, SECRET_FILE_MAX + 4096);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int rc = fd < 0 ? err_set(err, ERR_CONFIG, "cannot open the file: %s", strerror(errno))
                    : read_all(fd, &content, err);
    if (fd >= 0)
        close(fd);
    size_t n = content.n;
    n -= n > 0 && content.p[n - 1] == '\n';
    n -= n > 0 && content.n > n && content.p[n - 1] == '\r';
    if (rc == 0 && n == 0)
        rc = err_set(err, ERR_CONFIG, "the file is empty");
    if (rc == 0 && memchr(content.p, '\0', n))
        rc = err_set(err, ERR_CONFIG, "the file holds a NUL byte");
    char *secret = rc == 0 ? mem_strndup(content.p, n) : NULL;
    if (content.cap)
        explicit_bzero(content.p, content.cap);
    buf_done(&content);
    return secret;
}
