#include "tests/simulator/switches.h"

#include <stdio.h>
#include <string.h>

#include "common/json/json.h"
#include "tests/simulator/text.h"

const char *const sim_outcome_names[SIM_OUTCOMES] = {
    [SIM_COMPLETED] = "completed", [SIM_NO_ANSWER] = "no-answer", [SIM_BUSY] = "busy",
    [SIM_ABSENT] = "absent",       [SIM_FAILED] = "failed",       [SIM_CANCELED] = "canceled",
};

const struct sim_fault_row sim_faults[SIM_FAULTS] = {
    [SIM_TIMEOUT] = {"timeout", SIM_EXISTS_MAYBE, "takes the placement and never answers it"},
    [SIM_RESET] = {"reset", SIM_EXISTS_MAYBE, "reads the placement, then resets the connection"},
    [SIM_CLOSE] = {"close", SIM_EXISTS_MAYBE, "reads the placement, then closes without a byte of reply"},
    [SIM_GARBAGE] = {"garbage", SIM_EXISTS_MAYBE, "answers 200 with a page that is no JSON"},
    [SIM_500] = {"500", SIM_EXISTS_MAYBE, "answers 500"},
    [SIM_429] = {"429", SIM_EXISTS_NOT, "answers 429"},
    [SIM_503] = {"503", SIM_EXISTS_NOT, "answers 503"},
    [SIM_401] = {"401", SIM_EXISTS_NOT, "answers 401"},
    [SIM_REFUSED] = {"refused", SIM_EXISTS_NOT, "says that the number called is no valid one"},
    [SIM_LIMIT] = {"limit", SIM_EXISTS_NOT, "says that the account may not call more now"},
    [SIM_FAILED_REPLY] = {"failed_reply", SIM_EXISTS_NOT, "accepts it with the status failed"},
    [SIM_EARLY] = {"early", SIM_EXISTS, "the first callback is acknowledged before the response leaves"},
    [SIM_DUPLICATE] = {"duplicate", SIM_EXISTS, "every callback is sent twice"},
    [SIM_REORDER] = {"reorder", SIM_EXISTS, "callbacks are sent at the end, the last first"},
    [SIM_LATE] = {"late", SIM_EXISTS, "callbacks are sent late_ms after their event"},
    [SIM_NEVER] = {"never", SIM_EXISTS, "no callback is sent"},
    [SIM_NO_FINAL] = {"no_final", SIM_EXISTS, "all callbacks but the final one are sent"},
    [SIM_UNKNOWN] = {"unknown", SIM_EXISTS, "the final callback has a status word that nobody knows"},
    [SIM_UNKNOWN_MIDWAY] = {"unknown_midway", SIM_EXISTS,
                            "so has the callback at ringing, in place of its own"},
    [SIM_SHORT_URL] = {"short_url", SIM_EXISTS,
                       "callbacks go to /callbacks/PROVIDER/CHANNEL, without our reference"},
};

/* simulator.h and README.md explain the numbers; keep the three together. */
static const struct {
    const char *suffix, *words;
} built_in[] = {
    {"990000", "completed"},
    {"990001", "busy"},
    {"990002", "no-answer"},
    {"990003", "absent"},
    {"990004", "failed/404"},
    {"990005", "canceled"},
    {"990006", "failed/503"},
    {"990007", "busy/603"},
    {"990008", "failed/0"},
    {"990020", "completed,timeout"},
    {"990021", "completed,reset"},
    {"990022", "completed,close"},
    {"990023", "completed,garbage"},
    {"990024", "completed,500"},
    {"990025", "completed,429:1"},
    {"990026", "completed,503:1"},
    {"990027", "completed,401:1"},
    {"990028", "refused"},
    {"990029", "completed,limit:1"},
    {"990030", "failed_reply"},
    {"990040", "completed,early"},
    {"990041", "completed,duplicate"},
    {"990042", "completed,reorder"},
    {"990043", "completed,late"},
    {"990044", "completed,never"},
    {"990045", "completed,no_final"},
    {"990046", "completed,unknown"},
    {"990047", "completed,unknown_midway"},
    {"990048", "completed,short_url"},
    {"990049", "completed,short_url,early"},
};

enum { DAY_MS = 24 * 3600 * 1000 };

