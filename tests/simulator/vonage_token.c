/* The two kinds of JWT: the application's own, which lets it use the API, and Vonage's, which signs webhooks.
 */
#include "tests/simulator/vonage.h"

#include <string.h>
#include <strings.h>

#include "common/base/clock.h"
#include "common/base/crypto.h"
#include "common/http/jwt.h"
#include "common/json/json.h"
#include "common/run/log.h"

/* A token without `exp` lives for 15 minutes, none for more than a day; clocks may differ by a minute. */
enum { USUAL_LIFE_S = 15 * 60, LONGEST_LIFE_S = 24 * 3600, SKEW_S = 60 };

/* NULL where nothing is wrong; *until_s is then when it runs out. */
static const char *wrong_with(const struct sim_vonage_config *config, const json_t *claims, int64_t now_s,
                              int64_t *until_s)
{
    const json_t *iat = json_object_get(claims, "iat"), *exp = json_object_get(claims, "exp");
    int64_t from_s = json_integer_value(iat);
    *until_s = exp ? json_integer_value(exp) : from_s + USUAL_LIFE_S;
    if (!claims)
        return "not signed with the application's key";
    if (!span_is(json_get_span(claims, "application_id"), config->application_id))
        return "application_id is another one's";
    if (json_get_span(claims, "jti").n == 0)
        return "no jti";
    if (!json_is_integer(iat) || (exp && !json_is_integer(exp)))
        return "iat or exp is no whole number";
    if (from_s > now_s + SKEW_S || json_integer_value(json_object_get(claims, "nbf")) > now_s + SKEW_S)
        return "not valid yet";
    if (*until_s <= now_s)
        return "expired";
    return *until_s - from_s > LONGEST_LIFE_S ? "valid for more than a day" : NULL;
}

static bool check(const struct sim *sim, struct span token, int64_t now_s, int64_t *until_s)
{
    json_t *claims = sim->vonage_key ? jwt_open_rs256(token, sim->vonage_key) : NULL;
    const char *wrong = sim->vonage_key ? wrong_with(&sim->config.vonage, claims, now_s, until_s)
                                        : "the simulator was started without --vonage-public-key";
    json_decref(claims);
    if (wrong)
        LOG_LIMITED(LOG_LEVEL_WARN, "token refused", LOG_STR("because", wrong));
    return !wrong;
}

bool sim_vonage_authentic(const struct sim *sim, struct span authorization)
{
    /* What was found right last time is compared first: a token serves many requests. */
    static char right[2048];
    static size_t right_n;
    static int64_t right_until_s;
    int64_t now_s = clock_wall_ms() / 1000, until_s;
    if (right_n && authorization.n == right_n && memcmp(authorization.p, right, right_n) == 0 &&
        now_s < right_until_s)
        return true;
    if (authorization.n < 7 || strncasecmp(authorization.p, "Bearer ", 7) != 0)
        return false;
    if (!check(sim, span_of(authorization.p + 7, authorization.n - 7), now_s, &until_s))
        return false;
    if (authorization.n <= sizeof right) {
        memcpy(right, authorization.p, authorization.n);
        right_n = authorization.n;
        right_until_s = until_s;
    }
    return true;
}

/* Each try has a token of its own. */
static void add_jti(struct buf *out, struct sim *sim)
{
    char text[VONAGE_ID_LEN];
    uint64_t turn = ++sim->tokens;
    uint64_t bits[2] = {sim_mix(sim->instance[0], turn), sim_mix(sim->instance[1], turn)};
    sim_vonage_uuid(text, bits);
    json_kstr(out, "jti", span_of(text, sizeof text));
}

void sim_vonage_sign(struct sim *sim, struct buf *headers, struct span payload)
{
    const struct sim_vonage_config *config = &sim->config.vonage;
    uint8_t hash[SHA256_LEN];
    struct buf *claims = &sim->body, hex;
    if (!config->signature_secret[0])
        return;
    crypto_sha256(payload, hash);
    buf_init(&hex, 2 * SHA256_LEN + 1);
    crypto_add_hex(&hex, hash, sizeof hash);
    buf_clear(claims);
    buf_addc(claims, '{');
    json_kint(claims, "iat", clock_wall_ms() / 1000);
    add_jti(claims, sim);
    json_kstrz(claims, "iss", "Vonage");
    json_kstr(claims, "payload_hash", buf_span(&hex));
    json_kstrz(claims, "api_key", config->api_key);
    json_kstrz(claims, "application_id", config->application_id);
    buf_addc(claims, '}');
    buf_adds(headers, "Authorization: Bearer ");
    jwt_add_hs256(headers, span_str(config->signature_secret), buf_span(claims));
    buf_addc(headers, '\n');
    buf_done(&hex);
}
