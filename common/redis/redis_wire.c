#include "common/redis/redis_wire.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/redis/redis_reply.h"
#include "common/run/metrics.h"

enum {
    HEAD_MAX = 1 + 20 + 2, /* '$' or '*', a number, CR LF */
};

#define FCALL   "$5\r\nFCALL\r\n"
#define ONE_KEY "$1\r\n1\r\n"

struct redis_script_use *redis_script_use(struct redis_script_use **list, const struct redis_script *script)
{
    struct redis_script_use *use;

    for (use = *list; use != NULL; use = use->next) {
        if (use->script == script)
            return use;
    }
    use = mem_calloc(1, sizeof(*use));
    use->script = script;
    use->seconds = metric_series(M_REDIS_SECONDS, script->name, NULL);
    use->next = *list;
    *list = use;
    return use;
}

void redis_script_uses_free(struct redis_script_use **list)
{
    while (*list != NULL) {
        struct redis_script_use *use = *list;
        *list = use->next;
        free(use);
    }
}

static char *put(char *p, const void *bytes, size_t n)
{
    memcpy(p, bytes, n);
    return p + n;
}

/* "$12\r\n" or "*12\r\n". */
static char *put_head(char *p, char type, size_t value)
{
    char digits[20];
    size_t n = 0;

    do {
        digits[n++] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    *p++ = type;
    while (n > 0)
        *p++ = digits[--n];
    return put(p, "\r\n", 2);
}

static char *put_bulk(char *p, struct span s)
{
    p = put_head(p, '$', s.n);
    if (s.n > 0)
        p = put(p, s.p, s.n);
    return put(p, "\r\n", 2);
}

static size_t bulks_max(const struct span *args, size_t argc)
{
    size_t n = 0;

    for (size_t i = 0; i < argc; i++)
        n += HEAD_MAX + args[i].n + 2;
    return n;
}

static struct redis_cmd *cmd_new(size_t wire_max, redis_fn fn, void *arg)
{
    struct redis_cmd *cmd = mem_alloc(sizeof(*cmd) + wire_max);

    memset(cmd, 0, sizeof(*cmd));
    cmd->slot = -1;
    cmd->fn = fn;
    cmd->arg = arg;
    return cmd;
}

struct redis_cmd *redis_cmd_eval(const struct redis_script *script, struct span key, const struct span *args,
                                 size_t argc, redis_fn fn, void *arg)
{
    struct span function = span_str(script->function);
    size_t max = HEAD_MAX + sizeof(FCALL) + bulks_max(&function, 1) + sizeof(ONE_KEY) + bulks_max(&key, 1) +
                 bulks_max(args, argc);
    struct redis_cmd *cmd = cmd_new(max, fn, arg);
    char *p = cmd->wire;

    cmd->script = script;
    p = put_head(p, '*', 4 + argc); /* FCALL, the function, the number of keys, the key */
    p = put(p, FCALL, sizeof(FCALL) - 1);
    p = put_bulk(p, function);
    p = put(p, ONE_KEY, sizeof(ONE_KEY) - 1);
    p = put_bulk(p, key);
    cmd->key_n = key.n;
    cmd->key_at = (size_t)(p - cmd->wire) - 2 - key.n;
    for (size_t i = 0; i < argc; i++)
        p = put_bulk(p, args[i]);
    cmd->wire_n = (size_t)(p - cmd->wire);
    return cmd;
}

struct redis_cmd *redis_cmd_plain(const struct span *argv, size_t argc, redis_fn fn, void *arg)
{
    struct redis_cmd *cmd = cmd_new(HEAD_MAX + bulks_max(argv, argc), fn, arg);
    char *p = put_head(cmd->wire, '*', argc);

    for (size_t i = 0; i < argc; i++)
        p = put_bulk(p, argv[i]);
    cmd->wire_n = (size_t)(p - cmd->wire);
    return cmd;
}

void redis_cmd_free(struct redis_cmd **cmd)
{
    if (*cmd == NULL)
        return;
    if ((*cmd)->held != NULL)
        freeReplyObject((*cmd)->held);
    free(*cmd);
    *cmd = NULL;
}
