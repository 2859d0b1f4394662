/*
 * ivr-simulator: a voice provider to test against. It takes placements, lets calls ring, be answered and end,
 * and reports on them as the real provider does: signed, in its order, with its retries. And it can do what a
 * real one does on a bad day, on demand. What it saw, it counts: above all how often each attempt was
 * dialled.
 *
 * Parts. The core (sim.c, life.c, deliver.c) knows calls, outcomes, moments, faults and counters, and nothing
 * of any provider's words. A provider's speech is one struct sim_speech (twilio.c, africastalking.c,
 * vonage.c; what each posts is in its _report.c): it parses a placement, writes the replies, writes and signs
 * the callbacks. Adding a provider is that and a line in sim_speeches[]. README.md has what each word is in
 * each language.
 *
 * ---- the life of a call ----
 *
 *     QUEUED --> INITIATED --> RINGING --> ANSWERED --> ENDED        completed
 *                                     \--> ENDED                     no-answer, busy, canceled
 *                         \--> ENDED                                 absent, failed: the phone never rang
 *     REFUSED                                                        there is no call: 429, 401, ...
 *
 * It begins when the response leaves (or would have left), with the fault `early` when the placement arrives.
 * Every delay of it is divided by `speed`; the response's latency, HTTP time-outs, retries and late_ms are
 * not. At the answer the instructions are asked for (Url, then FallbackUrl; or Twiml; answer_url or ncco; or
 * with the callback itself) and must look like an answer document.
 *
 * ---- chance ----
 *
 * Outcome, durations and faults are hashes of the seed, the number called and the attempt's identity (the
 * status callback URL without its fragment, or a reference that the provider echoes), and not of time or
 * order: the same seed and calls repeat a run. For faults the count of placements of that attempt is hashed
 * in too, so that a 429 does not meet the same attempt for ever.
 *
 * ---- numbers that force something (any prefix; the last digits decide) ----
 *
 *     ...990000 completed        ...990020 timeout            ...990040 early
 *     ...990001 busy             ...990021 reset              ...990041 duplicate
 *     ...990002 no-answer        ...990022 close              ...990042 reorder
 *     ...990003 absent           ...990023 garbage            ...990043 late
 *     ...990004 failed, 404      ...990024 500                ...990044 never
 *     ...990005 canceled         ...990025 429, once          ...990045 no_final
 *     ...990006 failed, 503      ...990026 503, once          ...990046 unknown
 *     ...990007 busy, 603        ...990027 401, once          ...990047 unknown_midway
 *     ...990008 failed, no SIP   ...990028 refused            ...990048 short_url
 *                                ...990029 limit, once        ...990049 short_url and early
 *                                ...990030 failed_reply
 *
 * Others with --number or "numbers" in PUT /_sim/faults. switches.h and `ivr-simulator --help` say what each
 * word does.
 *
 * ---- its own HTTP interface, beside the provider's ----
 *
 *     GET  /_sim/stats       counters (control.c lists them)
 *     GET  /_sim/placements  one line of JSON a placement, in the order of arrival, the last --keep of them
 *     GET  /_sim/faults      the switches, as PUT takes them
 *     PUT  /_sim/faults      {"429": 0.1, "late_ms": 5000, "numbers": {"0042": "busy,duplicate"}}: changes
 * those named; 400 with a sentence when one does not fit, and then none is changed POST /_sim/reset forgets
 * calls, counters and changes of the switches; what is under way is dropped
 *
 * Everything runs on one loop and one thread.
 */
#ifndef IVR_SIMULATOR_H
#define IVR_SIMULATOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/span.h"
#include "common/http/http.h"
#include "common/http/httpd.h"
#include "common/run/loop.h"
#include "tests/simulator/rates.h"
#include "tests/simulator/retry.h"
#include "tests/simulator/switches.h"
#include "tests/simulator/tally.h"
#include "tests/simulator/timers.h"

struct jwt_key;
struct sim_call;
struct sim_delivery;

enum { SIM_REGISTERED_MOST = 32 };

/* Where a number's callbacks go, as set in Africa's Talking's dashboard. */
struct sim_registered {
    const char *from; /* "+254711082000" */
    const char *url;
};

struct sim_africastalking_config {
    const char *username, *api_key;
    struct sim_registered numbers[SIM_REGISTERED_MOST];
    size_t numbers_n;
    const char *callback_url; /* of numbers that are not in the list; NULL: those are not ours, unless the
                                 list is empty: then every number is, and nothing is reported */
    const char *events_url;   /* NULL: none */
};

struct sim_vonage_config {
    const char *application_id;
    const char *public_key_path;  /* PEM, may hold the private key; NULL: its API is closed */
    const char *signature_secret; /* "": webhooks are not signed */
    const char *api_key;          /* of the account, named in signatures */
};

