#include "tools/ivrctl/row.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/crypto.h"
#include "common/base/mem.h"
#include "common/json/json.h"
#include "common/json/json_memory.h"

/* Every field of a request; what "metadata." has below it is free. */
static const struct {
    const char *name;
    const char *object;
    const char *field;
    enum row_kind kind;
} fields[] = {
    {"call_id", "", "call_id", ROW_TEXT},
    {"tenant", "", "tenant", ROW_TEXT},
    {"campaign", "", "campaign", ROW_TEXT},
    {"to", "", "to", ROW_TEXT},
    {"channel", "", "channel", ROW_TEXT},
    {"from", "", "from", ROW_TEXT},
    {"message.play", "message", "play", ROW_TEXT},
    {"message.say", "message", "say", ROW_TEXT},
    {"message.language", "message", "language", ROW_TEXT},
    {"message.answer_url", "message", "answer_url", ROW_TEXT},
    {"play", "message", "play", ROW_TEXT},
    {"say", "message", "say", ROW_TEXT},
    {"language", "message", "language", ROW_TEXT},
    {"answer_url", "message", "answer_url", ROW_TEXT},
    {"ring_timeout", "", "ring_timeout", ROW_NUMBER},
    {"time_limit", "", "time_limit", ROW_NUMBER},
    {"not_before", "", "not_before", ROW_TEXT},
    {"expires_at", "", "expires_at", ROW_TEXT},
    {"calling_hours.timezone", "calling_hours", "timezone", ROW_TEXT},
    {"calling_hours.from", "calling_hours", "from", ROW_TEXT},
    {"calling_hours.to", "calling_hours", "to", ROW_TEXT},
    {"calling_hours.days", "calling_hours", "days", ROW_TEXTS},
    {"retry.max_attempts", "retry", "max_attempts", ROW_NUMBER},
    {"retry.on", "retry", "on", ROW_TEXTS},
    {"retry.delays", "retry", "delays", ROW_NUMBERS},
    {"redial_in_doubt", "", "redial_in_doubt", ROW_YES_NO},
    {"priority", "", "priority", ROW_NUMBER},
};

enum {
    FIELDS = sizeof(fields) / sizeof(fields[0]),
    METADATA_DOT = 9,
    ID_DIGEST_BYTES = 16,
    QUOTED_MAX = 40,
    SORTED_MAX = 1024 * 1024
};

static struct span trimmed(struct span text)
{
    while (text.n > 0 && (text.p[0] == ' ' || text.p[0] == '\t')) {
        text.p++;
        text.n--;
    }
    while (text.n > 0 && (text.p[text.n - 1] == ' ' || text.p[text.n - 1] == '\t'))
        text.n--;
    return text;
}

/* As much of a name as a sentence quotes, cut at a character. */
static struct span start_of(struct span name)
{
    size_t n = 0, step;
    while (n < name.n && (step = span_utf8_char(span_of(name.p + n, name.n - n))) > 0 &&
           n + step <= QUOTED_MAX)
        n += step;
    return span_of(name.p, n);
}

static void set_column(struct row_column *column, const char *object, struct span field, enum row_kind kind)
{
    *column = (struct row_column){.kind = kind};
    snprintf(column->object, sizeof(column->object), "%s", object);
    snprintf(column->field, sizeof(column->field), "%.*s", SPAN_ARG(field));
}

static int read_column(struct row_column *column, struct span name, bool ignore, struct err *err)
{
    for (size_t i = 0; i < FIELDS; i++) {
        if (span_is(name, fields[i].name)) {
            set_column(column, fields[i].object, span_str(fields[i].field), fields[i].kind);
            return 0;
        }
    }
    if (name.n > METADATA_DOT && name.n - METADATA_DOT < sizeof(column->field) &&
        memcmp(name.p, "metadata.", METADATA_DOT) == 0) {
        set_column(column, "metadata", span_of(name.p + METADATA_DOT, name.n - METADATA_DOT), ROW_TEXT);
        return 0;
    }
    if (ignore || name.n == 0) {
        set_column(column, "", name, ignore ? ROW_IGNORED : ROW_NAMELESS);
        return 0;
    }
    struct span start = start_of(name);
    return err_set(
        err, ERR_INVALID,
        "column \"%.*s\": no field of a request; name it metadata.%.*s to pass it on to events, or "
        "leave such columns out with --ignore-columns",
        SPAN_ARG(start), SPAN_ARG(start));
}

static bool is_field(const struct row_column *column)
{
    return column->kind != ROW_IGNORED && column->kind != ROW_NAMELESS;
}

/* Of two that fill the same field one would win, and nobody said which. */
static int refuse_double(const struct row_column *columns, const struct span *cells, size_t i,
                         struct err *err)
{
    for (size_t k = 0; k < i && is_field(&columns[i]); k++) {
        if (!is_field(&columns[k]) || strcmp(columns[k].object, columns[i].object) != 0 ||
            strcmp(columns[k].field, columns[i].field) != 0)
            continue;
        struct span first = start_of(trimmed(cells[k])), second = start_of(trimmed(cells[i]));
        if (span_eq(first, second))
            return err_set(err, ERR_INVALID, "column \"%.*s\" is there twice (columns %zu and %zu)",
                           SPAN_ARG(second), k + 1, i + 1);
        return err_set(err, ERR_INVALID, "columns \"%.*s\" and \"%.*s\" are the same field", SPAN_ARG(first),
                       SPAN_ARG(second));
    }
    return 0;
}

