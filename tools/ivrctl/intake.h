/*
 * A file of requests, NDJSON or CSV, checked line by line into a spool. Nothing leaves here: what is in the
 * spool afterwards fits the contract in every field, with the defaults and ids filled in.
 */
#ifndef IVR_TOOLS_INTAKE_H
#define IVR_TOOLS_INTAKE_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "common/buf.h"
#include "common/err.h"
#include "tools/ivrctl/send.h"

enum intake_format { INTAKE_GUESS, INTAKE_NDJSON, INTAKE_CSV };

struct intake_options {
    const char *name; /* the file's, for messages */
    enum intake_format format;
    /* Where a request has none; NULL: no default. */
    const char *tenant, *campaign, *channel, *say, *language, *play, *answer_url;
    bool ignore_columns; /* of a table whose names are no fields */
    struct buf *ids;     /* gets "tenant/call_id" of each line that passed; NULL: nobody asked */
    const volatile sig_atomic_t *stopped;
};

struct intake_result {
    size_t lines;    /* requests read, of whatever kind */
    size_t accepted; /* in the spool */
    size_t repeated; /* the same call again, with the same content: left out */
    size_t
        wrong; /* did not fit; each is said on stderr as FILE:LINE: field: ..., the first INTAKE_MAX_SAID */
    size_t made_ids; /* accepted ones that came without call_id */
};

enum { INTAKE_MAX_SAID = 50 };

/* Reads `in` to its end. An error is one that ends everything (the header, the disk); wrong lines are only
 * counted. `in` must be seekable. */
int intake_read(FILE *in, const struct intake_options *options, struct spool *spool,
                struct intake_result *result, struct err *err);

#endif