/* What a start fixes; the strings live as long as the process. */
struct sim_config {
    const char *listen;
    const char *account_sid;
    const char *auth_token;
    const char *api_key_sid, *api_key_secret; /* accepted beside them; NULL: none */
    struct sim_africastalking_config africastalking;
    struct sim_vonage_config vonage;
    const char *log_path;                /* NULL: no placement log */
    const char *callback_log_path;       /* NULL: no log of acknowledged callbacks */
    const char *via_public, *via_actual; /* requests to URLs that start with the first go to one of the
                                            second, which commas part; NULL: none */
    uint64_t seed;
    int64_t hang_ms;    /* after so long an unanswered placement's connection is closed */
    int64_t keep;       /* ended calls that look-ups still find */
    unsigned transfers; /* callbacks out at once */
    struct sim_switches switches;
};

/* ---- calls ---- */

enum sim_phase {
    SIM_PHASE_REFUSED,
    SIM_PHASE_QUEUED,
    SIM_PHASE_INITIATED,
    SIM_PHASE_RINGING,
    SIM_PHASE_ANSWERED,
    SIM_PHASE_ENDED
};

/* What a request of ours to the worker's side is about. */
enum sim_event {
    SIM_EVENT_INITIATED,
    SIM_EVENT_RINGING,
    SIM_EVENT_ANSWERED,
    SIM_EVENT_FINAL,
    SIM_EVENT_CLOSED,       /* a closing report that follows the final one; few providers have it */
    SIM_EVENT_INSTRUCTIONS, /* what should the answered call do? */
    SIM_EVENT_FALLBACK,     /* the same, after the first URL failed */
    SIM_EVENTS
};

/* What a placement asked for, in the core's words. Spans are borrowed; SPAN_NONE where nothing was given. */
struct sim_order {
    struct span to, from;     /* E.164 with a plus, whatever the provider's form is */
    struct span identity;     /* what the attempt is known by: its callback URL without the fragment, or its
                                 reference; not kept. SPAN_NONE: the number called */
    struct span reference;    /* our own, where the provider echoes one in a field */
    struct span callback;     /* status callback URL, fragment included */
    struct span instructions; /* URL */
    struct span fallback;     /* URL */
    struct span document;     /* instructions inline */
    bool callback_get, instructions_get, fallback_get;
    uint8_t wants; /* 1 << enum sim_event: the events to report */
    int ring_timeout_s, time_limit_s;
};

struct sim_call {
    struct sim *sim;
    const struct sim_speech *speech;
    uint64_t number;      /* counts from 1, in the order of arrival */
    uint64_t previous_to; /* number of the call to the same phone before it; 0: none */
    enum sim_phase phase;
    struct sim_fate fate;
    struct sim_order order;    /* its spans point into `text` */
    struct httpd_request *req; /* the unanswered placement */
    struct sim_timer life, reply;
    struct sim_delivery *held; /* callbacks kept back by the fault `reorder`, the newest first */
    unsigned deliveries;       /* requests about it not yet settled */
    bool heard;                /* the first callback is settled */
    bool hung_up;              /* by the customer, over the API */
    uint16_t sequence;         /* of the next callback */
    int64_t placed_wall_ms, answered_wall_ms, ended_wall_ms; /* 0: not yet */
    int64_t placed_mono_us, ended_mono_us; /* the same by the clock that cannot jump, for rates and lines */
    char text[];
};

/* One request to the worker's side; from the event until it is acknowledged or given up. */
struct sim_delivery {
    struct sim_delivery *next, *prev; /* in one of sim's lists; `next` alone while held */
    struct sim_timer timer;
    struct sim *sim;
    struct sim_call *call; /* NULL: nobody cares any more (POST /_sim/reset) */
    enum sim_event event;
    enum sim_phase phase; /* as it was at the event */
    uint16_t sequence;
    bool unknown; /* with a status word that nobody knows */
    int64_t at_wall_ms;
    struct sim_retry_rule rule;
    int64_t first_us; /* when the first try began; 0: none yet */
    int tries;
};

struct sim_deliveries {
    struct sim_delivery *first, *last;
};

/* ---- counters ---- */

struct sim_stats {
    uint64_t placements;               /* requests that asked for a call, whatever became of them */
    uint64_t dialled;                  /* of them, those whose phone rang or was tried */
    uint64_t refused_requests;         /* wrong credentials, path or form: no placement */
    uint64_t dialled_again_by_attempt; /* dials of an attempt beyond its first */
    uint64_t dialled_again_by_to;     /* dials of a number beyond its first (retries of ours are such, too) */
    uint64_t risked_again_by_attempt; /* placements of an attempt after one that was not clearly refused */
    uint64_t in_progress, in_progress_peak;
    uint64_t ended[SIM_OUTCOMES];
    uint64_t faults[SIM_FAULTS];
    uint64_t lookups, hangups;
    uint64_t callbacks, callback_requests, callbacks_acknowledged,
        callbacks_given_up; /* requests: tries included */
    uint64_t instructions, instructions_understood, instructions_failed;
    uint64_t queued, queued_peak, out; /* requests of ours that wait for a transfer; that are out */
};

/* ---- the simulator ---- */

