/* Which call ids a file had so far, and with what content: 24 bytes and the table's room a call. */
#ifndef IVR_TOOLS_SEEN_H
#define IVR_TOOLS_SEEN_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/span.h"
#include "common/model/request.h"

enum seen_what { SEEN_NEW, SEEN_SAME, SEEN_OTHER };

struct seen_entry {
    uint64_t id;      /* digest of tenant/call_id, never 0 */
    uint64_t content; /* the first bytes of the request's fingerprint */
    size_t line;
};

struct seen {
    struct seen_entry *entries; /* open addressing; `size` is a power of two */
    size_t size, n;
};

void seen_init(struct seen *seen);
void seen_done(struct seen *seen);
/* Remembers the request of that line. SEEN_SAME, SEEN_OTHER: `first_line` had its id with the same, or other,
 * content. */
enum seen_what seen_add(struct seen *seen, const struct request *request, size_t line, size_t *first_line);

#endif
