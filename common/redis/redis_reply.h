/*
 * The one place that includes hiredis, and in this order: its macro REDIS_OK and our enumerator of that name
 * are both 0, but a macro that comes first would break the enum. Beside it: keeping a reply longer than
 * hiredis wants to.
 */
#ifndef IVR_COMMON_REDIS_REPLY_H
#define IVR_COMMON_REDIS_REPLY_H

#include <stdbool.h>

#include "common/redis/redis.h"

#include <hiredis/async.h>
#include <hiredis/hiredis.h>

/* Moves the content out of a reply that hiredis frees after its callback; the original stays behind as nil.
 * The result is freed with freeReplyObject(). Works in 0.14 (which has no switch for it) and 1.x alike. */
struct redisReply *redis_reply_steal(struct redisReply *reply) __attribute__((warn_unused_result));

/* True for an error reply whose first word is `word` ("NOSCRIPT"). */
bool redis_reply_error_is(const struct redisReply *reply, const char *word);

#endif
