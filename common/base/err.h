/*
 * Errors as values: a code for the program, a sentence for the person.
 *
 * Every function that can fail returns 0 (ERR_NONE) or an err_code and fills the caller's `struct err` where
 * it knows the cause: which variable, field, offset or address, what it held, and what to do about it. A
 * broken invariant is no error but a bug: assert() stays on in production, and the claim rule repairs what
 * the crash leaves.
 */
#ifndef IVR_COMMON_ERR_H
#define IVR_COMMON_ERR_H

enum err_code {
    ERR_NONE = 0,
    ERR_CONFIG,  /* the operator must change a setting or a file: exit code 2 */
    ERR_INVALID, /* outside bytes do not fit: the text names the field, what it held and what was expected */
    ERR_UNAVAILABLE, /* Redis, Kafka or a provider does not answer now; trying again may help */
    ERR_LIMIT,       /* a size or count that we bound was passed */
    ERR_SYSTEM,      /* the operating system or a library refused */
};

struct err {
    enum err_code code;
    char text[256]; /* one sentence without a full stop; never a secret; cut at a character when too long */
};

#define ERR_INIT                                                                                             \
    {                                                                                                        \
        ERR_NONE, ""                                                                                         \
    }

/* Fills `err` (may be NULL) and returns `code`, so that `return err_set(...)` reads as one thing. */
int err_set(struct err *err, enum err_code code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/*
 * Puts "prefix: " before the text that is already there; returns the code. Of a NULL `err` nothing is known
 * but that something failed: ERR_SYSTEM.
 */
int err_prefix(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
