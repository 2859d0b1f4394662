/* Who may use /v1: the bearer of IVR_API_TOKEN. Pure. */
#ifndef IVR_GATEWAY_ACCESS_H
#define IVR_GATEWAY_ACCESS_H

#include <stdbool.h>

#include "common/base/span.h"

/* `authorization` is the header's value, SPAN_NONE without; `token` is not NULL. The time taken says nothing
 * of where they differ. */
bool access_granted(struct span authorization, const char *token);

#endif
