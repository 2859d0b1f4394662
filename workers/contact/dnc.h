/*
 * Do-not-call lists: numbers that a tenant, or everybody (DNC_ALL), must not dial. A number's shard is that
 * of the number itself, so a list of millions is spread over all of them; each shard's part is a sorted set
 * "...:dnc:TENANT" (contact.lua, dnc_edit.lua).
 *
 * The look at the lists is the last question before a call is dialled (contact.h). A number that was added is
 * not dialled by any claim asked for from then on.
 */
#ifndef IVR_CONTACT_DNC_H
#define IVR_CONTACT_DNC_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/span.h"
#include "workers/store/store.h"

#define DNC_ALL "*" /* no tenant is called so */

/* `tenant` or DNC_ALL. `audit`: what ivr.audit is to say of it (workers/calls/audit.h), with the first of the
 * numbers that are edited together; SPAN_NONE with the others. `changed`: it was not so before. Otherwise than with STORE_OK: ask again with the
 * same. */
typedef void (*dnc_edit_fn)(enum store_status status, bool changed, void *arg);
void dnc_add(struct store *store, struct span tenant, struct span number, struct span audit, dnc_edit_fn fn,
             void *arg);
void dnc_remove(struct store *store, struct span tenant, struct span number, struct span audit,
                dnc_edit_fn fn, void *arg);

enum { DNC_PAGE_MAX = 1000 };
/* Numbers of one list, sorted, those behind `after` (SPAN_NONE: from the first), at most `limit`; fewer:
 * these are the last. Borrowed until the callback returns. */
typedef void (*dnc_list_fn)(enum store_status status, const struct span *numbers, size_t n, void *arg);
void dnc_list(struct store *store, struct span tenant, struct span after, unsigned limit, dnc_list_fn fn,
              void *arg);

#endif
