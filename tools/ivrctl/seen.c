#include "tools/ivrctl/seen.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/crypto.h"
#include "common/base/mem.h"

enum { FIRST_SIZE = 1024 };

void seen_init(struct seen *seen)
{
    *seen = (struct seen){mem_calloc(FIRST_SIZE, sizeof(struct seen_entry)), FIRST_SIZE, 0};
}

void seen_done(struct seen *seen)
{
    free(seen->entries);
    *seen = (struct seen){0};
}

/* The entry of that id, or the free one where it belongs. */
static struct seen_entry *find(const struct seen *seen, uint64_t id)
{
    size_t at = id & (seen->size - 1);
    while (seen->entries[at].id != 0 && seen->entries[at].id != id)
        at = (at + 1) & (seen->size - 1);
    return &seen->entries[at];
}

static void grow(struct seen *seen)
{
    struct seen bigger = {mem_calloc(seen->size * 2, sizeof(struct seen_entry)), seen->size * 2, seen->n};
    for (size_t i = 0; i < seen->size; i++) {
        if (seen->entries[i].id != 0)
            *find(&bigger, seen->entries[i].id) = seen->entries[i];
    }
    free(seen->entries);
    *seen = bigger;
}

static uint64_t digest_id(const struct request *request)
{
    uint8_t digest[SHA256_LEN];
    uint64_t id;
    struct buf text;
    buf_init(&text, 256);
    buf_addspan(&text, request->tenant);
    buf_addc(&text, '/');
    buf_addspan(&text, request->call_id);
    crypto_sha256(buf_span(&text), digest);
    buf_done(&text);
    memcpy(&id, digest, sizeof(id));
    return id != 0 ? id : 1;
}

enum seen_what seen_add(struct seen *seen, const struct request *request, size_t line, size_t *first_line)
{
    uint64_t id = digest_id(request), content;
    memcpy(&content, request->fingerprint, sizeof(content));
    if (seen->n * 4 >= seen->size * 3)
        grow(seen);
    struct seen_entry *entry = find(seen, id);
    if (entry->id != 0) {
        *first_line = entry->line;
        return entry->content == content ? SEEN_SAME : SEEN_OTHER;
    }
    *entry = (struct seen_entry){id, content, line};
    seen->n++;
    return SEEN_NEW;
}
