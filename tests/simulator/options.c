#include "tests/simulator/options.h"

#include <string.h>

#include "tests/simulator/text.h"

struct option_row {
    const char *name;  /* without the dashes; a switch of the same name with '_' for '-' when `set` is NULL */
    const char *value; /* what --help calls it */
    const char *what;
    int (*set)(struct sim_config *config, char *value, struct err *err);
};

static int set_listen(struct sim_config *config, char *value, struct err *err)
{
    (void)err;
    config->listen = value;
    return 0;
}

static int set_account(struct sim_config *config, char *value, struct err *err)
{
    (void)err;
    config->account_sid = value;
    return 0;
}

static int set_token(struct sim_config *config, char *value, struct err *err)
{
    (void)err;
    config->auth_token = value;
    return 0;
}

/* Cuts "a<mark>b" in two. */
static int halve(const char *what, char *value, const char *mark, const char **first, const char **second,
                 struct err *err)
{
    char *at = strstr(value, mark);
    if (!at || at == value)
        return err_set(err, ERR_CONFIG, "--%s: expected two parts with '%s' between them", what, mark);
    *at = '\0';
    *first = value;
    *second = at + strlen(mark);
    return 0;
}

static int set_api_key(struct sim_config *config, char *value, struct err *err)
{
    return halve("api-key", value, ":", &config->api_key_sid, &config->api_key_secret, err);
}

static int set_via(struct sim_config *config, char *value, struct err *err)
{
    return halve("via", value, "=", &config->via_public, &config->via_actual, err);
}

static int set_at_username(struct sim_config *config, char *value, struct err *err)
{
    (void)err;
    config->africastalking.username = value;
    return 0;
}

static int set_at_key(struct sim_config *config, char *value, struct err *err)
{
    (void)err;
    config->africastalking.api_key = value;
    return 0;
}

/* "URL" for every number, or "+254711082000=URL" for one. */
static int set_at_callback(struct sim_config *config, char *value, struct err *err)
{
    struct sim_africastalking_config *at = &config->africastalking;
    if (value[0] != '+') {
        at->callback_url = value;
        return 0;
    }
    if (at->numbers_n == SIM_REGISTERED_MOST)
        return err_set(err, ERR_LIMIT, "--africastalking-callback: more than %d numbers",
                       SIM_REGISTERED_MOST);
    struct sim_registered *row = &at->numbers[at->numbers_n++];
    return halve("africastalking-callback", value, "=", &row->from, &row->url, err);
}

static int set_at_events(struct sim_config *config, char *value, struct err *err)
{
    (void)err;
    config->africastalking.events_url = value;
    return 0;
}

static int set_vonage_application(struct sim_config *config, char *value, struct err *err)
{
    (void)err;
    config->vonage.application_id = value;
    return 0;
}

static int set_vonage_key(struct sim_config *config, char *value, struct err *err)
{
    (void)err;
    config->vonage.public_key_path = value;
    return 0;
}

static int set_vonage_secret(struct sim_config *config, char *value, struct err *err)
{
    (void)err;
    config->vonage.signature_secret = value;
    return 0;
}

static int set_vonage_api_key(struct sim_config *config, char *value, struct err *err)
{
    (void)err;
    config->vonage.api_key = value;
    return 0;
}

static int set_log(struct sim_config *config, char *value, struct err *err)
{
    (void)err;
    config->log_path = value;
    return 0;
}

static int set_callback_log(struct sim_config *config, char *value, struct err *err)
{
    (void)err;
    config->callback_log_path = value;
    return 0;
}

static int set_seed(struct sim_config *config, char *value, struct err *err)
{
    int64_t seed;
    int rc = sim_count_parse(span_str(value), "--seed", INT64_MAX, &seed, err);
    config->seed = rc ? config->seed : (uint64_t)seed;
    return rc;
}

