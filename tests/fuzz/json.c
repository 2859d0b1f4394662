/* JSON of people, producers and strangers: each takes what the one before takes, and what was read and
 * written again is JSON, and the same. */
#include "common/json/json.h"
#include "tests/fuzz/fuzz.h"

enum { TEXT_MAX = 8 * 1024 * 1024 };

/* In a list of its own, because strictly a document is none of the scalars. */
static void add_document(struct buf *b, const json_t *value)
{
    buf_init(b, TEXT_MAX);
    buf_addc(b, '[');
    json_value(b, value, JSON_SORTED);
    buf_addc(b, ']');
    assert(buf_ok(b) && span_utf8(buf_span(b)));
}

static void written_and_read_again(const json_t *value)
{
    struct buf text, same;
    struct err err = ERR_INIT;
    add_document(&text, value);
    json_t *again = json_parse(buf_span(&text), TEXT_MAX, &err);
    assert(again || err.code == ERR_LIMIT);
    if (again) {
        add_document(&same, json_array_get(again, 0));
        assert(span_eq(buf_span(&text), buf_span(&same)));
        buf_done(&same);
    }
    json_decref(again);
    buf_done(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum json_manner manners[] = {JSON_READ_STRICT, JSON_READ_LENIENT, JSON_READ_FOREIGN};
    struct span text = fuzz_input(data, size);
    bool taken = false;
    for (size_t i = 0; i < sizeof(manners) / sizeof(manners[0]); i++) {
        struct err err = ERR_INIT;
        json_t *value = json_read(text, size, manners[i], &err);
        bool scalar =
            taken && !value && manners[i] == JSON_READ_FOREIGN; /* a request may be one, a reply not */
        assert(value || err.text[0] != '\0');
        assert(value || !taken || scalar);
        taken = value != NULL;
        if (value)
            written_and_read_again(value);
        json_decref(value);
    }
    return 0;
}
