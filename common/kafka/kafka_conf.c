#include "common/kafka/kafka_conf.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <openssl/x509.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/kafka/kafka.h"
#include "common/run/log.h"

struct property {
    const char *name;
    const char *value;
    bool optional; /* not in every librdkafka that we build with */
};

/* What a user may change. */
static const struct property consumer_defaults[] = {
    {"partition.assignment.strategy", "cooperative-sticky", false},
    /* librdkafka would fetch up to 64 MB ahead; the workers need a second's worth. */
    {"queued.max.messages.kbytes", "8192", false},
    {"queued.min.messages", "20000", false},
    {"fetch.max.bytes", "8388608", false},
    /* How soon it looks again after its queue was full; a second would starve a fast worker with so small a
       queue. */
    {"fetch.queue.backoff.ms", "20", true},
    {"fetch.error.backoff.ms", "100", false},
};

static const struct property producer_defaults[] = {
    {"linger.ms", "5", false},
    {"max.in.flight.requests.per.connection", "5", false}, /* little is sent again after a lost connection */
    {"partitioner", "murmur2_random", false}, /* as Java's, so that every producer agrees where a key goes */
    {"queue.buffering.max.messages", "200000", false},
    /* A dead letter is a record as it came with headers of ours: what the brokers let in must get out
     * again. */
    {"message.max.bytes", "10485760", false},
    {"queue.buffering.max.kbytes", "262144", false},
};

static const struct property common_defaults[] = {
    /* A topic that was missing at start is found soon after it was created. */
    {"topic.metadata.refresh.interval.ms", "10000", false},
    {"reconnect.backoff.max.ms", "2000", false},
    {"socket.keepalive.enable", "true", false},
    {"log.connection.close", "false", false},
};

/* What carries promises; set last. */
static const struct property consumer_fixed[] = {
    {"enable.auto.commit", "false", false},
    {"enable.auto.offset.store", "false", false},
    {"auto.offset.reset", "earliest", false},
    /* Only so it shows that a partition's last records are of transactions, and none of them is to come. */
    {"enable.partition.eof", "true", false},
};

/*
 * Not idempotent, because that loses records: a broker that has no state of a producer takes any first
 * sequence number, so when the first request of a producer to a partition fails and its second arrives,
 * librdkafka holds the first for delivered as well ("implicit ack") and says so. Seen with Kafka 4.1 and
 * librdkafka 2.0.2: tests/chaos/README.md. Without it each record counts when the brokers say so, one by one;
 * a record may come twice, which everybody who reads our topics has to expect anyway. Order: one record a key
 * is on its way at a time where it matters (workers/report/publish.c).
 */
