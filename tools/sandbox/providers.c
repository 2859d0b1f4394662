/* The simulated providers: one simulator that speaks the APIs of all three, a channel for each, and contacts
 * whose country code chooses between them. */
#include <errno.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json/json.h"
#include "tools/sandbox/probe.h"
#include "tools/sandbox/sandbox.h"

enum {
    START_MS = 10000, /* it starts at once or not at all */
    STATS_MS = 10000,
    STATS_MAX = 64 * 1024,
    KEY_BITS = 2048,
    CONTACTS_MAX = 256 * 1024 * 1024,
};

#define ACCOUNT_SID      "AC55555555555555555555555555555555"
#define AUTH_TOKEN       "f00dfacecafebeef0123456789abcdef"
#define USERNAME         "sandbox"
#define API_KEY          "atsk_f00dfacecafebeef0123456789abcdef"
#define CALLBACK_TOKEN   "sandbox-callback-token"
#define APPLICATION_ID   "aaaaaaaa-bbbb-cccc-dddd-0123456789ab"
#define SIGNATURE_SECRET "sandbox-signature-secret-of-vonage"

#define KENYA            "ke-africastalking"

enum { KE, US, GB, PLACES };

/* Nobody's numbers, should the file ever reach a real provider: no area code begins with 3 in Kenya, with 99
 * in North America or with 6 in the United Kingdom. */
static const struct {
    const char *channel, *provider, *country_code, *from;
    const char *to; /* seven digits follow */
    const char *contact;
} places[PLACES] = {
    [KE] = {KENYA, "africastalking", "254", "+254711082000", "+25430",
            "sw-KE,\"Habari, leo bei ya mahindi ni shilingi 45 kwa kilo.\""},
    [US] = {"us-twilio", "twilio", "1", "+15005550006", "+1999",
            "en-US,Maize is at 45 shillings a kilogram today."},
    [GB] = {"gb-vonage", "vonage", "44", "+447700900999", "+44600",
            "en-GB,Maize is at 45 shillings a kilogram today."},
};

/* ---- files ---- */

static int write_file(const char *path, struct span text, struct err *err)
{
    FILE *file = fopen(path, "wb");
    bool written = file != NULL && fwrite(text.p, 1, text.n, file) == text.n;
    if (file != NULL && fclose(file) != 0)
        written = false;
    return written ? 0 : err_set(err, ERR_SYSTEM, "%s cannot be written: %s", path, strerror(errno));
}

/* What signs our requests to Vonage. The simulator checks them with the public half of it. */
static int write_key(const char *path, struct err *err)
{
    EVP_PKEY *key = EVP_RSA_gen(KEY_BITS);
    FILE *file = fopen(path, "wb");
    bool written =
        key != NULL && file != NULL && PEM_write_PKCS8PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1;
    if (file != NULL && fclose(file) != 0)
        written = false;
    EVP_PKEY_free(key);
    return written ? 0 : err_set(err, ERR_SYSTEM, "%s cannot be made: no key of Vonage's", path);
}

static json_t *credentials_of(const struct sandbox *sb, int place)
{
    switch (place) {
    case KE:
        return json_pack("{s:s, s:s}", "username", USERNAME, "api_key", API_KEY);
    case US:
        return json_pack("{s:s, s:s}", "account_sid", ACCOUNT_SID, "auth_token", AUTH_TOKEN);
    default:
        return json_pack("{s:s, s:{s:s}}", "application_id", APPLICATION_ID, "private_key", "file",
                         sb->key_path);
    }
}

static json_t *channel_of(const struct sandbox *sb, int place, const char *base_url)
{
    static const char *const secrets[PLACES] = {[KE] = CALLBACK_TOKEN, [GB] = SIGNATURE_SECRET};
    return json_pack("{s:s, s:s, s:[s], s:s, s:o, s:s*}", "provider", places[place].provider, "from",
                     places[place].from, "country_codes", places[place].country_code, "base_url", base_url,
                     "credentials", credentials_of(sb, place), "callback_secret", secrets[place]);
}

