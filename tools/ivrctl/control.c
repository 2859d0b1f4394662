/* ivrctl pause, resume, cancel: what an operator says of a campaign, a tenant, a channel or a call. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/json/json.h"
#include "tools/ivrctl/ask.h"
#include "tools/ivrctl/ivrctl.h"
#include "workers/calls/audit.h"
#include "workers/calls/control.h"
#include "workers/providers/channels.h"

enum { TEXT_MAX = 64 * 1024, ANSWER_MAX = 16 };

struct saying {
    struct ask *ask;
    struct control control;
    struct control_result result;
};

static void on_result(enum store_status status, const struct control_result *result, void *arg)
{
    struct saying *saying = arg;
    saying->result = *result;
    ask_answered(saying->ask, status);
}

static void look(struct store *store, struct ask *ask, void *arg)
{
    struct saying *saying = arg;
    saying->ask = ask;
    control_read(store, saying->control.kind, saying->control.name, on_result, saying);
}

static void question(struct store *store, struct ask *ask, void *arg)
{
    struct saying *saying = arg;
    saying->ask = ask;
    control_set(store, &saying->control, on_result, saying);
}

/* A channel's name with a slip in it would be paused without anybody noticing. Where there is no channels
 * file to look into, nobody can tell; and what was paused must be resumed whatever the file says. */
static bool channel_is_missing(const struct ivrctl *ctl, const struct control *control)
{
    return control->kind == CONTROL_CHANNEL && control->what != CONTROL_RESUME &&
           channels_lacks(ctl->settings.channels_path, control->name);
}

static const char *unknown_because(enum control_kind kind)
{
    return kind == CONTROL_CALL ? "never received, or forgotten after IVR_RETENTION"
                                : "no call of it was accepted, or it was forgotten after IVR_RETENTION; "
                                  "--ahead says it of its first request on";
}

/* NULL when it was done, else why not. */
static const char *undone(const struct control *control, enum control_state state)
{
    switch (state) {
    case CONTROL_UNKNOWN:
        return unknown_because(control->kind);
    case CONTROL_NOT_WAITING:
        return "it is on its way, and only a call that waits can be paused";
    case CONTROL_FINAL:
        return control->what == CONTROL_RESUME ? "it is final, and nothing brings it back" : "it is over";
    case CONTROL_CANCELLED:
        return control->what == CONTROL_CANCEL ? NULL
               : control->kind == CONTROL_CALL ? "it is cancelled, and nothing brings it back"
                                               : "it is cancelled; resume comes first";
    case CONTROL_RUNNING:
    case CONTROL_PAUSED:
        break;
    }
    return NULL;
}

/* What holds from now on, as a sentence. */
static const char *done(const struct control *control, enum control_state state)
{
    if (control->what == CONTROL_CANCEL && control->kind == CONTROL_CHANNEL)
        return "what waited for it is cancelled; later requests are placed";
    if (state == CONTROL_CANCELLED)
        return control->kind == CONTROL_CALL ? "is cancelled"
                                             : "is cancelled; later requests are dropped until resume";
    return state == CONTROL_PAUSED ? "is paused" : "goes on";
}

static int print(const struct ivrctl *ctl, const struct control *control, const struct control_result *result)
{
    enum control_state state = result->state;
    long long affected = control->affected;
    struct buf b;
    buf_init(&b, TEXT_MAX);
    if (ctl->json) {
        buf_addc(&b, '{');
        json_kstrz(&b, "kind", control_kind_name(control->kind));
        json_kstr(&b, "name", control->name);
        json_kstrz(&b, "state", control_state_name(state));
        json_kint(&b, "affected", affected);
        buf_adds(&b, "}\n");
    } else {
        bool colon = control->what == CONTROL_CANCEL && control->kind == CONTROL_CHANNEL;
        buf_addf(&b, "%s %.*s%s %s", control_kind_name(control->kind), SPAN_ARG(control->name),
                 colon ? ":" : "", done(control, state));
        if (control->kind != CONTROL_CALL)
            buf_addf(&b, " (%lld call%s)", affected, affected == 1 ? "" : "s");
        buf_addc(&b, '\n');
    }
    int rc = ctl_print(buf_span(&b));
    buf_done(&b);
    return rc;
}