static int set_keep(struct sim_config *config, char *value, struct err *err)
{
    return sim_count_parse(span_str(value), "--keep", 1000000000, &config->keep, err);
}

static int set_hang(struct sim_config *config, char *value, struct err *err)
{
    return sim_count_parse(span_str(value), "--hang-ms", 24 * 3600 * 1000, &config->hang_ms, err);
}

static int set_transfers(struct sim_config *config, char *value, struct err *err)
{
    int64_t count;
    int rc = sim_count_parse(span_str(value), "--callback-transfers", 10000, &count, err);
    if (rc == 0 && count == 0)
        rc = err_set(err, ERR_INVALID, "--callback-transfers must be at least 1");
    config->transfers = rc ? config->transfers : (unsigned)count;
    return rc;
}

static int set_fault(struct sim_config *config, char *value, struct err *err)
{
    const char *name = NULL, *probability = NULL;
    int rc = halve("fault", value, "=", &name, &probability, err);
    return rc ? rc : sim_switch_set(&config->switches, span_str(name), span_str(probability), err);
}

static int set_number(struct sim_config *config, char *value, struct err *err)
{
    const char *suffix = NULL, *words = NULL;
    int rc = halve("number", value, "=", &suffix, &words, err);
    return rc ? rc : sim_pattern_set(&config->switches, span_str(suffix), span_str(words), err);
}

static const struct option_row rows[] = {
    {"listen", "HOST:PORT",
     "where the API is [127.0.0.1:0: any free port; the log line with simulator_listen tells it]",
     set_listen},
    {"account-sid", "SID", "the account [AC and 32 fives]", set_account},
    {"auth-token", "TOKEN",
     "its token: password of the API and key of the signatures [f00dfacecafebeef0123456789abcdef]",
     set_token},
    {"api-key", "SID:SECRET", "an API key that is accepted, too [none]", set_api_key},
    {"africastalking-username", "NAME", "Africa's Talking's user name [sandbox]", set_at_username},
    {"africastalking-api-key", "KEY", "its API key [atsk_f00dfacecafebeef0123456789abcdef]", set_at_key},
    {"africastalking-callback", "[FROM=]URL",
     "the callback URL that its numbers, or this one, have in the dashboard; may be repeated [none: no "
     "callbacks]",
     set_at_callback},
    {"africastalking-events", "URL", "its numbers' events URL: told of ringing [none]", set_at_events},
    {"client-request-id", "WORD", "which of its callbacks echo the clientRequestId: all, final or none [all]",
     NULL},
    {"vonage-application-id", "ID", "Vonage's application [aaaaaaaa-bbbb-cccc-dddd-0123456789ab]",
     set_vonage_application},
    {"vonage-public-key", "FILE",
     "PEM of the public key that its tokens are checked with, or of the private one [none: its API answers "
     "401]",
     set_vonage_key},
    {"vonage-signature-secret", "SECRET",
     "key of its webhooks' signatures; an empty one: they are not signed [f00dfacecafebeef0123456789abcdef]",
     set_vonage_secret},
    {"vonage-api-key", "KEY", "the account that these signatures name [a1b2c3d4]", set_vonage_api_key},
    {"seed", "N", "the same seed and the same calls repeat a run [1]", set_seed},
    {"speed", "X", "calls live X times faster [1]", NULL},
    {"latency-ms", "N|A-B", "how long a placement's response takes, not scaled by --speed [0]", NULL},
    {"outcomes", "LIST", "weights [completed=70,no-answer=15,busy=6,absent=5,failed=3,canceled=1]", NULL},
    {"ring-ms", "A-B", "how long it rings before an answer [2000-20000]", NULL},
    {"talk-ms", "A-B", "how long an answered call lasts [5000-60000]", NULL},
    {"callbacks", "on|off", "off: no request leaves the simulator [on]", NULL},
    {"callback-transfers", "N", "requests of ours out at once; the others queue [256]", set_transfers},
    {"via", "PUBLIC=ACTUAL",
     "requests to URLs that start with PUBLIC go to ACTUAL, or by turns to A,B, signed for PUBLIC", set_via},
    {"fault", "NAME=P", "a fault (below) with a probability from 0 to 1; may be repeated", set_fault},
    {"number", "DIGITS=WORDS", "numbers that end so get these outcomes and faults; may be repeated",
     set_number},
    {"late-ms", "N", "how late the fault `late` is, not scaled [30000]", NULL},
    {"place-lost", "P", "probability that a call exists whose response is lost or broken [1]", NULL},
    {"hang-ms", "N", "when the connection of a placement that is never answered is closed [60000]", set_hang},
    {"keep", "N", "ended calls that look-ups and /_sim/placements still know [200000]", set_keep},
    {"log", "FILE", "appends one line of JSON a placement, before the response leaves", set_log},
    {"callback-log", "FILE", "appends one line of JSON a callback that was answered with 2xx: url, body",
     set_callback_log},
};

