/* The topics with the partitions and settings that `ivrctl topics create` gives them: the one table. */
#ifndef IVR_TOOLS_TOPICS_H
#define IVR_TOOLS_TOPICS_H

#include "common/run/settings.h"

enum { TOPICS_REPLICATION = 3, TOPICS_MIN_INSYNC = 2 };

struct topic_plan {
    enum settings_topic topic;
    const char *variable;
    int partitions;
    const char *retention_ms;          /* NULL: the broker's default does not matter */
    const char *max_compaction_lag_ms; /* NULL: the broker's */
    const char *cleanup_policy;        /* "delete", "compact" or "compact,delete" */
    const char *why;                   /* how long it is kept, and for what */
};

extern const struct topic_plan topic_plans[TOPIC_COUNT];

#endif
