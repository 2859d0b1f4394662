/* IVR_REDIS_URL. */
#include <stdlib.h>

#include "common/redis/redis_url.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct redis_address address;
    struct err err = ERR_INIT;
    char *url = strndup((const char *)data, size);
    if (redis_address_parse(&address, url, NULL, &err) != 0)
        assert(err.text[0] != '\0');
    redis_address_done(&address);
    free(url);
    return 0;
}
