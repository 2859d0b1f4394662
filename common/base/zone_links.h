/*
 * Names of time zones that are links to another one: Asia/Calcutta to Asia/Kolkata, US/Eastern to
 * America/New_York. Old ones come from browsers and address books every day, and some distributions (Debian
 * 13) keep them in a package of their own. A name that tzdb has had is accepted whatever is installed; its
 * two sets of zones that were no place's clock (SystemV/..., .../Riyadh87 to 89) aside.
 */
#ifndef IVR_COMMON_ZONE_LINKS_H
#define IVR_COMMON_ZONE_LINKS_H

#include "common/base/span.h"

/* The zone that the name is a link to (static); empty: it is no link. */
struct span zone_links_find(struct span name);

#endif
