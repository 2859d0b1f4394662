/*
 * What the fuzz targets share. A target is one file: it takes bytes as a stranger may send them, and asserts
 * what must hold of the result, beside not crashing. `make fuzz` (Makefile) builds each with libFuzzer,
 * AddressSanitizer and UBSan; a target for providers is built once for each of them, which FUZZ_PROVIDER
 * names. Seeds are the files in tests/fuzz/corpus/TARGET and the bodies of tests/corpus.
 */
#ifndef IVR_TESTS_FUZZ_H
#define IVR_TESTS_FUZZ_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/span.h"
#include "common/model/evidence.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Cuts the input at the first byte 0xFF, which no valid text holds: the part before it; the rest stays in
 * *rest. */
struct span fuzz_part(struct span *rest);
/* The whole input, never with a NULL pointer. */
struct span fuzz_input(const uint8_t *data, size_t size);
/* What must hold of every evidence, whatever it was read from. */
void fuzz_check_evidence(const struct evidence *ev);
/* A channel of the provider that FUZZ_PROVIDER names, with credentials that fit; made once. */
const struct channel *fuzz_channel(const char *provider);

#define FUZZ_STRING(x) #x
#define FUZZ_NAME(x)   FUZZ_STRING(x)

#endif
