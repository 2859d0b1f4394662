#include "common/model/status.h"

static const char *const names[STATUS_COUNT] = {
    [STATUS_PENDING] = "Pending",
    [STATUS_GATEWAY_UNAVAILABLE] = "Gateway_unavailable",
    [STATUS_FAILED_UNKNOWN_REASON] = "Failed_unknown_reason",
    [STATUS_NO_ANSWER] = "No_answer",
    [STATUS_SUBSCRIBER_ABSENT] = "Subscriber_absent",
    [STATUS_USER_BUSY] = "User_busy",
    [STATUS_COMPLETED] = "Completed",
};

const char *status_name(enum call_status status)
{
    return (unsigned)status < STATUS_COUNT ? names[status] : NULL;
}

enum call_status status_parse(struct span name)
{
    for (int i = STATUS_PENDING; i < STATUS_COUNT; i++) {
        if (span_is(name, names[i]))
            return (enum call_status)i;
    }
    return STATUS_NONE;
}
