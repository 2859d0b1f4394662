#include "workers/store/keys.h"

#include <string.h>

static const char *const middles[] = {
    [KEY_CALL] = ":call:",         [KEY_OUT] = ":out",
    [KEY_WAITING] = ":waiting",    [KEY_LINKED] = ":ids:",
    [KEY_LINKED_0_1] = ":id:",     [KEY_COUNTERS] = ":n:",
    [KEY_WINDOW_COUNTERS] = ":w:", [KEY_CAMPAIGNS] = ":campaigns",
    [KEY_WINDOWS] = ":windows",    [KEY_REVISION] = ":rev:",
    [KEY_REPORTED] = ":reported:", [KEY_DO_NOT_CALL] = ":dnc:",
    [KEY_SHARDS] = ":shards",      [KEY_WALK] = ":walk",
};

void key_add_shard(struct buf *b, const char *prefix, unsigned shard)
{
    buf_addf(b, "{%s:%02u}", prefix, shard);
}

void key_add_channel(struct buf *b, const char *prefix, struct span channel)
{
    buf_addf(b, "{%s:ch:%.*s}", prefix, SPAN_ARG(channel));
}

void key_add(struct buf *b, struct span shard, enum key key, struct span name)
{
    buf_addspan(b, shard);
    buf_adds(b, middles[key]);
    buf_addspan(b, name);
}

void key_add_shards_of_0_1(struct buf *b, const char *prefix)
{
    buf_adds(b, prefix);
    buf_adds(b, middles[KEY_SHARDS]);
}

void key_add_all_calls(struct buf *b, struct span shard)
{
    const char *colon = memrchr(shard.p, ':', shard.n);
    for (const char *c = shard.p; c <= colon; c++) {
        if (strchr("*?[]\\^", *c) != NULL)
            buf_addc(b, '\\');
        buf_addc(b, *c);
    }
    buf_adds(b, "*}");
    buf_adds(b, middles[KEY_CALL]);
    buf_addc(b, '*');
}

bool key_read_call(struct span key, struct span *shard, struct span *id)
{
    size_t middle = strlen(middles[KEY_CALL]);
    const char *end = key.n > 0 ? memchr(key.p, '}', key.n) : NULL;
    size_t from = end != NULL ? (size_t)(end - key.p) + 1 : key.n;
    if (key.n <= from + middle || memcmp(key.p + from, middles[KEY_CALL], middle) != 0)
        return false;
    *shard = span_of(key.p, from);
    *id = span_of(key.p + from + middle, key.n - from - middle);
    return true;
}