void sim_switches_init(struct sim_switches *switches)
{
    *switches = (struct sim_switches){
        .place_lost = 1,
        .speed = 1,
        .callbacks = true,
        .late_ms = 30000,
        .ring_ms = {2000, 20000},
        .talk_ms = {5000, 60000},
        .weights = {[SIM_COMPLETED] = 70,
                    [SIM_NO_ANSWER] = 15,
                    [SIM_BUSY] = 6,
                    [SIM_ABSENT] = 5,
                    [SIM_FAILED] = 3,
                    [SIM_CANCELED] = 1},
    };
    for (size_t i = 0; i < sizeof built_in / sizeof built_in[0]; i++)
        sim_pattern_set(switches, span_str(built_in[i].suffix), span_str(built_in[i].words), NULL);
}

static int outcome_named(struct span name)
{
    for (int i = 0; i < SIM_OUTCOMES; i++) {
        if (span_is(name, sim_outcome_names[i]))
            return i;
    }
    return -1;
}

static int fault_named(struct span name)
{
    for (int i = 0; i < SIM_FAULTS; i++) {
        if (span_is(name, sim_faults[i].name))
            return i;
    }
    return -1;
}

static int set_weights(unsigned weights[SIM_OUTCOMES], struct span text, struct err *err)
{
    unsigned wanted[SIM_OUTCOMES] = {0}, sum = 0;
    while (text.n) {
        struct span value = sim_cut(&text, ',');
        int outcome = outcome_named(sim_cut(&value, '='));
        int64_t weight;
        if (outcome < 0)
            return err_set(err, ERR_INVALID,
                           "outcomes names an unknown outcome: expected completed=70,busy=30 and such");
        int rc = sim_count_parse(value, sim_outcome_names[outcome], 1000000, &weight, err);
        if (rc)
            return rc;
        wanted[outcome] = (unsigned)weight;
        sum += (unsigned)weight;
    }
    if (sum == 0)
        return err_set(err, ERR_INVALID, "outcomes has no weight above 0");
    memcpy(weights, wanted, sizeof wanted);
    return 0;
}

static int set_callbacks(bool *on, struct span value, struct err *err)
{
    if (!span_is(value, "on") && !span_is(value, "off"))
        return err_set(err, ERR_INVALID, "callbacks is \"%.*s\": expected on or off", SPAN_ARG(value));
    *on = span_is(value, "on");
    return 0;
}

static const char *const echo_names[SIM_ECHOES] = {
    [SIM_ECHO_ALL] = "all", [SIM_ECHO_FINAL] = "final", [SIM_ECHO_NONE] = "none"};

static int set_echo(enum sim_echo *echo, struct span value, struct err *err)
{
    for (int i = 0; i < SIM_ECHOES; i++) {
        if (span_is(value, echo_names[i])) {
            *echo = (enum sim_echo)i;
            return 0;
        }
    }
    return err_set(err, ERR_INVALID, "client_request_id is \"%.*s\": expected all, final or none",
                   SPAN_ARG(value));
}

static int set_speed(double *speed, struct span value, struct err *err)
{
    double wanted;
    int rc = sim_number_parse(value, "speed", 1000000, &wanted, err);
    if (rc)
        return rc;
    if (wanted < 0.001)
        return err_set(err, ERR_INVALID, "speed is \"%.*s\": expected a number from 0.001 on",
                       SPAN_ARG(value));
    *speed = wanted;
    return 0;
}

int sim_switch_set(struct sim_switches *switches, struct span name, struct span value, struct err *err)
{
    int fault = fault_named(name);
    if (fault >= 0)
        return sim_number_parse(value, sim_faults[fault].name, 1, &switches->fault[fault], err);
    if (span_is(name, "place_lost"))
        return sim_number_parse(value, "place_lost", 1, &switches->place_lost, err);
    if (span_is(name, "speed"))
        return set_speed(&switches->speed, value, err);
    if (span_is(name, "callbacks"))
        return set_callbacks(&switches->callbacks, value, err);
    if (span_is(name, "client_request_id"))
        return set_echo(&switches->echo, value, err);
    if (span_is(name, "late_ms"))
        return sim_count_parse(value, "late_ms", DAY_MS, &switches->late_ms, err);
    if (span_is(name, "latency_ms"))
        return sim_range_parse(value, "latency_ms", &switches->latency_ms, err);
    if (span_is(name, "ring_ms"))
        return sim_range_parse(value, "ring_ms", &switches->ring_ms, err);
    if (span_is(name, "talk_ms"))
        return sim_range_parse(value, "talk_ms", &switches->talk_ms, err);
    if (span_is(name, "outcomes"))
        return set_weights(switches->weights, value, err);
    return err_set(err, ERR_INVALID, "\"%.*s\" is no switch of the simulator; --help lists them",
                   SPAN_ARG(name));
}

