/* common/base/fifo.h */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/fifo.h"

struct job {
    int number;
    struct fifo_link link; /* not the first member */
};

static struct job *take(struct fifo *list)
{
    return FIFO_TAKE(list, struct job, link);
}

static void assert_takes(struct fifo *list, int number)
{
    struct job *job = take(list);
    assert_non_null(job);
    assert_int_equal(job->number, number);
}

static void the_first_in_is_the_first_out(void **state)
{
    struct job jobs[] = {{.number = 1}, {.number = 2}, {.number = 3}};
    struct fifo list = {0};
    (void)state;
    for (size_t i = 0; i < 3; i++)
        fifo_add(&list, &jobs[i].link);
    assert_int_equal(list.n, 3);
    assert_takes(&list, 1);
    fifo_add(&list, &jobs[0].link);
    assert_takes(&list, 2);
    assert_takes(&list, 3);
    assert_takes(&list, 1);
    assert_int_equal(list.n, 0);
}

static void an_empty_list_gives_null(void **state)
{
    struct job job = {.number = 1};
    struct fifo list = {0};
    (void)state;
    assert_null(take(&list));
    assert_null(FIFO_FIRST(&list, struct job, link));
    fifo_add(&list, &job.link);
    assert_takes(&list, 1);
    assert_null(take(&list));
}

static void one_can_go_before_all_others(void **state)
{
    struct job jobs[] = {{.number = 1}, {.number = 2}, {.number = 3}};
    struct fifo list = {0};
    (void)state;
    fifo_add_first(&list, &jobs[1].link);
    fifo_add_first(&list, &jobs[0].link);
    fifo_add(&list, &jobs[2].link);
    for (int number = 1; number <= 3; number++)
        assert_takes(&list, number);
}

static void a_list_moves_behind_another(void **state)
{
    struct job jobs[] = {{.number = 1}, {.number = 2}, {.number = 3}};
    struct fifo from = {0}, to = {0};
    (void)state;
    fifo_move(&to, &from);
    assert_int_equal(to.n, 0);
    fifo_add(&from, &jobs[0].link);
    fifo_add(&from, &jobs[1].link);
    fifo_move(&to, &from);
    assert_int_equal(from.n, 0);
    fifo_add(&from, &jobs[2].link);
    fifo_move(&to, &from);
    assert_int_equal(to.n, 3);
    for (int number = 1; number <= 3; number++)
        assert_takes(&to, number);
    assert_null(take(&from));
}

static void a_list_is_walked_without_taking(void **state)
{
    struct job jobs[] = {{.number = 1}, {.number = 2}};
    struct fifo list = {0};
    int sum = 0;
    (void)state;
    fifo_add(&list, &jobs[0].link);
    fifo_add(&list, &jobs[1].link);
    for (struct job *job = FIFO_FIRST(&list, struct job, link); job; job = FIFO_NEXT(job, struct job, link))
        sum = sum * 10 + job->number;
    assert_int_equal(sum, 12);
    assert_int_equal(list.n, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_in_is_the_first_out),   cmocka_unit_test(an_empty_list_gives_null),
        cmocka_unit_test(one_can_go_before_all_others),    cmocka_unit_test(a_list_moves_behind_another),
        cmocka_unit_test(a_list_is_walked_without_taking),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
