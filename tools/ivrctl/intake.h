/*
 * A file of requests, NDJSON or CSV, checked line by line. What fits schemas/call-request.schema.json, with the
 * defaults and ids filled in, is handed on: the same file with the same options gives the same requests
 * again.
 */
#ifndef IVR_TOOLS_INTAKE_H
#define IVR_TOOLS_INTAKE_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/span.h"

enum intake_format { INTAKE_GUESS, INTAKE_NDJSON, INTAKE_CSV };

struct intake_options {
    const char *name; /* the file's, for messages */
    enum intake_format format;
    /* Where a request has none; NULL: no default. */
    const char *tenant, *campaign, *channel, *say, *language, *play, *answer_url;
    bool ignore_columns; /* of a table whose names are no fields */
    struct buf *ids;     /* gets "tenant/call_id" of each line that passed; NULL: nobody asked */
    /* Gets each request that fits, once; not 0 ends the reading. NULL: they are checked only. */
    int (*take)(void *arg, struct span call_id, struct span id, struct span value, struct err *err);
    void *take_arg;
    bool silent; /* says nothing of wrong lines: they have been said */
    const volatile sig_atomic_t *stopped;
};

struct intake_result {
    size_t lines;    /* requests read, of whatever kind */
    size_t accepted; /* they fit, and were taken */
    size_t repeated; /* the same call again, with the same content: left out */
    size_t
        wrong; /* did not fit; each is said on stderr as FILE:LINE: field: ..., the first INTAKE_MAX_SAID */
    size_t made_ids; /* accepted ones that came without call_id */
};

enum { INTAKE_MAX_SAID = 50 };

/* Reads `in` from its start to its end. An error is one that ends everything (the header, the disk, `take`);
 * wrong lines are only counted. `in` must be seekable. */
int intake_read(FILE *in, const struct intake_options *options, struct intake_result *result,
                struct err *err);

#endif
