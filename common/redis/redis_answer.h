/*
 * Answering commands: what an error reply of Redis means, and calling the callback.
 */
#ifndef IVR_COMMON_REDIS_ANSWER_H
#define IVR_COMMON_REDIS_ANSWER_H

#include "common/base/span.h"
#include "common/redis/redis.h"
#include "common/redis/redis_wire.h"

/* What an error reply asks for. Of all but ERROR_DEFECT Redis promises that nothing was executed. */
enum redis_error {
    ERROR_NONE,        /* no error reply */
    ERROR_DEFECT,      /* the command or the script is wrong */
    ERROR_REFUSAL,     /* OOM, LOADING, BUSY, ...: later, on the same connection */
    ERROR_NOFUNCTION,  /* load the library, call it again */
    ERROR_CONDEMNS,    /* READONLY (demoted), NOAUTH: only a new connection can mend that */
    ERROR_MOVED,       /* the slot has another node, for good */
    ERROR_ASK,         /* the slot is being moved; this key is not here any more, or does not exist */
    ERROR_TRYAGAIN,    /* the slot is being moved, and the keys of one command are on both sides */
    ERROR_CLUSTERDOWN, /* the cluster has lost a slot or its majority */
};

enum redis_error redis_error_of(const struct redisReply *reply);

/* "MOVED 3999 127.0.0.1:6381", "ASK ...": false when it does not parse. `host` is borrowed from the text and
 * empty where Redis leaves it to us ("MOVED 3999 :6381": the node that says so). */
bool redis_redirect_parse(const char *text, int *slot, struct span *host, int *port);

/* Each answers the command and frees it. `unacked`: NULL, or why what was executed is
 * not safe. */
void redis_answer_reply(struct redis_cmd *cmd, const struct redisReply *reply, const char *unacked);
void redis_answer_failed(struct redis_cmd *cmd, enum redis_status status, const char *error);
/* What the callbacks add to the list meanwhile stays in it. */
void redis_answer_all_failed(struct fifo *list, enum redis_status status, const char *error);

#endif
