#include "common/kafka/kafka_health.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/kafka/kafka.h"
#include "common/kafka/kafka_conf.h"
#include "common/run/log.h"

enum {
    TOPICS_MAX = 8,
    PROBE_MS = 10000,
    PROBE_SOON_MS = 1000,
    PROBE_TIMEOUT_MS = 2000,
    TICK_MS = 250,
    CAUSE_KEPT_MS = 60000,   /* librdkafka repeats a connection's error every 30 s */
    REFUSED_KEPT_MS = 12000, /* the next try tells whether it is still refused, and there must be one */
    SCRAM_WORKS = 0x02060100,
};

enum topic_state { TOPIC_UNKNOWN, TOPIC_THERE, TOPIC_MISSING, TOPIC_DENIED };

/* What brokers do not let us do with a topic; 0: nothing known. */
struct refusal {
    const char *what; /* "reading"; NULL: none */
    int64_t until_mono_ms;
};

/* One question, on its way through the thread pool. The loop does not touch it until it is back. */
struct probe {
    uv_work_t work;
    uv_sem_t finished;
    struct kafka_health *health; /* NULL: nobody waits for it any more */
    rd_kafka_t *rk;
    rd_kafka_topic_t *topics[TOPICS_MAX];
    enum topic_state found[TOPICS_MAX];
    int32_t partitions[TOPICS_MAX];
    size_t n;
    char error[150]; /* "": the brokers answered */
};

struct kafka_health {
    struct loop *loop;
    rd_kafka_t *rk;
    struct loop_timer *tick;
    int64_t next_mono_ms;
    struct probe *probe;
    rd_kafka_topic_t *topics[TOPICS_MAX];
    enum topic_state states[TOPICS_MAX];
    int32_t partitions[TOPICS_MAX]; /* 0 while unknown */
    size_t n;
    struct refusal refused[TOPICS_MAX];
    bool any_refused;
    bool answered;   /* a probe came back without an error */
    char error[150]; /* of the last probe */
    char cause[350]; /* why there is no connection, as librdkafka said; "": it did not */
    int64_t cause_mono_ms;
    char fatal[200]; /* the handle cannot go on */
};

/* ---- on a thread of the pool ---- */

static void ask_topic(struct probe *probe, size_t i)
{
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_resp_err_t code = rd_kafka_metadata(probe->rk, 0, probe->topics[i], &metadata, PROBE_TIMEOUT_MS);

    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        snprintf(probe->error, sizeof(probe->error), "%s", rd_kafka_err2str(code));
        return;
    }
    if (metadata->topic_cnt == 1) {
        rd_kafka_resp_err_t topic = metadata->topics[0].err;
        bool missing =
            topic == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || topic == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC;
        bool denied = topic == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
        probe->found[i] = missing ? TOPIC_MISSING : denied ? TOPIC_DENIED : TOPIC_THERE;
        probe->partitions[i] = metadata->topics[0].partition_cnt;
        if (!missing && !denied && topic != RD_KAFKA_RESP_ERR_NO_ERROR)
            snprintf(probe->error, sizeof(probe->error), "topic %s: %s", metadata->topics[0].topic,
                     rd_kafka_err2str(topic));
    }
    rd_kafka_metadata_destroy(metadata);
}

static void run_probe(uv_work_t *work)
{
    struct probe *probe = work->data;

    for (size_t i = 0; i < probe->n && probe->error[0] == 0; i++)
        ask_topic(probe, i);
    uv_sem_post(&probe->finished);
}

/* ---- on the loop ---- */

static bool all_well(const struct kafka_health *health)
{
    for (size_t i = 0; i < health->n; i++) {
        if (health->states[i] != TOPIC_THERE)
            return false;
    }
    return health->error[0] == 0;
}

static void tell_of_topic(const rd_kafka_topic_t *topic, enum topic_state before, enum topic_state now)
{
    if (now == before)
        return;
    if (now == TOPIC_MISSING)
        LOG_WARN("a Kafka topic is missing, create it with ivrctl topics create",
                 LOG_STR("topic", rd_kafka_topic_name(topic)));
    if (now == TOPIC_DENIED)
        LOG_WARN("Kafka's ACLs hide a topic from this user, looking again",
                 LOG_STR("topic", rd_kafka_topic_name(topic)));
}

