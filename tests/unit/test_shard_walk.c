/* workers/store/shard_walk: whose turn it is, and when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "workers/store/shard_walk.h"

enum { SHARDS = 5, ASKED_MAX = 200 };

struct fixture {
    struct loop *loop;
    struct shard_walk *walk;
    unsigned asked[ASKED_MAX];
    size_t asked_n;
    size_t answered_n;
    size_t enough;  /* ends the loop */
    bool answering; /* each question at once */
    bool away;      /* `may` says no */
    unsigned full;  /* this shard has more, so many times */
    unsigned full_n;
};

static bool may(void *arg)
{
    const struct fixture *f = arg;
    return !f->away;
}

static bool ask(unsigned shard, void *arg)
{
    struct fixture *f = arg;
    assert_true(shard < SHARDS);
    f->asked[f->asked_n++] = shard;
    if (f->asked_n == f->enough || f->asked_n == ASKED_MAX)
        loop_quit(f->loop);
    return true;
}

static void answer_all(void *arg)
{
    struct fixture *f = arg;
    while (f->answered_n < f->asked_n) {
        unsigned shard = f->asked[f->answered_n++];
        shard_walk_answered(f->walk, shard);
        if (shard == f->full && f->full_n > 0) {
            f->full_n--;
            shard_walk_more(f->walk, shard);
        }
    }
}

static void end(void *arg)
{
    loop_quit(((struct fixture *)arg)->loop);
}

/* Walks until `enough` questions left, or for so long. */
static void walk_for(struct fixture *f, int64_t round_ms, bool together, bool alone, int64_t ms)
{
    const struct shard_walk_rules rules = {
        .round_ms = round_ms, .together = together, .alone = alone, .may = may, .ask = ask, .arg = f};
    struct loop_timer *answers = NULL, *limit;
    f->loop = loop_new();
    f->walk = shard_walk_new(f->loop, SHARDS, &rules);
    if (f->answering)
        answers = loop_timer_start(f->loop, 1, 1, answer_all, f);
    limit = loop_timer_start(f->loop, ms, 0, end, f);
    loop_run(f->loop);
    if (answers != NULL)
        loop_timer_stop(&answers);
    loop_timer_stop(&limit);
    shard_walk_free(&f->walk);
    assert_null(f->walk);
    loop_free(&f->loop);
}

static size_t times_asked(const struct fixture *f, unsigned shard)
{
    size_t n = 0;
    for (size_t i = 0; i < f->asked_n; i++)
        n += f->asked[i] == shard;
    return n;
}

static void one_by_one_each_shard_has_its_turn(void **state)
{
    (void)state;
    struct fixture f = {.answering = true, .enough = 3 * SHARDS};
    walk_for(&f, 20 * SHARDS, false, false, 10000);
    assert_int_equal(f.asked_n, 3 * SHARDS);
    for (size_t i = 1; i < f.asked_n; i++)
        assert_int_equal(f.asked[i], (f.asked[i - 1] + 1) % SHARDS);
}

static void together_all_are_asked_at_once(void **state)
{
    (void)state;
    struct fixture f = {.answering = true, .enough = SHARDS};
    walk_for(&f, 50, true, false, 10000);
    assert_int_equal(f.asked_n, SHARDS);
    for (unsigned shard = 0; shard < SHARDS; shard++)
        assert_int_equal(times_asked(&f, shard), 1);
}

static void a_shard_that_has_not_answered_is_passed_over(void **state)
{
    (void)state;
    struct fixture one = {0}, together = {0};
    walk_for(&one, SHARDS, false, false, 200);
    walk_for(&together, 5, true, false, 200);
    for (unsigned shard = 0; shard < SHARDS; shard++) {
        assert_int_equal(times_asked(&one, shard), 1);
        assert_int_equal(times_asked(&together, shard), 1);
    }
}

static void alone_there_is_one_question_at_a_time(void **state)
{
    (void)state;
    struct fixture one = {0}, together = {0};
    walk_for(&one, SHARDS, false, true, 100);
    walk_for(&together, 5, true, true, 100);
    assert_int_equal(one.asked_n, 1);
    assert_int_equal(together.asked_n, 1);
}

static void nothing_is_asked_while_there_is_no_use_in_it(void **state)
{
    (void)state;
    struct fixture f = {.away = true};
    walk_for(&f, SHARDS, false, false, 100);
    walk_for(&f, 5, true, false, 100);
    assert_int_equal(f.asked_n, 0);
}

static void a_shard_that_has_more_comes_before_its_turn(void **state)
{
    (void)state;
    struct fixture f = {.answering = true, .enough = SHARDS + 3, .full = 2, .full_n = 3};
    walk_for(&f, 20 * SHARDS, false, false, 10000);
    assert_int_equal(times_asked(&f, 2), 4);
    for (unsigned shard = 0; shard < SHARDS; shard++)
        if (shard != 2)
            assert_int_equal(times_asked(&f, shard), 1);
}

static void together_one_that_has_more_is_asked_at_once(void **state)
{
    (void)state;
    struct fixture f = {.answering = true, .enough = SHARDS + 3, .full = 2, .full_n = 3};
    walk_for(&f, 500, true, false, 10000);
    assert_int_equal(times_asked(&f, 2), 4);
}

static void after_its_end_it_asks_nobody(void **state)
{
    (void)state;
    struct fixture f = {.full = 0, .loop = loop_new()};
    const struct shard_walk_rules rules = {.round_ms = 1, .together = true, .ask = ask, .arg = &f};
    struct loop_timer *limit;
    f.walk = shard_walk_new(f.loop, SHARDS, &rules);
    shard_walk_stop(f.walk);
    shard_walk_more(f.walk, 1);
    limit = loop_timer_start(f.loop, 50, 0, end, &f);
    loop_run(f.loop);
    assert_int_equal(f.asked_n, 0);
    loop_timer_stop(&limit);
    shard_walk_free(&f.walk);
    loop_free(&f.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_by_one_each_shard_has_its_turn),
        cmocka_unit_test(together_all_are_asked_at_once),
        cmocka_unit_test(a_shard_that_has_not_answered_is_passed_over),
        cmocka_unit_test(alone_there_is_one_question_at_a_time),
        cmocka_unit_test(nothing_is_asked_while_there_is_no_use_in_it),
        cmocka_unit_test(a_shard_that_has_more_comes_before_its_turn),
        cmocka_unit_test(together_one_that_has_more_is_asked_at_once),
        cmocka_unit_test(after_its_end_it_asks_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
