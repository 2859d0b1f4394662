#include "workers/report/publish.h"

#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/kafka/cloudevent.h"
#include "common/run/log.h"
#include "common/run/metrics.h"

enum {
    OUT_MAX = 32,    /* each reads all shards */
    AGAIN_MS = 1000, /* after Redis or Kafka did not answer */
    /* As late as this it may be the acknowledgement of a second sending, while the first one still stands
       before a broker that was stopped: it would come after the next revision and stay the last. */
    LATE_MS = 1000,
    VALUE_MAX = 4 * 1024 * 1024,
};

struct publisher {
    struct worker *worker;
    struct dirty *dirty;
    struct republish *republish;
    const char *topic;
    struct buf key, id, value;
    size_t out;
    bool stopped;
    struct metric_series *published;
};

/* One summary on its way. */
struct publication {
    struct publisher *publisher;
    struct dirty_entry *entry;
    int64_t revision;
    int64_t sent_mono_ms;
};

static void end(struct publication *publication, bool published)
{
    struct publisher *publisher = publication->publisher;
    publisher->out--;
    if (published)
        dirty_published(publisher->dirty, &publication->entry);
    else
        dirty_failed(publisher->dirty, &publication->entry, loop_mono_ms(publisher->worker->loop) + AGAIN_MS);
    free(publication);
}

/* Who was away for a while may have published after its successor, and the topic keeps what came last: then
 * it is read and published once more. */
static void on_latest(enum store_status status, bool latest, void *arg)
{
    struct publication *publication = arg;
    struct publisher *publisher = publication->publisher;
    if (publisher->stopped) {
        free(publication);
        return;
    }
    if (status == STORE_OK && !latest)
        dirty_mark(publisher->dirty, dirty_key(publication->entry), loop_mono_ms(publisher->worker->loop),
                   NULL, false);
    end(publication, status == STORE_OK);
}

static void on_ack(const char *error, void *arg)
{
    struct publication *publication = arg;
    struct publisher *publisher = publication->publisher;
    if (publisher->stopped) {
        free(publication);
        return;
    }
    if (error != NULL) {
        LOG_LIMITED(LOG_LEVEL_WARN, "summary not acknowledged, publishing it again", LOG_STR("error", error));
        end(publication, false);
        return;
    }
    metric_add(publisher->published, 1);
    if (loop_mono_ms(publisher->worker->loop) - publication->sent_mono_ms > LATE_MS)
        republish_unsure(publisher->republish, dirty_key(publication->entry));
    summary_is_latest(publisher->worker->store, dirty_key(publication->entry), publication->revision,
                      on_latest, publication);
}

static void produce(struct publication *publication, const struct summary *summary, int64_t revision,
                    int64_t as_of_ms)
{
    struct publisher *publisher = publication->publisher;
    const struct summary_key *key = dirty_key(publication->entry);
    publication->revision = revision;
    struct cloudevent headers;
    buf_clear(&publisher->key);
    buf_clear(&publisher->id);
    buf_clear(&publisher->value);
    summary_key_add(&publisher->key, key);
    buf_addspan(&publisher->id, buf_span(&publisher->key));
    buf_addc(&publisher->id, '#');
    buf_addint(&publisher->id, revision);
    summary_add_json(&publisher->value, key, summary, revision, as_of_ms);
    cloudevent_init(&headers, SPAN_LIT("ivr/ivr-report"), buf_span(&publisher->id),
                    SPAN_LIT("ivr.delivery-summary"), as_of_ms);
    cloudevent_add(&headers, "content-type", SPAN_LIT("application/json"));
    publication->sent_mono_ms = loop_mono_ms(publisher->worker->loop);
    kafka_produce(publisher->worker->producer, publisher->topic, buf_span(&publisher->key),
                  buf_span(&publisher->value), headers.headers, headers.n, 0, on_ack, publication);
}

static void on_revised(enum store_status status, const struct summary *summary, int64_t revision,
                       int64_t as_of_ms, void *arg)
{
    struct publication *publication = arg;
    if (publication->publisher->stopped) {
        free(publication);
        return;
    }
    if (status != STORE_OK)
        LOG_LIMITED(LOG_LEVEL_WARN, "summary could not be read, trying again", LOG_INT("wait_ms", AGAIN_MS));
    if (status != STORE_OK || summary == NULL)
        end(publication, status == STORE_OK); /* nothing is known of it any more: nothing to say */
    else
        produce(publication, summary, revision, as_of_ms);
}

bool publisher_turn(struct publisher *publisher)
{
    bool any = false;
    int64_t now = loop_mono_ms(publisher->worker->loop);
    while (!publisher->stopped && publisher->out < OUT_MAX && store_takes(publisher->worker->store) &&
           !kafka_producer_full(publisher->worker->producer)) {
        struct dirty_entry *entry = dirty_take(publisher->dirty, now);
        if (entry == NULL)
            break;
        struct publication *publication = mem_alloc(sizeof(*publication));
        *publication = (struct publication){.publisher = publisher, .entry = entry};
        publisher->out++;
        any = true;
        summary_revise(publisher->worker->store, dirty_key(entry), on_revised, publication);
    }
    return any;
}

size_t publisher_out(const struct publisher *publisher)
{
    return publisher->out;
}

struct publisher *publisher_new(struct worker *worker, struct dirty *dirty, struct republish *republish)
{
    struct publisher *publisher = mem_calloc(1, sizeof(*publisher));
    publisher->worker = worker;
    publisher->dirty = dirty;
    publisher->republish = republish;
    publisher->topic = worker->settings->topics[TOPIC_DELIVERY_SUMMARIES];
    publisher->published = metric_series(M_SUMMARIES, NULL, NULL);
    buf_init(&publisher->key, 1024);
    buf_init(&publisher->id, 1024);
    buf_init(&publisher->value, VALUE_MAX);
    kafka_producer_needs_topic(worker->producer, publisher->topic);
    return publisher;
}

void publisher_stop(struct publisher *publisher)
{
    publisher->stopped = true;
}

void publisher_free(struct publisher **pointer)
{
    struct publisher *publisher = *pointer;
    *pointer = NULL;
    if (publisher == NULL)
        return;
    buf_done(&publisher->key);
    buf_done(&publisher->id);
    buf_done(&publisher->value);
    free(publisher);
}