enum { ROWS = sizeof rows / sizeof rows[0] };

static void set_defaults(struct sim_config *config)
{
    *config = (struct sim_config){
        .listen = "127.0.0.1:0",
        .account_sid = "AC55555555555555555555555555555555",
        .auth_token = "f00dfacecafebeef0123456789abcdef",
        .africastalking = {.username = "sandbox", .api_key = "atsk_f00dfacecafebeef0123456789abcdef"},
        .vonage = {.application_id = "aaaaaaaa-bbbb-cccc-dddd-0123456789ab",
                   .signature_secret = "f00dfacecafebeef0123456789abcdef",
                   .api_key = "a1b2c3d4"},
        .seed = 1,
        .hang_ms = 60000,
        .keep = 200000,
        .transfers = 256,
    };
    sim_switches_init(&config->switches);
}

static const struct option_row *row_named(const char *name, size_t n)
{
    for (int i = 0; i < ROWS; i++) {
        if (strlen(rows[i].name) == n && memcmp(rows[i].name, name, n) == 0)
            return &rows[i];
    }
    return NULL;
}

/* A switch has the option's name with '_' for '-'. */
static int set_switch(struct sim_config *config, const char *name, const char *value, struct err *err)
{
    char key[32] = "";
    for (size_t i = 0; name[i] && i + 1 < sizeof key; i++)
        key[i] = (char)(name[i] == '-' ? '_' : name[i]);
    return sim_switch_set(&config->switches, span_str(key), span_str(value), err);
}

/* Whatever is wrong with the command line is for the person who typed it. */
static int as_config_error(int rc, struct err *err)
{
    if (rc && err)
        err->code = ERR_CONFIG;
    return rc ? ERR_CONFIG : 0;
}

/* Reads "--name=value" or "--name value"; *at is left at the last argument used. */
static int read_option(struct sim_config *config, int argc, char **argv, int *at, struct err *err)
{
    char *text = argv[*at];
    if (strncmp(text, "--", 2) != 0)
        return err_set(err, ERR_CONFIG, "\"%s\" is no option; --help lists them", text);
    size_t n = strcspn(text + 2, "=");
    const struct option_row *row = row_named(text + 2, n);
    if (!row)
        return err_set(err, ERR_CONFIG, "%.*s is no option; --help lists them", (int)n + 2, text);
    char *value = text[2 + n] == '=' ? text + 3 + n : NULL;
    if (!value && *at + 1 < argc)
        value = argv[++*at];
    if (!value)
        return err_set(err, ERR_CONFIG, "--%s needs a value", row->name);
    return as_config_error(
        row->set ? row->set(config, value, err) : set_switch(config, row->name, value, err), err);
}

