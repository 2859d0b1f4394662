/*
 * librdkafka's configuration of a consumer or a producer: our defaults, then what IVR_KAFKA_X_Y says, then
 * what carries promises. And its log, passed to ours.
 */
#ifndef IVR_COMMON_KAFKA_CONF_H
#define IVR_COMMON_KAFKA_CONF_H

#include <librdkafka/rdkafka.h>

#include "common/base/err.h"
#include "common/run/settings.h"

enum kafka_side { KAFKA_CONSUMER, KAFKA_PRODUCER };

/* A configuration with log callback but without any other; the caller owns it. ERR_CONFIG names the variable.
 * A property that only the other side knows is checked and left out. */
int kafka_conf_build(rd_kafka_conf_t **conf, const struct settings *settings, enum kafka_side side,
                     struct err *err);

/* rd_kafka_new with errors as ours; takes `conf` in any case. Log rows come out of the handle's own queue,
 * so that nothing of ours runs on librdkafka's threads. */
int kafka_handle_new(rd_kafka_t **rk, rd_kafka_conf_t *conf, enum kafka_side side, struct err *err);

/* Why a broker's certificate was refused last, in OpenSSL's words; NULL when none was. From any thread. */
const char *kafka_certificate_problem(void);

#endif
