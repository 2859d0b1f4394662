/*
 * The admin listener: /metrics, /healthz (the process turns its loop), /readyz (200 when every check passes,
 * else 503 with one row a failing check: "redis: connection refused, trying again in 2 s"), /readyz/NAME
 * (the same of one check alone: a gateway that Redis is away from still keeps callbacks, as long as Kafka is
 * there).
 */
#ifndef IVR_COMMON_ADMIN_H
#define IVR_COMMON_ADMIN_H

#include <stdbool.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/run/loop.h"

struct admin;

/* True when ready; otherwise appends why (one row, without its end). */
typedef bool (*admin_check_fn)(void *arg, struct buf *why);

/* ERR_CONFIG when the address does not parse or bind. Logs the field admin_listen. */
int admin_start(struct admin **admin, struct loop *loop, const char *listen, struct err *err);
/* "127.0.0.1:43121": the address it got. */
const char *admin_address(const struct admin *admin);
/* `name` is kept, not copied. */
void admin_add_check(struct admin *admin, const char *name, admin_check_fn fn, void *arg);
/* From now on /readyz answers 503 "draining". */
void admin_drain(struct admin *admin);
void admin_stop(struct admin **admin);

#endif
