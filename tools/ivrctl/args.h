/*
 * Command lines by table: options and words in any order, "--name value" or "--name=value", "--" ends the
 * options.
 */
#ifndef IVR_TOOLS_ARGS_H
#define IVR_TOOLS_ARGS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/err.h"

enum { ARGS_MAX_OPTIONS = 24, ARGS_MAX_WORDS = 8 };

/* A table ends with a NULL name. */
struct args_option {
    const char *name;  /* with its dashes: "--campaign", "-n" */
    const char *value; /* what --help calls it; NULL: a switch without value */
    const char *what;
};

/* Everything points into argv or the table. */
struct args {
    const struct args_option *options[2]; /* the tables it was read with; each may be NULL */
    const char *names[ARGS_MAX_OPTIONS];  /* those given, in their order */
    const char *values[ARGS_MAX_OPTIONS]; /* "" for a switch */
    int n;
    const char *words[ARGS_MAX_WORDS];
    int words_n;
};

/* Reads argv[0..argc-1] (no program name). `common` and `own` may be NULL. ERR_CONFIG says what is wrong. */
int args_read(struct args *args, const struct args_option *common, const struct args_option *own, int argc,
              char **argv, struct err *err);
/* The value given last, "" for a switch; NULL when it was not given. */
const char *args_get(const struct args *args, const char *name);
bool args_has(const struct args *args, const char *name);
/* A whole number of at least `min`; `fallback` when it was not given. ERR_CONFIG names the option. */
int args_number(const struct args *args, const char *name, int64_t min, int64_t fallback, int64_t *out,
                struct err *err);
/* A line an option for --help. */
void args_add_help(struct buf *b, const struct args_option *options);

#endif
