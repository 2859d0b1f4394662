/* The channels file as `ivrctl channels` shows it, with what Redis knows of each channel. Pure. */
#ifndef IVR_TOOLS_CHANNEL_LIST_H
#define IVR_TOOLS_CHANNEL_LIST_H

#include "common/buf.h"
#include "workers/providers/channels.h"
#include "workers/store/control.h"

/* What the file does not say of a channel. */
struct channel_live {
    enum control_state control; /* CONTROL_UNKNOWN: not heard */
};

/* `live`: one for each channel, in the file's order. A line a channel, then the calling hours, then the
 * tenants. */
void channel_list_text(struct buf *b, const struct channels *channels, const struct channel_live *live);
/* The same as one JSON object; `file` is its path. No secrets in either. */
void channel_list_json(struct buf *b, const struct channels *channels, const struct channel_live *live,
                       const char *file);

#endif
