#include "workers/program/worker.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/run/log.h"
#include "common/run/metrics.h"
#include "scripts.h"
#include "workers/program/give_back.h"

enum { REDIS_TIMEOUT_MS = 5000, DRAIN_LOOK_MS = 20, FLUSH_MS = 5000 };

/* ---- options and settings ---- */

static void check_all(const struct settings *settings, struct buf *problems)
{
    struct err err = ERR_INIT;
    if (redis_check_url(settings->redis_url, &err) != 0)
        buf_addf(problems, "IVR_REDIS_URL: %s\n", err.text);
    if (kafka_check_settings(settings, &err) != 0)
        buf_addf(problems, "%s\n", err.text);
}

static void check_with_channels(const struct settings *settings, struct buf *problems)
{
    struct channels *channels = NULL;
    check_all(settings, problems);
    if (channels_load(&channels, settings->channels_path, problems) == 0)
        channels_free(&channels);
}

/* ---- readiness ---- */

static bool redis_check(void *arg, struct buf *why)
{
    return redis_ready(arg, REDIS_FOR_PEOPLE, why);
}

static bool producer_check(void *arg, struct buf *why)
{
    return kafka_producer_ready(arg, why);
}

static bool shards_check(void *arg, struct buf *why)
{
    const struct worker *w = arg;
    if (!w->shards_checked)
        buf_adds(why, "not compared with what Redis knows yet");
    return w->shards_checked;
}

/* ---- signals ---- */

static void on_stop(void *arg);

static void on_hup(void *arg)
{
    struct worker *w = arg;
    struct channels *fresh = NULL;
    struct buf problems;
    if (w->channels == NULL)
        return;
    buf_init(&problems, 64 * 1024);
    if (channels_load(&fresh, w->settings->channels_path, &problems) != 0) {
        LOG_ERROR("channels file not taken, the old one stays", LOG_SPAN("error", buf_span(&problems)));
    } else {
        struct channels *old = w->channels;
        w->channels = fresh;
        retired_take(w->retired, old, fresh);
        LOG_INFO("channels file read again", LOG_STR("file", w->settings->channels_path),
                 LOG_INT("channels", channels_count(fresh)));
        if (w->channels_changed != NULL)
            w->channels_changed(w->channels_changed_arg);
        channels_free(&old);
    }
    buf_done(&problems);
}

static void on_shards_checked(const char *problem, void *arg)
{
    struct worker *w = arg;
    if (problem != NULL) {
        LOG_ERROR("configuration is wrong", LOG_STR("error", problem));
        worker_stop(w, EXIT_USAGE);
        return;
    }
    w->shards_checked = true;
    if (w->starting)
        loop_quit(w->loop);
}

/* A worker that believes in other shards would not find the calls that were dialled, and dial them again.
 * False when it has to end: the number is wrong, or SIGTERM came. */
static bool wait_for_shards(struct worker *w)
{
    w->starting = true;
    loop_run(w->loop);
    w->starting = false;
    return w->shards_checked;
}

/* The claims and the outbox keep everything safe; whoever supervises starts us again. What is out at a
 * provider is heard to its end first, or it would be in doubt. */
static void on_kafka_fatal(void *arg)
{
    struct worker *w = arg;
    w->exit_code = EXIT_FATAL;
    w->kafka_failed = true;
    if (w->drain == NULL || !w->drain->places_calls)
        loop_quit(w->loop);
    else
        on_stop(w);
}

/* ---- opening ---- */

static void on_final(unsigned shard, void *arg)
{
    records_due(((struct worker *)arg)->records, shard);
}

static void open_outbox(struct worker *w, const struct worker_info *info)
{
    const struct settings *s = w->settings;
    w->records = records_new(&(struct records_with){.loop = w->loop,
                                                    .store = w->store,
                                                    .producer = w->producer,
                                                    .program = info->name,
                                                    .records_topic = s->topics[TOPIC_CALL_RECORDS],
                                                    .audit_topic = s->topics[TOPIC_AUDIT]});
    w->outbox = outbox_new(&(struct outbox_with){.loop = w->loop,
                                                 .store = w->store,
                                                 .producer = w->producer,
                                                 .program = info->name,
                                                 .topic = s->topics[TOPIC_CALL_EVENTS],
                                                 .give_back = give_back,
                                                 .on_final = on_final,
                                                 .on_final_arg = w});
}

static int open_parts(struct worker *w, const struct worker_info *info, struct err *err)
{
    const struct settings *s = w->settings;
    const struct redis_options redis = {.url = s->redis_url,
                                        .password = s->redis_password,
                                        .replicas = s->redis_replicas,
                                        .timeout_ms = REDIS_TIMEOUT_MS,
                                        .library = &script_library};
    int rc = redis_new(&w->redis, w->loop, &redis, err);
    if (rc == 0)
        rc = store_new(&w->store, w->loop, w->redis, s, err);
    if (rc == 0)
        rc = kafka_producer_new(&w->producer, w->loop, s, err);
    if (rc == 0)
        rc = admin_start(&w->admin, w->loop, s->admin_listen, err);
    if (rc != 0)
        return rc;
    if (info->channels)
        w->retired = retired_new(w->loop, w->store, w->channels, s->unknown_callback_keep_ms);
    admin_add_check(w->admin, "redis", redis_check, w->redis);
    admin_add_check(w->admin, "kafka", producer_check, w->producer);
    admin_add_check(w->admin, "shards", shards_check, w);
    if (info->outbox)
        open_outbox(w, info);
    kafka_producer_needs_topic(w->producer, s->topics[TOPIC_DEAD_LETTERS]);
    store_check_shards(w->store, true, on_shards_checked, w);
    return 0;
}

