/* common/offsets: by hand where the promise is easy to see, and against a naive model under random orders. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/base/clock.h"
#include "common/kafka/offsets.h"

static void nothing_is_committed_before_something_is_done(void **state)
{
    struct offsets *o = offsets_new();
    (void)state;

    assert_int_equal(offsets_commit(o), -1);
    offsets_take(o, 7);
    assert_int_equal(offsets_commit(o), -1);
    assert_int_equal(offsets_pending(o), 1);
    offsets_done(o, 7);
    assert_int_equal(offsets_commit(o), 8);
    assert_int_equal(offsets_pending(o), 0);
    offsets_free(&o);
    assert_null(o);
}

static void what_is_not_done_holds_back_what_follows(void **state)
{
    struct offsets *o = offsets_new();
    (void)state;

    for (int64_t i = 10; i < 20; i++)
        offsets_take(o, i);
    for (int64_t i = 11; i < 20; i++)
        offsets_done(o, i);
    assert_int_equal(offsets_commit(o), -1);
    assert_int_equal(offsets_pending(o), 1);
    offsets_done(o, 10);
    assert_int_equal(offsets_commit(o), 20);
    offsets_free(&o);
}

static void gaps_in_the_numbering_are_no_gaps(void **state)
{
    struct offsets *o = offsets_new();
    (void)state;

    offsets_take(o, 0);
    offsets_take(o, 5);
    offsets_take(o, 1000000000000);
    offsets_done(o, 1000000000000);
    offsets_done(o, 0);
    assert_int_equal(offsets_commit(o), 1);
    offsets_done(o, 5);
    assert_int_equal(offsets_commit(o), 1000000000001);
    offsets_free(&o);
}

static void the_end_of_the_log_is_committed_once_all_before_it_is_done(void **state)
{
    struct offsets *o = offsets_new();
    (void)state;

    offsets_end(o, 4); /* aborted records alone */
    assert_int_equal(offsets_commit(o), 4);
    offsets_take(o, 5);
    offsets_take(o, 6);
    assert_int_equal(offsets_commit(o), 4);
    offsets_end(o, 9); /* and a marker behind them */
    offsets_done(o, 6);
    assert_int_equal(offsets_commit(o), 4);
    offsets_done(o, 5);
    assert_int_equal(offsets_commit(o), 9);
    offsets_take(o, 9);
    assert_int_equal(offsets_commit(o), 9);
    offsets_done(o, 9);
    assert_int_equal(offsets_commit(o), 10);
    offsets_free(&o);
}

/* The model: every offset ever taken in a plain array, looked through from its start each time. */
struct model {
    int64_t offset[4000];
    bool done[4000];
    int n;
    int64_t end;
    int64_t commit; /* never goes back */
};

static int64_t model_commit(struct model *model)
{
    int64_t commit = model->commit;
    int i;

    for (i = 0; i < model->n && model->done[i]; i++)
        if (model->offset[i] >= commit)
            commit = model->offset[i] + 1;
    if (model->end > commit && (i == model->n || model->offset[i] >= model->end))
        commit = model->end;
    return model->commit = commit;
}

static int model_pending(const struct model *model)
{
    int pending = 0;

    for (int i = 0; i < model->n; i++)
        pending += !model->done[i];
    return pending;
}

/* A pending one, mostly near the front as it is in life; -1 when there is none. */
static int pick_pending(const struct model *model)
{
    int pending = model_pending(model);
    int skip = pending > 0 ? rand() % (rand() % 2 ? pending : (pending + 9) / 10) : -1;

    for (int i = 0; i < model->n; i++) {
        if (!model->done[i] && skip-- == 0)
            return i;
    }
    return -1;
}

static void run_random(int steps, int gap, int takes_of_ten)
{
    static struct model model;
    struct offsets *o = offsets_new();
    int64_t next = rand() % 100;

    model.n = 0;
    model.end = model.commit = -1;
    for (int step = 0; step < steps; step++) {
        int i = rand() % 10 < takes_of_ten ? -1 : pick_pending(&model);
        if (gap > 0 && rand() % 8 == 0) {
            model.end = next += rand() % 3;
            offsets_end(o, next);
        } else if (i < 0) {
            offsets_take(o, next);
            model.offset[model.n] = next;
            model.done[model.n++] = false;
            next += 1 + (gap > 0 && rand() % 4 == 0 ? rand() % gap : 0);
        } else {
            offsets_done(o, model.offset[i]);
            model.done[i] = true;
        }
        assert_int_equal(offsets_commit(o), model_commit(&model));
        assert_int_equal(offsets_pending(o), model_pending(&model));
    }
    offsets_free(&o);
}

static void any_order_agrees_with_the_naive_model(void **state)
{
    (void)state;
    srand(20261122);
    for (int round = 0; round < 150; round++)
        run_random(1 + rand() % 600, round % 3 == 0 ? 0 : 1 + rand() % 1000, 4 + rand() % 5);
}

static void million_records_in_flight_by_the_thousand_are_fast(void **state)
{
    struct offsets *o = offsets_new();
    int64_t start = clock_mono_ms();
    (void)state;

    for (int64_t i = 0; i < 1000000; i++) {
        offsets_take(o, i);
        /* Pairs finish the wrong way round, a thousand behind. */
        if (i >= 1000)
            offsets_done(o, (i - 1000) ^ 1);
    }
    assert_int_equal(offsets_commit(o), 1000000 - 1000);
    assert_int_equal(offsets_pending(o), 1000);
    assert_true(clock_mono_ms() - start < 2000);
    offsets_free(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_committed_before_something_is_done),
        cmocka_unit_test(what_is_not_done_holds_back_what_follows),
        cmocka_unit_test(gaps_in_the_numbering_are_no_gaps),
        cmocka_unit_test(the_end_of_the_log_is_committed_once_all_before_it_is_done),
        cmocka_unit_test(any_order_agrees_with_the_naive_model),
        cmocka_unit_test(million_records_in_flight_by_the_thousand_are_fast),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