/* ---- who said it ---- */

/* The tenant whose calls it is about; of a channel those of all. */
static struct span tenant_of(const struct control *control)
{
    const char *slash = memchr(control->name.p, '/', control->name.n);
    if (control->kind == CONTROL_CHANNEL)
        return SPAN_NONE;
    return slash != NULL ? span_of(control->name.p, (size_t)(slash - control->name.p)) : control->name;
}

static void add_audit(struct buf *text, const struct ivrctl *ctl, const struct args *args, const char *word,
                      const struct control *control)
{
    const char *reason = args_get(args, "--reason");
    struct buf target;
    buf_init(&target, AUDIT_MAX);
    buf_addf(&target, "%s:%.*s", control_kind_name(control->kind), SPAN_ARG(control->name));
    audit_begin(text, &(struct audit){.actor_kind = "user",
                                      .actor = span_str(ctl->settings.actor),
                                      .from = "ivrctl",
                                      .action = word,
                                      .tenant = tenant_of(control),
                                      .target = buf_span(&target),
                                      .reason = reason != NULL ? span_str(reason) : SPAN_NONE});
    buf_done(&target);
}

/* ---- before much is ended at once ---- */

static bool asks_first(const struct args *args, const struct control *control)
{
    return control->what == CONTROL_CANCEL && control->kind != CONTROL_CALL && !args_has(args, "--yes") &&
           isatty(STDIN_FILENO);
}

/* Whether the person at the terminal wants it, having seen how much it is. */
static bool wants_it(const struct saying *saying)
{
    char answer[ANSWER_MAX] = "";
    const struct control *control = &saying->control;
    long long waiting = saying->result.waiting;
    fprintf(stderr, "This ends %lld waiting call%s of %s %.*s", waiting, waiting == 1 ? "" : "s",
            control_kind_name(control->kind), SPAN_ARG(control->name));
    if (control->kind != CONTROL_CHANNEL)
        fprintf(stderr, ", and hangs up %lld that may be ringing", (long long)saying->result.placed);
    fputs(". Go on? [y/N] ", stderr);
    return fgets(answer, sizeof(answer), stdin) != NULL && (answer[0] == 'y' || answer[0] == 'Y');
}

static int say(struct ivrctl *ctl, const struct args *args, enum control_what what, const char *word)
{
    struct err err = ERR_INIT;
    struct buf audit;
    struct saying saying = {.control = {.what = what, .ahead = args_has(args, "--ahead")}};
    struct control *control = &saying.control;
    control->name = span_str(args->words[1]);
    if (!control_kind_read(span_str(args->words[0]), &control->kind))
        return ctl_usage(word, "\"%s\" is none of campaign, tenant, channel, call", args->words[0]);
    if (!control_name_valid(control->kind, control->name))
        return ctl_usage(word, "\"%s\" is no name of a %s", args->words[1], args->words[0]);
    if (channel_is_missing(ctl, control)) {
        ctl_say("channel %s is unknown: it is not in %s", args->words[1], ctl->settings.channels_path);
        return EXIT_FATAL;
    }
    bool asks = asks_first(args, control);
    if (asks && !isatty(STDERR_FILENO))
        return ctl_usage(word, "it would ask on stderr, which is no terminal: --yes says that it is wanted");
    if (asks) {
        if (ask_redis(&ctl->settings, look, &saying, &err) != 0)
            return ctl_fail(&err);
        if (!wants_it(&saying)) {
            ctl_say("nothing was done");
            return EXIT_FATAL;
        }
    }
    buf_init(&audit, 2 * AUDIT_MAX);
    add_audit(&audit, ctl, args, word, control);
    control->audit = buf_span(&audit);
    int rc = ask_redis(&ctl->settings, question, &saying, &err);
    buf_done(&audit);
    if (rc != 0) {
        ctl_say("it may hold in a part of the calls only: say it again once Redis answers");
        return ctl_fail(&err);
    }
    const char *why_not = undone(control, saying.result.state);
    if (why_not != NULL) {
        ctl_say("%s %s%s: %s", args->words[0], args->words[1],
                saying.result.state == CONTROL_UNKNOWN ? " is unknown" : "", why_not);
        return EXIT_FATAL;
    }
    return print(ctl, control, &saying.result);
}

