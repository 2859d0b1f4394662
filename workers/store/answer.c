#include "workers/store/answer.h"

#include <assert.h>

#include "common/run/log.h"
#include "workers/store/pack.h"

enum store_status store_status_of(const struct redis_result *result)
{
    switch (result->status) {
    case REDIS_OK:
        return STORE_OK;
    case REDIS_UNACKED:
        return STORE_UNACKED;
    case REDIS_LOST:
        return STORE_LOST;
    case REDIS_REFUSED:
        break;
    }
    return STORE_REFUSED;
}

static unsigned unknown(struct span answer)
{
    LOG_LIMITED(LOG_LEVEL_ERROR, "a script answered what this version does not know, nothing follows from it",
                LOG_SPAN("answer", answer));
    assert(!"a script answered what this version does not know");
    (void)answer;
    return 0;
}

unsigned answer_word(const msgpack_object *array, size_t i, const char *const *words, size_t n)
{
    struct span word = pack_get_span(array, i);
    for (unsigned k = 1; k < n; k++)
        if (span_is(word, words[k]))
            return k;
    return unknown(word);
}

unsigned answer_number(const msgpack_object *result, unsigned end)
{
    bool known = result->type == MSGPACK_OBJECT_POSITIVE_INTEGER && result->via.u64 < end;
    return known ? (unsigned)result->via.u64 + 1 : unknown(SPAN_LIT("a number"));
}
