/*
 * What the simulator may do to a call: outcomes by weight, faults by probability, and both by number pattern.
 * All of it can be changed while it runs (PUT /_sim/faults); sim_decide() then turns a placement into its
 * fate. Pure: no clock, no I/O.
 */
#ifndef IVR_SIMULATOR_SWITCHES_H
#define IVR_SIMULATOR_SWITCHES_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/span.h"
#include "tests/simulator/chance.h"

/* How a call that exists ends. ABSENT: the network could not reach the phone (Twilio: no-answer with SIP
 * 480). */
enum sim_outcome {
    SIM_COMPLETED,
    SIM_NO_ANSWER,
    SIM_BUSY,
    SIM_ABSENT,
    SIM_FAILED,
    SIM_CANCELED,
    SIM_OUTCOMES
};

/* Faults of the first response stand first: of those one applies, the earliest in this order. sim_faults[]
 * says what each does. */
enum sim_fault {
    SIM_TIMEOUT,
    SIM_RESET,
    SIM_CLOSE,
    SIM_GARBAGE,
    SIM_500,
    SIM_429,
    SIM_503,
    SIM_401,
    SIM_REFUSED,
    SIM_LIMIT,
    SIM_FAILED_REPLY,
    SIM_EARLY, /* the first that concerns callbacks */
    SIM_DUPLICATE,
    SIM_REORDER,
    SIM_LATE,
    SIM_NEVER,
    SIM_NO_FINAL,
    SIM_UNKNOWN,
    SIM_UNKNOWN_MIDWAY,
    SIM_SHORT_URL,
    SIM_FAULTS
};

/* Whether the phone rings although the caller was not told so. */
enum sim_exists { SIM_EXISTS, SIM_EXISTS_MAYBE, SIM_EXISTS_NOT };

struct sim_fault_row {
    const char *name; /* in options, JSON and the placement log */
    enum sim_exists exists;
    const char *what; /* a sentence for --help */
};

extern const struct sim_fault_row sim_faults[SIM_FAULTS];
extern const char *const sim_outcome_names[SIM_OUTCOMES];

#define SIM_BIT(fault) (UINT32_C(1) << (fault))

/*
 * What numbers with a certain end get. Words, comma separated: an outcome ("busy", with its SIP code
 * "busy/603", "failed/0" for none) and faults ("429", or "429:2": only the first two placements to the
 * number).
 */
struct sim_pattern {
    char suffix[24];
    size_t suffix_n;
    int outcome;                /* -1: by weights */
    int sip;                    /* -1: as usual for the outcome, 0: none */
    uint32_t times[SIM_FAULTS]; /* 0: not this fault; UINT32_MAX: always */
};

/* In which callbacks a provider that echoes our reference in a field does so. */
enum sim_echo { SIM_ECHO_ALL, SIM_ECHO_FINAL, SIM_ECHO_NONE, SIM_ECHOES };

enum { SIM_PATTERNS = 64 };

struct sim_switches {
    double fault[SIM_FAULTS];
    double place_lost;  /* probability that a call exists whose response is lost or broken */
    double speed;       /* life of calls runs this many times faster; HTTP time-outs and retries do not */
    bool callbacks;     /* false: no request leaves the simulator */
    enum sim_echo echo; /* of Africa's Talking's clientRequestId */
    int64_t late_ms;    /* not scaled by speed */
    struct sim_range latency_ms, ring_ms, talk_ms;
    unsigned weights[SIM_OUTCOMES];
    struct sim_pattern patterns[SIM_PATTERNS]; /* later ones are looked at first */
    size_t patterns_n;
};

/* The defaults, and the built-in patterns of the numbers ...9900NN (simulator.h). */
void sim_switches_init(struct sim_switches *switches);

/* One switch by its name: a fault, "place_lost", "speed", "callbacks" (on, off), "client_request_id" (all,
 * final, none), "late_ms", "latency_ms", "ring_ms", "talk_ms", "outcomes" ("completed=70,busy=30").
 * ERR_INVALID names the switch and what was expected. */
int sim_switch_set(struct sim_switches *switches, struct span name, struct span value, struct err *err);
/* A number pattern ("0042", "busy,late"); the same suffix again replaces. Empty words remove it. */
int sim_pattern_set(struct sim_switches *switches, struct span suffix, struct span words, struct err *err);
/* A JSON object of switches, with "numbers": {"0042": "busy,late"} for patterns and "outcomes" also as an
 * object. What is not named stays. All or nothing: an error changes nothing. */
int sim_switches_apply(struct sim_switches *switches, struct span json, struct err *err);
/* The present values in the same form. */
void sim_switches_show(const struct sim_switches *switches, struct buf *out);

/* What a placement is, as far as its fate goes. */
struct sim_asked {
    uint64_t seed;
    struct span to;
    struct span identity;  /* the attempt: the status callback URL without its fragment */
    uint32_t nth_to;       /* placements to this number before this one */
    uint32_t nth_identity; /* placements of this attempt before this one */
};

struct sim_fate {
    enum sim_outcome outcome;
    int sip;         /* 0: none reported */
    uint32_t faults; /* SIM_BIT()s */
    bool exists;     /* the phone is dialled */
    uint64_t dice;   /* for further draws of this attempt */
    int64_t latency_ms, ring_ms, talk_ms;
};

struct sim_fate sim_decide(const struct sim_switches *switches, const struct sim_asked *asked);

static inline bool sim_has(const struct sim_fate *fate, enum sim_fault fault)
{
    return fate->faults & SIM_BIT(fault);
}
/* The fault of the first response, or SIM_FAULTS for none. */
enum sim_fault sim_reply_fault(const struct sim_fate *fate);

#endif
