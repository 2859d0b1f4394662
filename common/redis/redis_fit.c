#include "common/redis/redis_fit.h"

#include <stdio.h>
#include <string.h>

#include "common/run/log.h"

/* Redis names the script's line behind its words, which is ours to know. */
static void copy_words(char *to, size_t size, const char *error)
{
    const char *place = strstr(error, " script: ");
    size_t n = place != NULL ? (size_t)(place - error) : strcspn(error, "\r\n");

    snprintf(to, size, "%.*s", (int)(n < size ? n : size - 1), error);
}

void redis_fit_begin(struct redis_fit *fit)
{
    fit->acked = -1;
    fit->policy[0] = 0;
    fit->proven = false;
    fit->script_until_mono_ms = 0;
}

static void tell_script(struct redis_fit *fit, int64_t now_mono_ms)
{
    if (now_mono_ms < fit->script_until_mono_ms && !fit->script_logged)
        LOG_WARN("Redis refused a script, it is asked again", LOG_STR("address", fit->shown),
                 LOG_STR("error", fit->script));
    fit->script_logged = true;
}

void redis_fit_proved(struct redis_fit *fit, const char *error, int64_t now_mono_ms)
{
    char words[sizeof(fit->refusal)] = "";

    if (error != NULL)
        copy_words(words, sizeof(words), error);
    if (words[0] != 0 && strcmp(words, fit->refusal) != 0)
        LOG_WARN("Redis refuses, no work is taken until it does not", LOG_STR("address", fit->shown),
                 LOG_STR("error", words));
    else if (words[0] == 0 && fit->refusal[0] != 0)
        LOG_INFO("Redis takes work again", LOG_STR("address", fit->shown));
    if (words[0] == 0)
        tell_script(fit, now_mono_ms);
    fit->script_logged = fit->script_logged || words[0] != 0;
    fit->proven = true;
    memcpy(fit->refusal, words, sizeof(words));
}

void redis_fit_script_refused(struct redis_fit *fit, const char *script, const char *error,
                              int64_t now_mono_ms)
{
    char words[sizeof(fit->refusal)];

    copy_words(words, sizeof(words), error);
    snprintf(fit->script, sizeof(fit->script), "%s: %s", script, words);
    if (now_mono_ms >= fit->script_until_mono_ms)
        fit->script_logged = false;
    fit->script_until_mono_ms = now_mono_ms + REDIS_FIT_REFUSED_MS;
}

bool redis_fit_healthy(const struct redis_fit *fit)
{
    if (fit->policy[0] != 0 && strcmp(fit->policy, "noeviction") != 0)
        return false;
    return fit->acked < 0 || fit->acked >= fit->replicas;
}

bool redis_fit_usable(const struct redis_fit *fit, struct buf *why)
{
    if (fit->refusal[0] != 0) {
        buf_addf(why, "%s: %s", fit->shown, fit->refusal);
        return false;
    }
    if (fit->policy[0] != 0 && strcmp(fit->policy, "noeviction") != 0) {
        buf_addf(why, "maxmemory-policy is %s, it must be noeviction: calls would be forgotten", fit->policy);
        return false;
    }
    if (!redis_fit_healthy(fit)) {
        buf_addf(why, "%d of %d replicas acknowledge", fit->acked, fit->replicas);
        return false;
    }
    return true;
}

bool redis_fit_failing(const struct redis_fit *fit, int64_t now_mono_ms, struct buf *why)
{
    if (now_mono_ms >= fit->script_until_mono_ms)
        return false;
    buf_addf(why, "%s: the script %s", fit->shown, fit->script);
    return true;
}
