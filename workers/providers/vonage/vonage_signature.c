/*
 * Signed webhooks: Authorization: Bearer JWT, HS256 under the account's signature secret, with the claims
 * iat, jti, iss, payload_hash (lower-case hex SHA-256 of the raw body), api_key and application_id. Sources:
 * Nexmo/nexmo-developer messages/concepts/signed-webhooks.md and concepts/guides/webhooks.md,
 * Vonage/vonage-python-sdk jwt/, whose vector is ours (tests/unit/test_jwt.c).
 */
#include <jansson.h>
#include <string.h>
#include <strings.h>

#include "common/base/crypto.h"
#include "common/http/jwt.h"
#include "common/json/json.h"
#include "workers/providers/channels.h"
#include "workers/providers/vonage/vonage.h"

/* Both ways: clocks differ. */
static const double AGE_MAX_S = 5 * 60;

/* The token after "Bearer", whose case does not matter (RFC 9110 section 11.1); SPAN_NONE without. */
static struct span bearer_token(const struct callback *callback)
{
    static const struct span scheme = SPAN_LIT("Bearer ");
    struct span value = callback->header ? callback->header(callback, "Authorization") : SPAN_NONE;
    if (value.n <= scheme.n || strncasecmp(value.p, scheme.p, scheme.n) != 0)
        return SPAN_NONE;
    value = span_of(value.p + scheme.n, value.n - scheme.n);
    while (value.n > 0 && value.p[0] == ' ')
        value = span_of(value.p + 1, value.n - 1);
    return value;
}

/* The time taken tells which of them fits, and nothing of what they are. */
static json_t *open_with_any(const struct channel *channel, struct span token)
{
    json_t *claims = NULL;
    for (int i = 0; i < CHANNEL_MAX_SECRETS && channel->callback_secrets[i] && !claims; i++)
        claims = jwt_open_hs256(token, span_str(channel->callback_secrets[i]));
    return claims;
}

/* `exp` is none of the documented claims: where it is there, it counts. */
static bool in_time(const json_t *claims, int64_t received_ms)
{
    const json_t *iat = json_object_get(claims, "iat"), *expires = json_object_get(claims, "exp");
    double now_s = (double)received_ms / 1000, age_s = now_s - json_number_value(iat);
    if (!json_is_number(iat) || age_s > AGE_MAX_S || age_s < -AGE_MAX_S)
        return false;
    return !expires || (json_is_number(expires) && json_number_value(expires) > now_s);
}

/* What is hashed must be what is read. A token without a hash covers nothing, and none covers the query of a
 * GET. */
static bool payload_fits(const json_t *claims, const struct callback *callback)
{
    uint8_t hash[SHA256_LEN];
    struct buf hex;
    if (callback->method && strcmp(callback->method, "GET") == 0)
        return false;
    buf_init(&hex, 2 * sizeof hash);
    crypto_sha256(callback->body, hash);
    crypto_add_hex(&hex, hash, sizeof hash);
    bool fits = crypto_equal(buf_span(&hex), json_get_span(claims, "payload_hash"));
    buf_done(&hex);
    return fits;
}

/* An account signs the webhooks of all its applications with one secret: another application's speaks of
 * other calls. The claim is documented as optional. */
static bool application_fits(const json_t *claims, const struct channel *channel)
{
    return !json_object_get(claims, "application_id") ||
           span_eq(json_get_span(claims, "application_id"), channel_credential(channel, "application_id"));
}

enum verified vonage_verify(const struct channel *channel, struct span public_url,
                            const struct callback *callback)
{
    (void)public_url;
    if (!channel->callback_secrets[0])
        return VERIFIED_NONE;
    json_t *claims = open_with_any(channel, bearer_token(callback));
    bool fits = claims && in_time(claims, callback->received_ms) && payload_fits(claims, callback) &&
                application_fits(claims, channel);
    json_decref(claims);
    return fits ? VERIFIED_SIGNATURE : VERIFIED_NO;
}
