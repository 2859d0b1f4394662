/*
 * How a channel stands, as this process knows: whether it takes calls, and whether the provider has accepted a request with
 * its settings. What changes is logged, and stands in the metrics.
 */
#ifndef IVR_CHANNEL_CHANNEL_STANDING_H
#define IVR_CHANNEL_CHANNEL_STANDING_H

#include "workers/channel/admission.h"

/* The settings of a channel that its queue works with. */
struct channel_limits {
    double calls_per_second; /* of all replicas; 0: no limit */
    int lines;               /* concurrent_calls, of all replicas; 0: no limit */
    int64_t request_timeout_ms;
    char fingerprint[CHANNEL_FINGERPRINT_LEN + 1]; /* of all its settings */
};

struct channel_standing {
    const char *channel; /* borrowed */
    enum channel_state state;
    int64_t epoch;  /* grows whenever the channel is closed */
    bool proved;    /* the provider has accepted a request with the settings as they are */
    int64_t proofs; /* how often that was so (struct admission_answer) */
    char code[64];  /* the label of M_CHANNEL_SHUT that is set; "": none */
};

/* Open and not proved, until Redis says otherwise. */
void channel_standing_init(struct channel_standing *standing, const char *channel);
/* `why`: the provider's code and words; kept in the metrics and the log. */
void channel_standing_set_state(struct channel_standing *standing, enum channel_state state, struct span why);
/* `in_file`: a channel that is gone from the channels file is not shown as one that lacks a proof. */
void channel_standing_set_proved(struct channel_standing *standing, bool proved, bool in_file);
/* Shows how many of the queued calls the rate and the lines would let go within the next second (M_USEFUL_WORK). `limits`
 * NULL: the channel is gone from the channels file. */
void channel_standing_show_useful(const struct channel_standing *standing,
                                  const struct channel_limits *limits, int64_t queued, int64_t lines);

#endif
