#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "common/json/json_memory.h"
#include "tools/ivrctl/row.h"

enum { COLUMNS = 8 };

/* The row as JSON, or the error's text; `header` and `cells` end with NULL. */
static void expect(const char *const *header, const char *const *cells, const char *expected)
{
    struct row_column columns[COLUMNS];
    struct span spans[COLUMNS];
    struct err err = ERR_INIT;
    size_t columns_n = 0, n = 0;
    for (; header[columns_n] != NULL; columns_n++)
        spans[columns_n] = span_str(header[columns_n]);
    assert_int_equal(row_header_read(columns, spans, columns_n, false, &err), 0);
    for (; cells[n] != NULL; n++)
        spans[n] = span_str(cells[n]);
    json_t *row = row_to_json(columns, columns_n, spans, n, &err);
    char *text = row != NULL ? json_dumps(row, JSON_COMPACT) : NULL;
    assert_string_equal(text != NULL ? text : err.text, expected);
    json_memory_free(text);
    json_decref(row);
}

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

static void columns_name_fields_and_dots_go_down(void **state)
{
    (void)state;
    expect(LIST("to", "message.say", "retry.max_attempts", "metadata.farmer"), LIST("+1", "Hi", "3", "9"),
           "{\"to\":\"+1\",\"message\":{\"say\":\"Hi\"},\"retry\":{\"max_attempts\":3},\"metadata\":{"
           "\"farmer\":\"9\"}}");
    expect(LIST(" to ", "say", "language"), LIST(" +1 ", "Hi, you", "sw-KE"),
           "{\"to\":\"+1\",\"message\":{\"say\":\"Hi, you\",\"language\":\"sw-KE\"}}");
}

static void empty_and_missing_cells_are_absent_fields(void **state)
{
    (void)state;
    expect(LIST("to", "say", "language", "priority"), LIST("+1", "", "  "), "{\"to\":\"+1\"}");
}

static void numbers_lists_and_yes_or_no_have_their_types(void **state)
{
    (void)state;
    expect(LIST("retry.on", "retry.delays", "calling_hours.days", "redial_in_doubt", "priority"),
           LIST("No_answer User_busy", "60; 300|1800", "mon,tue", "yes", "0"),
           "{\"retry\":{\"on\":[\"No_answer\",\"User_busy\"],\"delays\":[60,300,1800]},\"calling_hours\":{"
           "\"days\":["
           "\"mon\",\"tue\"]},\"redial_in_doubt\":true,\"priority\":0}");
}

static void a_cell_that_does_not_fit_is_named_by_its_field(void **state)
{
    (void)state;
    expect(LIST("retry.max_attempts"), LIST("three"), "retry.max_attempts: expected a whole number");
    expect(LIST("priority"), LIST("1.5"), "priority: expected a whole number");
    expect(LIST("redial_in_doubt"), LIST("maybe"), "redial_in_doubt: expected true or false");
    expect(LIST("retry.delays"), LIST("60 x"),
           "retry.delays: expected a list of whole numbers with spaces between");
    expect(LIST("say"), LIST("\xFF"), "message.say: expected UTF-8 text");
    expect(LIST("to"), LIST("+1", "extra"),
           "2 cells, but the header has 1; a comma inside a cell needs quotes around it");
}

/* What is said of a header, "" where nothing is. */
static const char *said_of(bool ignore, const char *const *header)
{
    static struct err err;
    struct row_column columns[COLUMNS];
    struct span spans[COLUMNS];
    size_t n = 0;
    for (; header[n] != NULL; n++)
        spans[n] = span_str(header[n]);
    err = (struct err)ERR_INIT;
    int rc = row_header_read(columns, spans, n, ignore, &err);
    assert_int_equal(rc, err.text[0] != '\0' ? ERR_INVALID : 0);
    return err.text;
}

static void a_column_that_is_no_field_is_refused_or_left_out(void **state)
{
    (void)state;
    struct row_column column;
    assert_non_null(strstr(said_of(false, LIST("to", "phone")), "\"phone\""));
    assert_non_null(strstr(said_of(false, LIST("metadata.")), "\"metadata.\""));
    assert_int_equal(row_header_read(&column, &SPAN_LIT("phone"), 1, true, NULL), 0);
    assert_int_equal(column.kind, ROW_IGNORED);
}

