#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tools/ivrctl/csv.h"

/* One record as "a|b|c", "END", or "WRONG: why". */
static void expect(struct csv *csv, size_t line, const char *expected)
{
    struct err err = ERR_INIT;
    struct buf b;
    buf_init(&b, 4096);
    switch (csv_next(csv, &err)) {
    case CSV_END:
        buf_adds(&b, "END");
        break;
    case CSV_WRONG:
        buf_addf(&b, "WRONG: %s", err.text);
        break;
    case CSV_RECORD:
        for (size_t i = 0; i < csv->n; i++)
            buf_addf(&b, "%s%.*s", i > 0 ? "|" : "", SPAN_ARG(csv->cells[i]));
        break;
    }
    assert_string_equal(b.p, expected);
    if (line > 0)
        assert_int_equal(csv->record_line, line);
    buf_done(&b);
}

static FILE *file_of(struct csv *csv, const char *text)
{
    FILE *file = tmpfile();
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    rewind(file);
    csv_init(csv, file);
    return file;
}

static void close_file(struct csv *csv, FILE *file)
{
    csv_done(csv);
    fclose(file);
}

static void cells_may_be_quoted_and_hold_quotes_separators_and_lines(void **state)
{
    (void)state;
    struct csv csv;
    FILE *file = file_of(&csv, "to,say\n+1,\"Maize, \"\"dry\"\"\nis 45\"\n+2,plain \"inside\"\n");
    expect(&csv, 1, "to|say");
    expect(&csv, 2, "+1|Maize, \"dry\"\nis 45");
    expect(&csv, 4, "+2|plain \"inside\"");
    expect(&csv, 0, "END");
    expect(&csv, 0, "END");
    close_file(&csv, file);
}

static void what_spreadsheets_write_is_understood(void **state)
{
    (void)state;
    struct csv csv;
    FILE *file = file_of(&csv, "\xEF\xBB\xBFto;say\r\n+1;a,b\r\n\r\n+2;\"c;d\"\r\n+3;");
    expect(&csv, 1, "to|say");
    expect(&csv, 2, "+1|a,b");
    expect(&csv, 4, "+2|c;d");
    expect(&csv, 5, "+3|");
    expect(&csv, 0, "END");
    close_file(&csv, file);
    file = file_of(&csv, "to\tsay\n+1\tx\n");
    expect(&csv, 1, "to|say");
    expect(&csv, 2, "+1|x");
    close_file(&csv, file);
}

static void one_column_needs_no_separator(void **state)
{
    (void)state;
    struct csv csv;
    FILE *file = file_of(&csv, "to\n+1\n+2");
    expect(&csv, 1, "to");
    expect(&csv, 2, "+1");
    expect(&csv, 3, "+2");
    expect(&csv, 0, "END");
    close_file(&csv, file);
}

static void an_empty_file_has_no_record(void **state)
{
    (void)state;
    struct csv csv;
    FILE *file = file_of(&csv, "");
    expect(&csv, 0, "END");
    close_file(&csv, file);
    file = file_of(&csv, "\n\n\n");
    expect(&csv, 0, "END");
    close_file(&csv, file);
}

static void what_follows_a_wrong_record_is_read(void **state)
{
    (void)state;
    struct csv csv;
    FILE *file = file_of(&csv, "a,b\n\"x\"y,2\n3,4\n\"never closed\n5,6\n");
    expect(&csv, 1, "a|b");
    expect(&csv, 2, "WRONG: text follows a closing quote; a quote inside a cell is written twice");
    expect(&csv, 3, "3|4");
    expect(&csv, 4, "WRONG: a quoted cell is not closed before the end of the file");
    expect(&csv, 0, "END");
    close_file(&csv, file);
}

static void records_and_cells_are_bounded(void **state)
{
    (void)state;
    struct csv csv;
    FILE *file = tmpfile();
    fputs("a,b\n", file);
    for (int i = 0; i < CSV_MAX_CELLS; i++)
        fputs("x,", file);
    fputs("\n1,2\n", file);
    for (int i = 0; i < CSV_MAX_RECORD + 10; i++)
        fputc('x', file);
    fputs(",2\n3,4\n", file);
    rewind(file);
    csv_init(&csv, file);
    expect(&csv, 1, "a|b");
    expect(&csv, 2, "WRONG: more than 256 cells");
    expect(&csv, 3, "1|2");
    expect(&csv, 4, "WRONG: longer than 256 KiB");
    expect(&csv, 5, "3|4");
    expect(&csv, 0, "END");
    close_file(&csv, file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cells_may_be_quoted_and_hold_quotes_separators_and_lines),
        cmocka_unit_test(what_spreadsheets_write_is_understood),
        cmocka_unit_test(one_column_needs_no_separator),
        cmocka_unit_test(an_empty_file_has_no_record),
        cmocka_unit_test(what_follows_a_wrong_record_is_read),
        cmocka_unit_test(records_and_cells_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
