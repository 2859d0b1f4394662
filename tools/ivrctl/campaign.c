/* ivrctl campaign: a campaign's summary, from the live counters or as it was published. */
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/json/json.h"
#include "common/model/request.h"
#include "tools/ivrctl/ask.h"
#include "tools/ivrctl/ivrctl.h"
#include "tools/ivrctl/show.h"
#include "tools/ivrctl/show_summary.h"
#include "tools/ivrctl/topic_reader.h"
#include "workers/calls/summary.h"

enum { SUMMARY_MAX = 1024 * 1024, POLL_MS = 100 };

struct reading {
    const struct ivrctl *ctl;
    struct ask *ask;
    struct summary_key key;
    struct buf json; /* empty: no such campaign */
};

/* ---- the live counters ---- */

static void on_summary(enum store_status status, const struct summary *summary, void *arg)
{
    struct reading *reading = arg;
    if (summary != NULL)
        summary_add_json(&reading->json, &reading->key, summary, 0, clock_wall_ms());
    ask_answered(reading->ask, status);
}

static void question(struct store *store, struct ask *ask, void *arg)
{
    struct reading *reading = arg;
    reading->ask = ask;
    summary_read(store, &reading->key, on_summary, reading);
}

/* ---- the topic ---- */

static int64_t revision_of(struct span value)
{
    json_t *json = json_parse(value, SUMMARY_MAX, NULL);
    int64_t revision = (int64_t)json_integer_value(json_object_get(json, "revision"));
    json_decref(json);
    return revision;
}

/* A reader of the topic keeps the highest revision, whatever order the records come in. */
static void keep_highest(struct topic_reader *reader, struct reading *reading, struct span key)
{
    struct topic_record record;
    int64_t highest = -1;
    while (!topic_reader_at_end(reader) && !*reading->ctl->stopped) {
        if (!topic_reader_next(reader, POLL_MS, &record))
            continue;
        int64_t revision = span_eq(record.key, key) && record.value.n > 0 ? revision_of(record.value) : -1;
        if (revision > highest) {
            highest = revision;
            buf_clear(&reading->json);
            buf_addspan(&reading->json, record.value);
        }
        topic_record_done(&record);
    }
}

static int read_published(struct reading *reading, struct err *err)
{
    const struct settings *s = &reading->ctl->settings;
    struct topic_reader *reader = NULL;
    struct buf key;
    int rc = topic_reader_open(&reader, s, s->topics[TOPIC_DELIVERY_SUMMARIES], READ_ALL, err);
    if (rc != 0)
        return rc;
    buf_init(&key, 1024);
    summary_key_add(&key, &reading->key);
    keep_highest(reader, reading, buf_span(&key));
    if (topic_reader_failed(reader, err))
        rc = err->code;
    buf_done(&key);
    topic_reader_close(&reader);
    return rc;
}

/* ---- the command ---- */

static int print(const struct ivrctl *ctl, struct buf *json)
{
    struct err err = ERR_INIT;
    struct buf text;
    if (ctl->json) {
        buf_addc(json, '\n');
        return ctl_print(buf_span(json));
    }
    json_t *summary = json_parse(buf_span(json), SUMMARY_MAX, &err);
    if (summary == NULL)
        return ctl_fail(&err);
    show_make_visible(summary);
    buf_init(&text, SUMMARY_MAX);
    show_summary(&text, summary);
    int rc = ctl_print(buf_span(&text));
    buf_done(&text);
    json_decref(summary);
    return rc;
}

static int run(struct ivrctl *ctl, const struct args *args)
{
    struct reading reading = {.ctl = ctl};
    struct err err = ERR_INIT;
    if (!ctl_split(args->words[0], &reading.key.tenant, &reading.key.campaign) ||
        !request_valid_tenant(reading.key.tenant) || !request_valid_campaign(reading.key.campaign))
        return ctl_usage("campaign", "\"%s\" is no TENANT/CAMPAIGN", args->words[0]);
    bool published = args_has(args, "--published");
    buf_init(&reading.json, SUMMARY_MAX);
    int rc = published ? read_published(&reading, &err) : ask_redis(&ctl->settings, question, &reading, &err);
    if (rc != 0) {
        rc = ctl_fail(&err);
    } else if (reading.json.n == 0) {
        ctl_say("campaign %s is unknown: %s", args->words[0],
                published ? "no summary of it was published"
                          : "no call of it was accepted, or it was forgotten "
                            "after IVR_RETENTION");
        rc = EXIT_FATAL;
    } else {
        rc = print(ctl, &reading.json);
    }
    buf_done(&reading.json);
    return rc;
}

static const struct args_option options[] = {
    {"--published", NULL, "the newest summary on the topic instead of the live counters"},
    {NULL, NULL, NULL},
};

const struct command command_campaign = {
    .name = "campaign",
    .arguments = "TENANT/CAMPAIGN",
    .words_min = 1,
    .words_max = 1,
    .sentence = "counts of a campaign: statuses, reasons, hops, seconds, cost",
    .options = options,
    .more = "Added up from Redis' live counters, so it may be newer than what was published last. With\n"
            "--published it is read from the topic of delivery summaries, as its consumers see it. JSON:\n"
            "the form of that topic; of the live counters the revision is the last published one.\n"
            "\nExamples:\n"
            "  ivrctl campaign acme/maize-prices-w47\n"
            "  ivrctl campaign acme/maize-prices-w47 --json | jq .by_status\n"
            "  watch -n 2 ivrctl campaign acme/maize-prices-w47\n",
    .run = run,
};