static const struct property producer_fixed[] = {
    {"acks", "all", false},
    {"enable.idempotence", "false", false},
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* ---- librdkafka's own table ---- */

/* Which sides know the property: 'C', 'P', '*' for both, 0 for none. Read from the table that librdkafka
 * prints, because it has no function for it and accepts a producer's property for a consumer with no more
 * than a warning. */
static char property_sides(const char *table, const char *name)
{
    size_t n = strlen(name);

    for (const char *row = table; row != NULL; row = strchr(row, '\n')) {
        row += *row == '\n';
        if (strncmp(row, name, n) != 0 || (row[n] != ' ' && row[n] != '|'))
            continue;
        const char *bar = strchr(row, '|');
        const char *side = bar != NULL ? bar + 1 + strspn(bar + 1, " ") : "";
        if (*side == 'C' || *side == 'P' || *side == '*')
            return *side;
    }
    return 0;
}

/* The caller frees it. */
static char *properties_table(void)
{
    char *text = NULL;
    size_t n = 0;
    FILE *stream = open_memstream(&text, &n);

    assert(stream != NULL);
    rd_kafka_conf_properties_show(stream);
    fclose(stream);
    return text;
}

/* ---- building ---- */

/* "x.y" as the variable that the operator wrote. */
static void variable_name(const char *property, char *out, size_t size)
{
    size_t n = (size_t)snprintf(out, size, "IVR_KAFKA_%s", property);

    for (size_t i = 0; i < n && i < size; i++)
        out[i] = (char)(out[i] == '.' ? '_' : toupper((unsigned char)out[i]));
}

/* librdkafka says of a missing file no more than "system lib". Its "probe" is a word of its own. */
static int check_file(const struct settings_kafka_property *property, const char *variable, struct err *err)
{
    static const char end[] = ".location";
    size_t n = strlen(property->name);

    if (n < sizeof(end) || strcmp(property->name + n - (sizeof(end) - 1), end) != 0)
        return 0;
    if (strcmp(property->value, "probe") == 0 || access(property->value, R_OK) == 0)
        return 0;
    return err_set(err, ERR_CONFIG, "%s: cannot read %s: %s", variable, property->value, strerror(errno));
}

static int set_user(rd_kafka_conf_t *conf, const char *table, const struct settings_kafka_property *property,
                    enum kafka_side side, struct err *err)
{
    char text[200];
    char variable[100];
    char sides = property_sides(table, property->name);

    variable_name(property->name, variable, sizeof(variable));
    if (strcmp(property->name, "group.id") == 0)
        return err_set(err, ERR_CONFIG, "%s: the consumer group is set with IVR_GROUP_ID", variable);
    if (sides == 0)
        return err_set(err, ERR_CONFIG, "%s: librdkafka %s knows no property %s", variable,
                       rd_kafka_version_str(), property->name);
    if (sides == (side == KAFKA_CONSUMER ? 'P' : 'C'))
        return 0;
    if (rd_kafka_conf_set(conf, property->name, property->value, text, sizeof(text)) != RD_KAFKA_CONF_OK)
        return err_set(err, ERR_CONFIG, "%s: %s", variable, text);
    return check_file(property, variable, err);
}

static void set_table(rd_kafka_conf_t *conf, const struct property *table, size_t n)
{
    char text[200];

    for (size_t i = 0; i < n; i++) {
        rd_kafka_conf_res_t res = rd_kafka_conf_set(conf, table[i].name, table[i].value, text, sizeof(text));
        assert(res == RD_KAFKA_CONF_OK || table[i].optional);
    }
}

/* librdkafka's syslog levels. With a queue of its own for log rows this runs when the loop polls, not on a
 * thread. */
static void on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    (void)rk;
    if (level <= 3)
        LOG_LIMITED(LOG_LEVEL_ERROR, "librdkafka", LOG_STR("facility", facility), LOG_STR("text", text));
    else if (level == 4)
        LOG_LIMITED(LOG_LEVEL_WARN, "librdkafka", LOG_STR("facility", facility), LOG_STR("text", text));
    else
        LOG_DEBUG("librdkafka", LOG_STR("facility", facility), LOG_STR("text", text));
}

/* ---- TLS ---- */

/* OpenSSL's number of why a broker's certificate was refused last. librdkafka's own text sends people to the
 * authorities' file whatever it was, an expired certificate or another host's name included. */
static atomic_int certificate_problem;

/* On librdkafka's threads. It only notes: what OpenSSL refused stays refused. */
static int on_certificate(rd_kafka_t *rk, const char *broker, int32_t broker_id, int *x509_error, int depth,
                          const char *bytes, size_t n, char *text, size_t size, void *opaque)
{
    (void)rk, (void)broker, (void)broker_id, (void)depth, (void)bytes, (void)n, (void)opaque;
    if (*x509_error == X509_V_OK)
        return 1;
    atomic_store(&certificate_problem, *x509_error);
    snprintf(text, size, "%s", X509_verify_cert_error_string(*x509_error));
    return 0;
}

const char *kafka_certificate_problem(void)
{
    int problem = atomic_load(&certificate_problem);

    return problem != X509_V_OK ? X509_verify_cert_error_string(problem) : NULL;
}

static void watch_certificates(rd_kafka_conf_t *conf)
{
    char verify[8] = "";
    size_t n = sizeof(verify);

    /* Where nothing is verified, every connection would be logged as a failure. And a librdkafka without TLS
     * has neither the property nor the callback. */
    if (rd_kafka_conf_get(conf, "enable.ssl.certificate.verification", verify, &n) == RD_KAFKA_CONF_OK &&
        strcmp(verify, "true") == 0)
        (void)rd_kafka_conf_set_ssl_cert_verify_cb(conf, on_certificate);
}

/* ---- the rest ---- */

