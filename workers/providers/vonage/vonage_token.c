/*
 * The token that a request to Vonage carries: RS256 over application_id, iat, jti and exp
 * (Nexmo/nexmo-developer concepts/guides/authentication.md; fifteen minutes is what Vonage's SDKs use).
 */
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/crypto.h"
#include "common/base/mem.h"
#include "common/http/jwt.h"
#include "common/json/json.h"
#include "workers/providers/channels.h"
#include "workers/providers/vonage/vonage.h"

enum { CLAIMS_MAX = 4096 };

/* channel->adapter */
struct account {
    struct jwt_key *key;
    struct buf token;
    int64_t issued_s; /* wall seconds: the token's iat */
};

/* A random UUID (RFC 4122, version 4). */
static void add_uuid(struct buf *b)
{
    static const size_t groups[] = {4, 2, 2, 2, 6};
    uint8_t bytes[16];
    size_t at = 0;
    crypto_random(bytes, sizeof bytes);
    bytes[6] = (uint8_t)((bytes[6] & 0x0F) | 0x40);
    bytes[8] = (uint8_t)((bytes[8] & 0x3F) | 0x80);
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        if (i > 0)
            buf_addc(b, '-');
        crypto_add_hex(b, bytes + at, groups[i]);
        at += groups[i];
    }
}

static void add_claims(struct buf *b, const char *application_id, int64_t now_s)
{
    struct buf uuid;
    buf_init(&uuid, 64);
    add_uuid(&uuid);
    buf_addc(b, '{');
    json_kstrz(b, "application_id", application_id);
    json_kint(b, "iat", now_s);
    json_kint(b, "exp", now_s + VONAGE_TOKEN_S);
    json_kstr(b, "jti", buf_span(&uuid));
    buf_addc(b, '}');
    buf_done(&uuid);
}

static int renew(struct account *account, const char *application_id, int64_t now_s, struct err *err)
{
    struct buf claims;
    buf_init(&claims, CLAIMS_MAX);
    add_claims(&claims, application_id, now_s);
    buf_clear(&account->token);
    int code = buf_ok(&claims) ? 0 : err_set(err, ERR_CONFIG, "credentials.application_id: is too long");
    if (code == 0 && jwt_add_rs256(&account->token, account->key, buf_span(&claims), err) != 0)
        code = err_prefix(err, "credentials.private_key");
    account->issued_s = now_s;
    buf_done(&claims);
    return code;
}

static bool still_serves(const struct account *account, int64_t now_s)
{
    return account->token.n > 0 && now_s >= account->issued_s &&
           now_s < account->issued_s + VONAGE_TOKEN_S - VONAGE_TOKEN_MARGIN_S;
}

int vonage_add_bearer(struct buf *out, const struct channel *channel, int64_t now_ms, struct err *err)
{
    struct account *account = channel->adapter;
    int64_t now_s = now_ms / 1000;
    if (!still_serves(account, now_s)) {
        int code = renew(account, channel->credentials[VONAGE_APPLICATION_ID], now_s, err);
        if (code != 0)
            return code;
    }
    buf_adds(out, "Bearer ");
    buf_addspan(out, buf_span(&account->token));
    return 0;
}

void vonage_close(struct channel *channel)
{
    struct account *account = channel->adapter;
    jwt_key_free(&account->key);
    if (account->token.cap > 0)
        explicit_bzero(account->token.p, account->token.cap);
    buf_done(&account->token);
    free(account);
    channel->adapter = NULL;
}

int vonage_open(struct channel *channel, struct err *err)
{
    struct account *account = mem_calloc(1, sizeof *account);
    buf_init(&account->token, JWT_MAX);
    channel->adapter = account;
    int code = jwt_key_new(&account->key, span_str(channel->credentials[VONAGE_PRIVATE_KEY]), err);
    if (code != 0)
        err_prefix(err, "credentials.private_key");
    else
        code = renew(account, channel->credentials[VONAGE_APPLICATION_ID], clock_wall_ms() / 1000, err);
    if (code == 0)
        return 0;
    vonage_close(channel);
    if (err)
        err->code = ERR_CONFIG; /* whatever it was, the channels file is what can be mended */
    return ERR_CONFIG;
}
