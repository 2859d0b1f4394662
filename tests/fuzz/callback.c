/* A provider's callback: body, query, content type and signature header, each up to a byte 0xFF. */
#include "common/base/err.h"
#include "tests/fuzz/fuzz.h"
#include "workers/providers/channels.h"

static struct span signature;

static struct span header(const struct callback *callback, const char *name)
{
    (void)callback;
    (void)name;
    return signature;
}

static void read_evidence(const struct provider *provider, const struct callback *callback)
{
    struct evidence ev;
    struct err err = ERR_INIT;
    if (provider->callback(callback, &ev, &err) == 0)
        fuzz_check_evidence(&ev);
    else
        assert(err.text[0] != '\0');
}

static void read_ids(const struct provider *provider, const struct callback *callback)
{
    struct buf text;
    buf_init(&text, 1024 * 1024);
    if (provider->callback_id(callback, &text))
        assert(text.n > 0);
    buf_clear(&text);
    if (provider->callback_ref && provider->callback_ref(callback, &text))
        assert(buf_ok(&text));
    if (provider->callback_asks)
        (void)provider->callback_asks(callback);
    buf_done(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct channel *channel = fuzz_channel(FUZZ_NAME(FUZZ_PROVIDER));
    struct span rest = fuzz_input(data, size);
    struct callback callback = {.method = size % 2 ? "POST" : "GET", .header = header};
    callback.body = fuzz_part(&rest);
    callback.query = fuzz_part(&rest);
    callback.content_type = fuzz_part(&rest);
    signature = fuzz_part(&rest);
    callback.target = SPAN_LIT("/callbacks/x/main");
    read_evidence(channel->provider, &callback);
    read_ids(channel->provider, &callback);
    if (channel->provider->verify)
        assert(channel->provider->verify(channel, SPAN_LIT("https://ivr.example.org"), &callback) !=
               VERIFIED_TOKEN);
    return 0;
}