struct sim {
    struct sim_config config;
    struct sim_switches switches;
    struct loop *loop;
    struct httpd *httpd;
    struct http_client *client;
    struct sim_timers *timers;
    struct http_request request; /* built anew for each send */
    uint64_t instance[2];        /* so that call ids differ between two runs */
    struct sim_call **calls;     /* a ring: the number n stands at n & (cap - 1) */
    size_t calls_cap;
    uint64_t first_number, next_number;
    struct sim_tally by_to, by_attempt;
    struct sim_window window; /* of all channels together */
    struct sim_rates rates;
    struct sim_stats stats;
    struct sim_deliveries waiting, queue, out; /* for their moment, for a transfer, for an answer */
    int log_fd, callback_log_fd;
    size_t via_turns;
    struct jwt_key *vonage_key; /* NULL: none was given */
    uint64_t tokens;            /* signatures of Vonage's so far */
    struct buf line, body;      /* scratch */
};

/* Opens everything; logs the field `simulator_listen`. ERR_CONFIG for a wrong address or log file. */
int sim_start(struct sim *sim, struct loop *loop, const struct sim_config *config, struct err *err);
/* Drops what is under way and frees. */
void sim_stop(struct sim *sim);
/* As after the start. */
void sim_reset(struct sim *sim);

/* ---- for a provider's speech ---- */

enum { SIM_ID_MAX = 64 };

struct sim_speech {
    const char *name;
    /* Whether a request with that path is for this provider. */
    bool (*owns)(struct span path);
    /* Answers it: a placement through sim_place(), anything else by itself. */
    void (*request)(struct sim *sim, struct httpd_request *req);
    /* Writes the response to a placement that is `call`: accepted with SIM_FAULTS, else the one that the
     * fault asks for. */
    void (*answer)(const struct sim_call *call, enum sim_fault fault, struct httpd_request *req);
    /* The URL that the delivery goes to, fragment included; the core redirects it (short_url, via). */
    struct span (*target)(const struct sim_delivery *delivery);
    /* How often it is tried; the fragment of that URL (SPAN_NONE without) may say. */
    struct sim_retry_rule (*retry)(struct span fragment);
    /* Writes the request, signed for request->url, which is set already and has no fragment; a GET adds to it
     * first. */
    void (*report)(const struct sim_delivery *delivery, struct http_request *request);
    /* Whether an answer document looks right. */
    bool (*understood)(struct span document);
    /* The reply to the report of the answer is the answer document: there is no other request for it. */
    bool answer_asks;
    /* Whether SIM_EVENT_CLOSED follows the final report of this call. MAY be NULL: never. */
    bool (*closes)(const struct sim_call *call);
    /* The call's id in this provider's form (made of sim_call_bits). */
    void (*id)(const struct sim_call *call, char out[SIM_ID_MAX]);
};

extern const struct sim_speech sim_twilio, sim_africastalking, sim_vonage;

/* Takes a placement over with its request. Everything in `order` is copied. */
void sim_place(struct sim *sim, const struct sim_speech *speech, const struct sim_order *order,
               struct httpd_request *req);
/* 128 bits that name a call, and the call that they name (NULL: none that exists). */
void sim_call_bits(const struct sim_call *call, uint64_t bits[2]);
struct sim_call *sim_find(struct sim *sim, const uint64_t bits[2]);
/* The latest call to a number, and the one before a call; NULL: none that exists. */
struct sim_call *sim_find_to(struct sim *sim, struct span to);
struct sim_call *sim_find_previous(struct sim *sim, const struct sim_call *call);
/* The customer ends it: `canceled` before the answer, `completed` after. False when it is over already. */
bool sim_hang_up(struct sim_call *call);
/* Seconds of talk so far, or in all; 0 without an answer. */
int64_t sim_talk_s(const struct sim_call *call);

/* ---- between the parts of the core ---- */

/* life.c */
void sim_life_begin(struct sim_call *call);
void sim_life_instructions_failed(struct sim_call *call);
int64_t sim_scaled_us(const struct sim *sim, int64_t ms); /* a delay of a call's life at the present speed */

/* deliver.c */
void sim_deliver(struct sim_call *call, enum sim_event event);
void sim_deliver_ended(struct sim_call *call); /* after the last of a call's events */
void sim_deliver_drop_all(struct sim *sim);
void sim_deliver_drop_held(struct sim_call *call);

/* For order.identity: the URL without its fragment. */
struct span sim_without_fragment(struct span url);

/* The URL of the fault short_url: what follows /callbacks/PROVIDER/CHANNEL is cut off. Any other URL stays.
 */
struct span sim_short_url(struct span url);

/* sim.c */
void sim_first_heard(struct sim_call *call); /* the first callback is settled, or there will be none */
struct sim_call *sim_numbered(const struct sim *sim, uint64_t number);

/* placement.c */
void sim_add_placement(struct buf *out, const struct sim_call *call); /* a line of JSON with its newline */
/* Appends "tenant/call_id/attempt": the reference as it is, else what the path of the callback URL ends in.
 * False where neither tells it. */
bool sim_add_attempt_ref(struct buf *out, struct span reference, struct span callback);

/* control.c */
bool sim_control(struct sim *sim, struct httpd_request *req); /* false: not a path of ours */

#endif
