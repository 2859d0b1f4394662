/*
 * What the start of every worker has in common, so that its main() reads as its story: options, settings,
 * log, loop.
 *
 *     struct program p;
 *     int rc = program_start(&p, &(struct program_info){...}, argc, argv);
 *     if (rc >= 0) return rc;            // --help, --version, a wrong setting
 *     ... open parts ... loop_run(p.loop) ... close them ...
 *     return program_end(&p);
 */
#ifndef IVR_COMMON_PROGRAM_H
#define IVR_COMMON_PROGRAM_H

#include <stdbool.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/run/loop.h"
#include "common/run/settings.h"

enum { EXIT_DONE = 0, EXIT_FATAL = 1, EXIT_USAGE = 2 };

struct program {
    struct settings settings;
    struct loop *loop;
    bool check_only; /* --check was given; program_start() then never returns -1 */
};

struct program_info {
    const char *name;     /* "ivr-dispatch" */
    const char *sentence; /* what it does, for --help */
    const char *examples; /* rows for --help */
    int descriptors;      /* it must be able to open so many files, else exit 1; 0: any number will do */
    /* Checks beyond the settings (the channels file, Kafka properties): appends one row a problem
     * ("file: what\n"). May be NULL. Runs at each start, not only with --check, and even when a setting is
     * wrong (that one then has its default), so that all problems are printed at once. */
    void (*check)(const struct settings *settings, struct buf *problems);
};

/* -1: go on, with settings read, the log set up and a loop. Otherwise the exit code; everything is printed
 * and freed already. Handles --help, --version and --check (with --verbose also the effective settings,
 * secrets hidden); every problem of settings and check is printed at once on stderr, exit 2. Warns of unknown
 * variables. `info` is borrowed, its name for ever. */
int program_start(struct program *program, const struct program_info *info, int argc, char **argv);
/* Frees loop and settings; returns `code`. */
int program_end(struct program *program, int code);

/* "0.1.0" */
const char *program_version(void);

#endif
