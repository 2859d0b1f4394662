/*
 * What the files of the gateway share. A request's life: route.h reads its path, main.c picks who serves it,
 * and exactly one of the respond functions answers it, at once or from a callback of Kafka or Redis.
 *
 * When the server is closed while answers are still to come, `server` is NULL: respond.h then swallows them,
 * because the requests are gone.
 */
#ifndef IVR_GATEWAY_GATEWAY_H
#define IVR_GATEWAY_GATEWAY_H

#include <stdbool.h>

#include "common/base/buf.h"
#include "common/http/httpd.h"
#include "workers/program/worker.h"

enum {
    GATEWAY_MAX_CALLBACK = 64 * 1024,    /* contract: 413 above */
    GATEWAY_MAX_CALLS = 4 * 1024 * 1024, /* body of POST /v1/calls */
    GATEWAY_ACK_MS = 3500,               /* contract: 503 within 4 s while Kafka does not acknowledge */
};

struct deferred;

struct gateway {
    struct worker worker;
    struct httpd *server;
    struct span public_url;       /* IVR_PUBLIC_URL; SPAN_NONE without */
    struct span public_path;      /* its path; empty without */
    struct deferred *deferred;    /* requests that wait for Redis */
    struct loop_timer *ask_again; /* asks again for those */
    int quiet_looks;              /* how often in a row the drain saw nothing open */
};

#endif
