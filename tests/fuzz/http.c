/* The head of a request, and a chunked body, each up to a byte 0xFF. */
#include "common/http/httpd_chunked.h"
#include "common/http/httpd_head.h"
#include "tests/fuzz/fuzz.h"

static bool has_line_end(struct span text)
{
    return text.n > 0 && (memchr(text.p, '\r', text.n) != NULL || memchr(text.p, '\n', text.n) != NULL);
}

static void check_head(const struct httpd_head *head)
{
    assert(head->method[0] != '\0' && head->target.n > 0);
    assert(!(head->chunked && head->length > 0));
    assert(head->host.p != NULL || head->http_1_0);
    assert(!has_line_end(head->target) && !has_line_end(head->host));
    assert(httpd_head_field(head, "").p == NULL);
    for (size_t i = 0; i < head->fields_n; i++) {
        const struct httpd_field *field = &head->fields[i];
        assert(!has_line_end(span_of(head->text + field->name_at, field->name_n)));
        assert(!has_line_end(span_of(head->text + field->value_at, field->value_n)));
    }
}

static void read_head(struct span text)
{
    struct httpd_head head;
    const char *why = NULL;
    size_t looked = 0, end = httpd_head_end(text, &looked);
    if (end == 0 || end == SIZE_MAX)
        return;
    assert(end <= text.n && memcmp(text.p + end - 4, "\r\n\r\n", 4) == 0);
    if (httpd_head_read(&head, span_of(text.p, end), &why) == 0)
        check_head(&head);
    else
        assert(why != NULL);
}

/* The same comes out however the bytes are cut. */
static enum chunked_step decode(struct span text, size_t step, struct buf *out)
{
    struct chunked c = {0};
    enum chunked_step what = CHUNKED_MORE;
    while (text.n > 0 && what == CHUNKED_MORE) {
        size_t n = text.n < step ? text.n : step;
        struct span in = span_of(text.p, n), data;
        while ((what = chunked_next(&c, &in, &data)) == CHUNKED_DATA)
            buf_addspan(out, data);
        text = span_of(text.p + n, text.n - n);
    }
    return what;
}

static void read_chunks(struct span text)
{
    struct buf whole, bytewise;
    buf_init(&whole, text.n + 1);
    buf_init(&bytewise, text.n + 1);
    enum chunked_step first = decode(text, text.n + 1, &whole), second = decode(text, 1, &bytewise);
    assert(first == second && span_eq(buf_span(&whole), buf_span(&bytewise)));
    buf_done(&whole);
    buf_done(&bytewise);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span rest = fuzz_input(data, size);
    read_head(fuzz_part(&rest));
    read_chunks(fuzz_part(&rest));
    return 0;
}
