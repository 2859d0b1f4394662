/* The hop log of an attempt is a set: each hop at most once, with the provider's earliest time and ours. */
#ifndef IVR_MODEL_HOP_H
#define IVR_MODEL_HOP_H

#include "common/base/span.h"

enum hop {
    HOP_MESSAGE_OUT,       /* the request may have left us; in doubt and refused attempts have it too */
    HOP_DIALING,           /* the provider dials, or the phone rings */
    HOP_CONNECTED,         /* somebody, or something, picked up */
    HOP_TERMINATE,         /* the leg ended; its cause is the detail */
    HOP_SESSION_COMPLETED, /* the provider's closing report */
    HOP_COUNT
};

/* Bits of a set of hops. */
#define HOP_BIT(hop) (1u << (hop))

/* "message_out"; static. NULL for what is no hop. */
const char *hop_name(enum hop hop);

#endif
