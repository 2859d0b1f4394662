/*
 * Tickets packed for admit.lua as they come, so that a request for admission copies bytes and nothing else.
 */
#ifndef IVR_CHANNEL_TICKET_LIST_H
#define IVR_CHANNEL_TICKET_LIST_H

#include "common/base/buf.h"
#include "workers/store/store.h"

enum { TICKET_LIST_MAX = 4 * 1024 * 1024 }; /* bytes; far more than a process can have in hand */

/* What names a ticket: the call, and the claim of it that the ticket is for. In Redis "tenant/call_id/3". */
struct ticket_name {
    struct span id; /* "tenant/call_id"; borrowed */
    int claim_no;   /* struct calls_claimed */
};

struct ticket_list {
    struct buf packed;
    uint32_t n; /* elements: a ticket that comes with a number is two */
};

void ticket_list_init(struct ticket_list *list);
void ticket_list_clear(struct ticket_list *list);
void ticket_list_done(struct ticket_list *list);
void ticket_list_add(struct ticket_list *list, struct ticket_name name);
void ticket_list_add_with(struct ticket_list *list, struct ticket_name name, int64_t number);

#endif