static int run_pause(struct ivrctl *ctl, const struct args *args)
{
    return say(ctl, args, CONTROL_PAUSE, "pause");
}

static int run_resume(struct ivrctl *ctl, const struct args *args)
{
    return say(ctl, args, CONTROL_RESUME, "resume");
}

static int run_cancel(struct ivrctl *ctl, const struct args *args)
{
    return say(ctl, args, CONTROL_CANCEL, "cancel");
}

#define AHEAD                                                                                                \
    {                                                                                                        \
        "--ahead", NULL, "also of a campaign that has no call yet, from its first request on"                \
    }
#define REASON                                                                                               \
    {                                                                                                        \
        "--reason", "TEXT", "why, for the audit topic"                                                       \
    }
static const struct args_option options[] = {AHEAD, REASON, {NULL, NULL, NULL}};
static const struct args_option cancel_options[] = {
    AHEAD, REASON, {"--yes", NULL, "do not ask, also at a terminal"}, {NULL, NULL, NULL}};

#define ARGUMENTS "campaign TENANT/CAMPAIGN | tenant TENANT | channel NAME | call TENANT/CALL_ID"

const struct command command_pause = {
    .name = "pause",
    .arguments = ARGUMENTS,
    .words_min = 2,
    .words_max = 2,
    .sentence = "keep calls waiting until resume",
    .options = options,
    .more = "Nothing of it is dialled any more, by any worker, once this has answered; what was dialled\n"
            "already goes on. Requests that come meanwhile wait too. expires_at still ends a call that\n"
            "waits; the time to give up (IVR_GIVE_UP) does not run. A call can be paused while it waits.\n"
            "\nExamples:\n"
            "  ivrctl pause campaign acme/maize-prices-w47\n"
            "  ivrctl pause campaign acme/maize-prices-w48 --ahead     before its first request\n"
            "  ivrctl pause channel ke-main\n",
    .run = run_pause,
};

const struct command command_resume = {
    .name = "resume",
    .arguments = ARGUMENTS,
    .words_min = 2,
    .words_max = 2,
    .sentence = "let go what was paused; take requests again of what was cancelled",
    .options = options,
    .more = "What waited is dialled within a second, as fast as its channel allows. What another pause\n"
            "holds goes on waiting: that of its tenant, say. Nothing brings back what is final. Of a\n"
            "channel it also ends a suspension: a key, credit or caller id that the provider refused is\n"
            "tried again at once.\n"
            "\nExamples:\n"
            "  ivrctl resume campaign acme/maize-prices-w47\n"
            "  ivrctl resume channel ke-main\n",
    .run = run_resume,
};

const struct command command_cancel = {
    .name = "cancel",
    .arguments = ARGUMENTS,
    .words_min = 2,
    .words_max = 2,
    .sentence = "end the calls that wait, and hang up those that are placed",
    .options = cancel_options,
    .more = "What waits ends: dropped (cancelled), or with its status where it had an attempt. A placed\n"
            "call is hung up where its provider can do that, and has no further attempt; of a campaign,\n"
            "tenant or channel only while it rings: who hears the message hears its end. Later requests\n"
            "of a cancelled campaign or tenant are dropped until resume; of a channel they are placed.\n"
            "At a terminal it says how many calls that is, and asks.\n"
            "\nExamples:\n"
            "  ivrctl cancel campaign acme/maize-prices-w47 --reason 'wrong prices'\n"
            "  ivrctl cancel call acme/0192f1c4-7a3b-7000-8000-5a1f0c9d2e41\n",
    .run = run_cancel,
};
