/*
 * Twilio Programmable Voice, and who copies its API: SignalWire (base_url
 * https://SPACE.signalwire.com/api/laml) and Somleng.
 *
 * Credentials: account_sid and auth_token; placements authenticate with api_key_sid and api_key_secret where
 * these are given. Signatures are always made with auth_token. So a SignalWire channel has its project id as
 * account_sid and api_key_sid, the API token as api_key_secret, and the project's signing key as auth_token.
 */
#ifndef IVR_PROVIDERS_TWILIO_H
#define IVR_PROVIDERS_TWILIO_H

#include "common/base/buf.h"
#include "common/base/span.h"
#include "workers/providers/provider.h"

/* Twilio's connection overrides, which stand in a callback URL's fragment: five retries, of every kind of
 * failure. */
#define TWILIO_CALLBACK_FRAGMENT "#rc=5&rp=all"

/*
 * Appends the signature of a request: Base64(HMAC-SHA1(auth token, url and sorted form fields)). `form` is
 * the undecoded form body; SPAN_NONE for GET and for bodies that are no form.
 */
void twilio_add_signature(struct buf *b, struct span auth_token, struct span url, struct span form);

/* Appends what the signature covers of a form (undecoded) behind the URL: each distinct field, sorted. */
void twilio_add_signed_fields(struct buf *b, struct span form);

/*
 * `verify` of struct provider: VERIFIED_SIGNATURE or VERIFIED_NO, in a time that does not tell where they
 * differ. Works on the bytes as they came, so that a signed body which cannot be read is still known to be
 * Twilio's. Without public_url the URL is rebuilt from the Host header, as https and as http.
 */
enum verified twilio_verify(const struct channel *channel, struct span public_url,
                            const struct callback *callback);

/* Whether Twilio, or a copy of its API, documents it as a CallStatus. */
bool twilio_is_status(struct span word);

/* `callback`, `callback_id` and `looked_up` of struct provider. */
int twilio_callback(const struct callback *callback, struct evidence *ev, struct err *err);
bool twilio_callback_id(const struct callback *callback, struct buf *id);
void twilio_looked_up(const struct channel *channel, int status, struct span body, struct evidence *ev);
void twilio_found(const struct channel *channel, const struct doubt *doubt, int status, struct span body,
                  struct evidence *ev);

#endif