static void set_fixed(rd_kafka_conf_t *conf, const struct settings *settings, enum kafka_side side)
{
    const struct property ours[] = {{"log.queue", "true", false}, {"group.id", settings->group_id, false}};

    set_table(conf, ours, side == KAFKA_CONSUMER ? 2 : 1);
    if (side == KAFKA_CONSUMER)
        set_table(conf, consumer_fixed, COUNT(consumer_fixed));
    else
        set_table(conf, producer_fixed, COUNT(producer_fixed));
    rd_kafka_conf_set_log_cb(conf, on_log);
    watch_certificates(conf);
}

static void set_defaults(rd_kafka_conf_t *conf, const struct settings *settings, enum kafka_side side)
{
    const struct property ours[] = {{"client.id", settings->program, false}};

    set_table(conf, ours, 1);
    set_table(conf, common_defaults, COUNT(common_defaults));
    if (side == KAFKA_CONSUMER)
        set_table(conf, consumer_defaults, COUNT(consumer_defaults));
    else
        set_table(conf, producer_defaults, COUNT(producer_defaults));
}

int kafka_conf_build(rd_kafka_conf_t **out, const struct settings *settings, enum kafka_side side,
                     struct err *err)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char *table = properties_table();
    int rc = 0;

    *out = NULL;
    set_defaults(conf, settings, side);
    for (size_t i = 0; rc == 0 && i < settings->kafka_n; i++)
        rc = set_user(conf, table, &settings->kafka[i], side, err);
    free(table);
    if (rc != 0) {
        rd_kafka_conf_destroy(conf);
        return rc;
    }
    set_fixed(conf, settings, side);
    *out = conf;
    return 0;
}

/* librdkafka's text with its properties as the variables that people set. */
static void add_with_variables(struct buf *out, const char *text)
{
    char *table = properties_table();
    char word[100], variable[120];

    while (*text != 0) {
        size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz.");
        while (n > 0 && text[n - 1] == '.')
            n--;
        snprintf(word, sizeof(word), "%.*s", (int)n, text);
        if (n == 0) {
            buf_addc(out, *text++);
            continue;
        }
        variable_name(word, variable, sizeof(variable));
        buf_adds(out, strchr(word, '.') != NULL && property_sides(table, word) != 0 ? variable : word);
        text += strlen(word);
    }
    free(table);
}

static int cannot_set_up(enum kafka_side side, const char *text, struct err *err)
{
    struct buf named;

    buf_init(&named, sizeof(err->text));
    add_with_variables(&named, text);
    if (strstr(text, "sasl.kerberos") != NULL)
        buf_adds(&named, " (it is Kerberos where IVR_KAFKA_SASL_MECHANISM says nothing)");
    err_set(err, ERR_CONFIG, "the Kafka %s cannot be set up: %.*s",
            side == KAFKA_CONSUMER ? "consumer" : "producer", SPAN_ARG(buf_span(&named)));
    buf_done(&named);
    return ERR_CONFIG;
}

int kafka_handle_new(rd_kafka_t **rk, rd_kafka_conf_t *conf, enum kafka_side side, struct err *err)
{
    char text[200];

    *rk = rd_kafka_new(side == KAFKA_CONSUMER ? RD_KAFKA_CONSUMER : RD_KAFKA_PRODUCER, conf, text,
                       sizeof(text));
    if (*rk == NULL) {
        rd_kafka_conf_destroy(conf);
        return cannot_set_up(side, text, err);
    }
    rd_kafka_set_log_queue(*rk, NULL);
    return 0;
}

/* Properties that contradict each other show only when a handle is made; without a broker's address it stays
 * silent. */
static int try_handle(const struct settings *settings, enum kafka_side side, struct err *err)
{
    rd_kafka_conf_t *conf;
    rd_kafka_t *rk;
    int rc = kafka_conf_build(&conf, settings, side, err);

    if (rc != 0)
        return rc;
    if (rd_kafka_conf_set(conf, "bootstrap.servers", "", NULL, 0) != RD_KAFKA_CONF_OK) {
        rd_kafka_conf_destroy(conf);
        return err_set(err, ERR_SYSTEM, "librdkafka refuses to forget bootstrap.servers");
    }
    if (kafka_handle_new(&rk, conf, side, err) != 0)
        return ERR_CONFIG;
    rd_kafka_destroy(rk);
    return 0;
}

int kafka_check_settings(const struct settings *settings, struct err *err)
{
    int rc = try_handle(settings, KAFKA_CONSUMER, err);
    return rc != 0 ? rc : try_handle(settings, KAFKA_PRODUCER, err);
}
