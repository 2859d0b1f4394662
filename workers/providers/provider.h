/*
 * A voice provider: one folder, one struct of functions and tables, no I/O. Adding one is that folder
 * (workers/providers/NAME), its row in PROVIDERS below and its cases in tests/corpus/NAME.
 *
 * MUST: name, settings, place, placed, callback, callback_id. MAY: everything that says so.
 *
 * The rule that matters most: an adapter may refine what shared code already knows of a placement, and never
 * widen "certainly not placed". Shared code (workers/dispatch/judge.h) decides from how far the request got;
 * the adapter is asked only about complete replies. reply.h has what adapters share in reading them.
 */
#ifndef IVR_PROVIDERS_PROVIDER_H
#define IVR_PROVIDERS_PROVIDER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/span.h"
#include "common/http/http.h"
#include "common/model/evidence.h"
#include "common/model/request.h"

struct channel; /* channels.h */

/* One credential as the channels file names it. */
struct provider_setting {
    const char *name;
    bool required;
    bool secret; /* drives masking in logs, --check and errors */
};

/* Which attempt, and where its callbacks go. */
struct placement {
    const struct channel *channel;
    const struct request *request;
    struct span from;       /* the request's or the channel's */
    int attempt;            /* from 1 */
    struct span public_url; /* IVR_PUBLIC_URL; SPAN_NONE: no callbacks, instructions inside the request */
};

/* What a complete reply to a placement says. */
enum placed_kind {
    PLACED_NOTHING,         /* no reply was read yet */
    PLACED_ACCEPTED,        /* the provider has the call: evidence Pending with its id */
    PLACED_REFUSED,         /* a valid refusal for good: never retried */
    PLACED_REFUSED_FOR_NOW, /* a valid refusal that may pass: an attempt, retried where retry.on says so */
    PLACED_NOT_NOW,         /* 429 and the provider's own "not now": no attempt, the number is used again */
    PLACED_CHANNEL,         /* wrong key, no credit, caller id not ours: suspends the channel */
    PLACED_IN_DOUBT,        /* cannot be read as any of these: may have been placed */
};

struct placed {
    enum placed_kind kind;
    /* PLACED_CHANNEL because of the caller id: where the request brought its own `from`, the trouble is the
     * request's alone. */
    bool caller_id;
    /* Complete with PLACED_ACCEPTED, _REFUSED, _REFUSED_FOR_NOW, _IN_DOUBT; else only its reason is used. */
    struct evidence evidence;
};

/* A callback as the gateway received it, or as it stands on the topic. */
struct callback {
    const char *method;
    struct span target;       /* path and query as requested, undecoded (gateway only) */
    struct span query;        /* undecoded, without "token" on the topic; SPAN_NONE */
    struct span content_type; /* SPAN_NONE when absent */
    struct span body;
    int64_t received_ms; /* wall */
    /* Request headers, gateway only; SPAN_NONE when absent. */
    struct span (*header)(const struct callback *callback, const char *name);
    void *arg; /* for `header` */
};

/* An attempt of which nobody knows whether it was placed. */
struct doubt {
    struct span to, from; /* E.164 */
    int64_t from_ms;      /* wall: it was not placed before */
    int64_t to_ms;        /* ... nor later */
};

enum verified { VERIFIED_NO, VERIFIED_NONE, VERIFIED_TOKEN, VERIFIED_SIGNATURE };

struct provider {
    const char *name; /* as in the channels file and in URLs */
    const char *default_base_url;
    const struct provider_setting *settings; /* ends with a NULL name */
    bool signs_callbacks;            /* its callbacks carry a signature made with its own credentials */
    bool signs_with_callback_secret; /* or one made with callback_secret (Vonage), where the channel has it */
    /* A signature covers neither path nor query: only the provider's call id in the body says which attempt a
     * callback is about. */
    bool signs_body_only;
    bool calls_by_get; /* its callbacks may come by GET, with all that they say in what is signed */
    bool url_per_call; /* takes a callback URL with each placement */

