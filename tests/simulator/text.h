/* Small texts taken apart: what switches, options and URL fragments are made of. Pure. */
#ifndef IVR_SIMULATOR_TEXT_H
#define IVR_SIMULATOR_TEXT_H

#include <stdint.h>

#include "common/base/err.h"
#include "common/base/span.h"
#include "tests/simulator/chance.h"

/* The part of `rest` before `mark`; both are cut off it. Without a mark that is all of it, and `rest` is then
 * empty. */
struct span sim_cut(struct span *rest, char mark);

/* "250" or "20-80", in milliseconds up to a day. ERR_INVALID says what was expected; `what` names the switch.
 */
int sim_range_parse(struct span text, const char *what, struct sim_range *range, struct err *err);

/* A decimal of the form 0, 0.25, 1 or 100.5 up to `most`. ERR_INVALID as above. */
int sim_number_parse(struct span text, const char *what, double most, double *value, struct err *err);

/* A whole number up to `most`. ERR_INVALID as above. */
int sim_count_parse(struct span text, const char *what, int64_t most, int64_t *value, struct err *err);

/* Whether it looks like an answer document in XML, as Twilio and Africa's Talking read them. A whole parser
 * would say more and help nobody: a document that starts and ends as one has not been cut short. */
bool sim_xml_understood(struct span document);

#endif
