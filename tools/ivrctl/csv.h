/*
 * CSV as spreadsheets write it (RFC 4180): cells between separators, quoted where they hold one, a line break
 * or a quote (doubled). The separator is what the first record uses: comma, semicolon or tab. A byte order
 * mark is skipped, CR LF and LF both end a record, empty lines are skipped.
 */
#ifndef IVR_TOOLS_CSV_H
#define IVR_TOOLS_CSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/span.h"

enum { CSV_MAX_CELLS = 256, CSV_MAX_RECORD = 256 * 1024 };

struct csv {
    FILE *in;           /* borrowed */
    char separator;     /* 0: not known before the first record */
    size_t line;        /* lines read so far */
    size_t record_line; /* where the record that was read last begins, from 1 */
    struct buf text;    /* the cells' bytes */
    size_t ends[CSV_MAX_CELLS];
    struct span cells[CSV_MAX_CELLS]; /* valid until the next csv_next() */
    size_t n;
};

enum csv_result { CSV_RECORD, CSV_END, CSV_WRONG };

/* `in` can go back (no pipe): the first line is looked at twice. */
void csv_init(struct csv *csv, FILE *in);
void csv_done(struct csv *csv);
/* CSV_WRONG: an unclosed quote, text after a closing quote, too many cells or bytes; `err` says it, and the
 * next call goes on with the line after the one where it was noticed. */
enum csv_result csv_next(struct csv *csv, struct err *err);

#endif