/* "busy/603" or "429:2" into the pattern. */
static int add_word(struct sim_pattern *pattern, struct span word, struct err *err)
{
    struct span sip = word;
    int outcome = outcome_named(sim_cut(&sip, '/'));
    int64_t number = 0;
    if (outcome >= 0) {
        pattern->outcome = outcome;
        int rc = sip.n ? sim_count_parse(sip, "the SIP code", 699, &number, err) : 0;
        pattern->sip = sip.n ? (int)number : -1;
        return rc;
    }
    struct span times = word;
    int fault = fault_named(sim_cut(&times, ':'));
    if (fault < 0)
        return err_set(err, ERR_INVALID, "\"%.*s\" is neither an outcome nor a fault", SPAN_ARG(word));
    int rc = times.n ? sim_count_parse(times, sim_faults[fault].name, 1000000, &number, err) : 0;
    pattern->times[fault] = times.n ? (uint32_t)number : UINT32_MAX;
    return rc;
}

static bool digits_only(struct span text)
{
    for (size_t i = 0; i < text.n; i++) {
        if ((text.p[i] < '0' || text.p[i] > '9') && !(i == 0 && text.p[i] == '+'))
            return false;
    }
    return true;
}

/* The place of a suffix in the list: its own, or the one behind the last. */
static size_t place_of(const struct sim_switches *switches, struct span suffix)
{
    size_t i = 0;
    while (i < switches->patterns_n &&
           !span_eq(span_of(switches->patterns[i].suffix, switches->patterns[i].suffix_n), suffix))
        i++;
    return i;
}

static void remove_pattern(struct sim_switches *switches, size_t at)
{
    if (at == switches->patterns_n)
        return;
    switches->patterns_n--;
    memmove(&switches->patterns[at], &switches->patterns[at + 1],
            (switches->patterns_n - at) * sizeof switches->patterns[0]);
}

int sim_pattern_set(struct sim_switches *switches, struct span suffix, struct span words, struct err *err)
{
    struct sim_pattern pattern = {.outcome = -1, .sip = -1, .suffix_n = suffix.n};
    if (suffix.n == 0 || suffix.n >= sizeof pattern.suffix || !digits_only(suffix))
        return err_set(err, ERR_INVALID, "number pattern \"%.*s\": expected the last digits of a number",
                       SPAN_ARG(suffix));
    memcpy(pattern.suffix, suffix.p, suffix.n);
    bool some = words.n > 0;
    while (words.n) {
        int rc = add_word(&pattern, sim_cut(&words, ','), err);
        if (rc)
            return err_prefix(err, "number pattern %s", pattern.suffix);
    }
    /* The newest stands last, since the list is read from its end. */
    remove_pattern(switches, place_of(switches, suffix));
    if (!some)
        return 0;
    if (switches->patterns_n == SIM_PATTERNS)
        return err_set(err, ERR_LIMIT, "more than %d number patterns", SIM_PATTERNS);
    switches->patterns[switches->patterns_n++] = pattern;
    return 0;
}

/* ---- the same as JSON ---- */

static int apply_value(struct sim_switches *switches, const char *key, json_t *value, struct err *err)
{
    char text[64];
    if (json_is_string(value))
        return sim_switch_set(switches, span_str(key), span_str(json_string_value(value)), err);
    if (json_is_boolean(value))
        return sim_switch_set(switches, span_str(key), span_str(json_is_true(value) ? "on" : "off"), err);
    if (json_is_integer(value))
        snprintf(text, sizeof text, "%lld", (long long)json_integer_value(value));
    else if (json_is_real(value))
        snprintf(text, sizeof text, "%.9f", json_real_value(value));
    else
        return err_set(err, ERR_INVALID, "%s: expected a number or a string", key);
    return sim_switch_set(switches, span_str(key), span_str(text), err);
}

