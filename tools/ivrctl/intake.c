#include "tools/ivrctl/intake.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/pii.h"
#include "common/base/visible.h"
#include "common/json/json.h"
#include "common/model/request.h"
#include "tools/ivrctl/csv.h"
#include "tools/ivrctl/ivrctl.h"
#include "tools/ivrctl/row.h"
#include "tools/ivrctl/seen.h"

enum { LINE_MAX_BYTES = 4 * REQUEST_MAX_BYTES }; /* request_parse() says which is too long */

struct intake {
    const struct intake_options *options;
    struct intake_result *result;
    struct seen seen;
    struct err *err;
    int rc; /* what ended everything */
};

static void say_wrong(struct intake *in, size_t line, const char *text)
{
    struct buf said, shown;
    if (in->result->wrong++ >= INTAKE_MAX_SAID || in->options->silent)
        return;
    buf_init(&said, 64 * 1024);
    buf_init(&shown, 64 * 1024);
    buf_addf(&said, "%s:%zu: ", in->options->name, line);
    pii_add_text(&said, span_str(text));
    visible_add(&shown, buf_span(&said));
    fprintf(stderr, "%s\n", shown.p);
    buf_done(&said);
    buf_done(&shown);
}

/* ---- defaults ---- */

/* True when it was missing. */
static bool set_missing(json_t *object, const char *field, const char *value)
{
    if (value == NULL || json_object_get(object, field) != NULL)
        return false;
    json_object_set_new(object, field, json_string(value));
    return true;
}

static bool add_message(json_t *request, const struct intake_options *options)
{
    const json_t *message = json_object_get(request, "message");
    bool empty = message == NULL ||
                 (json_is_object(message) && json_object_get(message, "play") == NULL &&
                  json_object_get(message, "say") == NULL && json_object_get(message, "answer_url") == NULL);
    const char *given = options->say != NULL    ? options->say
                        : options->play != NULL ? options->play
                                                : options->answer_url;
    if (!empty || given == NULL)
        return false;
    if (message == NULL)
        json_object_set_new(request, "message", json_object());
    return set_missing(json_object_get(request, "message"),
                       options->say != NULL    ? "say"
                       : options->play != NULL ? "play"
                                               : "answer_url",
                       given);
}

/* True when anything was put in. */
static bool add_defaults(json_t *request, const struct intake_options *options)
{
    bool changed = set_missing(request, "tenant", options->tenant);
    changed |= set_missing(request, "campaign", options->campaign);
    changed |= set_missing(request, "channel", options->channel);
    changed |= add_message(request, options);
    json_t *message = json_object_get(request, "message");
    if (json_object_get(message, "say") != NULL)
        changed |= set_missing(message, "language", options->language);
    return changed;
}

/* ---- one request ---- */

/* The request has passed: it is handed on, unless the file had it before. */
static void keep(struct intake *in, const struct request *request, struct span value, size_t line)
{
    struct buf id;
    char text[80];
    size_t first = 0;
    enum seen_what what = seen_add(&in->seen, request, line, &first);
    if (what == SEEN_SAME) {
        in->result->repeated++;
        return;
    }
    if (what == SEEN_OTHER) {
        snprintf(text, sizeof(text), "call_id: line %zu has the same one with other content", first);
        say_wrong(in, line, text);
        return;
    }
    buf_init(&id, 256);
    buf_addspan(&id, request->tenant);
    buf_addc(&id, '/');
    buf_addspan(&id, request->call_id);
    if (in->options->take != NULL)
        in->rc = in->options->take(in->options->take_arg, request->call_id, buf_span(&id), value, in->err);
    in->result->accepted += in->rc == 0;
    if (in->rc == 0 && in->options->ids != NULL)
        buf_addf(in->options->ids, "%s\n", id.p);
    buf_done(&id);
}

static void check(struct intake *in, struct span value, bool made_id, size_t line)
{
    struct request request;
    struct err err = ERR_INIT;
    char field[64] = "";
    bool not_json = false;
    if (request_parse(&request, value, &err, field, &not_json) != 0) {
        say_wrong(in, line, err.text);
    } else {
        size_t accepted = in->result->accepted;
        keep(in, &request, value, line);
        in->result->made_ids += made_id && in->result->accepted > accepted;
    }
    request_done(&request);
}

static void check_object(struct intake *in, json_t *object, size_t line)
{
    bool made_id = row_add_call_id(object);
    struct buf text;
    buf_init(&text, LINE_MAX_BYTES);
    if (!json_value(&text, object, JSON_AS_READ) || !buf_ok(&text))
        say_wrong(in, line, "cannot be written as JSON");
    else
        check(in, buf_span(&text), made_id, line);
    buf_done(&text);
}

/* ---- NDJSON ---- */

