/*
 * From a table's row to a call request: the header names the request's fields, nested ones with dots
 * ("message.say", "retry.max_attempts", "metadata.farmer"). Pure.
 *
 * say, play, language and answer_url may stand without "message.". Lists (retry.on, retry.delays,
 * calling_hours.days) are separated by spaces, commas, semicolons or bars. An empty cell is an absent field.
 */
#ifndef IVR_TOOLS_ROW_H
#define IVR_TOOLS_ROW_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"
#include "common/base/span.h"

enum row_kind { ROW_TEXT, ROW_NUMBER, ROW_YES_NO, ROW_TEXTS, ROW_NUMBERS, ROW_NAMELESS, ROW_IGNORED };

struct row_column {
    char object[32]; /* "message"; "" at the top */
    char field[96];
    enum row_kind kind;
};

/* Reads a header: a column for each cell. ERR_INVALID: a name that is no field (unless `ignore`, then the
 * column is ROW_IGNORED), or two columns of one field ("say" beside "message.say"). A column without a name
 * is ROW_NAMELESS: only empty cells fit it, unless `ignore`. What `err` quotes may hold numbers. */
int row_header_read(struct row_column *columns, const struct span *cells, size_t n, bool ignore,
                    struct err *err);
/* A new object, the caller's; NULL with `err` set when a cell does not fit its column, or a cell that is not
 * empty has none. */
json_t *row_to_json(const struct row_column *columns, size_t columns_n, const struct span *cells,
                    size_t cells_n, struct err *err);

/* Puts a call_id that follows from everything else in the request where it has none: the same row in the same
 * campaign has the same id, so that a file that was sent halfway may be sent again. True when it did. */
bool row_add_call_id(json_t *request);

#endif