    /* Checks what the table cannot say (a key that does not parse), and keeps in channel->adapter what
     * placing needs again and again (the parsed key). ERR_CONFIG names the field. MAY be NULL. */
    int (*open)(struct channel *channel, struct err *err);
    /* Frees channel->adapter, which is not NULL. MAY be NULL. */
    void (*close)(struct channel *channel);
    /* Builds the HTTP request. ERR_INVALID when the request cannot be said in this provider's language (text
     * too long, no public URL for an answer): a refusal of ours, the text becomes the reason. */
    int (*place)(const struct placement *placement, struct http_request *http, struct err *err);
    /* Reads a complete reply (any status, 5xx too, but redirects and 407: reply_read) to a placement. */
    void (*placed)(const struct channel *channel, int status, struct span body, struct placed *out);
    /* Reads a callback. ERR_INVALID: cannot be read (a dead letter, with the sentence). Evidence that says
     * nothing (another kind of callback) is STATUS_NONE with no hops: fine. */
    int (*callback)(const struct callback *callback, struct evidence *ev, struct err *err);
    /* Finds the provider's call id without reading more (for the record's key); false when there is none.
     * `id` is appended. */
    bool (*callback_id)(const struct callback *callback, struct buf *id);
    /* Our own reference echoed in a field ("tenant/call_id/attempt"), appended unchecked; false when there is
     * none. MAY be NULL. */
    bool (*callback_ref)(const struct callback *callback, struct buf *ref);
    /* Whether the callback also asks what the call should do now, so that the reply to it is the document
     * that answer() writes. MAY be NULL: callbacks never ask. */
    bool (*callback_asks)(const struct callback *callback);
    /* Checks the signature over all that callback() and callback_id() read of it; `public_url` may be
     * SPAN_NONE. NULL for providers that sign nothing: the token guards the URL. */
    enum verified (*verify)(const struct channel *channel, struct span public_url,
                            const struct callback *callback);
    /* What the call should do now: the document for `request`'s message, and its media type. `request` NULL:
     * hang up. NULL: it takes instructions only inside the placement. */
    void (*answer)(const struct request *request, struct buf *out, const char **content_type);
    /* Asks for a call's state by the provider's id; NULL: cannot be asked. */
    int (*lookup)(const struct channel *channel, struct span provider_call_id, struct http_request *http,
                  struct err *err);
    /* Reads a complete reply to a look-up: evidence; STATUS_NONE for "not found" and anything unclear. */
    void (*looked_up)(const struct channel *channel, int status, struct span body, struct evidence *ev);
    /* Asks the provider to end a call, ringing or answered, by its id; NULL: it cannot be asked. Any answer
     * but 3xx, 401, 403, 407, 408, 429 and 5xx settles it: what the call came to, its reports say. */
    int (*hang_up)(const struct channel *channel, struct span provider_call_id, struct http_request *http,
                   struct err *err);
    /* Asks for the calls among which an attempt in doubt would be; NULL: cannot be asked. */
    int (*find)(const struct channel *channel, const struct doubt *doubt, struct http_request *http,
                struct err *err);
    /* Reads a complete reply to that: the evidence, with its id, of the one call that fits; STATUS_NONE when
     * none does, or more than one, which cannot be told apart. That it is no other attempt's, the caller
     * sees from its id. */
    void (*found)(const struct channel *channel, const struct doubt *doubt, int status, struct span body,
                  struct evidence *ev);
};

/* Every provider, one row each: NAME_provider, defined in NAME/NAME.c. */
#define PROVIDERS(X)                                                                                         \
    X(twilio)                                                                                                \
    X(africastalking)                                                                                        \
    X(vonage)

#define DECLARE_PROVIDER(name) extern const struct provider name##_provider;
PROVIDERS(DECLARE_PROVIDER)
#undef DECLARE_PROVIDER

/* NULL when unknown. */
const struct provider *provider_by_name(struct span name);
/* All of them; *n entries. */
const struct provider *const *provider_all(size_t *n);

/* The index in the provider's settings, -1 when it has no such credential. */
int provider_setting_index(const struct provider *provider, const char *name);

/* PUBLIC_URL/{callbacks|answer}/{provider}/{channel}/{tenant}/{call_id}/{attempt}, each segment
 * percent-encoded where it needs to be (url_add_segment). */
void provider_add_call_url(struct buf *b, const struct placement *placement, const char *what);

#endif
