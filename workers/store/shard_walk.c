#include "workers/store/shard_walk.h"

#include <assert.h>
#include <stdlib.h>

#include "common/base/crypto.h"
#include "common/base/mem.h"

struct shard_walk {
    struct shard_walk_rules rules;
    struct loop_timer *timer; /* NULL: stopped */
    unsigned shards;
    unsigned next; /* one by one: whose turn it is */
    unsigned out;  /* questions without an answer */
    bool *asking;  /* by shard: there is one of them */
    bool *more;    /* by shard, one by one: it comes before its turn */
};

static bool may_ask(const struct shard_walk *walk)
{
    const struct shard_walk_rules *rules = &walk->rules;
    return walk->timer != NULL && !(rules->alone && walk->out > 0) &&
           (rules->may == NULL || rules->may(rules->arg));
}

static void ask(struct shard_walk *walk, unsigned shard)
{
    if (walk->asking[shard] || (walk->rules.alone && walk->out > 0))
        return;
    walk->more[shard] = false;
    if (walk->rules.ask(shard, walk->rules.arg)) {
        walk->asking[shard] = true;
        walk->out++;
    }
}

static unsigned any_shard(const struct shard_walk *walk)
{
    unsigned shard;
    crypto_random(&shard, sizeof(shard));
    return shard % walk->shards;
}

/* No shard is always first, where there is little room for what they answer. */
static void ask_all(void *arg)
{
    struct shard_walk *walk = arg;
    unsigned first = any_shard(walk);
    if (!may_ask(walk))
        return;
    for (unsigned i = 0; i < walk->shards; i++)
        ask(walk, (first + i) % walk->shards);
}

static void ask_one(void *arg)
{
    struct shard_walk *walk = arg;
    if (!may_ask(walk))
        return;
    for (unsigned i = 0; i < walk->shards; i++) {
        unsigned shard = (walk->next + i) % walk->shards;
        if (walk->more[shard] && !walk->asking[shard]) {
            ask(walk, shard);
            return;
        }
    }
    unsigned shard = walk->next;
    walk->next = shard + 1 < walk->shards ? shard + 1 : 0;
    ask(walk, shard);
}

struct shard_walk *shard_walk_new(struct loop *loop, unsigned shards, const struct shard_walk_rules *rules)
{
    struct shard_walk *walk = mem_calloc(1, sizeof(*walk));
    uint32_t phase;
    assert(shards > 0 && rules->ask != NULL);
    int64_t step_ms = rules->together ? rules->round_ms : rules->round_ms / shards;
    walk->rules = *rules;
    walk->shards = shards;
    walk->asking = mem_calloc(shards, sizeof(bool));
    walk->more = mem_calloc(shards, sizeof(bool));
    walk->next = any_shard(walk);
    step_ms = step_ms > 0 ? step_ms : 1;
    crypto_random(&phase, sizeof(phase));
    walk->timer = loop_timer_start(loop, phase % step_ms, step_ms, rules->together ? ask_all : ask_one, walk);
    return walk;
}

void shard_walk_stop(struct shard_walk *walk)
{
    if (walk->timer != NULL)
        loop_timer_stop(&walk->timer);
}

void shard_walk_free(struct shard_walk **pointer)
{
    struct shard_walk *walk = *pointer;
    *pointer = NULL;
    if (walk == NULL)
        return;
    shard_walk_stop(walk);
    free(walk->asking);
    free(walk->more);
    free(walk);
}

void shard_walk_answered(struct shard_walk *walk, unsigned shard)
{
    assert(walk->asking[shard] && walk->out > 0);
    walk->asking[shard] = false;
    walk->out--;
}

void shard_walk_more(struct shard_walk *walk, unsigned shard)
{
    if (!walk->rules.together)
        walk->more[shard] = true;
    else if (may_ask(walk))
        ask(walk, shard);
}