int row_header_read(struct row_column *columns, const struct span *cells, size_t n, bool ignore,
                    struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        int rc = read_column(&columns[i], trimmed(cells[i]), ignore, err);
        if (rc == 0)
            rc = refuse_double(columns, cells, i, err);
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* ---- cells ---- */

static int refuse(const struct row_column *column, const char *expected, struct err *err)
{
    return err_set(err, ERR_INVALID, "%s%s%s: expected %s", column->object,
                   *column->object != '\0' ? "." : "", column->field, expected);
}

static json_t *text_value(struct span text)
{
    return json_stringn(text.p, text.n); /* NULL where it is no UTF-8 */
}

static json_t *number_value(struct span text)
{
    char digits[24], *end;
    if (text.n == 0 || text.n >= sizeof(digits))
        return NULL;
    memcpy(digits, text.p, text.n);
    digits[text.n] = '\0';
    errno = 0;
    long long value = strtoll(digits, &end, 10);
    return *end == '\0' && errno == 0 && end != digits ? json_integer(value) : NULL;
}

static json_t *yes_no_value(struct span text)
{
    if (span_is(text, "true") || span_is(text, "yes") || span_is(text, "1"))
        return json_true();
    if (span_is(text, "false") || span_is(text, "no") || span_is(text, "0"))
        return json_false();
    return NULL;
}

static bool between_items(char c)
{
    return c == ' ' || c == ',' || c == ';' || c == '|';
}

static json_t *list_value(struct span text, json_t *(*item_value)(struct span))
{
    json_t *list = json_array();
    for (size_t i = 0; i < text.n;) {
        size_t from = i;
        while (i < text.n && !between_items(text.p[i]))
            i++;
        if (i > from && json_array_append_new(list, item_value(span_of(text.p + from, i - from))) != 0) {
            json_decref(list);
            return NULL;
        }
        i += i < text.n;
    }
    return list;
}

static const struct {
    const char *expected;
} kinds[] = {
    [ROW_TEXT] = {"UTF-8 text"},
    [ROW_NUMBER] = {"a whole number"},
    [ROW_YES_NO] = {"true or false"},
    [ROW_TEXTS] = {"a list with spaces between"},
    [ROW_NUMBERS] = {"a list of whole numbers with spaces between"},
    [ROW_NAMELESS] = {""},
    [ROW_IGNORED] = {""},
};

static json_t *value_of(enum row_kind kind, struct span cell)
{
    switch (kind) {
    case ROW_NUMBER:
        return number_value(trimmed(cell));
    case ROW_YES_NO:
        return yes_no_value(trimmed(cell));
    case ROW_TEXTS:
        return list_value(cell, text_value);
    case ROW_NUMBERS:
        return list_value(cell, number_value);
    default:
        return text_value(trimmed(cell));
    }
}

static int set_cell(json_t *request, const struct row_column *column, struct span cell, struct err *err)
{
    json_t *value = value_of(column->kind, cell), *object = request;
    if (value == NULL)
        return refuse(column, kinds[column->kind].expected, err);
    if (*column->object != '\0') {
        object = json_object_get(request, column->object);
        if (object == NULL) {
            object = json_object();
            json_object_set_new(request, column->object, object);
        }
    }
    json_object_set_new(object, column->field, value);
    return 0;
}

static int take_cell(json_t *request, const struct row_column *column, size_t number, struct span cell,
                     struct err *err)
{
    if (column->kind == ROW_NAMELESS)
        return err_set(err, ERR_INVALID,
                       "column %zu: data under a column without a name; name it in the header, or leave such "
                       "columns out with --ignore-columns",
                       number);
    return column->kind == ROW_IGNORED ? 0 : set_cell(request, column, cell, err);
}

/* An empty cell is no data, wherever it stands: spreadsheets write columns that somebody has cleared. */
json_t *row_to_json(const struct row_column *columns, size_t columns_n, const struct span *cells,
                    size_t cells_n, struct err *err)
{
    json_t *request = json_object();
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < cells_n; i++) {
        if (trimmed(cells[i]).n == 0)
            continue;
        rc = i < columns_n ? take_cell(request, &columns[i], i + 1, cells[i], err)
                           : err_set(err, ERR_INVALID,
                                     "%zu cells, but the header has %zu; a comma inside a cell needs quotes "
                                     "around it",
                                     cells_n, columns_n);
    }
    if (rc == 0)
        return request;
    json_decref(request);
    return NULL;
}

/* ---- call ids ---- */

/* The same request gets the same id from every version, so the first one's writer stays; it cannot write
 * numbers that jansson has no type for. */
static void digest_of(const json_t *request, uint8_t digest[SHA256_LEN])
{
    char *text = json_dumps(request, JSON_COMPACT | JSON_SORT_KEYS);
    struct buf sorted;
    buf_init(&sorted, SORTED_MAX);
    if (text == NULL)
        json_value(&sorted, request, JSON_SORTED);
    crypto_sha256(text != NULL ? span_str(text) : buf_span(&sorted), digest);
    json_memory_free(text);
    buf_done(&sorted);
}

bool row_add_call_id(json_t *request)
{
    uint8_t digest[SHA256_LEN];
    struct buf hex;
    char id[40];
    if (json_object_get(request, "call_id") != NULL)
        return false;
    digest_of(request, digest);
    /* RFC 9562's form for ids made in a way of one's own: version 8. */
    digest[6] = (uint8_t)((digest[6] & 0x0F) | 0x80);
    digest[8] = (uint8_t)((digest[8] & 0x3F) | 0x80);
    buf_init(&hex, 64);
    crypto_add_hex(&hex, digest, ID_DIGEST_BYTES);
    snprintf(id, sizeof(id), "%.8s-%.4s-%.4s-%.4s-%.12s", hex.p, hex.p + 8, hex.p + 12, hex.p + 16,
             hex.p + 20);
    buf_done(&hex);
    json_object_set_new(request, "call_id", json_string(id));
    return true;
}
