#include "tools/ivrctl/show_channels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/model/status.h"
#include "tools/ivrctl/show.h"

enum { COLUMNS_MAX = 6, LABEL_WIDTH = 24, WIDTH_MIN = 9 };

/* The rows behind those of the statuses. */
enum { ROW_WAITING = STATUS_COUNT, ROW_DROPPED, ROW_CALLS, ROWS };

struct column {
    const char *name; /* borrowed */
    int64_t counts[ROWS];
};

struct table {
    struct column *columns; /* the last one: all */
    size_t n;
};

/* ---- counting ---- */

static void read_column(struct column *column, const char *name, const json_t *counts)
{
    const json_t *by_status = json_object_get(counts, "by_status");
    *column = (struct column){.name = name};
    for (int status = 1; status < STATUS_COUNT; status++)
        column->counts[status] = show_int(by_status, status_name((enum call_status)status));
    column->counts[ROW_WAITING] = show_int(counts, "waiting");
    column->counts[ROW_DROPPED] = show_sum(json_object_get(counts, "dropped"));
    column->counts[ROW_CALLS] = show_int(counts, "calls");
}

static int larger_first(const void *a, const void *b)
{
    const struct column *x = a, *y = b;
    int64_t more = y->counts[ROW_CALLS] - x->counts[ROW_CALLS];
    return more != 0 ? (more > 0) - (more < 0) : strcmp(x->name, y->name);
}

/* A table wider than a terminal is no table: the small ones become one column. */
static void fold_small_ones(struct table *table)
{
    if (table->n <= COLUMNS_MAX)
        return;
    qsort(table->columns, table->n, sizeof(*table->columns), larger_first);
    struct column *others = &table->columns[COLUMNS_MAX - 1];
    others->name = "others";
    for (size_t i = COLUMNS_MAX; i < table->n; i++) {
        for (int row = 0; row < ROWS; row++)
            others->counts[row] += table->columns[i].counts[row];
    }
    table->n = COLUMNS_MAX;
}

static void read_table(struct table *table, const json_t *summary)
{
    json_t *channels = json_object_get(summary, "by_channel");
    table->columns = mem_calloc(json_object_size(channels) + 1, sizeof(*table->columns));
    for (void *at = json_object_iter(channels); at != NULL; at = json_object_iter_next(channels, at))
        read_column(&table->columns[table->n++], json_object_iter_key(at), json_object_iter_value(at));
    fold_small_ones(table);
    read_column(&table->columns[table->n++], "all", summary);
}

/* ---- showing ---- */

static void add_right(struct buf *out, const struct column *column, const char *text)
{
    int name = (int)strlen(column->name) + 2;
    buf_addf(out, "%*s", name > WIDTH_MIN ? name : WIDTH_MIN, text);
}

static void add_label(struct buf *out, const char *label)
{
    buf_adds(out, "  ");
    show_add_column(out, label, LABEL_WIDTH);
}

static void add_names(struct buf *out, const struct table *table)
{
    add_label(out, "");
    for (size_t i = 0; i < table->n; i++)
        add_right(out, &table->columns[i], table->columns[i].name);
    buf_addc(out, '\n');
}

/* `share_of`: the row that this one is a part of. */
static void add_row(struct buf *out, const struct table *table, const char *label, int row, int64_t share_of)
{
    struct buf count;
    buf_init(&count, 32);
    add_label(out, label);
    for (size_t i = 0; i < table->n; i++) {
        buf_clear(&count);
        show_add_count(&count, table->columns[i].counts[row]);
        add_right(out, &table->columns[i], count.p);
    }
    if (share_of > 0)
        buf_addf(out, " %6.1f %%",
                 100.0 * (double)table->columns[table->n - 1].counts[row] / (double)share_of);
    buf_addc(out, '\n');
    buf_done(&count);
}

static int64_t with_a_status(const struct column *column)
{
    int64_t sum = 0;
    for (int status = 1; status < STATUS_COUNT; status++)
        sum += column->counts[status];
    return sum;
}

static void add_answer_rates(struct buf *out, const struct table *table)
{
    add_label(out, "answer rate");
    for (size_t i = 0; i < table->n; i++) {
        char text[32] = "-"; /* while nothing has ended */
        const struct column *column = &table->columns[i];
        int64_t ended = with_a_status(column) - column->counts[STATUS_PENDING];
        if (ended > 0)
            snprintf(text, sizeof(text), "%.1f %%",
                     100.0 * (double)column->counts[STATUS_COMPLETED] / (double)ended);
        add_right(out, column, text);
    }
    buf_addc(out, '\n');
}

void show_channels(struct buf *out, const json_t *summary)
{
    struct table table = {0};
    read_table(&table, summary);
    const struct column *all = &table.columns[table.n - 1];
    add_names(out, &table);
    for (int i = 0; i < SHOW_STATUSES; i++)
        add_row(out, &table, status_name(show_statuses[i]), (int)show_statuses[i], with_a_status(all));
    if (all->counts[ROW_WAITING] != 0)
        add_row(out, &table, "waiting", ROW_WAITING, 0);
    if (all->counts[ROW_DROPPED] != 0)
        add_row(out, &table, "dropped", ROW_DROPPED, 0);
    add_row(out, &table, "calls", ROW_CALLS, 0);
    add_answer_rates(out, &table);
    free(table.columns);
}
