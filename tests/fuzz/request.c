/* A call request from the topic: what is accepted means the same when it is written and read again. */
#include "common/model/request.h"
#include "tests/fuzz/fuzz.h"

static void written_and_read_again(const struct request *request)
{
    struct buf json;
    struct request again;
    struct err err = ERR_INIT;
    char field[64];
    bool not_json;
    buf_init(&json, 4 * REQUEST_MAX_BYTES);
    request_add_json(&json, request);
    assert(buf_ok(&json));
    assert(request_parse(&again, buf_span(&json), &err, field, &not_json) == 0);
    assert(memcmp(again.fingerprint, request->fingerprint, sizeof(again.fingerprint)) == 0);
    request_done(&again);
    buf_done(&json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct request request;
    struct err err = ERR_INIT;
    char field[64];
    bool not_json;
    if (request_parse(&request, fuzz_input(data, size), &err, field, &not_json) == 0)
        written_and_read_again(&request);
    else
        assert(err.text[0] != '\0');
    request_done(&request);
    return 0;
}
