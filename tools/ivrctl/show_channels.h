/* The counts of a campaign's channels side by side, a row a status. Pure. */
#ifndef IVR_TOOLS_SHOW_CHANNELS_H
#define IVR_TOOLS_SHOW_CHANNELS_H

#include <jansson.h>

#include "common/base/buf.h"

/* Six columns of channels at most, in the summary's order; where it has more, the largest five and the rest
 * together as "others". The last column is all of them, with its shares. */
void show_channels(struct buf *out, const json_t *summary);

#endif
