/* Times, durations and phone numbers: what is read and written again reads the same. */
#include "common/base/clock.h"
#include "common/base/phone.h"
#include "tests/fuzz/fuzz.h"

static void times(struct span text)
{
    int64_t at, again;
    char shown[CLOCK_RFC3339_LEN + 1];
    if (clock_parse_rfc3339(text, &at)) {
        clock_rfc3339(at, shown);
        if (at >= 0)
            assert(clock_parse_rfc3339(span_str(shown), &again) && again == at);
    }
    (void)clock_parse_rfc2822(text, &at);
}

static void durations(struct span text)
{
    int64_t ms, again;
    struct buf shown;
    if (!clock_parse_duration(text, &ms))
        return;
    buf_init(&shown, 64);
    clock_add_duration(&shown, ms);
    assert(clock_parse_duration(buf_span(&shown), &again) && again == ms);
    buf_done(&shown);
}

/* Whatever stands in a sentence: no run of digits long enough to dial survives the mask. */
static void phones(struct span text)
{
    struct buf masked;
    buf_init(&masked, 1024 * 1024);
    phone_add_masked_text(&masked, text, PHONE_MASK, SPAN_NONE);
    buf_done(&masked);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = fuzz_input(data, size);
    times(text);
    durations(text);
    phones(text);
    return 0;
}
