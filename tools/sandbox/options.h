/* The sandbox's command line, and where the programs that it starts are. */
#ifndef IVR_SANDBOX_OPTIONS_H
#define IVR_SANDBOX_OPTIONS_H

#include <stdbool.h>

#include "common/base/err.h"

enum { OPTIONS_PATH_MAX = 512, OPTIONS_MAX_CALLS = 1000000 };

struct sandbox_options {
    long calls;        /* 0: those of the contacts file */
    const char *kafka; /* NULL: the in-memory broker */
    const char *redis; /* NULL: a private redis-server */
    bool keep;
    const char *contacts; /* NULL: the examples' */
};

/* -1: go on; otherwise the exit code. */
int options_read(struct sandbox_options *options, int argc, char **argv);

/* Absolute paths. */
struct paths {
    char dispatch[OPTIONS_PATH_MAX], status[OPTIONS_PATH_MAX], report[OPTIONS_PATH_MAX];
    char gateway[OPTIONS_PATH_MAX], ivrctl[OPTIONS_PATH_MAX], simulator[OPTIONS_PATH_MAX];
    char redis_server[OPTIONS_PATH_MAX]; /* "" with --redis */
    char contacts[OPTIONS_PATH_MAX];     /* "" with --calls */
};

/* Looks beside the sandbox itself, where the build leaves the others, and in PATH. ERR_CONFIG names what is
 * missing and what to do. */
int paths_find(struct paths *paths, const struct sandbox_options *options, struct err *err);

#endif
