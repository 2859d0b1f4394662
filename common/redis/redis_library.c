#include "common/redis/redis_library.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/run/log.h"

enum { FUNCTIONS_SINCE = '7' };

static bool begins(const char *text, const char *with)
{
    return strncasecmp(text, with, strlen(with)) == 0;
}

static void refuse(struct redis_loading *loading, bool for_good)
{
    LOG_LIMITED(LOG_LEVEL_WARN, "Redis is not fit", LOG_STR("error", loading->error));
    loading->refused(for_good, loading->arg);
}

/* "6.0.16" of the row "redis_version:6.0.16"; empty without one. */
static struct span version_in(struct span info)
{
    static const char name[] = "redis_version:";
    const char *p = info.n > 0 ? memmem(info.p, info.n, name, sizeof(name) - 1) : NULL;
    size_t n = 0;

    if (p == NULL)
        return SPAN_NONE;
    p += sizeof(name) - 1;
    while (p + n < info.p + info.n && p[n] != '\r' && p[n] != '\n')
        n++;
    return span_of(p, n);
}

static bool has_functions(struct span version)
{
    return version.n > 1 && (version.p[0] >= FUNCTIONS_SINCE || version.p[1] != '.');
}

static void on_info(const struct redis_result *result, void *arg)
{
    struct redis_loading *loading = arg;
    struct span info = SPAN_NONE, version;

    if (result->status == REDIS_LOST)
        return;
    if (result->status == REDIS_OK)
        redis_reply_span(result->reply, &info);
    version = version_in(info);
    if (version.n == 0)
        snprintf(loading->error, sizeof(loading->error),
                 "Redis 7.0 or later, or Valkey, is needed: this server has no functions");
    else if (has_functions(version))
        snprintf(loading->error, sizeof(loading->error),
                 "this Redis %.*s has its command FUNCTION taken away or renamed, it is needed",
                 SPAN_ARG(version));
    else
        snprintf(loading->error, sizeof(loading->error),
                 "Redis 7.0 or later, or Valkey, is needed: this is %.*s", SPAN_ARG(version));
    refuse(loading, true);
}

static void ask_version(struct redis_loading *loading)
{
    const struct span argv[] = {SPAN_LIT("INFO"), SPAN_LIT("server")};

    loading->unknown = true;
    loading->send(redis_cmd_plain(argv, 2, on_info, loading), loading->arg);
}

static void on_load(const struct redis_result *result, void *arg)
{
    struct redis_loading *loading = arg;
    const char *error = result->error;

    if (result->status == REDIS_OK)
        LOG_LIMITED(LOG_LEVEL_INFO, "loaded our functions into Redis",
                    LOG_STR("library", loading->library->name));
    if (result->status == REDIS_OK ||
        (begins(error, "ERR Library '") && strstr(error, "' already exists") != NULL)) {
        loading->error[0] = 0;
    } else if (begins(error, "ERR unknown command")) {
        ask_version(loading);
    } else if (result->status != REDIS_LOST && !(loading->of_cluster && begins(error, "READONLY "))) {
        snprintf(loading->error, sizeof(loading->error), "our functions cannot be loaded: %s", error);
        refuse(loading, false);
    }
}

void redis_loading_begin(struct redis_loading *loading)
{
    loading->sent_seq = 0;
    loading->unknown = false;
    loading->error[0] = 0;
}

void redis_loading_send(struct redis_loading *loading)
{
    const struct redis_library *library = loading->library;

    if (library == NULL)
        return;
    const struct span argv[] = {SPAN_LIT("FUNCTION"), SPAN_LIT("LOAD"), span_of(library->text, library->len)};
    struct redis_cmd *cmd = redis_cmd_plain(argv, 3, on_load, loading);
    loading->send(cmd, loading->arg);
    loading->sent_seq = cmd->sent_seq;
}

bool redis_loading_missed(struct redis_loading *loading, const struct redis_cmd *cmd)
{
    if (loading->library == NULL || loading->error[0] != 0)
        return false;
    if (loading->sent_seq <= cmd->sent_seq)
        redis_loading_send(loading);
    return true;
}

bool redis_loading_is(const struct redis_cmd *cmd)
{
    return cmd->fn == on_load;
}
