/*
 * A form of Twilio's, and places to cut its signed text elsewhere (a byte each), up to a byte 0xFF. What has
 * the same signature says the same, or nothing (workers/providers/twilio/twilio_text.h).
 */
#include "common/base/url.h"
#include "tests/fuzz/fuzz.h"
#include "workers/providers/twilio/twilio.h"

enum { TEXT_MAX = 64 * 1024, CUTS_MAX = 64 };

static bool read_body(struct span body, struct evidence *ev)
{
    const struct callback callback = {.method = "POST", .body = body};
    return twilio_callback(&callback, ev, NULL) == 0;
}

static void add_cut(struct buf *body, struct span text, struct span cuts)
{
    for (size_t i = 0; i <= cuts.n && i < CUTS_MAX && text.n > 0; i++) {
        size_t n = i < cuts.n ? (uint8_t)cuts.p[i] : text.n;
        n = n < text.n ? n : text.n;
        if (i > 0)
            buf_addc(body, i % 2 == 0 ? '&' : '=');
        form_add_encoded(body, span_of(text.p, n));
        text = span_of(text.p + n, text.n - n);
    }
}

static void compare(const struct evidence *a, const struct evidence *b)
{
    assert(a->status == b->status && a->terminal == b->terminal && a->permanent == b->permanent);
    assert(a->hops == b->hops && a->at_ms == b->at_ms && a->talk_seconds == b->talk_seconds);
    assert(a->cost_micros == b->cost_micros && strcmp(a->currency, b->currency) == 0);
    assert(a->reason_kind == b->reason_kind && strcmp(a->reason_code, b->reason_code) == 0);
    assert(strcmp(a->reason_detail, b->reason_detail) == 0 && strcmp(a->hop_detail, b->hop_detail) == 0);
    assert(strcmp(a->provider_call_id, b->provider_call_id) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span rest = fuzz_input(data, size);
    struct span body = fuzz_part(&rest), cuts = fuzz_part(&rest);
    struct buf text, other, text_of_other;
    struct evidence meant, said;
    buf_init(&text, TEXT_MAX);
    buf_init(&other, 4 * TEXT_MAX);
    buf_init(&text_of_other, TEXT_MAX);
    twilio_add_signed_fields(&text, body);
    add_cut(&other, buf_span(&text), cuts);
    twilio_add_signed_fields(&text_of_other, buf_span(&other));
    if (span_eq(buf_span(&text), buf_span(&text_of_other)) && read_body(body, &meant) &&
        read_body(buf_span(&other), &said))
        compare(&meant, &said);
    buf_done(&text);
    buf_done(&other);
    buf_done(&text_of_other);
    return 0;
}
