/* Calls that cannot be read in Redis: which one was the last, and why. */
#ifndef IVR_STORE_UNREADABLE_H
#define IVR_STORE_UNREADABLE_H

#include "common/base/span.h"

struct unreadable {
    char why[512]; /* a sentence that names the key; "" none yet */
};

void unreadable_note(struct unreadable *unreadable, struct span why);
/* Notes it, counts it, and logs it. */
void unreadable_report(struct unreadable *unreadable, struct span why);

#endif
