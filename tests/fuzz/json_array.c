/* A body of POST /v1/calls: an array's elements, cut out, are those that a whole parse has. */
#include "common/json/json_array.h"
#include "common/json/json.h"
#include "tests/fuzz/fuzz.h"

enum { MOST = 1024 * 1024 };

static json_t *parse_element(struct span text)
{
    struct buf wrapped;
    buf_init(&wrapped, MOST);
    buf_addc(&wrapped, '[');
    buf_addspan(&wrapped, text);
    buf_addc(&wrapped, ']');
    json_t *json = json_parse(buf_span(&wrapped), MOST, NULL);
    buf_done(&wrapped);
    return json;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = fuzz_input(data, size);
    struct json_array array;
    struct json_element element;
    enum json_array_step step = JSON_ARRAY_BAD;
    size_t n = 0;
    json_t *whole = json_parse(text, MOST, NULL);
    bool begun = json_array_begin(&array, text);
    while (begun && (step = json_array_next(&array, &element)) == JSON_ARRAY_ELEMENT) {
        assert(element.text.n > 0 && element.text.p >= text.p &&
               element.text.p + element.text.n <= text.p + text.n);
        if (whole != NULL) {
            json_t *one = parse_element(element.text);
            assert(one != NULL && json_equal(json_array_get(one, 0), json_array_get(whole, n)));
            json_decref(one);
        }
        n++;
    }
    if (whole != NULL && json_is_array(whole))
        assert(begun && step == JSON_ARRAY_END && n == json_array_size(whole));
    json_decref(whole);
    return 0;
}
