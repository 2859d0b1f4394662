/*
 * A file of requests that can be read twice: once to check all of it, once to send it.
 *
 * A file is read where it lies, and needs no room. What can be read only once (a pipe, a terminal) is kept:
 * up to INPUT_MEMORY bytes in memory, a longer one in an unnamed temporary file in TMPDIR or /tmp. So a
 * read-only root without a /tmp is enough for everything but a long pipe.
 */
#ifndef IVR_TOOLS_INPUT_H
#define IVR_TOOLS_INPUT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "common/base/err.h"

/* Some hundred thousand requests; pods that have ivrctl in them have room for it. */
enum { INPUT_MEMORY = 32 * 1024 * 1024 };

struct input_state {
    int64_t size, modified_s, modified_ns;
};

struct input {
    FILE *file;       /* at its start, can go back */
    const char *name; /* for messages: the file's, or "stdin"; borrowed */
    char *memory;     /* what `file` reads, or NULL */
    bool in_place;    /* it is the person's own file */
    struct input_state state;
};

/* `name`: a file's, or "-" for standard input. On failure nothing is open; ERR_CONFIG: no such file. */
int input_open(struct input *input, const char *name, struct err *err);
/* Whether somebody has written to the file since it was opened. */
bool input_changed(const struct input *input);
/* May be called on a zeroed one. */
void input_close(struct input *input);

#endif
