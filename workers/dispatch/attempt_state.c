#include "workers/dispatch/attempt_state.h"

#define BIT(state) (1u << (state))

static const struct {
    const char *name;
    unsigned next; /* bits of the states that may follow */
} STATES[ATTEMPT_STATES] = {
    [ATTEMPT_FREE] = {"free", BIT(ATTEMPT_PARSED)},
    [ATTEMPT_PARSED] = {"parsed", BIT(ATTEMPT_CLAIMING) | BIT(ATTEMPT_QUEUEING) | BIT(ATTEMPT_LOOKING) |
                                      BIT(ATTEMPT_DEAD_LETTER) | BIT(ATTEMPT_FREE)},
    [ATTEMPT_QUEUEING] = {"queueing", BIT(ATTEMPT_FREE)},
    [ATTEMPT_LOOKING] = {"looking", BIT(ATTEMPT_READY) | BIT(ATTEMPT_QUEUEING) | BIT(ATTEMPT_CLAIMING) |
                                        BIT(ATTEMPT_FREE)},
    [ATTEMPT_READY] = {"ready", BIT(ATTEMPT_READY) | BIT(ATTEMPT_CLAIMING) | BIT(ATTEMPT_PLACING) |
                                    BIT(ATTEMPT_RECORDING) | BIT(ATTEMPT_FREE)},
    [ATTEMPT_CLAIMING] = {"claiming", BIT(ATTEMPT_CLAIMING) | BIT(ATTEMPT_CONTACT) | BIT(ATTEMPT_QUEUEING) |
                                          BIT(ATTEMPT_RECORDING) | BIT(ATTEMPT_DEAD_LETTER) |
                                          BIT(ATTEMPT_FREE)},
    [ATTEMPT_CONTACT] = {"contact", BIT(ATTEMPT_PLACING) | BIT(ATTEMPT_READY) | BIT(ATTEMPT_RECORDING)},
    [ATTEMPT_PLACING] = {"placing", BIT(ATTEMPT_LINKING) | BIT(ATTEMPT_RECORDING)},
    [ATTEMPT_LINKING] = {"linking", BIT(ATTEMPT_LINKING) | BIT(ATTEMPT_RECORDING)},
    [ATTEMPT_RECORDING] = {"recording", BIT(ATTEMPT_RECORDING) | BIT(ATTEMPT_CLAIMING) |
                                            BIT(ATTEMPT_DEAD_LETTER) | BIT(ATTEMPT_FREE)},
    [ATTEMPT_DEAD_LETTER] = {"dead letter", BIT(ATTEMPT_FREE)},
};

const char *attempt_state_name(enum attempt_state state)
{
    return STATES[state].name;
}

bool attempt_state_may_follow(enum attempt_state state, enum attempt_state before)
{
    return (STATES[before].next & BIT(state)) != 0;
}
