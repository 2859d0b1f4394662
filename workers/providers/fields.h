/*
 * What adapters share in reading what providers write: numbers, which are text in forms and either in JSON,
 * and form bodies. Pure, reentrant.
 */
#ifndef IVR_PROVIDERS_FIELDS_H
#define IVR_PROVIDERS_FIELDS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/span.h"
#include "common/base/url.h"
#include "common/json/json.h"
#include "workers/providers/provider.h"

/* The media type of a form; parameters may follow. */
#define FIELDS_FORM_TYPE "application/x-www-form-urlencoded"

/* One to nine decimal digits and nothing else. -1: it is none, is negative, or is larger. */
int64_t fields_number(struct span text);
/* The same of a JSON number that is whole or of a string that holds one: providers and their clones are not
 * strict. */
int64_t fields_json_number(const json_t *object, const char *key);

/* Whether a body of this content type is a form; without one it is taken for one. */
bool fields_is_form(struct span content_type);
/* A callback's form: of a GET with a query that, else the body. ERR_INVALID when the content type is another
 * one or the form is too large; form_done() in any case. */
int fields_read_form(struct form *form, const struct callback *callback, struct err *err);

/*
 * The words and ids that say what a report is about must be UTF-8 where they are present: ERR_INVALID names
 * the one that is not. Other fields need no check, because evidence_set_*() replaces such bytes. `names` ends
 * with NULL.
 */
int fields_need_value(const char *name, struct span value, struct err *err);
int fields_need(const struct form *form, const char *const *names, struct err *err);
int fields_json_need(const json_t *object, const char *const *names, struct err *err);

/* A reply's body where it is a sentence in plain text, without the space around it; SPAN_NONE for a page of
 * some proxy and for what is no text. In which character set it is, nobody says. */
struct span fields_sentence(struct span body);

/* Appends the id when it is one that evidence would keep (evidence_set_provider_call_id); false: it is
 * none. */
bool fields_add_id(struct buf *out, struct span id);

#endif
