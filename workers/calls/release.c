#include "workers/calls/release.h"

#include "workers/store/pack.h"

bool release_is(const msgpack_object *packed)
{
    return span_is(pack_get_span(packed, 0), "freed");
}

void release_read(struct release *release, const msgpack_object *packed)
{
    release->id = pack_get_span(packed, 1);
    release->claim_no = (int)pack_get_int(packed, 2);
    release->channel = pack_get_span(packed, 3);
    release->contact = pack_get_span(packed, 4);
    release->line = pack_get_int(packed, 5) != 0;
}
