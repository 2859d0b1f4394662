#include "common/redis/redis_reply.h"

#include <string.h>

#include "common/base/mem.h"

struct redisReply *redis_reply_steal(struct redisReply *reply)
{
    struct redisReply *mine = mem_alloc(sizeof(*mine));

    *mine = *reply;
    reply->type = REDIS_REPLY_NIL;
    reply->str = NULL;
    reply->len = 0;
    reply->element = NULL;
    reply->elements = 0;
    return mine;
}

bool redis_reply_error_is(const struct redisReply *reply, const char *word)
{
    size_t n = strlen(word);

    if (reply->type != REDIS_REPLY_ERROR || (size_t)reply->len < n || memcmp(reply->str, word, n) != 0)
        return false;
    return (size_t)reply->len == n || reply->str[n] == ' ';
}

bool redis_reply_span(const void *reply, struct span *out)
{
    const struct redisReply *r = reply;

    if (r == NULL || (r->type != REDIS_REPLY_STRING && r->type != REDIS_REPLY_STATUS))
        return false;
    *out = span_of(r->str, (size_t)r->len);
    return true;
}

bool redis_reply_int(const void *reply, int64_t *out)
{
    const struct redisReply *r = reply;

    if (r == NULL || r->type != REDIS_REPLY_INTEGER)
        return false;
    *out = r->integer;
    return true;
}

bool redis_reply_nil(const void *reply)
{
    const struct redisReply *r = reply;
    return r != NULL && r->type == REDIS_REPLY_NIL;
}

long redis_reply_len(const void *reply)
{
    const struct redisReply *r = reply;
    return r != NULL && r->type == REDIS_REPLY_ARRAY ? (long)r->elements : -1;
}

const void *redis_reply_at(const void *reply, size_t i)
{
    const struct redisReply *r = reply;

    if (r == NULL || r->type != REDIS_REPLY_ARRAY || i >= r->elements)
        return NULL;
    return r->element[i];
}