int sim_options_read(struct sim_config *config, enum sim_wish *wish, int argc, char **argv, struct err *err)
{
    set_defaults(config);
    *wish = SIM_WISH_RUN;
    for (int at = 1; at < argc; at++) {
        if (strcmp(argv[at], "--help") == 0 || strcmp(argv[at], "--version") == 0) {
            *wish = argv[at][2] == 'h' ? SIM_WISH_HELP : SIM_WISH_VERSION;
            return 0;
        }
        int rc = read_option(config, argc, argv, &at, err);
        if (rc)
            return rc;
    }
    return 0;
}

static const char examples[] =
    "\nNumber patterns: the last digits of To decide. ...990001 is busy, ...990020 is placed and never "
    "answered,\n"
    "...990025 gets one 429 and is then accepted; GET /_sim/faults shows all that are set. WORDS are "
    "outcomes, with a SIP\n"
    "code where the usual one is not wanted (failed/503, busy/603, failed/0 for none), and faults (429, or "
    "429:2: only the\n"
    "first two placements to that number).\n"
    "\nIts own interface:\n"
    "  GET  /_sim/stats         counters: dials and dials of the same attempt, in progress, callbacks, most "
    "in a second\n"
    "  GET  /_sim/placements    one line of JSON a placement\n"
    "  GET  /_sim/faults        the switches;  PUT changes those that its JSON names, while calls go on\n"
    "  POST /_sim/reset         as after the start\n"
    "\nExamples:\n"
    "  ivr-simulator --listen 127.0.0.1:8900 --speed 100 --seed 7\n"
    "  ivr-simulator --listen 127.0.0.1:8900 --speed 50 --fault timeout=0.01 --fault duplicate=0.2 --log "
    "placed.ndjson\n"
    "  ivr-simulator --listen 127.0.0.1:8900 --callbacks off --latency-ms 50            (for measuring "
    "dispatch)\n"
    "  ivr-simulator --number 0042=busy/603,late --late-ms 5000\n"
    "  ivr-simulator --africastalking-callback "
    "'+254711082001=https://ivr.example.org/callbacks/africastalking/"
    "ke?token=T' \\\n"
    "    --client-request-id final --vonage-public-key vonage.pub --vonage-signature-secret S\n"
    "  curl -X PUT http://127.0.0.1:8900/_sim/faults -d '{\"429\": 0.1, \"numbers\": {\"0042\": "
    "\"completed,early\"}}'\n"
    "  curl -u AC55555555555555555555555555555555:f00dfacecafebeef0123456789abcdef \\\n"
    "    http://127.0.0.1:8900/2010-04-01/Accounts/AC55555555555555555555555555555555/Calls.json \\\n"
    "    -d To=+254722990001 -d From=+254711082000 -d Url=http://127.0.0.1:8080/answer/x \\\n"
    "    -d StatusCallback=http://127.0.0.1:8080/callbacks/x -d StatusCallbackEvent=completed\n";

void sim_options_help(struct buf *out)
{
    buf_adds(out,
             "ivr-simulator [options]\n\nA voice provider to test against: it speaks the APIs of Twilio, "
             "Africa's Talking and Vonage, posts callbacks "
             "as the real one\ndoes, can fail in the ways listed below, and counts how often each call "
             "was dialled. "
             "SIGTERM ends it\nwith 0; a wrong option is exit code 2.\n\n");
    for (int i = 0; i < ROWS; i++)
        buf_addf(out, "  --%s %s%*s%s\n", rows[i].name, rows[i].value,
                 (int)(36 - strlen(rows[i].name) - strlen(rows[i].value)), "", rows[i].what);
    buf_adds(out, "\nFaults:\n");
    for (int i = 0; i < SIM_FAULTS; i++)
        buf_addf(out, "  %-16s%s%s\n", sim_faults[i].name, sim_faults[i].what,
                 sim_faults[i].exists == SIM_EXISTS_MAYBE ? "; the call exists as --place-lost says"
                 : sim_faults[i].exists == SIM_EXISTS_NOT ? "; there is no call"
                                                          : "");
    buf_adds(out, examples);
}
