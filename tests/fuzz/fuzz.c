#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/run/log.h"
#include "workers/providers/channels.h"

enum { CHANNEL_FILE_MAX = 64 * 1024 };

struct span fuzz_input(const uint8_t *data, size_t size)
{
    return span_of(size > 0 ? (const char *)data : "", size);
}

struct span fuzz_part(struct span *rest)
{
    const char *end = rest->n > 0 ? memchr(rest->p, 0xFF, rest->n) : NULL;
    size_t n = end != NULL ? (size_t)(end - rest->p) : rest->n;
    struct span part = span_of(rest->p, n);
    size_t cut = end != NULL ? n + 1 : n;
    *rest = span_of(rest->p + cut, rest->n - cut);
    return part;
}

/* UTF-8 without control characters: it stands in events and on terminals. */
static void check_text(const char *text, size_t most)
{
    size_t n = strlen(text);
    assert(n <= most);
    for (size_t i = 0; i < n; i++)
        assert((unsigned char)text[i] >= 0x20 && text[i] != 0x7F);
}

void fuzz_check_evidence(const struct evidence *ev)
{
    assert((unsigned)ev->status <= STATUS_COMPLETED);
    assert(ev->hops < 1u << HOP_COUNT);
    assert(!ev->permanent || ev->terminal);
    assert(ev->ring_seconds >= -1 && ev->talk_seconds >= -1 && ev->cost_micros >= -1);
    assert((ev->cost_micros >= 0) == (ev->currency[0] != '\0'));
    assert((ev->reason_kind == REASON_NONE) == (ev->reason_code[0] == '\0' && ev->reason_detail[0] == '\0'));
    check_text(ev->reason_code, EVIDENCE_CODE_MAX);
    check_text(ev->reason_detail, EVIDENCE_DETAIL_MAX);
    check_text(ev->hop_detail, EVIDENCE_DETAIL_MAX);
    check_text(ev->provider_call_id, EVIDENCE_ID_MAX);
}

/* The cases' channel (tests/corpus) as a channels file of its own. */
static void add_file(struct buf *file, const char *provider)
{
    char path[256], text[CHANNEL_FILE_MAX];
    (void)snprintf(path, sizeof(path), "tests/corpus/%s/channel.json", provider);
    FILE *in = fopen(path, "r");
    if (in == NULL) {
        perror(path);
        abort();
    }
    size_t n = fread(text, 1, sizeof(text), in);
    (void)fclose(in);
    buf_adds(file, "{\"channels\": {\"main\": ");
    buf_add(file, text, n);
    buf_adds(file, "}}");
}

static struct channels *load(const char *provider)
{
    char path[64];
    struct channels *channels = NULL;
    struct buf file, problems;
    int fd = memfd_create("channels.json", 0);
    buf_init(&file, CHANNEL_FILE_MAX + 64);
    buf_init(&problems, CHANNEL_FILE_MAX);
    add_file(&file, provider);
    assert(fd >= 0 && write(fd, file.p, file.n) == (ssize_t)file.n);
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (channels_load(&channels, path, &problems) != 0) {
        (void)fprintf(stderr, "%s\n", problems.p);
        abort();
    }
    buf_done(&file);
    buf_done(&problems);
    close(fd);
    return channels;
}

const struct channel *fuzz_channel(const char *provider)
{
    static struct channels *channels;
    if (channels == NULL)
        channels = load(provider);
    return channels_at(channels, 0);
}
