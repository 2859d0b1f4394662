/* ivrctl topics create: makes the topics as the workers expect them. */
#include "tools/ivrctl/topics.h"

#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json/json.h"
#include "common/kafka/kafka_conf.h"
#include "common/run/log.h"
#include "tools/ivrctl/ivrctl.h"

enum { METADATA_TIMEOUT_MS = 10000, CREATE_TIMEOUT_MS = 30000, POLL_MS = 200, TEXT_MAX = 64 * 1024 };

/* Twelve: divides evenly among 1, 2, 3, 4, 6 and 12 replicas of a worker. */
const struct topic_plan topic_plans[TOPIC_COUNT] = {
    {TOPIC_CALL_REQUESTS, "IVR_TOPIC_CALL_REQUESTS", 12, "604800000", NULL, "delete",
     "7 d: as long as IVR_RETENTION, for older requests are never dialled"},
    {TOPIC_CALLBACKS, "IVR_TOPIC_CALLBACKS", 12, "172800000", NULL, "delete",
     "2 d: a weekend's outage of the status workers"},
    {TOPIC_CALL_EVENTS, "IVR_TOPIC_CALL_EVENTS", 12, "604800000", NULL, "delete",
     "7 d: what was missed can be read again"},
    {TOPIC_CALL_RECORDS, "IVR_TOPIC_CALL_RECORDS", 12, "34560000000", "86400000", "compact,delete",
     "compacted within 1 d, 400 d: the newest of each call"},
    {TOPIC_DELIVERY_SUMMARIES, "IVR_TOPIC_DELIVERY_SUMMARIES", 12, NULL, NULL, "compact",
     "compacted: the newest of each campaign and window"},
    {TOPIC_DEAD_LETTERS, "IVR_TOPIC_DEAD_LETTERS", 3, "2592000000", NULL, "delete",
     "30 d: somebody has to look at them"},
    {TOPIC_AUDIT, "IVR_TOPIC_AUDIT", 3, "34560000000", NULL, "delete", "400 d: who did what"},
};

struct wish {
    int64_t replication; /* 0: the smaller of 3 and the number of brokers */
    int64_t partitions;  /* 0: as planned */
};

enum made { MADE_CREATED, MADE_EXISTED, MADE_FAILED };

/* ---- asking ---- */

static int count_brokers(rd_kafka_t *rk, int *brokers, struct err *err)
{
    const struct rd_kafka_metadata *found = NULL;
    rd_kafka_resp_err_t rc = rd_kafka_metadata(rk, 0, NULL, &found, METADATA_TIMEOUT_MS);
    if (rc != RD_KAFKA_RESP_ERR_NO_ERROR)
        return err_set(err, ERR_UNAVAILABLE, "Kafka (IVR_KAFKA_BOOTSTRAP_SERVERS) does not answer: %s",
                       rd_kafka_err2str(rc));
    *brokers = found->broker_cnt;
    rd_kafka_metadata_destroy(found);
    return 0;
}

static rd_kafka_NewTopic_t *new_topic(const char *name, const struct topic_plan *plan,
                                      const struct wish *wish)
{
    char text[16];
    int partitions = wish->partitions > 0 ? (int)wish->partitions : plan->partitions;
    rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(name, partitions, (int)wish->replication, NULL, 0);
    if (topic == NULL)
        return NULL;
    rd_kafka_NewTopic_set_config(topic, "cleanup.policy", plan->cleanup_policy);
    if (plan->retention_ms != NULL)
        rd_kafka_NewTopic_set_config(topic, "retention.ms", plan->retention_ms);
    if (plan->max_compaction_lag_ms != NULL)
        rd_kafka_NewTopic_set_config(topic, "max.compaction.lag.ms", plan->max_compaction_lag_ms);
    if (wish->replication >= TOPICS_REPLICATION) {
        snprintf(text, sizeof(text), "%d", TOPICS_MIN_INSYNC);
        rd_kafka_NewTopic_set_config(topic, "min.insync.replicas", text);
    }
    return topic;
}

