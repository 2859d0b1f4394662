/* What an outcome and a report have in common as records of a script: the evidence, and chance for a retry. */
#ifndef IVR_CALLS_EVIDENCE_PACK_H
#define IVR_CALLS_EVIDENCE_PACK_H

#include <msgpack.h>

#include "common/model/evidence.h"

/* Evidence, in the order of layout.E (lib/layout.lua); NULL packs evidence that says nothing. Providers quote
 * numbers in their words, codes too: they are shown as IVR_PII says before they are kept. */
void pack_evidence(msgpack_packer *packer, const struct evidence *ev);
/* A random number below 1000, which spreads retries. */
void pack_jitter(msgpack_packer *packer);

#endif
