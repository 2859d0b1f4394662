/*
 * What the four workers have in common: Redis and the store, the producer and the outbox, the channels file
 * with its reload, the admin listener with readiness, and the drain after SIGTERM. Each worker adds its
 * consumer or listener and its own idea.
 *
 *     int main(int argc, char **argv)
 *     {
 *         struct worker w;
 *         int rc = worker_open(&w, &INFO, argc, argv);
 *         if (rc >= 0)
 *             return rc;
 *         ... open the worker's own parts; on an error: return worker_fail(&w, &err) ...
 *         worker_run(&w, &(struct worker_drain){.quiesce = quiesce, .busy = busy, .arg = arg});
 *         ... close the worker's own parts ...
 *         return worker_close(&w);
 *     }
 */
#ifndef IVR_WORKERS_WORKER_H
#define IVR_WORKERS_WORKER_H

#include <stdbool.h>
#include <stddef.h>

#include "common/http/admin.h"
#include "common/kafka/kafka.h"
#include "common/redis/redis.h"
#include "common/run/loop.h"
#include "common/run/program.h"
#include "workers/calls/outbox.h"
#include "workers/calls/records.h"
#include "workers/program/retired.h"
#include "workers/providers/channels.h"
#include "workers/store/store.h"

/* So many descriptors a worker has for what all have: the loop, Kafka's clients (three a broker), Redis, the
 * admin listener. It does not start with fewer; what a worker's own idea needs comes on top. */
enum { WORKER_DESCRIPTORS = 64 };

struct worker {
    struct program program;
    struct settings *settings; /* = &program.settings */
    struct loop *loop;
    struct channels *channels; /* NULL unless the worker asked for them; replaced by SIGHUP */
    struct retired *retired;   /* with them: those that are gone from the file, while they have calls */
    struct redis *redis;
    struct store *store;
    struct kafka_producer *producer;
    struct outbox *outbox;   /* NULL unless the worker changes calls */
    struct records *records; /* the same */
    struct admin *admin;
    void (*channels_changed)(void *arg); /* after a reload; set by the worker, may be NULL */
    void *channels_changed_arg;
    int exit_code;
    /* private */
    bool starting; /* in worker_open() */
    bool shards_checked;
    bool kafka_failed; /* for good */
    struct loop_timer *drain_timer;
    const struct worker_drain *drain;
    int64_t drain_until_mono_ms;
};

struct worker_info {
    const char *name;
    const char *sentence;
    const char *examples;
    bool channels;      /* reads the channels file */
    bool outbox;        /* changes calls: emits events and sweeps */
    bool without_redis; /* has work that needs no Redis: its start does not wait for it */
};

struct worker_drain {
    void (*quiesce)(void *arg); /* stop taking work; called once */
    size_t (*busy)(void *arg);  /* pieces of work still in flight */
    void *arg;
    bool places_calls; /* a failed Kafka client does not end it before its placements are heard */
};

/* -1: go on; otherwise the exit code. Options, settings, log, loop, then every shared part; then waits until
 * Redis has confirmed the number of shards (a wrong one is exit code 2), meanwhile serving signals and the
 * admin listener; a worker without_redis goes on at once and ends with that code when the answer comes. */
int worker_open(struct worker *worker, const struct worker_info *info, int argc, char **argv);
/* Logs the error and closes; returns the exit code (2 for ERR_CONFIG, else 1). */
int worker_fail(struct worker *worker, const struct err *err);
/* Ends the run from within (a fatal error). */
void worker_stop(struct worker *worker, int exit_code);
/* Runs until SIGTERM (or until Kafka's client has failed for good: exit code 1), then drains: quiesce, wait
 * until nothing is busy and the outbox is empty or IVR_DRAIN_TIMEOUT is over. */
void worker_run(struct worker *worker, const struct worker_drain *drain);
/* Ends the connections to Kafka and Redis: whoever still waits for an answer gets it now (refused or lost).
 * Call it after worker_run(), before the memory of such callbacks is freed; worker_close() does it too. */
void worker_disconnect(struct worker *worker);
/* Closes the shared parts in reverse order; returns the exit code. The worker's own parts are closed before.
 */
int worker_close(struct worker *worker);

/* The channel of calls that were placed already: of the file, or gone from it. `provider` SPAN_NONE: of any.
 * NULL when unknown. Borrowed. */
struct channel *worker_channel(const struct worker *worker, struct span name, struct span provider);

/* Every reason that there is gets its counter, at 0. worker_open() calls it. */
void worker_dead_letters_begin(void);
/* A record that cannot be worked on goes to the dead-letter topic as it is (contract: ivr.dead-letters).
 * `detail` is a sentence; what it quotes is cleaned here: numbers as IVR_PII says, nothing that a terminal
 * obeys. Headers of the original that have a name of ours are left out. `done` is called when the brokers
 * have it or refused it (`error`); the record must live until then. Counts and logs. One that is larger than
 * the brokers take leaves its value out and says so (ivr-value-omitted: its bytes). */
void worker_dead_letter(struct worker *worker, const struct kafka_record *record, const char *reason,
                        struct span detail, kafka_ack_fn done, void *arg);
/* The same for bytes that are not a consumed record any more (a parked callback). `headers`: the original's,
 * kept. */
struct dead_letter {
    struct span key, value;
    const struct kafka_header *headers;
    size_t headers_n;
    const char *source_topic;
    int32_t source_partition;
    int64_t source_offset;
    const char *reason;
    struct span detail;
};
void worker_dead_letter_bytes(struct worker *worker, const struct dead_letter *letter, kafka_ack_fn done,
                              void *arg);

#endif
