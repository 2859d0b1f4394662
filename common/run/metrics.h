/*
 * Counters, gauges and histograms in Prometheus' text form. Declared as data: one row a metric (name, type,
 * labels, help) in common/run/metrics_table.h; HELP texts, the dashboards' check and the documentation come
 * from the same rows.
 *
 * Label values are interned on first use; cardinality is bounded per metric (METRICS_MAX_SERIES): past it
 * everything lands in the series whose labels are all "other".
 */
#ifndef IVR_COMMON_METRICS_H
#define IVR_COMMON_METRICS_H

#include <stdint.h>

#include "common/base/buf.h"

enum metric_id {
#define METRIC(id, name, type, labels, help) id,
#include "common/run/metrics_table.h"
#undef METRIC
    METRIC_COUNT
};

enum { METRICS_MAX_SERIES = 500, METRICS_MAX_LABELS = 2 };

/* A series, found once and kept by code that counts often: metric_series(M_X, "twilio", NULL). Never NULL,
 * lives for ever. Label values in the order of the row's labels; missing ones NULL. */
struct metric_series;
struct metric_series *metric_series(enum metric_id id, const char *label1, const char *label2);

void metric_add(struct metric_series *series, double value);     /* counters and gauges */
void metric_set(struct metric_series *series, double value);     /* gauges */
void metric_observe(struct metric_series *series, double value); /* histograms; seconds */
double metric_value(const struct metric_series *series);         /* tests; a histogram's count */
/* Forgets a gauge series (a partition that was revoked). */
void metric_drop(struct metric_series *series);

/* Looks the series up and adds 1: for places that do not count often. */
void metric_count(enum metric_id id, const char *label1, const char *label2);

/* Called at each scrape, before rendering, to set gauges that are derived from state. */
typedef void (*metric_collect_fn)(void *arg);
void metric_on_collect(metric_collect_fn fn, void *arg);

/* The whole exposition, process_* included. */
void metrics_render(struct buf *out);

#endif
