#include "tests/simulator/retry.h"

#include "tests/simulator/text.h"

static void set_ms(struct span value, int64_t most, int64_t *out)
{
    int64_t ms;
    if (sim_count_parse(value, "", INT64_MAX / 2, &ms, NULL))
        return;
    *out = ms < 100 ? 100 : ms > most ? most : ms;
}

static void set_retries(struct span value, int *out)
{
    int64_t count;
    if (sim_count_parse(value, "", INT64_MAX / 2, &count, NULL) == 0)
        *out = count > 5 ? 5 : (int)count;
}

static void set_policy(struct span value, unsigned *out)
{
    static const struct {
        const char *word;
        unsigned bits;
    } words[] = {{"ct", SIM_RETRY_CT},
                 {"rt", SIM_RETRY_RT},
                 {"4xx", SIM_RETRY_4XX},
                 {"5xx", SIM_RETRY_5XX},
                 {"all", SIM_RETRY_ALL}};
    *out = 0;
    while (value.n) {
        struct span word = sim_cut(&value, ',');
        for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
            if (span_is(word, words[i].word))
                *out |= words[i].bits;
        }
    }
}

struct sim_retry_rule sim_retry_parse(struct span fragment)
{
    struct sim_retry_rule rule = {5000, 15000, 15000, 1, SIM_RETRY_CT};
    while (fragment.n) {
        struct span value = sim_cut(&fragment, '&');
        struct span key = sim_cut(&value, '=');
        if (span_is(key, "ct"))
            set_ms(value, 10000, &rule.connect_ms);
        else if (span_is(key, "rt"))
            set_ms(value, 15000, &rule.read_ms);
        else if (span_is(key, "tt"))
            set_ms(value, 15000, &rule.total_ms);
        else if (span_is(key, "rc"))
            set_retries(value, &rule.retries);
        else if (span_is(key, "rp"))
            set_policy(value, &rule.on);
    }
    return rule;
}

unsigned sim_retry_class(const struct http_reply *reply)
{
    if (reply->outcome == HTTP_NOT_SENT)
        return SIM_RETRY_CT;
    if (reply->outcome != HTTP_REPLY)
        return SIM_RETRY_RT;
    if (reply->status / 100 == 2)
        return 0;
    /* Redirects are not followed here; to the caller they are an answer that is no success. */
    return reply->status >= 500 ? SIM_RETRY_5XX : SIM_RETRY_4XX;
}

bool sim_retry_again(const struct sim_retry_rule *rule, unsigned ended, int tries, int64_t since_ms,
                     int64_t *wait_ms)
{
    /* Twilio does not say how long it waits; five retries must fit its 15 seconds, so they start at a
     * quarter. */
    *wait_ms = INT64_C(250) << (tries - 1);
    return tries <= rule->retries && (rule->on & ended) && since_ms + *wait_ms < rule->total_ms;
}
