/*
 * Whether a server that answers is fit for calls, judged by its settings, by its answers to proofs, and by
 * its answers to scripts. No I/O: the connection sends the questions and hands the answers over.
 *
 * Three things make it unfit. Its maxmemory-policy may evict, or too few replicas acknowledge. It refused the
 * last proof (OOM, MISCONF, NOREPLICAS, NOPERM, CLUSTERDOWN, whatever its word): then it takes no writing
 * scripts until it grants one. Or it refused a script a moment ago that the proof could not foresee: then it
 * is only not ready, so that people notice, and scripts are still sent.
 */
#ifndef IVR_COMMON_REDIS_FIT_H
#define IVR_COMMON_REDIS_FIT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"

/* For how long a refused script makes the server not ready: longer than callers wait before they repeat it
 * (2 s). */
enum { REDIS_FIT_REFUSED_MS = 3000 };

struct redis_fit {
    const char *shown; /* the server, for logs */
    int replicas;      /* that must acknowledge */
    int acked;         /* at the last look, -1: not known */
    char policy[32];   /* maxmemory-policy, "" while not known */
    bool proven;       /* a proof was answered on this connection */
    char refusal[200]; /* to the last proof, in the server's words; "": granted */
    char script[260];  /* the last script that was refused, and the words */
    int64_t script_until_mono_ms;
    bool script_logged; /* the log has it, or a refused proof that says more */
};

/* A new connection: nothing is known. What was refused before stays to be compared with, so that one refusal
 * is told once. */
void redis_fit_begin(struct redis_fit *fit);
/* The answer to a proof: NULL where it was granted. Logs each change; and what a script was refused for,
 * where the proof is granted all the same. */
void redis_fit_proved(struct redis_fit *fit, const char *error, int64_t now_mono_ms);
/* A script was refused; a proof is asked for at once. */
void redis_fit_script_refused(struct redis_fit *fit, const char *script, const char *error,
                              int64_t now_mono_ms);
/* Neither evicts nor lacks replicas. */
bool redis_fit_healthy(const struct redis_fit *fit);
/* Healthy, and its last proof was not refused; otherwise why not. */
bool redis_fit_usable(const struct redis_fit *fit, struct buf *why);
/* It refused a script a moment ago, and why. */
bool redis_fit_failing(const struct redis_fit *fit, int64_t now_mono_ms, struct buf *why);

#endif
