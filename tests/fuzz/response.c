/* A provider's replies: to a placement, and to a look-up. The first two bytes are the HTTP status. */
#include "tests/fuzz/fuzz.h"
#include "workers/providers/channels.h"

static void read_placement(const struct channel *channel, int status, struct span body)
{
    struct placed out;
    channel->provider->placed(channel, status, body, &out);
    fuzz_check_evidence(&out.evidence);
    switch (out.kind) {
    case PLACED_ACCEPTED:
        assert(out.evidence.provider_call_id[0] != '\0' && out.evidence.status == STATUS_PENDING);
        return;
    case PLACED_IN_DOUBT:
        assert(out.evidence.status == STATUS_GATEWAY_UNAVAILABLE);
        return;
    case PLACED_REFUSED:
    case PLACED_REFUSED_FOR_NOW:
        assert(out.evidence.status == STATUS_FAILED_UNKNOWN_REASON && out.evidence.terminal);
        return;
    case PLACED_NOT_NOW:
    case PLACED_CHANNEL:
        assert(status >= 200);
        return;
    case PLACED_NOTHING:
        break;
    }
    assert(!"a kind of its own");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct evidence ev;
    const struct channel *channel = fuzz_channel(FUZZ_NAME(FUZZ_PROVIDER));
    if (size < 2)
        return 0;
    int status = 200 + (data[0] << 8 | data[1]) % 400;
    struct span body = span_of((const char *)data + 2, size - 2);
    read_placement(channel, status, body);
    if (channel->provider->found) {
        struct doubt doubt = {.to = SPAN_LIT("+254722000111"),
                              .from = SPAN_LIT("+254711082000"),
                              .from_ms = INT64_C(1795373445000),
                              .to_ms = INT64_C(1795373465000)};
        channel->provider->found(channel, &doubt, status, body, &ev);
        fuzz_check_evidence(&ev);
    }
    if (channel->provider->looked_up) {
        channel->provider->looked_up(channel, status, body, &ev);
        fuzz_check_evidence(&ev);
    }
    return 0;
}