static void take_findings(struct kafka_health *health, const struct probe *probe)
{
    for (size_t i = 0; i < probe->n; i++) {
        tell_of_topic(probe->topics[i], health->states[i], probe->found[i]);
        if (probe->found[i] != TOPIC_UNKNOWN)
            health->states[i] = probe->found[i];
        if (probe->partitions[i] > 0)
            health->partitions[i] = probe->partitions[i];
    }
    if (probe->error[0] != 0)
        LOG_LIMITED(LOG_LEVEL_WARN, "Kafka does not answer, asking again", LOG_STR("error", probe->error),
                    LOG_STR("cause", health->cause));
    else
        health->cause[0] = 0;
    memcpy(health->error, probe->error, sizeof(health->error));
    health->answered = health->answered || probe->error[0] == 0;
    health->next_mono_ms = loop_mono_ms(health->loop) + (all_well(health) ? PROBE_MS : PROBE_SOON_MS);
}

static void after_probe(uv_work_t *work, int status)
{
    struct probe *probe = work->data;

    if (probe->health != NULL) {
        probe->health->probe = NULL;
        if (status == 0)
            take_findings(probe->health, probe);
    }
    uv_sem_destroy(&probe->finished);
    free(probe);
}

static void start_probe(struct kafka_health *health)
{
    struct probe *probe = mem_calloc(1, sizeof(*probe));

    probe->work.data = probe;
    probe->health = health;
    probe->rk = health->rk;
    probe->n = health->n;
    memcpy(probe->topics, health->topics, sizeof(probe->topics));
    if (uv_sem_init(&probe->finished, 0) != 0) {
        free(probe);
        return;
    }
    uv_queue_work(loop_uv(health->loop), &probe->work, run_probe, after_probe);
    health->probe = probe;
}

static void end_refusals(struct kafka_health *health);

static void on_tick(void *arg)
{
    struct kafka_health *health = arg;

    if (health->any_refused)
        end_refusals(health);
    if (health->n > 0 && health->probe == NULL && loop_mono_ms(health->loop) >= health->next_mono_ms)
        start_probe(health);
}

struct kafka_health *kafka_health_new(struct loop *loop, rd_kafka_t *rk)
{
    struct kafka_health *health = mem_calloc(1, sizeof(*health));

    health->loop = loop;
    health->rk = rk;
    health->tick = loop_timer_start(loop, 0, TICK_MS, on_tick, health);
    return health;
}

void kafka_health_free(struct kafka_health **pointer)
{
    struct kafka_health *health = *pointer;

    if (health == NULL)
        return;
    loop_timer_stop(&health->tick);
    if (health->probe != NULL) {
        /* Its thread uses the handle: either it never starts, or we wait for it. The loop frees it. */
        if (uv_cancel((uv_req_t *)&health->probe->work) != 0)
            uv_sem_wait(&health->probe->finished);
        health->probe->health = NULL;
    }
    for (size_t i = 0; i < health->n; i++)
        rd_kafka_topic_destroy(health->topics[i]);
    free(health);
    *pointer = NULL;
}

void kafka_health_topic(struct kafka_health *health, const char *topic)
{
    for (size_t i = 0; i < health->n; i++) {
        if (strcmp(rd_kafka_topic_name(health->topics[i]), topic) == 0)
            return;
    }
    if (health->n == TOPICS_MAX)
        return;
    health->topics[health->n] = rd_kafka_topic_new(health->rk, topic, NULL);
    if (health->topics[health->n] == NULL)
        return;
    health->n++;
    health->next_mono_ms = 0;
}

static void (*on_fatal)(void *arg);
static void *on_fatal_arg;

void kafka_on_fatal(void (*fn)(void *arg), void *arg)
{
    on_fatal = fn;
    on_fatal_arg = arg;
}

static void on_fatal_error(struct kafka_health *health, rd_kafka_t *rk)
{
    rd_kafka_fatal_error(rk, health->fatal, sizeof(health->fatal));
    LOG_ERROR("Kafka client failed for good, the process must be started anew",
              LOG_STR("error", health->fatal));
    if (on_fatal != NULL)
        on_fatal(on_fatal_arg);
}

/* Of librdkafka before 2.6.1: its SCRAM repeats the client's nonce, which brokers refuse since Kafka 4.0 and
 * 3.7.2, in the words of a wrong password (librdkafka issue 4895). */
static const char *scram_hint(int code, const char *reason)
{
    if (code != RD_KAFKA_RESP_ERR__AUTHENTICATION || rd_kafka_version() >= SCRAM_WORKS)
        return "";
    return strstr(reason, "SCRAM") == NULL ? ""
                                           : "; newer brokers refuse SCRAM from librdkafka before 2.6.1, "
                                             "use PLAIN or client certificates over TLS";
}

