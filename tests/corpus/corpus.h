/*
 * The corpus runner: tests/corpus/README.md says what a case is.
 *
 * A kind of case (place, callback, …) is a function that does what the case says and writes what came as JSON
 * in the form of `expect`; both are then compared member by member. So a member that `expect` names and
 * nobody knows, and one that comes and `expect` does not name, fail alike.
 */
#ifndef IVR_CORPUS_H
#define IVR_CORPUS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/span.h"
#include "workers/providers/channels.h"

#define CORPUS_DIR "tests/corpus"

enum { CORPUS_MAX_TEXT = 4 * 1024 * 1024 };

struct corpus_kind;

struct corpus_case {
    const struct corpus_kind *kind;
    json_t *root;   /* the file; owned */
    json_t *input;  /* what stands under the kind's name; borrowed from root */
    json_t *expect; /* borrowed from root */
    struct channels *channels;
    struct channel *channel; /* borrowed from channels; NULL where the file was refused */
    struct buf refused;      /* why it was */
    struct buf problems;     /* one line each; empty: the case passed */
    size_t odd;              /* from 1: the oddity that its bytes have, 0 none */
    const char *oddity;      /* what that is; NULL: they have none */
};

struct corpus_kind {
    const char *name;
    const char *const *keys; /* of the input; NULL: it is no object */
    bool uses_request;
    /* Writes what came, members only; problems of the case itself through corpus_problem(). */
    void (*run)(struct corpus_case *c, struct buf *came);
};

extern const struct corpus_kind corpus_place, corpus_lookup, corpus_hang_up, corpus_open, corpus_response,
    corpus_looked_up, corpus_find, corpus_found, corpus_callback, corpus_verify, corpus_answer;

/* Runs the case of `provider` in the file `path`; its problems are in c->problems. corpus_case_done() in any
 * case. */
void corpus_case_run(struct corpus_case *c, const char *provider, const char *path);
void corpus_case_done(struct corpus_case *c);
/* The file's JSON, NULL after a problem. A new reference. */
json_t *corpus_read(struct corpus_case *c, const char *path);

void corpus_problem(struct corpus_case *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A problem for each member of `object` (called `name`) that is not in `known`, which ends with NULL. */
void corpus_check_keys(struct corpus_case *c, const char *name, json_t *object, const char *const *known);
/* Writes an error's sentence under `key` ("refused", "unreadable"): the part of it that is expected, where it
 * has that part. */
void corpus_add_sentence(const struct corpus_case *c, struct buf *came, const char *key, const char *text);

/* The case's request: _request.json and the case's changes; `message` (may be NULL) stands in its place.
 * False after a problem. request_done() in any case. */
bool corpus_request(struct corpus_case *c, json_t *message, struct request *request);

/* Who is looked for: the number and caller id of the case's request, around the instant under `key`. */
struct doubt corpus_doubt(struct corpus_case *c, const char *key, const struct request *request);

/* A problem for each difference between two objects. */
void corpus_compare(struct corpus_case *c, const char *name, json_t *expected, json_t *came);

/*
 * What a case sends: the bytes of its form, json or body, without a NUL behind them and in memory of just
 * that size, so that an adapter that reads too far is seen by the sanitizer.
 */
struct corpus_bytes {
    char *p; /* owned */
    size_t n;
    const char *type; /* the media type that goes with the form it has, NULL for a plain body */
};

void corpus_bytes(struct corpus_case *c, struct corpus_bytes *bytes);
void corpus_bytes_done(struct corpus_bytes *bytes);
struct span corpus_bytes_span(const struct corpus_bytes *bytes);
/* Puts the i-th oddity (oddities.c) into a form or a JSON object, and says what it is; NULL past the last. */
const char *corpus_odd(struct buf *body, bool form, size_t i);
/* The instant under `key`, or the corpus' usual one. */
int64_t corpus_instant(struct corpus_case *c, const char *key);

/* The members of EVIDENCE. */
void corpus_add_evidence(struct corpus_case *c, struct buf *came, const struct evidence *ev);
/* ,"jwt":{…} of an Authorization header's value, as far as it is right; a problem where it is not. */
void corpus_add_jwt(struct corpus_case *c, struct buf *came, struct span authorization);

#endif
