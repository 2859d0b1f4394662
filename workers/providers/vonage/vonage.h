/*
 * Vonage Voice API v1 (once Nexmo). Credentials: application_id, and private_key, the RSA key that belongs to
 * the application (PEM). callback_secret is the account's signature secret (not the API secret), or a list of
 * them while one replaces the other. A call lives in one region (base_url https://api-eu-1.nexmo.com and so
 * on): asked elsewhere, it is not found.
 *
 * Instructions go inside the placement (NCCO); events come to the URL that goes with it, as POST, which we
 * ask for: a query could not be verified. Sources: Nexmo/api-specification definitions/voice.yml,
 * Nexmo/nexmo-developer (voice-api/webhook-reference.md, concepts/guides/webhooks.md, authentication.md),
 * Vonage's Java, PHP, Python and Node SDKs.
 */
#ifndef IVR_PROVIDERS_VONAGE_H
#define IVR_PROVIDERS_VONAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/span.h"
#include "workers/providers/provider.h"

/* Indexes of the credentials. */
enum vonage_credential { VONAGE_APPLICATION_ID, VONAGE_PRIVATE_KEY };

/* How long a token is valid, and how long before its end a new one is made: it must outlive the way there. */
enum { VONAGE_TOKEN_S = 15 * 60, VONAGE_TOKEN_MARGIN_S = 60 };

/*
 * `open` and `close` of struct provider: parse the key and sign a first token, so that what cannot sign is a
 * problem of the channels file; forget both.
 */
int vonage_open(struct channel *channel, struct err *err);
void vonage_close(struct channel *channel);

/*
 * Appends "Bearer TOKEN". RS256 costs as much as a dozen placements, so a token serves the whole channel
 * until shortly before its end; also a clock that went back makes a new one, because the provider refuses a
 * token from the future. `now_ms`: wall.
 */
int vonage_add_bearer(struct buf *out, const struct channel *channel, int64_t now_ms, struct err *err)
    __attribute__((warn_unused_result));

/*
 * `verify` of struct provider: VERIFIED_NONE on a channel without callback_secret, else VERIFIED_SIGNATURE or
 * VERIFIED_NO. A signature is a JWT in Authorization: HS256 under one of the secrets, made within five
 * minutes of when we received it, with the SHA-256 of the body, and of the channel's application where it
 * says of which one it is.
 *
 * What the signature leaves open: the URL is not signed. Whoever could read a webhook on its way could send
 * it again within the five minutes, also to another call's URL. So whose it is, the `uuid` in the body says
 * (signs_body_only of struct provider): sent again, anywhere, it is the same evidence of the same call, hence
 * no memory of `jti`.
 */
enum verified vonage_verify(const struct channel *channel, struct span public_url,
                            const struct callback *callback);

/* `callback`, `callback_id` and `looked_up` of struct provider. */
int vonage_callback(const struct callback *callback, struct evidence *ev, struct err *err);
bool vonage_callback_id(const struct callback *callback, struct buf *id);
void vonage_looked_up(const struct channel *channel, int status, struct span body, struct evidence *ev);

#endif