/* As it stands where nothing is missing. Dispatch is not as strict: it cannot ask who typed it. */
static void check_line(struct intake *in, struct span text, size_t line)
{
    struct err err = ERR_INIT;
    json_t *object = json_parse(text, REQUEST_MAX_BYTES, &err);
    in->result->lines++;
    if (object == NULL)
        say_wrong(in, line, err.text);
    else if (json_is_object(object) &&
             (add_defaults(object, in->options) || json_object_get(object, "call_id") == NULL))
        check_object(in, object, line);
    else
        check(in, text, false, line);
    json_decref(object);
}

static bool is_blank(struct span text)
{
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] != ' ' && text.p[i] != '\t' && text.p[i] != '\r')
            return false;
    }
    return true;
}

static void read_ndjson(struct intake *in, FILE *file)
{
    char *text = NULL;
    size_t cap = 0, line = 0;
    ssize_t n;
    while (in->rc == 0 && !*in->options->stopped && (n = getline(&text, &cap, file)) >= 0) {
        struct span span = span_of(text, (size_t)n);
        line++;
        while (span.n > 0 && (span.p[span.n - 1] == '\n' || span.p[span.n - 1] == '\r'))
            span.n--;
        if (!is_blank(span))
            check_line(in, span, line);
    }
    free(text);
}

/* ---- CSV ---- */

/* What people call a column may be anything, a number that slipped into the first line included. */
static int refuse_header(struct intake *in, size_t line, const char *text)
{
    struct buf shown;
    buf_init(&shown, 4096);
    pii_add_text(&shown, span_str(text));
    err_set(in->err, ERR_INVALID, "%s:%zu: %s", in->options->name, line, shown.p);
    buf_done(&shown);
    return ERR_INVALID;
}

static int read_header(struct intake *in, struct csv *csv, struct row_column *columns, size_t *n)
{
    struct err err = ERR_INIT;
    enum csv_result result = csv_next(csv, &err);
    if (result == CSV_END)
        return err_set(in->err, ERR_INVALID, "%s: is empty, expected a header that names the fields",
                       in->options->name);
    *n = csv->n;
    if (result == CSV_RECORD &&
        row_header_read(columns, csv->cells, csv->n, in->options->ignore_columns, &err) != 0)
        result = CSV_WRONG;
    return result == CSV_WRONG ? refuse_header(in, csv->record_line, err.text) : 0;
}

static void check_row(struct intake *in, const struct csv *csv, const struct row_column *columns, size_t n)
{
    struct err err = ERR_INIT;
    json_t *object = row_to_json(columns, n, csv->cells, csv->n, &err);
    in->result->lines++;
    if (object == NULL) {
        say_wrong(in, csv->record_line, err.text);
        return;
    }
    add_defaults(object, in->options);
    check_object(in, object, csv->record_line);
    json_decref(object);
}

static void read_csv(struct intake *in, FILE *file)
{
    struct row_column columns[CSV_MAX_CELLS];
    struct csv csv;
    size_t n = 0;
    csv_init(&csv, file);
    in->rc = read_header(in, &csv, columns, &n);
    while (in->rc == 0 && !*in->options->stopped) {
        struct err err = ERR_INIT;
        enum csv_result result = csv_next(&csv, &err);
        if (result == CSV_END)
            break;
        if (result == CSV_RECORD) {
            check_row(in, &csv, columns, n);
        } else {
            in->result->lines++;
            say_wrong(in, csv.record_line, err.text);
        }
    }
    csv_done(&csv);
}

/* ---- both ---- */

/* By the name's end, else by whether the text begins as JSON does. */
static enum intake_format guess(FILE *in, const char *name)
{
    const char *dot = strrchr(name, '.');
    if (dot != NULL && strcmp(dot, ".csv") == 0)
        return INTAKE_CSV;
    if (dot != NULL &&
        (strcmp(dot, ".ndjson") == 0 || strcmp(dot, ".jsonl") == 0 || strcmp(dot, ".json") == 0))
        return INTAKE_NDJSON;
    int c;
    do
        c = fgetc(in);
    while (c == ' ' || c == '\t' || c == '\r' || c == '\n');
    clearerr(in);
    rewind(in);
    return c == '{' || c == '[' || c == EOF ? INTAKE_NDJSON : INTAKE_CSV;
}

int intake_read(FILE *file, const struct intake_options *options, struct intake_result *result,
                struct err *err)
{
    struct intake in = {.options = options, .result = result, .err = err};
    rewind(file);
    enum intake_format format =
        options->format != INTAKE_GUESS ? options->format : guess(file, options->name);
    *result = (struct intake_result){0};
    seen_init(&in.seen);
    if (format == INTAKE_CSV)
        read_csv(&in, file);
    else
        read_ndjson(&in, file);
    seen_done(&in.seen);
    if (in.rc == 0 && ferror(file))
        in.rc = err_set(err, ERR_SYSTEM, "%s: cannot be read: %s", options->name, strerror(errno));
    if (result->wrong > INTAKE_MAX_SAID && !options->silent)
        fprintf(stderr, "%s: %zu more lines do not fit\n", options->name, result->wrong - INTAKE_MAX_SAID);
    return in.rc;
}