static int apply_numbers(struct sim_switches *switches, json_t *numbers, struct err *err)
{
    const char *suffix;
    json_t *words;
    if (!json_is_object(numbers))
        return err_set(err, ERR_INVALID, "numbers: expected an object such as {\"0042\": \"busy,late\"}");
    json_object_foreach(numbers, suffix, words)
    {
        if (!json_is_string(words))
            return err_set(err, ERR_INVALID, "numbers: %s: expected a string of words", suffix);
        int rc = sim_pattern_set(switches, span_str(suffix), span_str(json_string_value(words)), err);
        if (rc)
            return rc;
    }
    return 0;
}

static int apply_outcomes(struct sim_switches *switches, json_t *outcomes, struct err *err)
{
    struct buf text;
    buf_init(&text, 1024);
    const char *name;
    json_t *weight;
    json_object_foreach(outcomes, name, weight)
    {
        if (text.n)
            buf_addc(&text, ',');
        buf_addf(&text, "%s=%lld", name, (long long)json_integer_value(weight));
    }
    int rc = set_weights(switches->weights, buf_span(&text), err);
    buf_done(&text);
    return rc;
}

int sim_switches_apply(struct sim_switches *switches, struct span json, struct err *err)
{
    enum { MOST = 64 * 1024 };
    json_t *root = json_parse(json, MOST, err);
    if (!root)
        return ERR_INVALID;
    struct sim_switches changed = *switches;
    int rc = json_is_object(root) ? 0 : err_set(err, ERR_INVALID, "expected an object of switches");
    const char *key;
    json_t *value;
    json_object_foreach(root, key, value)
    {
        if (rc)
            break;
        if (strcmp(key, "numbers") == 0)
            rc = apply_numbers(&changed, value, err);
        else if (strcmp(key, "outcomes") == 0 && json_is_object(value))
            rc = apply_outcomes(&changed, value, err);
        else
            rc = apply_value(&changed, key, value, err);
    }
    json_decref(root);
    if (rc == 0)
        *switches = changed;
    return rc;
}

static void show_number(struct buf *out, const char *key, double value)
{
    json_key(out, key);
    buf_addf(out, "%.9g", value);
}

static void show_range(struct buf *out, const char *key, struct sim_range range)
{
    json_key(out, key);
    buf_addf(out, "\"%lld-%lld\"", (long long)range.low_ms, (long long)range.high_ms);
}

static void show_pattern(struct buf *out, const struct sim_pattern *pattern)
{
    json_key(out, pattern->suffix);
    buf_addc(out, '"');
    const char *comma = "";
    if (pattern->outcome >= 0) {
        buf_adds(out, sim_outcome_names[pattern->outcome]);
        if (pattern->sip >= 0)
            buf_addf(out, "/%d", pattern->sip);
        comma = ",";
    }
    for (int i = 0; i < SIM_FAULTS; i++) {
        if (pattern->times[i] == 0)
            continue;
        buf_addf(out, "%s%s", comma, sim_faults[i].name);
        if (pattern->times[i] != UINT32_MAX)
            buf_addf(out, ":%u", pattern->times[i]);
        comma = ",";
    }
    buf_addc(out, '"');
}

void sim_switches_show(const struct sim_switches *switches, struct buf *out)
{
    json_sep(out);
    buf_addc(out, '{');
    for (int i = 0; i < SIM_FAULTS; i++)
        show_number(out, sim_faults[i].name, switches->fault[i]);
    show_number(out, "place_lost", switches->place_lost);
    show_number(out, "speed", switches->speed);
    json_kbool(out, "callbacks", switches->callbacks);
    json_kstrz(out, "client_request_id", echo_names[switches->echo]);
    json_kint(out, "late_ms", switches->late_ms);
    show_range(out, "latency_ms", switches->latency_ms);
    show_range(out, "ring_ms", switches->ring_ms);
    show_range(out, "talk_ms", switches->talk_ms);
    json_key(out, "outcomes");
    buf_addc(out, '{');
    for (int i = 0; i < SIM_OUTCOMES; i++)
        json_kint(out, sim_outcome_names[i], switches->weights[i]);
    buf_addc(out, '}');
    json_key(out, "numbers");
    buf_addc(out, '{');
    for (size_t i = 0; i < switches->patterns_n; i++)
        show_pattern(out, &switches->patterns[i]);
    buf_adds(out, "}}");
}

