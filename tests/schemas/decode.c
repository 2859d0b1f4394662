/*
 * What our decoders say of documents, for the tests that hold them against the JSON Schemas.
 *
 *     decode call-request|channels < documents.ndjson
 *
 * A document a line in; a line out for each: "ok", or "refused: " and the sentence. A channels file is read
 * from a real file, as the workers read it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/model/request.h"
#include "workers/providers/channels.h"

enum { PATH_LEN = 64, PROBLEMS_MAX = 1024 * 1024 };

/* On one line, whatever it says. */
static void answer(bool ok, const char *why)
{
    fputs(ok ? "ok" : "refused: ", stdout);
    for (const char *c = ok ? "" : why; *c; c++)
        putchar(*c == '\n' ? ' ' : *c);
    putchar('\n');
}

static void decode_call_request(struct span text)
{
    struct request request;
    struct err err = ERR_INIT;
    char field[64];
    bool not_json;
    int rc = request_parse(&request, text, &err, field, &not_json);
    answer(rc == 0, err.text);
    request_done(&request);
}

static bool write_all(int fd, struct span text)
{
    return ftruncate(fd, 0) == 0 && pwrite(fd, text.p, text.n, 0) == (ssize_t)text.n;
}

static void decode_channels(struct span text)
{
    static int fd = -1;
    char path[PATH_LEN];
    struct channels *channels = NULL;
    struct buf problems;
    if (fd < 0)
        fd = memfd_create("channels", MFD_CLOEXEC);
    if (fd < 0 || !write_all(fd, text)) {
        perror("decode: a file in memory");
        exit(1);
    }
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    buf_init(&problems, PROBLEMS_MAX);
    int rc = channels_load(&channels, path, &problems);
    answer(rc == 0, problems.p);
    buf_done(&problems);
    if (rc == 0)
        channels_free(&channels);
}

int main(int argc, char **argv)
{
    bool requests = argc == 2 && strcmp(argv[1], "call-request") == 0;
    char *line = NULL;
    size_t size = 0;
    ssize_t n;
    if (!requests && !(argc == 2 && strcmp(argv[1], "channels") == 0)) {
        fputs("usage: decode call-request|channels < documents.ndjson\n", stderr);
        return 2;
    }
    while ((n = getline(&line, &size, stdin)) > 0) {
        struct span text = span_of(line, line[n - 1] == '\n' ? (size_t)n - 1 : (size_t)n);
        if (requests)
            decode_call_request(text);
        else
            decode_channels(text);
    }
    free(line);
    return 0;
}