/* A refused login or certificate explains more than the closed connection that often follows it. */
static void note_cause(struct kafka_health *health, int code, const char *reason)
{
    bool refused = code == RD_KAFKA_RESP_ERR__AUTHENTICATION || code == RD_KAFKA_RESP_ERR__SSL;
    const char *certificate =
        strstr(reason, "certificate verify failed") != NULL ? kafka_certificate_problem() : NULL;
    int64_t now = loop_mono_ms(health->loop);

    if (!refused && certificate == NULL && health->cause[0] != 0 &&
        now - health->cause_mono_ms < CAUSE_KEPT_MS)
        return;
    health->cause_mono_ms = now;
    if (certificate != NULL) /* librdkafka's text blames ssl.ca.location whatever it was */
        snprintf(health->cause, sizeof(health->cause), "%.*s: the broker's certificate is refused: %s",
                 (int)strcspn(reason, " ") - (strchr(reason, ' ') != NULL), reason, certificate);
    else
        snprintf(health->cause, sizeof(health->cause), "%s%s", reason, scram_hint(code, reason));
}

void kafka_health_error(struct kafka_health *health, rd_kafka_t *rk, int code, const char *reason)
{
    if (code == RD_KAFKA_RESP_ERR__FATAL) {
        on_fatal_error(health, rk);
        return;
    }
    if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
        snprintf(health->error, sizeof(health->error), "%s", reason);
        health->next_mono_ms = 0;
    } else {
        note_cause(health, code, reason);
    }
    LOG_LIMITED(LOG_LEVEL_WARN, "Kafka error, librdkafka tries again",
                LOG_STR("error", rd_kafka_err2str(code)), LOG_STR("reason", reason),
                LOG_STR("cause", health->cause));
}

/* ---- what ACLs do not allow ---- */

static struct refusal *refusal_of(struct kafka_health *health, const char *topic)
{
    for (size_t i = 0; i < health->n; i++) {
        if (strcmp(rd_kafka_topic_name(health->topics[i]), topic) == 0)
            return &health->refused[i];
    }
    return NULL;
}

void kafka_health_refused(struct kafka_health *health, const char *topic, const char *what)
{
    struct refusal *refusal = refusal_of(health, topic);

    if (refusal == NULL)
        return;
    *refusal = (struct refusal){what, loop_mono_ms(health->loop) + REFUSED_KEPT_MS};
    health->any_refused = true;
}

void kafka_health_allowed(struct kafka_health *health, const char *topic)
{
    struct refusal *refusal = health->any_refused ? refusal_of(health, topic) : NULL;

    if (refusal != NULL)
        refusal->what = NULL;
}

bool kafka_health_is_refused(const struct kafka_health *health)
{
    return health->any_refused;
}

/* Forgets what was not said again. */
static void end_refusals(struct kafka_health *health)
{
    int64_t now = loop_mono_ms(health->loop);

    health->any_refused = false;
    for (size_t i = 0; i < health->n; i++) {
        if (now >= health->refused[i].until_mono_ms)
            health->refused[i].what = NULL;
        health->any_refused = health->any_refused || health->refused[i].what != NULL;
    }
}

int32_t kafka_health_partitions(const struct kafka_health *health, const char *topic)
{
    for (size_t i = 0; i < health->n; i++) {
        if (strcmp(rd_kafka_topic_name(health->topics[i]), topic) == 0)
            return health->partitions[i];
    }
    return 0;
}

/* Appends to what was said of the topics before. */
static bool topic_ready(const struct kafka_health *health, size_t i, struct buf *why)
{
    const char *name = rd_kafka_topic_name(health->topics[i]);

    if (health->states[i] == TOPIC_THERE && health->refused[i].what == NULL)
        return true;
    if (why->n > 0)
        buf_adds(why, "; ");
    if (health->states[i] == TOPIC_DENIED)
        buf_addf(why, "topic %s: Kafka's ACLs do not let this user see it (DESCRIBE, with READ and WRITE)",
                 name);
    else if (health->states[i] != TOPIC_THERE)
        buf_addf(why, "topic %s does not exist", name);
    else
        buf_addf(why, "topic %s: Kafka's ACLs do not allow %s", name, health->refused[i].what);
    return false;
}

bool kafka_health_away(const struct kafka_health *health)
{
    return health->fatal[0] != 0 || health->error[0] != 0;
}

bool kafka_health_ready(const struct kafka_health *health, struct buf *why)
{
    if (health->fatal[0] != 0) {
        buf_adds(why, health->fatal);
        return false;
    }
    if (health->error[0] != 0 || (health->n > 0 && !health->answered)) {
        const char *error = health->error[0] != 0 ? health->error : "connecting";
        buf_addf(why, "Kafka does not answer: %s", health->cause[0] != 0 ? health->cause : error);
        return false;
    }
    bool ready = true; /* all that is missing in one answer: whoever makes topics makes them at once */
    for (size_t i = 0; i < health->n; i++)
        ready = topic_ready(health, i, why) && ready;
    return ready;
}
