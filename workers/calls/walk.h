/*
 * A walk over all calls that Redis keeps, a page at a time: for what no index can tell
 * (workers/dispatch/mend.h). Over each server by itself, in no order; a call that comes or goes meanwhile may
 * be met or not.
 */
#ifndef IVR_CALLS_WALK_H
#define IVR_CALLS_WALK_H

#include "common/base/span.h"
#include "workers/store/store.h"

enum { WALK_PAGE = 256, WALK_CURSOR_MAX = 24 };

/* One walker at a time, and a pause between two walks: the right to walk for `ms`, kept in Redis. WALK_BEGIN
 * has it where nobody has (nor has paused), WALK_KEEP has it for longer, from now. `granted` with STORE_OK. */
enum walk_right { WALK_NOTHING, WALK_BEGIN, WALK_KEEP };
typedef void (*walk_right_fn)(enum store_status status, bool granted, void *arg);
void walk_right(struct store *store, enum walk_right what, int64_t ms, walk_right_fn fn, void *arg);

/* A page of the nth server's calls (0: the only one, or a cluster's first primary), from a cursor on, "0"
 * first. redis_servers() of them there are. `ids`: "tenant/call_id". The next cursor is "0" after the last
 * page. */
struct walk_page {
    struct span cursor;
    const struct span *ids;
    size_t n;
};
typedef void (*walk_page_fn)(enum store_status status, const struct walk_page *page, void *arg);
void walk_page(struct store *store, size_t server, struct span cursor, walk_page_fn fn, void *arg);

/* Mends what stands in no index (mend.lua). `mended`: "" or which index. */
typedef void (*walk_mend_fn)(enum store_status status, struct span mended, void *arg);
void walk_mend(struct store *store, struct span id, walk_mend_fn fn, void *arg);

#endif
