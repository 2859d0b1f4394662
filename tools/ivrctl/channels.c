/* ivrctl channels: what the channels file configures, without its secrets. */
#include <stdio.h>
#include <stdlib.h>

#include "common/mem.h"
#include "tools/ivrctl/ask.h"
#include "tools/ivrctl/channel_list.h"
#include "tools/ivrctl/ivrctl.h"
#include "workers/providers/channels.h"
#include "workers/store/control.h"

/* A file of 4 MiB, with all its defaults written out. */
enum { TEXT_MAX = 32 * 1024 * 1024 };

/* ---- what operators said of them ---- */

/* Of one channel. */
struct pause {
    struct pauses *owner;
    struct channel_live *live;
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
    pause->live->control = status == STORE_OK ? state : CONTROL_UNKNOWN;
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
static void read_pauses(const struct ivrctl *ctl, const struct channels *channels, struct channel_live *live)
{
    struct err err = ERR_INIT;
    size_t n = channels_count(channels);
    struct pauses pauses = {.channels = channels, .of = mem_calloc(n + 1, sizeof(struct pause))};
    for (size_t i = 0; i < n; i++)
        pauses.of[i] = (struct pause){.owner = &pauses, .live = &live[i]};
    if (n > 0 && ask_redis_shortly(&ctl->settings, ask_pauses, &pauses, &err) != 0)
        ctl_say("whether a channel is paused is not known: %s", err.text);
    free(pauses.of);
}

/* ---- the command ---- */

static void add_all(struct buf *b, const struct ivrctl *ctl, const struct channels *channels)
{
    struct channel_live *live = mem_calloc(channels_count(channels) + 1, sizeof(*live)); /* nothing heard */
    read_pauses(ctl, channels, live);
    if (ctl->json)
        channel_list_json(b, channels, live, ctl->settings.channels_path);
    else
        channel_list_text(b, channels, live);
    free(live);
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
        buf_clear(&text);
        add_all(&text, ctl, channels);
        rc = ctl_print(buf_span(&text));
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
        "name, provider, caller id, limits of ours, base URL; then the calling hours by country code, and "
        "the "
        "tenants that\n"
        "are capped. A file with a mistake is exit code 2, naming the field.\n"
        "Redis is asked which of them are paused (JSON: \"paused\", null where it does not answer).\n"
        "\nExamples:\n"
        "  ivrctl channels\n"
        "  IVR_CHANNELS=new.json ivrctl channels && kill -HUP $(pidof ivr-dispatch ivr-status ivr-gateway)\n",
    .run = run,
};
