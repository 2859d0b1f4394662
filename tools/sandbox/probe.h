/* Whether something answers on this machine. Each blocks for at most a fraction of a second. */
#ifndef IVR_SANDBOX_PROBE_H
#define IVR_SANDBOX_PROBE_H

#include <stdbool.h>

#include "common/base/buf.h"

bool probe_unix(const char *path);
bool probe_tcp(int port);
/* GET: true with 200. Otherwise `why` (may be NULL) gets the body, on one row. */
bool probe_http(int port, const char *path, struct buf *why);
/* GET: true with 200, and `body` has what came (8 KiB at most). */
bool probe_get(int port, const char *path, struct buf *body);

#endif