int providers_write_channels(struct sandbox *sb, struct err *err)
{
    char base_url[64];
    json_t *channels = json_object();
    snprintf(base_url, sizeof(base_url), "http://127.0.0.1:%d", sb->ports[PORT_SIMULATOR]);
    for (int place = 0; place < PLACES; place++)
        json_object_set_new(channels, places[place].channel, channel_of(sb, place, base_url));
    json_t *file = json_pack("{s:o, s:s}", "channels", channels, "default_channel", places[US].channel);
    char *text = json_dumps(file, JSON_INDENT(2));
    int rc = write_key(sb->key_path, err);
    if (rc == 0)
        rc = write_file(sb->channels_path, span_str(text), err);
    free(text);
    json_decref(file);
    return rc;
}

int providers_write_contacts(struct sandbox *sb, struct err *err)
{
    struct buf b;
    buf_init(&b, CONTACTS_MAX);
    buf_adds(&b, "to,language,say\n");
    for (long i = 0; i < sb->options.calls; i++)
        buf_addf(&b, "%s%07ld,%s\n", places[i % PLACES].to, i / PLACES, places[i % PLACES].contact);
    int rc = write_file(sb->contacts_path, buf_span(&b), err);
    buf_done(&b);
    return rc;
}

/* ---- the simulator ---- */

static bool simulator_answers(struct sandbox *sb)
{
    return probe_tcp(sb->ports[PORT_SIMULATOR]);
}

int providers_start(struct sandbox *sb, struct err *err)
{
    char listen[48], callback[160];
    snprintf(listen, sizeof(listen), "127.0.0.1:%d", sb->ports[PORT_SIMULATOR]);
    /* Africa's Talking takes no URL with a call: its dashboard, here, has one for reports, and one for
     * ringing. */
    snprintf(callback, sizeof(callback),
             "http://127.0.0.1:%d/callbacks/africastalking/" KENYA "?token=" CALLBACK_TOKEN,
             sb->ports[PORT_GATEWAY]);
    const struct child_spec spec = {
        .name = "ivr-simulator",
        .args = {sb->paths.simulator,
                 "--listen",
                 listen,
                 "--speed",
                 "30",
                 "--latency-ms",
                 "50-250",
                 "--seed",
                 "7",
                 "--account-sid",
                 ACCOUNT_SID,
                 "--auth-token",
                 AUTH_TOKEN,
                 "--africastalking-username",
                 USERNAME,
                 "--africastalking-api-key",
                 API_KEY,
                 "--africastalking-callback",
                 callback,
                 "--africastalking-events",
                 callback,
                 "--vonage-application-id",
                 APPLICATION_ID,
                 "--vonage-public-key",
                 sb->key_path,
                 "--vonage-signature-secret",
                 SIGNATURE_SECRET},
        .env = sb->env,
    };
    sb->simulator = child_start(&sb->children, &spec, err);
    if (sb->simulator == NULL)
        return err->code;
    return sandbox_wait(sb, simulator_answers, "the simulator", START_MS, err);
}

/* ---- what it saw ---- */

static bool stats_are_here(struct sandbox *sb)
{
    struct buf body;
    buf_init(&body, STATS_MAX);
    if (probe_get(sb->ports[PORT_SIMULATOR], "/_sim/stats", &body)) {
        json_t *stats = json_parse(buf_span(&body), STATS_MAX, NULL);
        sb->dialled = (long)json_integer_value(json_object_get(stats, "dialled"));
        sb->dialled_again = (long)json_integer_value(json_object_get(stats, "dialled_again_by_attempt"));
        sb->dialled_known = json_is_integer(json_object_get(stats, "dialled"));
        json_decref(stats);
    }
    buf_done(&body);
    return sb->dialled_known;
}

int providers_ask(struct sandbox *sb, struct err *err)
{
    int rc = sandbox_wait(sb, stats_are_here, "the simulator's counters", STATS_MS, err);
    if (rc == 0 && sb->dialled_again > 0)
        rc = err_set(err, ERR_INVALID, "the simulated providers dialled %ld attempts again",
                     sb->dialled_again);
    return rc;
}
