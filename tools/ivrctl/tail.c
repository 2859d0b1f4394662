/* ivrctl tail: follows a topic; ivrctl dead-letters list: reads one to its present end. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/json/json.h"
#include "tools/ivrctl/ivrctl.h"
#include "tools/ivrctl/show_line.h"
#include "tools/ivrctl/topic_reader.h"

enum { POLL_MS = 100, LINE_MAX_BYTES = 4 * 1024 * 1024, VALUE_MAX = 1024 * 1024 };

typedef void (*show_fn)(struct buf *out, const struct ivrctl *ctl, const struct topic_record *record);
typedef bool (*belongs_fn)(const struct topic_record *record, const char *campaign);

/* ---- which campaign a record is about ---- */

static bool event_belongs(const struct topic_record *record, const char *campaign)
{
    return span_is(record->key, campaign);
}

static bool summary_belongs(const struct topic_record *record, const char *campaign)
{
    static const char *const kinds[] = {"campaign:", "window:"};
    size_t n = strlen(campaign);
    for (size_t i = 0; i < 2; i++) {
        size_t kind = strlen(kinds[i]);
        if (record->key.n < kind + n || memcmp(record->key.p, kinds[i], kind) != 0 ||
            memcmp(record->key.p + kind, campaign, n) != 0)
            continue;
        /* A window's key goes on with its channel. */
        return record->key.n == kind + n || record->key.p[kind + n] == '/';
    }
    return false;
}

/* A record of a call, and a request that was refused, if it can be read at all. */
static bool value_belongs(const struct topic_record *record, const char *campaign)
{
    struct span tenant, name;
    json_t *json = json_parse(record->value, VALUE_MAX, NULL);
    bool same = json != NULL && ctl_split(campaign, &tenant, &name) &&
                span_eq(json_get_span(json, "tenant"), tenant) &&
                span_eq(json_get_span(json, "campaign"), name);
    json_decref(json);
    return same;
}

/* What was done to it, and not to one of its calls. */
static bool audit_belongs(const struct topic_record *record, const char *campaign)
{
    static const char kind[] = "campaign:";
    json_t *json = json_parse(record->value, VALUE_MAX, NULL);
    struct span target = json != NULL ? json_get_span(json, "target") : SPAN_NONE;
    bool same = target.n >= sizeof(kind) && memcmp(target.p, kind, sizeof(kind) - 1) == 0 &&
                span_is(span_of(target.p + sizeof(kind) - 1, target.n - (sizeof(kind) - 1)), campaign);
    json_decref(json);
    return same;
}

static const struct what {
    const char *name;
    enum settings_topic topic;
    show_fn show;
    belongs_fn belongs;
} whats[] = {
    {"events", TOPIC_CALL_EVENTS, show_event_line, event_belongs},
    {"records", TOPIC_CALL_RECORDS, show_record_line, value_belongs},
    {"summaries", TOPIC_DELIVERY_SUMMARIES, show_summary_line, summary_belongs},
    {"audit", TOPIC_AUDIT, show_audit_line, audit_belongs},
    {"dead-letters", TOPIC_DEAD_LETTERS, show_dead_letter_line, value_belongs},
};

enum { WHATS = sizeof(whats) / sizeof(whats[0]), DEAD_LETTERS = WHATS - 1 };

static const struct what *what_named(const char *name)
{
    for (size_t i = 0; i < WHATS; i++) {
        if (strcmp(whats[i].name, name) == 0)
            return &whats[i];
    }
    return NULL;
}

/* ---- reading ---- */

struct tail_reading {
    struct ivrctl *ctl;
    const struct what *what;
    const char *campaign; /* NULL: all */
    const char *reason;   /* of dead letters; NULL: all */
    int64_t limit;        /* 0: none */
    bool to_end;          /* stop at the present end */
};

static bool wanted(const struct tail_reading *reading, const struct topic_record *record)
{
    if (reading->campaign != NULL && !reading->what->belongs(record, reading->campaign))
        return false;
    return reading->reason == NULL || span_is(topic_record_header(record, "ivr-reason"), reading->reason);
}

static bool is_over(const struct tail_reading *reading, const struct topic_reader *reader, int64_t shown)
{
    struct err err;
    if (*reading->ctl->stopped || (reading->limit > 0 && shown >= reading->limit))
        return true;
    return reading->to_end ? topic_reader_at_end(reader) : topic_reader_failed(reader, &err);
}

/* A line at a time, so that who reads a pipe sees it at once; EXIT_FATAL when nobody reads any more. */
static int follow(const struct tail_reading *reading, struct topic_reader *reader)
{
    struct topic_record record;
    struct buf line;
    int64_t shown = 0;
    int rc = EXIT_DONE;
    buf_init(&line, LINE_MAX_BYTES);
    while (rc == EXIT_DONE && !is_over(reading, reader, shown)) {
        if (!topic_reader_next(reader, POLL_MS, &record))
            continue;
        if (wanted(reading, &record)) {
            buf_clear(&line);
            reading->what->show(&line, reading->ctl, &record);
            rc = ctl_print(buf_span(&line));
            shown++;
        }
        topic_record_done(&record);
    }
    buf_done(&line);
    return rc;
}

