/* ivrctl request: reads requests from a file, checks all of them, sends them onto the topic. */
#include <string.h>
#include <unistd.h>

#include "common/json/json.h"
#include "tools/ivrctl/input.h"
#include "tools/ivrctl/intake.h"
#include "tools/ivrctl/ivrctl.h"
#include "tools/ivrctl/send.h"

enum { IDS_MAX = 1024 * 1024 * 1024 };

/* ---- options ---- */

static int read_options(const struct args *args, struct intake_options *options)
{
    const char *format = args_get(args, "--format");
    options->tenant = args_get(args, "--tenant");
    options->campaign = args_get(args, "--campaign");
    options->channel = args_get(args, "--channel");
    options->say = args_get(args, "--say");
    options->language = args_get(args, "--language");
    options->play = args_get(args, "--play");
    options->answer_url = args_get(args, "--answer-url");
    options->ignore_columns = args_has(args, "--ignore-columns");
    if ((options->say != NULL) + (options->play != NULL) + (options->answer_url != NULL) > 1)
        return ctl_usage("request", "one of --say, --play and --answer-url is enough");
    if (format != NULL && strcmp(format, "csv") != 0 && strcmp(format, "ndjson") != 0)
        return ctl_usage("request", "--format: \"%s\" is neither csv nor ndjson", format);
    if (format != NULL)
        options->format = *format == 'c' ? INTAKE_CSV : INTAKE_NDJSON;
    return 0;
}

/* ---- telling ---- */

static int tell(const struct ivrctl *ctl, const struct intake_result *in, const struct sender_result *sent,
                const struct buf *ids, bool dry_run)
{
    struct buf b;
    if (ids != NULL && ids->n > 0 && ctl_print(buf_span(ids)) != EXIT_DONE)
        return EXIT_FATAL;
    buf_init(&b, 4096);
    if (ctl->json) {
        buf_addc(&b, '{');
        json_kint(&b, "lines", (int64_t)in->lines);
        json_kint(&b, "sent", (int64_t)sent->acknowledged);
        json_kint(&b, "failed", (int64_t)sent->failed);
        json_kint(&b, "wrong", (int64_t)in->wrong);
        json_kint(&b, "repeated", (int64_t)in->repeated);
        json_kint(&b, "made_ids", (int64_t)in->made_ids);
        json_kbool(&b, "dry_run", dry_run);
        buf_adds(&b, "}\n");
    } else {
        buf_addf(&b, "%zu lines: %zu %s", in->lines, dry_run ? in->accepted : sent->acknowledged,
                 dry_run ? "fit, nothing was sent" : "sent");
        if (in->wrong > 0)
            buf_addf(&b, ", %zu wrong and left out", in->wrong);
        if (in->repeated > 0)
            buf_addf(&b, ", %zu repeat an earlier line", in->repeated);
        if (sent->failed > 0)
            buf_addf(&b, ", %zu failed", sent->failed);
        buf_addc(&b, '\n');
    }
    int rc = ctl_print(buf_span(&b));
    buf_done(&b);
    return rc;
}

/* ---- sending ---- */

static int take(void *arg, struct span call_id, struct span id, struct span value, struct err *err)
{
    return sender_add(arg, call_id, id, value, err);
}

/* The second reading. A request is checked again before it leaves, so that nothing wrong does if somebody
 * writes to the file meanwhile; that it is not the file which was checked is said all the same. */
static int send_again(const struct input *input, struct intake_options options, struct sender *sender,
                      struct sender_result *sent, struct err *err)
{
    struct intake_result again;
    struct err unread = ERR_INIT;
    options.take = take;
    options.take_arg = sender;
    options.silent = true;
    options.ids = NULL;
    int read_rc = intake_read(input->file, &options, &again, &unread);
    int rc = sender_finish(sender, sent, err);
    if (rc == 0 && read_rc != 0)
        rc = err_set(err, unread.code, "%s", unread.text);
    if (rc == 0 && input_changed(input))
        rc = err_set(err, ERR_INVALID, "%s: has changed since it was checked", input->name);
    return rc;
}

static int send_all(struct ivrctl *ctl, const struct input *input, const struct intake_options *options,
                    size_t total, struct sender_result *sent)
{
    struct sender *sender = NULL;
    struct err err = ERR_INIT;
    int rc = 0;
    if (input_changed(input))
        rc = err_set(&err, ERR_INVALID, "%s: has changed since it was checked", input->name);
    if (rc == 0)
        rc = sender_open(&sender, &ctl->settings, total, ctl->stopped, &err);
    if (rc == 0)
        rc = send_again(input, *options, sender, sent, &err);
    sender_close(&sender);
    if (rc == 0)
        return EXIT_DONE;
    ctl_say("%zu of %zu requests were acknowledged: %s; sending the same file again does no harm",
            sent->acknowledged, total, err.text);
    return ctl_exit_code(&err);
}

