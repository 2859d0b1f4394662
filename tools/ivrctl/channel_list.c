#include "tools/ivrctl/channel_list.h"

#include <string.h>

#include "common/base/clock.h"
#include "common/json/json.h"
#include "tools/ivrctl/show.h"

static void add_list(struct buf *b, const char *key, char **items)
{
    json_key(b, key);
    buf_addc(b, '[');
    for (; items != NULL && *items != NULL; items++) {
        json_sep(b);
        json_str(b, span_str(*items));
    }
    buf_addc(b, ']');
}

/* A limit of ours; null where there is none. */
static void add_rate(struct buf *b, const char *key, double rate)
{
    json_key(b, key);
    if (rate > 0)
        buf_addf(b, "%.15g", rate);
    else
        buf_adds(b, "null");
}

/* What the file does not say. */
static void add_live_json(struct buf *b, const struct channel_live *live)
{
    if (live->control == CONTROL_UNKNOWN)
        json_knull(b, "paused");
    else
        json_kbool(b, "paused", live->control == CONTROL_PAUSED);
    if (!live->heard) {
        json_knull(b, "state");
        return;
    }
    json_kstrz(b, "state", channel_state_name(live->state));
    json_kstrz(b, "reason", live->why[0] != '\0' ? live->why : NULL);
    json_ktime(b, "since", live->since_ms);
    json_kint(b, "queued", live->queued);
    json_kint(b, "lines_in_use", live->lines);
}

static void add_channel_json(struct buf *b, const struct channel *chan, const struct channel_live *live,
                             bool chosen)
{
    json_sep(b);
    buf_addc(b, '{');
    json_kstrz(b, "name", chan->name);
    json_kstrz(b, "provider", chan->provider->name);
    json_kstrz(b, "from", chan->from);
    json_kstrz(b, "base_url", chan->base_url);
    add_rate(b, "calls_per_second", chan->calls_per_second);
    add_rate(b, "concurrent_calls", chan->concurrent_calls);
    json_kint(b, "request_timeout_ms", chan->request_timeout_ms);
    json_kint(b, "idle_timeout_ms", chan->idle_timeout_ms);
    add_list(b, "country_codes", chan->country_codes);
    add_list(b, "fallback", chan->fallback);
    json_kbool(b, "one_call_per_number", chan->one_call_per_number);
    json_kbool(b, "insecure", chan->insecure);
    add_live_json(b, live);
    json_kbool(b, "default", chosen);
    buf_addc(b, '}');
}

static void add_list_text(struct buf *b, const char *label, char **items)
{
    if (items == NULL || *items == NULL)
        return;
    buf_adds(b, label);
    for (const char *between = " "; *items != NULL; items++, between = ", ")
        buf_addf(b, "%s%s", between, *items);
}

static int longest_name(const struct channels *channels)
{
    size_t longest = 0;
    for (size_t i = 0; i < channels_count(channels); i++) {
        size_t n = strlen(channels_at(channels, i)->name);
        longest = n > longest ? n : longest;
    }
    return (int)longest;
}

static void add_live_text(struct buf *b, const struct channel_live *live)
{
    buf_adds(b, live->control == CONTROL_PAUSED ? ", PAUSED" : "");
    if (live->queued > 0)
        buf_addf(b, ", %lld queued", (long long)live->queued);
    if (live->lines > 0)
        buf_addf(b, ", %lld lines in use", (long long)live->lines);
    if (!live->heard || live->state == CHANNEL_OPEN)
        return;
    char since[CLOCK_RFC3339_LEN + 1];
    clock_rfc3339(live->since_ms, since);
    buf_addf(b, ", %s since %s: %s", live->state == CHANNEL_CIRCUIT ? "CIRCUIT OPEN" : "SUSPENDED", since,
             live->why);
}

static void add_channel_text(struct buf *b, const struct channel *chan, int name_columns,
                             const struct channel_live *live, bool chosen)
{
    show_add_column(b, chan->name, name_columns + 2);
    show_add_column(b, chan->provider->name, 16);
    show_add_column(b, chan->from != NULL ? chan->from : "-", 17);
    if (chan->calls_per_second > 0)
        buf_addf(b, "%.15g/s, ", chan->calls_per_second);
    if (chan->concurrent_calls > 0)
        buf_addf(b, "%d lines, ", chan->concurrent_calls);
    buf_adds(b, chan->base_url);
    add_list_text(b, ", country codes", chan->country_codes);
    add_list_text(b, ", fallback", chan->fallback);
    buf_adds(b, chan->one_call_per_number ? "" : ", one_call_per_number off");
    buf_adds(b, chan->insecure ? ", insecure" : "");
    buf_adds(b, chosen ? ", default" : "");
    add_live_text(b, live);
    buf_addc(b, '\n');
}

static void add_hours_json(struct buf *b, const struct channels *channels)
{
    const struct hours *hours;
    const char *code;
    json_key(b, "calling_hours");
    buf_addc(b, '{');
    for (size_t i = 0; (hours = channels_hours_at(channels, i, &code)) != NULL; i++) {
        json_key(b, code);
        hours_add_json(b, hours);
    }
    buf_addc(b, '}');
}

static void add_hours_text(struct buf *b, const struct channels *channels)
{
    const struct hours *hours;
    const char *code;
    for (size_t i = 0; (hours = channels_hours_at(channels, i, &code)) != NULL; i++) {
        buf_addf(b, "calling hours of +%s: ", code);
        hours_add_text(b, hours);
        buf_addc(b, '\n');
    }
}

static void add_tenants_json(struct buf *b, const struct channels *channels)
{
    const char *tenant;
    int cap;
    json_key(b, "tenants");
    buf_addc(b, '{');
    for (size_t i = 0; (tenant = channels_tenants_at(channels, i, &cap)) != NULL; i++) {
        json_key(b, tenant);
        buf_addc(b, '{');
        json_kint(b, "concurrent_calls", cap);
        buf_addc(b, '}');
    }
    buf_addc(b, '}');
}

static void add_tenants_text(struct buf *b, const struct channels *channels)
{
    const char *tenant;
    int cap;
    for (size_t i = 0; (tenant = channels_tenants_at(channels, i, &cap)) != NULL; i++)
        buf_addf(b, "tenant %s: %d line%s of each channel\n", tenant, cap, cap == 1 ? "" : "s");
}

static bool is_default(const struct channels *channels, const struct channel *chan)
{
    const char *chosen = channels_default(channels);
    return chosen != NULL && strcmp(chosen, chan->name) == 0;
}

void channel_list_text(struct buf *b, const struct channels *channels, const struct channel_live *live)
{
    int name_columns = longest_name(channels);
    for (size_t i = 0; i < channels_count(channels); i++) {
        const struct channel *chan = channels_at(channels, i);
        add_channel_text(b, chan, name_columns, &live[i], is_default(channels, chan));
    }
    add_hours_text(b, channels);
    add_tenants_text(b, channels);
}

void channel_list_json(struct buf *b, const struct channels *channels, const struct channel_live *live,
                       const char *file)
{
    buf_addc(b, '{');
    json_kstrz(b, "file", file);
    json_kstrz(b, "default_channel", channels_default(channels));
    json_key(b, "channels");
    buf_addc(b, '[');
    for (size_t i = 0; i < channels_count(channels); i++) {
        const struct channel *chan = channels_at(channels, i);
        add_channel_json(b, chan, &live[i], is_default(channels, chan));
    }
    buf_addc(b, ']');
    add_hours_json(b, channels);
    add_tenants_json(b, channels);
    buf_adds(b, "}\n");
}
