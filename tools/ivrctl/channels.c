/* ivrctl channels: what the channels file configures, without its secrets. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/mem.h"
#include "tools/ivrctl/ask.h"
#include "tools/ivrctl/ivrctl.h"
#include "tools/ivrctl/show.h"
#include "workers/providers/channels.h"
#include "workers/store/control.h"

enum { TEXT_MAX = 1024 * 1024 };

/* ---- what operators said of them ---- */

/* Of one channel; what was not heard stays unknown. */
struct pause {
    struct pauses *owner;
    enum control_state state;
};

struct pauses {
    const struct channels *channels;
    struct ask *ask;
    struct pause *of; /* in the file's order */
    size_t out;
    enum store_status status;
};

static void on_pause(enum store_status status, enum control_state state, void *arg)
{
    struct pause *pause = arg;
    struct pauses *pauses = pause->owner;
    pause->state = status == STORE_OK ? state : CONTROL_UNKNOWN;
    if (status != STORE_OK)
        pauses->status = status;
    if (--pauses->out == 0)
        ask_answered(pauses->ask, pauses->status);
}

static void ask_pauses(struct store *store, struct ask *ask, void *arg)
{
    struct pauses *pauses = arg;
    pauses->ask = ask;
    pauses->status = STORE_OK;
    pauses->out = channels_count(pauses->channels);
    for (size_t i = 0; i < channels_count(pauses->channels); i++)
        control_read(store, CONTROL_CHANNEL, span_str(channels_at(pauses->channels, i)->name), on_pause,
                     &pauses->of[i]);
}

/* The file is shown without Redis too. */
static void read_pauses(const struct ivrctl *ctl, struct pauses *pauses)
{
    struct err err = ERR_INIT;
    size_t n = channels_count(pauses->channels);
    pauses->of = mem_calloc(n + 1, sizeof(*pauses->of));
    for (size_t i = 0; i < n; i++)
        pauses->of[i] = (struct pause){.owner = pauses, .state = CONTROL_UNKNOWN};
    if (n > 0 && ask_redis_shortly(&ctl->settings, ask_pauses, pauses, &err) != 0)
        ctl_say("whether a channel is paused is not known: %s", err.text);
}

/* ---- showing ---- */

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

static void add_channel_json(struct buf *b, const struct channel *chan, enum control_state state,
                             bool is_default)
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
    json_kbool(b, "insecure", chan->insecure);
    if (state == CONTROL_UNKNOWN)
        json_knull(b, "paused");
    else
        json_kbool(b, "paused", state == CONTROL_PAUSED);
    json_kbool(b, "default", is_default);
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

static void add_channel_text(struct buf *b, const struct channel *chan, int name_columns,
                             enum control_state state, bool is_default)
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
    buf_adds(b, chan->insecure ? ", insecure" : "");
    buf_adds(b, is_default ? ", default" : "");
    buf_adds(b, state == CONTROL_PAUSED ? ", PAUSED\n" : "\n");
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

static void add_all(struct buf *b, const struct ivrctl *ctl, const struct pauses *pauses)
{
    const struct channels *channels = pauses->channels;
    const char *chosen = channels_default(channels);
    int name_columns = longest_name(channels);
    if (ctl->json) {
        buf_addc(b, '{');
        json_kstrz(b, "file", ctl->settings.channels_path);
        json_kstrz(b, "default_channel", chosen);
        json_key(b, "channels");
        buf_addc(b, '[');
    }
    for (size_t i = 0; i < channels_count(channels); i++) {
        const struct channel *chan = channels_at(channels, i);
        bool is_default = chosen != NULL && span_is(span_str(chan->name), chosen);
        if (ctl->json)
            add_channel_json(b, chan, pauses->of[i].state, is_default);
        else
            add_channel_text(b, chan, name_columns, pauses->of[i].state, is_default);
    }
    if (ctl->json) {
        buf_addc(b, ']');
        add_hours_json(b, channels);
        buf_adds(b, "}\n");
    } else {
        add_hours_text(b, channels);
    }
}

static int run(struct ivrctl *ctl, const struct args *args)
{
    struct channels *channels = NULL;
    struct buf text;
    (void)args;
    buf_init(&text, TEXT_MAX);
    int rc = EXIT_USAGE;
    if (channels_load(&channels, ctl->settings.channels_path, &text) != 0) {
        fputs(text.p, stderr);
    } else {
        struct pauses pauses = {.channels = channels};
        buf_clear(&text);
        read_pauses(ctl, &pauses);
        add_all(&text, ctl, &pauses);
        rc = ctl_print(buf_span(&text));
        free(pauses.of);
        channels_free(&channels);
    }
    buf_done(&text);
    return rc;
}

const struct command command_channels = {
    .name = "channels",
    .arguments = "",
    .sentence = "the channels file as it is understood, without its secrets",
    .more =
        "Reads IVR_CHANNELS here and now: running workers took it at their start or their last SIGHUP. A "
        "line is\n"
        "name, provider, caller id, limits of ours, base URL; then the calling hours by country code. A file "
        "with a\n"
        "mistake is exit code 2, naming the field.\n"
        "Redis is asked which of them are paused (JSON: \"paused\", null where it does not answer).\n"
        "\nExamples:\n"
        "  ivrctl channels\n"
        "  IVR_CHANNELS=new.json ivrctl channels && kill -HUP $(pidof ivr-dispatch ivr-status ivr-gateway)\n",
    .run = run,
};