/* ---- the command ---- */

static int send_checked(struct ivrctl *ctl, const struct args *args, const struct input *input,
                        const struct intake_options *options, const struct intake_result *in)
{
    struct sender_result sent = {0};
    bool dry_run = args_has(args, "--dry-run");
    if (*ctl->stopped) {
        ctl_say("interrupted, nothing was sent");
        return EXIT_FATAL;
    }
    if (in->wrong > 0 && !args_has(args, "--skip-invalid")) {
        ctl_say("%zu of %zu lines are wrong, nothing was sent; --skip-invalid sends the others", in->wrong,
                in->lines);
        return EXIT_FATAL;
    }
    if (!dry_run && in->accepted > 0) {
        int rc = send_all(ctl, input, options, in->accepted, &sent);
        if (rc != EXIT_DONE)
            return rc;
    }
    return tell(ctl, in, &sent, options->ids, dry_run);
}

static int run(struct ivrctl *ctl, const struct args *args)
{
    const char *name = args->words_n > 0 ? args->words[0] : "-";
    struct intake_options options = {.stopped = ctl->stopped};
    struct intake_result in = {0};
    struct input input = {0};
    struct err err = ERR_INIT;
    struct buf ids;
    int rc = read_options(args, &options);
    if (rc != 0)
        return rc;
    if (args->words_n == 0 && isatty(STDIN_FILENO))
        return ctl_usage("request", "request needs a file, or - to read what you type");
    buf_init(&ids, IDS_MAX);
    options.ids = args_has(args, "--ids") ? &ids : NULL;
    rc = input_open(&input, name, &err);
    options.name = input.name;
    if (rc != 0 || intake_read(input.file, &options, &in, &err) != 0)
        rc = ctl_fail(&err);
    else
        rc = send_checked(ctl, args, &input, &options, &in);
    input_close(&input);
    buf_done(&ids);
    return rc;
}

static const struct args_option options_table[] = {
    {"--format", "csv|ndjson", "instead of going by the file's name or its first character"},
    {"--tenant", "TENANT", "where a request names none"},
    {"--campaign", "CAMPAIGN", "where a request names none"},
    {"--channel", "NAME", "where a request names none"},
    {"--say", "TEXT", "what to say, where a request has no message"},
    {"--language", "TAG", "of what is said, where a request names none (en-GB, sw-KE, ...)"},
    {"--play", "URL", "what to play, where a request has no message"},
    {"--answer-url", "URL", "who decides what the contact hears, where a request has no message"},
    {"--ignore-columns", NULL, "leave columns out that are no field of a request"},
    {"--skip-invalid", NULL, "send what fits although other lines do not"},
    {"--dry-run", NULL, "check everything, send nothing"},
    {"--ids", NULL, "print TENANT/CALL_ID of each request that was sent, before the counts"},
    {NULL, NULL, NULL},
};

const struct command command_request = {
    .name = "request",
    .arguments = "[FILE|-]",
    .words_min = 0,
    .words_max = 1,
    .sentence = "send call requests from NDJSON or CSV, checked first",
    .options = options_table,
    .more =
        "NDJSON: a request a line. CSV: a header that names the request's fields, nested ones with\n"
        "dots (message.say, retry.max_attempts, retry.on, calling_hours.days, metadata.ANYTHING);\n"
        "say, language, play and answer_url may stand alone; lists have spaces between; an empty cell\n"
        "is an absent field. Comma, semicolon and tab are understood.\n"
        "\nEvery line is checked as the workers will check it, and nothing is sent unless all of them\n"
        "fit: a wrong one is named as FILE:LINE: field, exit code 1. It ends when the brokers have\n"
        "acknowledged every request.\n"
        "\nA FILE is read twice where it lies, and needs no room. What comes through a pipe is kept in\n"
        "memory up to 32 MiB, beyond that in a temporary file in TMPDIR (/tmp without it).\n"
        "\nA request without call_id gets one that is made from its whole content (tenant, campaign,\n"
        "number, message, ...), so that sending a file again, or the rest of one after an\n"
        "interruption, calls nobody twice. Two calls with the very same content need call ids, or\n"
        "campaigns, of their own.\n"
        "\nExamples:\n"
        "  ivrctl request contacts.csv --tenant acme --campaign prices-w47 --say 'Maize is at 45'\n"
        "  echo '{\"call_id\":\"c1\",\"tenant\":\"acme\",\"campaign\":\"test\",\"to\":\"+254722000111\",\n"
        "         \"message\":{\"say\":\"Hello\"}}' | tr -d '\\n' | ivrctl request -\n"
        "  ivrctl request big.ndjson --dry-run && ivrctl request big.ndjson\n",
    .run = run,
};
