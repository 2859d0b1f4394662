/* A query string as it came, and the token in it. Pure. */
#ifndef IVR_GATEWAY_QUERY_H
#define IVR_GATEWAY_QUERY_H

#include <stdbool.h>

#include "common/base/buf.h"
#include "common/base/span.h"

/* Appends the query without every parameter called "token", however its name is spelled; the rest byte for
 * byte. */
void query_add_without_token(struct buf *out, struct span query);
/* Appends the decoded value of the first "token"; false when there is none. */
bool query_add_token(struct buf *out, struct span query);

#endif
