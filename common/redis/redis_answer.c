#include "common/redis/redis_answer.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/number.h"
#include "common/redis/redis_reply.h"
#include "common/redis/redis_slot.h"
#include "common/run/metrics.h"

/* Redis has no word of its own for it. */
#define NO_FUNCTION "ERR Function not found"

static const struct {
    const char *word; /* what the error begins with */
    enum redis_error error;
} words[] = {
    {"MOVED", ERROR_MOVED},          {"ASK", ERROR_ASK},           {"TRYAGAIN", ERROR_TRYAGAIN},
    {NO_FUNCTION, ERROR_NOFUNCTION}, {"READONLY", ERROR_CONDEMNS}, {"NOAUTH", ERROR_CONDEMNS},
    {"OOM", ERROR_REFUSAL},          {"LOADING", ERROR_REFUSAL},   {"BUSY", ERROR_REFUSAL},
    {"MASTERDOWN", ERROR_REFUSAL},   {"MISCONF", ERROR_REFUSAL},   {"NOPERM", ERROR_REFUSAL},
    {"NOREPLICAS", ERROR_REFUSAL},   {"WRONGPASS", ERROR_REFUSAL}, {"CLUSTERDOWN", ERROR_CLUSTERDOWN},
};

enum redis_error redis_error_of(const struct redisReply *reply)
{
    if (reply->type != REDIS_REPLY_ERROR)
        return ERROR_NONE;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (redis_reply_error_is(reply, words[i].word))
            return words[i].error;
    }
    return ERROR_DEFECT;
}

bool redis_redirect_parse(const char *text, int *slot, struct span *host, int *port)
{
    const char *number = strchr(text, ' ');
    const char *address = number != NULL ? strchr(number + 1, ' ') : NULL;
    const char *colon = address != NULL ? strrchr(address, ':') : NULL;

    if (colon == NULL)
        return false;
    *host = span_of(address + 1, (size_t)(colon - address - 1));
    return number_read_int(span_of(number + 1, (size_t)(address - number - 1)), 0, REDIS_SLOTS - 1, slot) &&
           number_read_int(span_str(colon + 1), 1, 65535, port);
}

static void give(struct redis_cmd *cmd, const struct redis_result *result)
{
    if (cmd->use != NULL && result->status != REDIS_LOST)
        metric_observe(cmd->use->seconds, (double)(clock_mono_us() - cmd->queued_mono_us) / 1e6);
    if (cmd->fn != NULL)
        cmd->fn(result, cmd->arg);
    redis_cmd_free(&cmd);
}

void redis_answer_failed(struct redis_cmd *cmd, enum redis_status status, const char *error)
{
    give(cmd, &(struct redis_result){status, NULL, error});
}

void redis_answer_reply(struct redis_cmd *cmd, const struct redisReply *reply, const char *unacked)
{
    if (reply->type != REDIS_REPLY_ERROR) {
        give(cmd, &(struct redis_result){unacked ? REDIS_UNACKED : REDIS_OK, reply, unacked ? unacked : ""});
        return;
    }
    redis_answer_failed(cmd, REDIS_REFUSED, reply->str);
}

void redis_answer_all_failed(struct fifo *list, enum redis_status status, const char *error)
{
    struct fifo mine = {0};
    fifo_move(&mine, list);
    for (struct redis_cmd *cmd; (cmd = REDIS_CMD_TAKE(&mine)) != NULL;)
        redis_answer_failed(cmd, status, error);
}
