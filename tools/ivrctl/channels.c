/* ivrctl channels: what the channels file configures, without its secrets. */
#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "tools/ivrctl/ask.h"
#include "tools/ivrctl/channel_list.h"
#include "tools/ivrctl/ivrctl.h"
#include "workers/calls/control.h"
#include "workers/providers/channels.h"

/* A file of 4 MiB, with all its defaults written out. */
enum { TEXT_MAX = 32 * 1024 * 1024 };

/* ---- how they stand ---- */

/* Of one channel: what operators said, and its queue. */
struct looking {
    struct lookings *owner;
    struct channel_live *live;
};

struct lookings {
    const struct channels *channels;
    struct ask *ask;
    struct looking *of; /* in the file's order */
    size_t out;
    enum store_status status;
};

static void answered(struct lookings *lookings, enum store_status status)
{
    if (status != STORE_OK)
        lookings->status = status;
    if (--lookings->out == 0)
        ask_answered(lookings->ask, lookings->status);
}

static void on_control(enum store_status status, const struct control_result *result, void *arg)
{
    struct looking *looking = arg;
    looking->live->control = status == STORE_OK ? result->state : CONTROL_UNKNOWN;
    answered(looking->owner, status);
}

static void on_queue(enum store_status status, const struct admission_answer *answer, void *arg)
{
    struct looking *looking = arg;
    struct channel_live *live = looking->live;
    if (status == STORE_OK) {
        live->heard = true;
        live->state = answer->state;
        live->since_ms = answer->since_ms;
        live->queued = answer->queued;
        live->lines = answer->lines;
        snprintf(live->why, sizeof(live->why), "%.*s", SPAN_ARG(answer->why));
    }
    answered(looking->owner, status);
}

static void ask_all(struct store *store, struct ask *ask, void *arg)
{
    struct lookings *lookings = arg;
    size_t n = channels_count(lookings->channels);
    lookings->ask = ask;
    lookings->status = STORE_OK;
    lookings->out = 2 * n;
    for (size_t i = 0; i < n; i++) {
        struct span name = span_str(channels_at(lookings->channels, i)->name);
        control_read(store, CONTROL_CHANNEL, name, on_control, &lookings->of[i]);
        admission_read(store, name, on_queue, &lookings->of[i]);
    }
}

/* The file is shown without Redis too. False when that did not tell how they stand. */
static bool look(const struct ivrctl *ctl, const struct channels *channels, struct channel_live *live)
{
    struct err err = ERR_INIT;
    size_t n = channels_count(channels);
    struct lookings lookings = {.channels = channels, .of = mem_calloc(n + 1, sizeof(struct looking))};
    for (size_t i = 0; i < n; i++)
        lookings.of[i] = (struct looking){.owner = &lookings, .live = &live[i]};
    bool told = n == 0 || ask_redis_shortly(&ctl->settings, ask_all, &lookings, &err) == 0;
    if (!told)
        ctl_say("how the channels stand is not known: %s", err.text);
    free(lookings.of);
    return told;
}

/* ---- the command ---- */

static bool add_all(struct buf *b, const struct ivrctl *ctl, const struct channels *channels)
{
    struct channel_live *live = mem_calloc(channels_count(channels) + 1, sizeof(*live)); /* nothing heard */
    bool told = look(ctl, channels, live);
    if (ctl->json)
        channel_list_json(b, channels, live, ctl->settings.channels_path);
    else
        channel_list_text(b, channels, live);
    free(live);
    return told;
}

static int run(struct ivrctl *ctl, const struct args *args)
{
    struct channels *channels = NULL;
    struct buf text;
    (void)args;
    buf_init(&text, TEXT_MAX);
    int rc = EXIT_USAGE;
    if (channels_load(&channels, ctl->settings.channels_path, &text) != 0) {
        ctl_say_lines(buf_span(&text));
    } else {
        buf_clear(&text);
        bool told = add_all(&text, ctl, channels);
        rc = ctl_print(buf_span(&text));
        if (rc == EXIT_DONE && !told)
            rc = EXIT_UNAVAILABLE;
        channels_free(&channels);
    }
    buf_done(&text);
    return rc;
}

const struct command command_channels = {
    .name = "channels",
    .arguments = "",
    .sentence = "the channels file as it is understood, without its secrets",
    .more = "Reads IVR_CHANNELS here and now: running workers took it at their start or their last\n"
            "SIGHUP. A line is name, provider, caller id, limits of ours, base URL; then the calling\n"
            "hours by country code, and the tenants that are capped. A file with a mistake is exit code\n"
            "2, naming the field. Redis is asked how they stand: paused, suspended or circuit open and\n"
            "why, calls that wait their turn, lines in use. Where it does not answer, or refuses, the\n"
            "file is shown all the same (JSON: \"paused\" and \"state\" are null), and the exit code is\n"
            "3.\n"
            "\nExamples:\n"
            "  ivrctl channels\n"
            "  IVR_CHANNELS=new.json ivr-dispatch --check &&\n"
            "    kill -HUP $(pidof ivr-dispatch ivr-status ivr-gateway)\n",
    .run = run,
};
