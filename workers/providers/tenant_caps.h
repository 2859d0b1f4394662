/*
 * How many calls a tenant may have in progress on one channel, as the channels file gives it. Private to the
 * channels module: others include channels.h.
 */
#ifndef IVR_PROVIDERS_TENANT_CAPS_H
#define IVR_PROVIDERS_TENANT_CAPS_H

#include <stddef.h>

#include "workers/providers/channel_read.h"

struct tenant_caps {
    struct tenant_cap {
        char *tenant;
        int concurrent_calls;
    } * items; /* by name: a platform may have many, and each call asks */
    size_t n;
};

/* Reads {"acme": {"concurrent_calls": 50}, ...}; NULL where there is none. What does not fit becomes a row
 * in r->problems each. */
void tenant_caps_read(struct channels_reader *r, struct tenant_caps *all, json_t *object);
void tenant_caps_done(struct tenant_caps *all);

int tenant_caps_find(const struct tenant_caps *all, struct span tenant); /* 0: none */

#endif