static int read_topic(const struct tail_reading *reading, enum reader_start start)
{
    const struct settings *s = &reading->ctl->settings;
    const char *topic = s->topics[reading->what->topic];
    struct topic_reader *reader = NULL;
    struct err err = ERR_INIT;
    if (topic_reader_open(&reader, s, topic, start, &err) != 0)
        return ctl_fail(&err);
    if (!reading->to_end && isatty(STDERR_FILENO) && isatty(STDOUT_FILENO))
        ctl_say("following %s, Ctrl-C ends", topic);
    int rc = follow(reading, reader);
    if (rc == EXIT_DONE && topic_reader_failed(reader, &err))
        rc = ctl_fail(&err);
    topic_reader_close(&reader);
    return rc;
}

static int read_filters(struct tail_reading *reading, const char *command, const struct args *args)
{
    struct span tenant, name;
    struct err err = ERR_INIT;
    reading->campaign = args_get(args, "--campaign");
    reading->reason = args_get(args, "--reason");
    if (reading->campaign != NULL && !ctl_split(reading->campaign, &tenant, &name))
        return ctl_usage(command, "--campaign: \"%s\" is no TENANT/CAMPAIGN", reading->campaign);
    if (args_number(args, "-n", 1, 0, &reading->limit, &err) != 0)
        return ctl_usage(command, "%s", err.text);
    return 0;
}

/* ---- the commands ---- */

static int run_tail(struct ivrctl *ctl, const struct args *args)
{
    struct tail_reading reading = {.ctl = ctl,
                                   .what = what_named(args->words_n > 0 ? args->words[0] : "events")};
    if (reading.what == NULL)
        return ctl_usage("tail", "\"%s\" is none of events, records, summaries, dead-letters, audit",
                         args->words[0]);
    int rc = read_filters(&reading, "tail", args);
    if (rc != 0)
        return rc;
    reading.to_end = args_has(args, "--until-end");
    bool all = reading.to_end || args_has(args, "--from-beginning");
    return read_topic(&reading, all ? READ_ALL : READ_NEW);
}

static int run_list(struct ivrctl *ctl, const struct args *args)
{
    struct tail_reading reading = {.ctl = ctl, .what = &whats[DEAD_LETTERS], .to_end = true};
    int rc = read_filters(&reading, "dead-letters list", args);
    return rc != 0 ? rc : read_topic(&reading, READ_ALL);
}

static const struct args_option tail_options[] = {
    {"--from-beginning", NULL, "what is there already, too"},
    {"--until-end", NULL, "what is there already, and end where the topic ends now"},
    {"--campaign", "TENANT/CAMPAIGN", "only what is about it"},
    {"-n", "N", "end after N lines"},
    {NULL, NULL, NULL},
};

static const struct args_option list_options[] = {
    {"--reason", "REASON", "only those (invalid_request, conflict, unknown_call, ...)"},
    {"--campaign", "TENANT/CAMPAIGN", "only requests that name it"},
    {"-n", "N", "end after N lines"},
    {NULL, NULL, NULL},
};

const struct command command_tail = {
    .name = "tail",
    .arguments = "[events|records|summaries|dead-letters|audit]",
    .words_min = 0,
    .words_max = 1,
    .sentence = "follow a topic until Ctrl-C",
    .options = tail_options,
    .more =
        "Events are the default. It reads beside the consumer groups, so it takes nothing away from\n"
        "anybody. With --json a line is the record's value as it stands on the topic; dead letters\n"
        "also get their reason and where they came from. Records are of calls that are final: of\n"
        "several of a call the one with the highest seq holds. Order is kept within a campaign, not between\n"
        "campaigns.\n"
        "\nExamples:\n"
        "  ivrctl tail\n"
        "  ivrctl tail summaries --campaign acme/maize-prices-w47\n"
        "  ivrctl tail events --json | jq 'select(.final) | [.call_id, .status]'\n"
        "  ivrctl tail records --until-end --json > calls.ndjson\n"
        "  ivrctl tail audit --from-beginning\n"
        "  ivrctl tail dead-letters --from-beginning -n 10\n",
    .run = run_tail,
};

const struct command command_dead_letters_list = {
    .name = "dead-letters list",
    .arguments = "",
    .words_min = 0,
    .words_max = 0,
    .sentence = "what could not be worked on, and why",
    .options = list_options,
    .more = "From the topic's beginning to its present end; a line each: when, partition@offset, the\n"
            "reason, where it came from, and the sentence that names the field. JSON adds key and value;\n"
            "phone numbers in them are shown as IVR_PII says.\n"
            "\nExamples:\n"
            "  ivrctl dead-letters list --reason invalid_request\n"
            "  ivrctl dead-letters list --json | jq -r .reason | sort | uniq -c\n",
    .run = run_list,
};