int worker_open(struct worker *w, const struct worker_info *info, int argc, char **argv)
{
    struct err err = ERR_INIT;
    struct buf problems;
    memset(w, 0, sizeof(*w));
    const struct program_info program = {.name = info->name,
                                         .sentence = info->sentence,
                                         .examples = info->examples,
                                         .descriptors = WORKER_DESCRIPTORS,
                                         .check = info->channels ? check_with_channels : check_all};
    int rc = program_start(&w->program, &program, argc, argv);
    if (rc >= 0)
        return rc;
    w->settings = &w->program.settings;
    w->loop = w->program.loop;
    metric_set(metric_series(M_BUILD_INFO, program_version(), info->name), 1);
    worker_dead_letters_begin();
    buf_init(&problems, 64 * 1024);
    if (info->channels && channels_load(&w->channels, w->settings->channels_path, &problems) != 0)
        err_set(&err, ERR_CONFIG, "%s", problems.p); /* changed since the check a moment ago */
    buf_done(&problems);
    if (err.code != 0 || open_parts(w, info, &err) != 0)
        return worker_fail(w, &err);
    kafka_on_fatal(on_kafka_fatal, w);
    loop_on_signals(w->loop, on_stop, info->channels ? on_hup : NULL, w);
    LOG_INFO("started", LOG_STR("version", program_version()), LOG_INT("pid", getpid()));
    if (!info->without_redis && !wait_for_shards(w))
        return worker_close(w);
    return -1;
}

int worker_fail(struct worker *w, const struct err *err)
{
    LOG_ERROR("cannot start", LOG_ERR(err));
    w->exit_code = err->code == ERR_CONFIG ? EXIT_USAGE : EXIT_FATAL;
    return worker_close(w);
}

void worker_stop(struct worker *w, int exit_code)
{
    w->exit_code = exit_code;
    loop_quit(w->loop);
}

struct channel *worker_channel(const struct worker *w, struct span name, struct span provider)
{
    struct channel *channel = channels_find(w->channels, name);
    bool fits = channel != NULL && (provider.n == 0 || span_is(provider, channel->provider->name));
    return fits ? channel : retired_find(w->retired, name, provider);
}

/* ---- draining ---- */

static size_t in_flight(const struct worker *w)
{
    size_t busy = w->drain->busy != NULL ? w->drain->busy(w->drain->arg) : 0;
    busy += store_pending(w->store);
    if (w->kafka_failed)
        return busy; /* what Kafka did not take stays in the outbox */
    if (w->outbox != NULL)
        busy += outbox_pending(w->outbox) + records_pending(w->records);
    return busy + kafka_producer_pending(w->producer);
}

static void look_whether_drained(void *arg)
{
    struct worker *w = arg;
    size_t left = in_flight(w);
    bool late = loop_mono_ms(w->loop) >= w->drain_until_mono_ms;
    if (left > 0 && !late)
        return;
    if (late)
        LOG_WARN("drain timeout is over, leaving the rest to the others", LOG_INT("left", left));
    loop_timer_stop(&w->drain_timer);
    loop_quit(w->loop);
}

static void on_stop(void *arg)
{
    struct worker *w = arg;
    if (w->drain_timer != NULL)
        return; /* already at it */
    LOG_INFO("draining", LOG_INT("timeout_ms", w->settings->drain_timeout_ms));
    admin_drain(w->admin);
    if (w->drain == NULL) {
        loop_quit(w->loop);
        return;
    }
    if (w->records != NULL)
        records_stop(w->records);
    if (w->drain->quiesce != NULL)
        w->drain->quiesce(w->drain->arg);
    w->drain_until_mono_ms = loop_mono_ms(w->loop) + w->settings->drain_timeout_ms;
    w->drain_timer = loop_timer_start(w->loop, 0, DRAIN_LOOK_MS, look_whether_drained, w);
}

void worker_run(struct worker *w, const struct worker_drain *drain)
{
    w->drain = drain;
    loop_run(w->loop);
}

/* The loop has ended: whatever the brokers acknowledge now is not confirmed to Redis any more, and sent once more by
 * others. */
void worker_disconnect(struct worker *w)
{
    if (w->drain_timer != NULL)
        loop_timer_stop(&w->drain_timer);
    if (w->producer != NULL)
        kafka_producer_close(&w->producer, FLUSH_MS);
    if (w->redis != NULL)
        redis_free(&w->redis);
}

int worker_close(struct worker *w)
{
    worker_disconnect(w);
    outbox_free(&w->outbox);
    records_free(&w->records);
    retired_free(&w->retired);
    store_free(&w->store);
    if (w->admin != NULL)
        admin_stop(&w->admin);
    if (w->channels != NULL)
        channels_free(&w->channels);
    LOG_INFO("ended", LOG_INT("exit_code", w->exit_code));
    return program_end(&w->program, w->exit_code);
}
