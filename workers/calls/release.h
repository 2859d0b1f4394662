/*
 * What an ended attempt gives back: its line of the channel (workers/channel) and its contact lock
 * (workers/contact). The script that ends the attempt writes it into the shard's outbox beside its events
 * (lib/attempts.lua, release), and the entry stays until it is done, whoever does it. So no crash keeps a
 * line or a lock, and every step may run twice.
 *
 * Doing it needs those folders, so a program hands that to the outbox (workers/program/give_back.h).
 */
#ifndef IVR_CALLS_RELEASE_H
#define IVR_CALLS_RELEASE_H

#include <msgpack.h>
#include <stdbool.h>

#include "common/base/span.h"
#include "workers/store/store.h"

/* Spans are borrowed from the packed bytes. */
struct release {
    struct span id; /* "tenant/call_id" */
    int claim_no;   /* of its claim (struct calls_claimed) */
    struct span channel;
    struct span contact; /* the number; empty: no lock */
    bool line;
};

/* Whether an entry's element is one, and not an event. */
bool release_is(const msgpack_object *packed);
void release_read(struct release *release, const msgpack_object *packed);

/* Gives both back. `done` is called once, not before it returns; anything but STORE_OK: again later. */
typedef void (*release_done_fn)(enum store_status status, void *arg);
typedef void (*release_fn)(struct store *store, const struct release *release, release_done_fn done,
                           void *arg);

#endif
