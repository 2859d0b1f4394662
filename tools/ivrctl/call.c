/* ivrctl call: a call's status, attempts and hop log, from its record in Redis. */
#include "common/json/json.h"
#include "common/model/request.h"
#include "tools/ivrctl/ask.h"
#include "tools/ivrctl/ivrctl.h"
#include "tools/ivrctl/show.h"
#include "tools/ivrctl/show_call.h"
#include "workers/calls/record.h"

enum { CALL_JSON_MAX = 1024 * 1024 };

struct call_reading {
    const struct ivrctl *ctl;
    struct ask *ask;
    struct span id;
    struct buf json; /* empty: no such call */
};

static void on_record(enum store_status status, const struct record *record, void *arg)
{
    struct call_reading *reading = arg;
    if (record != NULL)
        record_add_json(&reading->json, record);
    ask_answered(reading->ask, status);
}

static void question(struct store *store, struct ask *ask, void *arg)
{
    struct call_reading *reading = arg;
    reading->ask = ask;
    record_read(store, reading->id, on_record, reading);
}

/* As the gateway writes it, or laid out for a person. */
static int print(const struct ivrctl *ctl, struct buf *json)
{
    struct err err = ERR_INIT;
    struct buf text;
    if (ctl->json) {
        buf_addc(json, '\n');
        return ctl_print(buf_span(json));
    }
    json_t *call = json_parse(buf_span(json), CALL_JSON_MAX, &err);
    if (call == NULL)
        return ctl_fail(&err);
    show_make_visible(call);
    buf_init(&text, CALL_JSON_MAX);
    show_call(&text, call);
    int rc = ctl_print(buf_span(&text));
    buf_done(&text);
    json_decref(call);
    return rc;
}

static int run(struct ivrctl *ctl, const struct args *args)
{
    struct span tenant, name;
    struct err err = ERR_INIT;
    if (!ctl_split(args->words[0], &tenant, &name) || !request_valid_tenant(tenant) ||
        !request_valid_call_id(name))
        return ctl_usage("call", "\"%s\" is no TENANT/CALL_ID", args->words[0]);
    struct call_reading reading = {.ctl = ctl, .id = span_str(args->words[0])};
    buf_init(&reading.json, CALL_JSON_MAX);
    int rc;
    if (ask_redis(&ctl->settings, question, &reading, &err) != 0) {
        rc = ctl_fail(&err);
    } else if (reading.json.n == 0) {
        ctl_say("call %s is unknown: never received, or forgotten after IVR_RETENTION", args->words[0]);
        rc = EXIT_FATAL;
    } else {
        rc = print(ctl, &reading.json);
    }
    buf_done(&reading.json);
    return rc;
}

const struct command command_call = {
    .name = "call",
    .arguments = "TENANT/CALL_ID",
    .words_min = 1,
    .words_max = 1,
    .sentence = "status, attempts and hop log of a call",
    .more = "Read from Redis as it stands now. Times are UTC. A hop has the provider's time, where it\n"
            "gave one, and how much later we recorded it. JSON: the form of GET /v1/calls/TENANT/CALL_ID.\n"
            "\nExamples:\n"
            "  ivrctl call acme/0192f1c4-7a3b-7000-8000-5a1f0c9d2e41\n"
            "  ivrctl call acme/0192f1c4-7a3b-7000-8000-5a1f0c9d2e41 --json | jq .attempts[-1].reason\n",
    .run = run,
};
