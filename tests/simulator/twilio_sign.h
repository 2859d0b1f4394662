/* Twilio's signature and its way of writing times. Pure. */
#ifndef IVR_SIMULATOR_TWILIO_SIGN_H
#define IVR_SIMULATOR_TWILIO_SIGN_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/span.h"
#include "common/base/url.h"

/*
 * Appends X-Twilio-Signature to `out`: base64(HMAC-SHA1(token, data)), where data is the URL and then each
 * parameter of the form, sorted by name, as name and value with nothing between; of a name that comes more
 * than once the distinct values, sorted. `fields` is sorted in place. `url` has no fragment. `scratch` is
 * overwritten.
 */
void sim_twilio_sign(struct buf *out, struct span token, struct span url, struct form_field *fields, size_t n,
                     struct buf *scratch);

/* "Sat, 07 May 2022 14:30:14 +0000". */
void sim_add_rfc2822(struct buf *out, int64_t wall_ms);

#endif
