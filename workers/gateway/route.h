/* What a request's path means. Pure: no channel, call or setting is looked at. */
#ifndef IVR_GATEWAY_ROUTE_H
#define IVR_GATEWAY_ROUTE_H

#include <stdbool.h>

#include "common/base/buf.h"
#include "common/base/span.h"
#include "workers/calls/control.h"

enum route_kind {
    ROUTE_NONE,     /* nothing of ours */
    ROUTE_CALLBACK, /* /callbacks/{provider}/{channel}[/{tenant}/{call_id}/{attempt}] */
    ROUTE_ANSWER,   /* /answer/... the same */
    ROUTE_CALLS,    /* /v1/calls */
    ROUTE_CALL,     /* /v1/calls/{tenant}/{call_id} */
    ROUTE_CAMPAIGN, /* /v1/campaigns/{tenant}/{campaign} */
    ROUTE_CONTROL,  /* what controls.h lists: .../{pause|resume|cancel} */
    ROUTE_DNC,      /* /v1/dnc/{tenant|*}/{number} */
    ROUTE_V1,       /* anything else under /v1: not found, but only for who may know */
};

enum { ROUTE_MAX_TEXT = 1024, ROUTE_MAX_SEGMENTS = 6 };

/* The segments are decoded, and ids among them are such as a request may have. */
struct route {
    enum route_kind kind;
    struct span path; /* borrowed, undecoded, without the path of IVR_PUBLIC_URL */
    bool stray;       /* nothing of ours, and yet below /callbacks or /answer: somebody has a wrong URL */
    struct span provider, channel; /* callback, answer; of a stray one the provider where it names any */
    struct span tenant, call_id, campaign; /* empty where the path has none */
    int attempt;                           /* from 1; 0: the short form */
    enum control_what control_what;        /* control: and tenant, campaign, call_id or channel */
    enum control_kind control_kind;
    struct span number;        /* dnc: E.164; and tenant, which may be "*" */
    char text[ROUTE_MAX_TEXT]; /* private: what the spans point to, so do not copy the struct */
};

/* Segments are decoded after splitting, so that an encoded slash never makes a segment; one slash at the end
 * is no segment. `public_path` is the path of IVR_PUBLIC_URL ("" without): a proxy may have cut it off or
 * left it. */
void route_read(struct route *route, struct span path, struct span public_path);

/*
 * The path of a callback or answer, from "/callbacks" on, as it was handed out: what its token covers, and
 * what was signed, however a proxy has spelled it since. CANONICAL escapes what has to be; ESCAPED a ':' too,
 * as version 0.1 did for calls that may still ring.
 */
enum route_spelling { ROUTE_CANONICAL, ROUTE_ESCAPED, ROUTE_SPELLINGS };
void route_add_path(struct buf *b, const struct route *route, enum route_spelling spelling);

/* "GET, POST, OPTIONS": the methods of a kind; "" for ROUTE_NONE and ROUTE_V1. Static. */
const char *route_methods(enum route_kind kind);
bool route_takes(enum route_kind kind, const char *method);

/* Our own reference, "tenant/call_id/attempt". False unless every part of it fits. The spans point into
 * `ref`. */
bool route_read_ref(struct span ref, struct span *tenant, struct span *call_id, int *attempt);

#endif