static void two_columns_of_one_field_are_refused_by_name(void **state)
{
    (void)state;
    static const char *const fine[] = {"to", "from", "say", "metadata.a", "metadata.b", "", "", NULL};
    assert_string_equal(said_of(false, LIST("to", "say", " to ")),
                        "column \"to\" is there twice (columns 1 and 3)");
    assert_string_equal(said_of(true, LIST("to", "x", "to")),
                        "column \"to\" is there twice (columns 1 and 3)");
    assert_string_equal(said_of(false, LIST("say", "to", "message.say")),
                        "columns \"say\" and \"message.say\" are the same field");
    assert_non_null(strstr(said_of(false, LIST("metadata.a", "metadata.b", "metadata.a")), "\"metadata.a\""));
    assert_string_equal(said_of(false, fine), "");
    assert_string_equal(said_of(true, LIST("x", "x", "to")), "");
}

static void data_under_a_column_without_a_name_is_refused(void **state)
{
    (void)state;
    static const char middle[] =
        "column 2: data under a column without a name; name it in the header, or leave such "
        "columns out with --ignore-columns";
    expect(LIST("to", "", "say"), LIST("+1", "lost", "Hi"), middle);
    expect(LIST("to", " ", "say"), LIST("+1", "lost"), middle);
    expect(LIST("to", "", "say"), LIST("+1", "  ", "Hi"), "{\"to\":\"+1\",\"message\":{\"say\":\"Hi\"}}");
    expect(LIST("to"), LIST("+1", "", ""), "{\"to\":\"+1\"}");
    struct row_column columns[2];
    const struct span names[] = {SPAN_LIT("to"), SPAN_LIT("")}, cells[] = {SPAN_LIT("+1"), SPAN_LIT("lost")};
    assert_int_equal(row_header_read(columns, names, 2, true, NULL), 0);
    json_t *row = row_to_json(columns, 2, cells, 2, NULL);
    assert_int_equal(json_object_size(row), 1);
    json_decref(row);
}

static const char *id_of(json_t *request)
{
    return json_string_value(json_object_get(request, "call_id"));
}

static void a_made_call_id_follows_from_the_content_alone(void **state)
{
    (void)state;
    json_t *one = json_pack("{s:s,s:s}", "to", "+1", "campaign", "a");
    json_t *same = json_pack("{s:s,s:s}", "campaign", "a", "to", "+1");
    json_t *other = json_pack("{s:s,s:s}", "campaign", "b", "to", "+1");
    assert_true(row_add_call_id(one));
    assert_true(row_add_call_id(same));
    assert_true(row_add_call_id(other));
    assert_string_equal(id_of(one), id_of(same));
    assert_string_not_equal(id_of(one), id_of(other));
    assert_int_equal(strlen(id_of(one)), 36);
    assert_int_equal(id_of(one)[14], '8');
    json_decref(one);
    json_decref(same);
    json_decref(other);
}

static void a_given_call_id_stays(void **state)
{
    (void)state;
    json_t *request = json_pack("{s:s}", "call_id", "mine");
    assert_false(row_add_call_id(request));
    assert_string_equal(id_of(request), "mine");
    json_decref(request);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_name_fields_and_dots_go_down),
        cmocka_unit_test(empty_and_missing_cells_are_absent_fields),
        cmocka_unit_test(numbers_lists_and_yes_or_no_have_their_types),
        cmocka_unit_test(a_cell_that_does_not_fit_is_named_by_its_field),
        cmocka_unit_test(a_column_that_is_no_field_is_refused_or_left_out),
        cmocka_unit_test(two_columns_of_one_field_are_refused_by_name),
        cmocka_unit_test(data_under_a_column_without_a_name_is_refused),
        cmocka_unit_test(a_made_call_id_follows_from_the_content_alone),
        cmocka_unit_test(a_given_call_id_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