/* One request for all; the event holds a result for each. NULL when there was no answer. */
static rd_kafka_event_t *create(rd_kafka_t *rk, rd_kafka_NewTopic_t **topics, size_t n,
                                const volatile sig_atomic_t *stopped)
{
    char text[200];
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(rk, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    rd_kafka_AdminOptions_set_request_timeout(options, CREATE_TIMEOUT_MS, text, sizeof(text));
    /* Until the brokers have made them, not only taken the order. */
    rd_kafka_AdminOptions_set_operation_timeout(options, CREATE_TIMEOUT_MS / 2, text, sizeof(text));
    rd_kafka_CreateTopics(rk, topics, n, options, queue);
    rd_kafka_event_t *event = NULL;
    for (int waited_ms = 0; event == NULL && !*stopped && waited_ms < CREATE_TIMEOUT_MS + 1000;
         waited_ms += POLL_MS)
        event = rd_kafka_queue_poll(queue, POLL_MS);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_queue_destroy(queue);
    return event;
}

/* ---- telling ---- */

static void add_line(struct buf *out, const struct ivrctl *ctl, const char *name, enum made made,
                     const char *error)
{
    static const char *const words[] = {"created", "exists already", "failed"};
    static const char *const json_words[] = {"created", "exists", "failed"};
    if (!ctl->json) {
        buf_addf(out, "%s: %s%s%s\n", name, words[made], made == MADE_FAILED ? ": " : "",
                 made == MADE_FAILED ? error : "");
        return;
    }
    json_sep(out);
    buf_addc(out, '{');
    json_kstrz(out, "topic", name);
    json_kstrz(out, "result", json_words[made]);
    json_kstrz(out, "error", made == MADE_FAILED ? error : NULL);
    buf_addc(out, '}');
}

/* The exit code: 1 when one failed. */
static int tell(const struct ivrctl *ctl, const rd_kafka_event_t *event)
{
    size_t n = 0;
    int rc = EXIT_DONE;
    struct buf out;
    const rd_kafka_CreateTopics_result_t *result =
        rd_kafka_event_CreateTopics_result((rd_kafka_event_t *)(uintptr_t)event);
    const rd_kafka_topic_result_t **topics = rd_kafka_CreateTopics_result_topics(result, &n);
    buf_init(&out, TEXT_MAX);
    buf_adds(&out, ctl->json ? "[" : "");
    for (size_t i = 0; i < n; i++) {
        rd_kafka_resp_err_t code = rd_kafka_topic_result_error(topics[i]);
        enum made made = code == RD_KAFKA_RESP_ERR_NO_ERROR               ? MADE_CREATED
                         : code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS ? MADE_EXISTED
                                                                          : MADE_FAILED;
        const char *text = rd_kafka_topic_result_error_string(topics[i]);
        add_line(&out, ctl, rd_kafka_topic_result_name(topics[i]), made,
                 text != NULL ? text : rd_kafka_err2str(code));
        if (made == MADE_FAILED)
            rc = EXIT_FATAL;
    }
    buf_adds(&out, ctl->json ? "]\n" : "");
    int printed = ctl_print(buf_span(&out));
    buf_done(&out);
    return rc != EXIT_DONE ? rc : printed;
}

/* ---- the command ---- */

static int create_all(struct ivrctl *ctl, rd_kafka_t *rk, struct wish *wish)
{
    rd_kafka_NewTopic_t *topics[TOPIC_COUNT];
    struct err err = ERR_INIT;
    int brokers = 0, n = 0;
    if (count_brokers(rk, &brokers, &err) != 0)
        return ctl_fail(&err);
    if (wish->replication == 0)
        wish->replication = brokers < TOPICS_REPLICATION ? brokers : TOPICS_REPLICATION;
    for (size_t i = 0; i < TOPIC_COUNT; i++) {
        topics[n] = new_topic(ctl->settings.topics[topic_plans[i].topic], &topic_plans[i], wish);
        n += topics[n] != NULL;
    }
    rd_kafka_event_t *event = create(rk, topics, (size_t)n, ctl->stopped);
    rd_kafka_NewTopic_destroy_array(topics, (size_t)n);
    if (event == NULL || rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        ctl_say("topics were not created: %s",
                event == NULL ? "the brokers did not answer" : rd_kafka_event_error_string(event));
        if (event != NULL)
            rd_kafka_event_destroy(event);
        return EXIT_FATAL;
    }
    int rc = tell(ctl, event);
    rd_kafka_event_destroy(event);
    return rc;
}

static int run(struct ivrctl *ctl, const struct args *args)
{
    struct wish wish;
    struct err err = ERR_INIT;
    rd_kafka_conf_t *conf = NULL;
    rd_kafka_t *rk = NULL;
    if (args_number(args, "--replication-factor", 1, 0, &wish.replication, &err) != 0 ||
        args_number(args, "--partitions", 1, 0, &wish.partitions, &err) != 0)
        return ctl_usage("topics create", "%s", err.text);
    if (wish.replication > 1000 || wish.partitions > 100000)
        return ctl_usage("topics create", "that many replicas or partitions are a mistake");
    if (kafka_conf_build(&conf, &ctl->settings, KAFKA_PRODUCER, &err) != 0 ||
        kafka_handle_new(&rk, conf, KAFKA_PRODUCER, &err) != 0)
        return ctl_fail(&err);
    int rc = create_all(ctl, rk, &wish);
    rd_kafka_destroy(rk);
    return rc;
}

/* The plan, for --help. */
static void add_table(struct buf *b)
{
    buf_adds(b, "  variable                        partitions  kept\n");
    for (size_t i = 0; i < TOPIC_COUNT; i++)
        buf_addf(b, "  %-30s  %10d  %s\n", topic_plans[i].variable, topic_plans[i].partitions,
                 topic_plans[i].why);
}

static const struct args_option options[] = {
    {"--replication-factor", "N", "replicas of each partition [the smaller of 3 and the number of brokers]"},
    {"--partitions", "N", "partitions of each topic [12; of dead letters and audit 3]"},
    {NULL, NULL, NULL},
};

const struct command command_topics_create = {
    .name = "topics create",
    .arguments = "",
    .sentence = "create the topics that are missing",
    .options = options,
    .add_more = add_table,
    .more = "\nNames are those of IVR_TOPIC_...; a topic that exists is left as it is and said so. With\n"
            "three or more replicas min.insync.replicas is 2. Partitions bound how many replicas of a\n"
            "worker share the work; adding some later moves keys, so start with enough.\n"
            "\nExamples:\n"
            "  ivrctl topics create\n"
            "  ivrctl topics create --replication-factor 1 --partitions 4\n",
    .run = run,
};
