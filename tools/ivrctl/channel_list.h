/* The channels file as `ivrctl channels` shows it, with what Redis knows of each channel. Pure. */
#ifndef IVR_TOOLS_CHANNEL_LIST_H
#define IVR_TOOLS_CHANNEL_LIST_H

#include "common/base/buf.h"
#include "workers/calls/control.h"
#include "workers/channel/admission.h"
#include "workers/providers/channels.h"

/* What the file does not say of a channel. */
struct channel_live {
    enum control_state control; /* CONTROL_UNKNOWN: not heard */
    bool heard;                 /* the rest is known */
    enum channel_state state;
    char why[320];    /* "" while it is open */
    int64_t since_ms; /* wall; 0 while it is open */
    int64_t queued;   /* calls that wait their turn */
    int64_t lines;    /* in use, where they are counted */
};

/* `live`: one for each channel, in the file's order. A line a channel, then the calling hours, then the
 * tenants. */
void channel_list_text(struct buf *b, const struct channels *channels, const struct channel_live *live);
/* The same as one JSON object; `file` is its path. No secrets in either. */
void channel_list_json(struct buf *b, const struct channels *channels, const struct channel_live *live,
                       const char *file);

#endif
