/*
 * What an ended attempt gives back: its line of the channel (queue.h) and its line to the contact
 * (contact.h). The script that ends the attempt writes it into the shard's outbox beside its events
 * (lib/attempts.lua, release), and the entry stays until it is done, whoever does it. So no crash keeps a
 * line, and every step may run twice.
 */
#ifndef IVR_STORE_FREED_H
#define IVR_STORE_FREED_H

#include <msgpack.h>

#include "workers/store/store.h"

/* Spans are borrowed from the packed bytes. */
struct freed {
    struct span id; /* "tenant/call_id" */
    int claim_no;   /* of its claim (struct calls_claimed) */
    struct span channel;
    struct span contact; /* the number; empty: none */
    bool line;
};

/* Whether an entry's element is one, and not an event. */
bool freed_is(const msgpack_object *packed);
void freed_read(struct freed *freed, const msgpack_object *packed);

/* Gives both back and wakes the call that waited for the contact. `fn` is called once, not before it returns;
 * anything but STORE_OK: again later. */
typedef void (*freed_fn)(enum store_status status, void *arg);
void freed_release(struct store *store, const struct freed *freed, freed_fn fn, void *arg);

#endif
