#include "common/model/hop.h"

static const char *const names[HOP_COUNT] = {
    [HOP_MESSAGE_OUT] = "message_out",
    [HOP_DIALING] = "dialing",
    [HOP_CONNECTED] = "connected",
    [HOP_TERMINATE] = "terminate",
    [HOP_SESSION_COMPLETED] = "session_completed",
};

const char *hop_name(enum hop hop)
{
    return (unsigned)hop < HOP_COUNT ? names[hop] : NULL;
}