/* ---- deciding ---- */

static const struct sim_pattern *pattern_for(const struct sim_switches *switches, struct span to)
{
    for (size_t i = switches->patterns_n; i-- > 0;) {
        const struct sim_pattern *pattern = &switches->patterns[i];
        if (to.n >= pattern->suffix_n &&
            memcmp(to.p + to.n - pattern->suffix_n, pattern->suffix, pattern->suffix_n) == 0)
            return pattern;
    }
    return NULL;
}

static enum sim_outcome draw_outcome(const unsigned weights[SIM_OUTCOMES], uint64_t dice)
{
    uint64_t sum = 0;
    for (int i = 0; i < SIM_OUTCOMES; i++)
        sum += weights[i];
    uint64_t left = dice % sum;
    int i = 0;
    while (left >= weights[i])
        left -= weights[i++];
    return (enum sim_outcome)i;
}

/* `failed` has many causes: wrong numbers, the network's own trouble, a carrier's refusal, and none told. */
static int usual_sip(enum sim_outcome outcome, uint64_t dice)
{
    static const int failed[] = {404, 404, 484, 503, 503, 500, 403, 0};
    static const int usual[SIM_OUTCOMES] = {[SIM_COMPLETED] = 200,
                                            [SIM_NO_ANSWER] = 487,
                                            [SIM_BUSY] = 486,
                                            [SIM_ABSENT] = 480,
                                            [SIM_CANCELED] = 487};
    return outcome == SIM_FAILED ? failed[dice % 8] : usual[outcome];
}

/* Each placement of an attempt throws anew: a 429 of probability 0.1 must not meet the same attempt for ever.
 */
static uint32_t draw_faults(const struct sim_switches *switches, const struct sim_pattern *pattern,
                            const struct sim_asked *asked, uint64_t dice)
{
    uint32_t faults = 0;
    dice = sim_mix(dice, 1000 + asked->nth_identity);
    for (unsigned i = 0; i < SIM_FAULTS; i++) {
        bool forced = pattern && asked->nth_to < pattern->times[i];
        if (forced || (switches->fault[i] > 0 && sim_chance(sim_mix(dice, i), switches->fault[i])))
            faults |= SIM_BIT(i);
    }
    return faults;
}

enum sim_fault sim_reply_fault(const struct sim_fate *fate)
{
    for (enum sim_fault i = 0; i < SIM_EARLY; i++) {
        if (sim_has(fate, i))
            return i;
    }
    return SIM_FAULTS;
}

/* One fault of the response is enough, and one that prevents the call leaves nothing to report. */
static void settle_faults(struct sim_fate *fate, const struct sim_switches *switches)
{
    const uint32_t of_reply = SIM_BIT(SIM_EARLY) - 1;
    enum sim_fault first = sim_reply_fault(fate);
    fate->exists = true;
    if (first == SIM_FAULTS)
        return;
    fate->faults = (fate->faults & ~of_reply) | SIM_BIT(first);
    if (sim_faults[first].exists == SIM_EXISTS_MAYBE)
        fate->exists = sim_chance(sim_mix(fate->dice, 2000), switches->place_lost);
    else
        fate->exists = false;
    if (!fate->exists)
        fate->faults &= of_reply;
}

struct sim_fate sim_decide(const struct sim_switches *switches, const struct sim_asked *asked)
{
    const struct sim_pattern *pattern = pattern_for(switches, asked->to);
    uint64_t dice = sim_mix(sim_hash(asked->seed, asked->to), sim_hash(asked->seed, asked->identity));
    struct sim_fate fate = {
        .dice = dice,
        .latency_ms = sim_between(sim_mix(dice, 1), switches->latency_ms),
        .ring_ms = sim_between(sim_mix(dice, 2), switches->ring_ms),
        .talk_ms = sim_between(sim_mix(dice, 3), switches->talk_ms),
    };
    fate.outcome = pattern && pattern->outcome >= 0 ? (enum sim_outcome)pattern->outcome
                                                    : draw_outcome(switches->weights, sim_mix(dice, 4));
    fate.sip = pattern && pattern->sip >= 0 ? pattern->sip : usual_sip(fate.outcome, sim_mix(dice, 5));
    fate.faults = draw_faults(switches, pattern, asked, dice);
    settle_faults(&fate, switches);
    return fate;
}
