/* A record of ivr.callbacks as the status worker reads it: body, then headers as name and value, each up to a
 * byte 0xFF. */
#include "tests/fuzz/fuzz.h"
#include "workers/status/reading.h"

enum { HEADERS_MAX = 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span rest = fuzz_input(data, size);
    struct span body = fuzz_part(&rest);
    struct kafka_header headers[HEADERS_MAX];
    size_t n = 0;
    while (rest.n > 0 && n < HEADERS_MAX) {
        headers[n].name = fuzz_part(&rest);
        headers[n].value = fuzz_part(&rest);
        n++;
    }
    struct callback_reading reading;
    struct err err = ERR_INIT;
    if (reading_read(&reading, headers, n, body, &err) == 0) {
        assert(reading.ref.id_n > 0 || reading.evidence.provider_call_id[0] != '\0');
        fuzz_check_evidence(&reading.evidence);
    } else {
        assert(err.text[0] != '\0');
    }
    return 0;
}
