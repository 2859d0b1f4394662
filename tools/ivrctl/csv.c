#include "tools/ivrctl/csv.h"

#include <assert.h>
#include <string.h>

void csv_init(struct csv *csv, FILE *in)
{
    memset(csv, 0, sizeof(*csv));
    csv->in = in;
    buf_init(&csv->text, CSV_MAX_RECORD);
}

void csv_done(struct csv *csv)
{
    buf_done(&csv->text);
}

/* Whichever of them comes first in the header, outside quotes; a header of one column has none. */
static char find_separator(struct span line)
{
    bool quoted = false;
    for (size_t i = 0; i < line.n; i++) {
        char c = line.p[i];
        if (c == '"')
            quoted = !quoted;
        if (!quoted && (c == ',' || c == ';' || c == '\t'))
            return c;
    }
    return ',';
}

/* Looks at the first line, then goes back to where the cells begin: after a byte order mark. */
static void start(struct csv *csv)
{
    static const char mark[] = "\xEF\xBB\xBF";
    char line[4096];
    long begin = ftell(csv->in);
    size_t n = fread(line, 1, sizeof(line), csv->in);
    const char *end = memchr(line, '\n', n);
    size_t skip = n >= 3 && memcmp(line, mark, 3) == 0 ? 3 : 0;
    csv->separator = find_separator(span_of(line, end != NULL ? (size_t)(end - line) : n));
    clearerr(csv->in);
    int rc = fseek(csv->in, begin + (long)skip, SEEK_SET);
    assert(rc == 0); /* csv_init() asks for a file that can go back */
}

static void skip_line(struct csv *csv)
{
    int c;
    do
        c = getc_unlocked(csv->in);
    while (c != EOF && c != '\n');
    csv->line++;
}

/* What may end a cell besides a character and EOF. */
enum { UNCLOSED = -2, AFTER_QUOTE = -3 };

/* Reads a quoted cell after its first quote; returns what follows the closing one, or UNCLOSED. */
static int read_quoted(struct csv *csv)
{
    for (;;) {
        int c = getc_unlocked(csv->in);
        if (c == EOF)
            return UNCLOSED;
        if (c == '"' && (c = getc_unlocked(csv->in)) != '"')
            return c;
        if (c == '\n')
            csv->line++;
        buf_addc(&csv->text, (char)c);
    }
}

/* Reads one cell and what ends it: the separator, '\n' or EOF; or a mark for what is wrong. */

static int read_cell(struct csv *csv)
{
    int c = getc_unlocked(csv->in);
    if (c == '"') {
        c = read_quoted(csv);
        if (c == '\r')
            c = getc_unlocked(csv->in);
        bool ends = c == csv->separator || c == '\n' || c == EOF || c == UNCLOSED;
        return ends ? c : AFTER_QUOTE;
    }
    size_t from = csv->text.n;
    for (; c != csv->separator && c != '\n' && c != EOF; c = getc_unlocked(csv->in))
        buf_addc(&csv->text, (char)c);
    if (c != csv->separator && csv->text.n > from && csv->text.p[csv->text.n - 1] == '\r')
        csv->text.n--;
    return c;
}

/* `end` is the last character read: the line is over, or the rest of it is skipped. */
static enum csv_result wrong(struct csv *csv, int end, struct err *err, const char *what)
{
    err_set(err, ERR_INVALID, "%s", what);
    if (end == '\n')
        csv->line++;
    else
        skip_line(csv);
    return CSV_WRONG;
}

static enum csv_result read_record(struct csv *csv, struct err *err)
{
    buf_clear(&csv->text);
    csv->n = 0;
    csv->record_line = csv->line + 1;
    for (;;) {
        int end = read_cell(csv);
        if (end == UNCLOSED)
            return wrong(csv, end, err, "a quoted cell is not closed before the end of the file");
        if (end == AFTER_QUOTE)
            return wrong(csv, end, err,
                         "text follows a closing quote; a quote inside a cell is written twice");
        if (csv->n == CSV_MAX_CELLS)
            return wrong(csv, end, err, "more than 256 cells");
        if (!buf_ok(&csv->text))
            return wrong(csv, end, err, "longer than 256 KiB");
        csv->ends[csv->n++] = csv->text.n;
        if (end == csv->separator)
            continue;
        csv->line += end == '\n';
        return end == EOF && csv->n == 1 && csv->text.n == 0 ? CSV_END : CSV_RECORD;
    }
}

enum csv_result csv_next(struct csv *csv, struct err *err)
{
    if (csv->separator == '\0')
        start(csv);
    enum csv_result result;
    do
        result = read_record(csv, err);
    while (result == CSV_RECORD && csv->n == 1 && csv->text.n == 0); /* an empty line */
    for (size_t i = 0; i < csv->n; i++) {
        size_t from = i > 0 ? csv->ends[i - 1] : 0;
        csv->cells[i] = span_of(csv->text.p + from, csv->ends[i] - from);
    }
    return result;
}
