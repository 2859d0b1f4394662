/*
 * A body in "Transfer-Encoding: chunked", decoded as it arrives. Pure, and as strict as httpd_head.h: sizes
 * are bare hexadecimal, lines end in CRLF. A line of size and extensions, and the trailer (read and
 * forgotten), are bounded: neither carries anything for us.
 */
#ifndef IVR_COMMON_HTTPD_CHUNKED_H
#define IVR_COMMON_HTTPD_CHUNKED_H

#include <stdint.h>

#include "common/base/span.h"

enum { CHUNKED_MAX_LINE = 256, CHUNKED_MAX_TRAILER = 4096 };

/* Private. All zeros: nothing was read yet. */
struct chunked {
    int state;
    unsigned digits;
    unsigned line_n;
    unsigned trailer_n;
    uint64_t left; /* of this chunk */
};

enum chunked_step { CHUNKED_MORE, CHUNKED_DATA, CHUNKED_END, CHUNKED_BAD };

/*
 * Moves `in` on. MORE: all of it was read, and the body goes on. DATA: *data is the next piece of the body,
 * inside `in`; call again. END: the body is over, what is left of `in` belongs to the next request. BAD: it
 * is no such body.
 */
enum chunked_step chunked_next(struct chunked *c, struct span *in, struct span *data);

#endif
