/*
 * Twilio's Programmable Voice API, as far as outbound calls go. Under /2010-04-01/Accounts/{AccountSid}:
 *
 *     POST /Calls.json          place
 *     GET  /Calls.json          list by To, From, Status, StartTime; Page, PageSize
 *     GET  /Calls/{Sid}.json    look up
 *     POST /Calls/{Sid}.json    hang up: Status=canceled or completed
 *
 * What it posts by itself is in twilio_report.c.
 */
#include "tests/simulator/twilio.h"

#include <string.h>

#include "common/base/clock.h"
#include "common/base/crypto.h"
#include "common/base/url.h"
#include "common/json/json.h"
#include "tests/simulator/ident.h"
#include "tests/simulator/text.h"
#include "tests/simulator/twilio_sign.h"

#define TWILIO_PREFIX "/2010-04-01/Accounts/"

enum { DEFAULT_PAGE = 50, MOST_PAGE = 1000 };

/* ---- errors ---- */

struct twilio_error {
    int status, code;
    const char *message;
};

static const struct twilio_error no_credentials = {401, 20003, "Authenticate"};
static const struct twilio_error no_resource = {404, 20404, "The requested resource was not found"};
static const struct twilio_error no_method = {405, 20004, "Method not allowed"};
static const struct twilio_error bad_form = {400, 20001, "The form of the request could not be read"};
static const struct twilio_error no_to = {400, 21201, "No 'To' number is specified"};
static const struct twilio_error no_from = {400, 21213, "No 'From' number is specified"};
static const struct twilio_error bad_to = {400, 21211,
                                           "The phone number you are attempting to call is not valid."};
static const struct twilio_error no_url = {400, 21205, "Url parameter is required."};
static const struct twilio_error bad_state = {400, 21220, "Call is not in-progress. Cannot redirect."};

static const struct twilio_error fault_errors[SIM_FAULTS] = {
    [SIM_500] = {500, 20500, "An internal server error has occurred"},
    [SIM_429] = {429, 20429, "Too Many Requests"},
    [SIM_503] = {503, 20503, "Service is unavailable. Please try again"},
    [SIM_401] = {401, 20003, "Authenticate"},
    [SIM_REFUSED] = {400, 21211, "The phone number you are attempting to call is not valid."},
    [SIM_LIMIT] = {403, 10004, "Call concurrency limit exceeded"},
};

static void reply_error(struct sim *sim, struct httpd_request *req, const struct twilio_error *error)
{
    struct buf *body = &sim->body;
    buf_clear(body);
    buf_addf(body, "{\"code\": %d, \"message\": ", error->code);
    json_str(body, span_str(error->message));
    buf_addf(body, ", \"more_info\": \"https://www.twilio.com/docs/errors/%d\", \"status\": %d}", error->code,
             error->status);
    httpd_reply(req, error->status, "application/json", buf_span(body), NULL);
}

static void refuse(struct sim *sim, struct httpd_request *req, const struct twilio_error *error)
{
    sim->stats.refused_requests++;
    reply_error(sim, req, error);
}

/* ---- call ids ---- */

void sim_twilio_id(const struct sim_call *call, char out[SIM_ID_MAX])
{
    uint64_t bits[2];
    sim_call_bits(call, bits);
    memcpy(out, "CA", 2);
    sim_hex_write(out + 2, bits);
    out[TWILIO_ID_LEN] = '\0';
}

static struct sim_call *find_id(struct sim *sim, struct span id)
{
    uint64_t bits[2];
    if (id.n != TWILIO_ID_LEN || memcmp(id.p, "CA", 2) != 0 ||
        !sim_hex_read(span_of(id.p + 2, id.n - 2), bits))
        return NULL;
    struct sim_call *call = sim_find(sim, bits);
    return call && call->speech == &sim_twilio ? call : NULL;
}

/* ---- the call object ---- */

const char *sim_twilio_final_word(enum sim_outcome outcome)
{
    static const char *const words[SIM_OUTCOMES] = {
        [SIM_COMPLETED] = "completed", [SIM_NO_ANSWER] = "no-answer", [SIM_BUSY] = "busy",
        [SIM_ABSENT] = "no-answer",    [SIM_FAILED] = "failed",       [SIM_CANCELED] = "canceled"};
    return words[outcome];
}

static const char *looked_up_word(const struct sim_call *call)
{
    switch (call->phase) {
    case SIM_PHASE_RINGING:
        return "ringing";
    case SIM_PHASE_ANSWERED:
        return "in-progress";
    case SIM_PHASE_ENDED:
        return sim_twilio_final_word(call->fate.outcome);
    default:
        return "queued";
    }
}

static void add_time(struct buf *out, const char *key, int64_t wall_ms)
{
    buf_adds(out, key);
    if (wall_ms == 0) {
        buf_adds(out, "null");
        return;
    }
    buf_addc(out, '"');
    sim_add_rfc2822(out, wall_ms);
    buf_addc(out, '"');
}

/* Numbers are strings, and null until the call is over; the price is what a minute to a landline costs, begun
 * ones count. */
static void add_result(struct buf *out, const struct sim_call *call)
{
    int64_t talk_s = sim_talk_s(call), minutes = (talk_s + 59) / 60;
    if (call->phase != SIM_PHASE_ENDED)
        buf_adds(out, ", \"duration\": null, \"price\": null");
    else if (call->fate.outcome == SIM_COMPLETED)
        buf_addf(out, ", \"duration\": \"%lld\", \"price\": \"-%.5f\"", (long long)talk_s,
                 0.013 * (double)minutes);
    else
        buf_adds(out, ", \"duration\": \"0\", \"price\": null");
}

static void add_object(struct buf *out, const struct sim_call *call, const char *status)
{
    char id[SIM_ID_MAX];
    const char *account = call->sim->config.account_sid;
    sim_twilio_id(call, id);
    buf_adds(out, "{\"sid\": \"");
    buf_add(out, id, TWILIO_ID_LEN);
    buf_adds(out, "\", \"account_sid\": \"");
    buf_adds(out, account);
    buf_adds(out, "\", \"to\": ");
    json_str(out, call->order.to);
    buf_adds(out, ", \"from\": ");
    json_str(out, call->order.from);
    buf_adds(out, ", \"status\": \"");
    buf_adds(out, status);
    add_time(out, "\", \"date_created\": ", call->placed_wall_ms);
    add_time(out,
             ", \"start_time\": ", call->answered_wall_ms ? call->answered_wall_ms : call->ended_wall_ms);
    add_time(out, ", \"end_time\": ", call->ended_wall_ms);
    add_result(out, call);
    buf_adds(
        out,
        ", \"date_updated\": null, \"price_unit\": \"USD\", \"direction\": \"outbound-api\", "
        "\"answered_by\": null, "
        "\"api_version\": \"2010-04-01\", \"forwarded_from\": null, \"group_sid\": null, \"caller_name\": "
        "null, "
        "\"queue_time\": \"0\", \"parent_call_sid\": null, \"phone_number_sid\": null, \"trunk_sid\": null, "
        "\"uri\": \"" TWILIO_PREFIX);
    buf_adds(out, account);
    buf_adds(out, "/Calls/");
    buf_add(out, id, TWILIO_ID_LEN);
    buf_adds(out, ".json\"}");
}

static void reply_object(struct sim_call *call, int status, struct httpd_request *req)
{
    struct buf *body = &call->sim->body;
    buf_clear(body);
    add_object(body, call, looked_up_word(call));
    httpd_reply(req, status, "application/json", buf_span(body), NULL);
}

/* ---- placing ---- */

static void answer_placement(const struct sim_call *call, enum sim_fault fault, struct httpd_request *req)
{
    struct buf *body = &call->sim->body;
    if (fault == SIM_GARBAGE) {
        httpd_reply(req, 200, "text/html", SPAN_LIT("<html><body>Welcome to nginx!</body></html>\n"), NULL);
        return;
    }
    if (fault != SIM_FAULTS && fault != SIM_FAILED_REPLY) {
        reply_error(call->sim, req, &fault_errors[fault]);
        return;
    }
    buf_clear(body);
    add_object(body, call, fault == SIM_FAILED_REPLY ? "failed" : "queued");
    httpd_reply(req, 201, "application/json", buf_span(body), NULL);
}

static uint8_t event_named(struct span word)
{
    static const char *const words[] = {"initiated", "ringing", "answered", "completed"};
    for (uint8_t i = 0; i < 4; i++) {
        if (span_is(word, words[i]))
            return (uint8_t)(1U << i);
    }
    return 0;
}

static int small_number(struct span text)
{
    int64_t value = 0;
    return sim_count_parse(text, "", 1000000, &value, NULL) == 0 ? (int)value : 0;
}

static void take_parameter(struct sim_order *order, struct span name, struct span value)
{
    const struct {
        struct span name;
        struct span *text;
        bool *get;
    } known[] = {
        {SPAN_LIT("To"), &order->to, NULL},
        {SPAN_LIT("From"), &order->from, NULL},
        {SPAN_LIT("Url"), &order->instructions, NULL},
        {SPAN_LIT("Method"), NULL, &order->instructions_get},
        {SPAN_LIT("FallbackUrl"), &order->fallback, NULL},
        {SPAN_LIT("FallbackMethod"), NULL, &order->fallback_get},
        {SPAN_LIT("Twiml"), &order->document, NULL},
        {SPAN_LIT("StatusCallback"), &order->callback, NULL},
        {SPAN_LIT("StatusCallbackMethod"), NULL, &order->callback_get},
    };
    if (span_eq(name, SPAN_LIT("StatusCallbackEvent")))
        order->wants |= event_named(value);
    else if (span_eq(name, SPAN_LIT("Timeout")))
        order->ring_timeout_s = small_number(value);
    else if (span_eq(name, SPAN_LIT("TimeLimit")))
        order->time_limit_s = small_number(value);
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (!span_eq(name, known[i].name))
            continue;
        if (known[i].text)
            *known[i].text = value;
        else
            *known[i].get = span_is(value, "GET");
        return;
    }
}

static bool can_be_dialled(struct span to)
{
    if ((to.n > 7 && memcmp(to.p, "client:", 7) == 0) || (to.n > 4 && memcmp(to.p, "sip:", 4) == 0))
        return true;
    if (to.n < 8 || to.n > 16 || to.p[0] != '+' || to.p[1] == '0')
        return false;
    for (size_t i = 1; i < to.n; i++) {
        if (to.p[i] < '0' || to.p[i] > '9')
            return false;
    }
    return true;
}

static const struct twilio_error *wrong_with(const struct sim_order *order, bool has_application)
{
    if (order->to.n == 0)
        return &no_to;
    if (order->from.n == 0)
        return &no_from;
    if (!can_be_dialled(order->to))
        return &bad_to;
    return order->instructions.n == 0 && order->document.n == 0 && !has_application ? &no_url : NULL;
}

static void place(struct sim *sim, struct httpd_request *req)
{
    struct form form;
    struct sim_order order = {0};
    const struct twilio_error *error = form_parse(&form, httpd_body(req), NULL) ? &bad_form : NULL;
    for (size_t i = 0; i < form.n; i++)
        take_parameter(&order, form.fields[i].name, form.fields[i].value);
    bool application = form_get(&form, "ApplicationSid").n > 0;
    if (!error)
        error = wrong_with(&order, application);
    if (order.wants == 0)
        order.wants = 1U << SIM_EVENT_FINAL;
    if (application) {
        /* It replaces what the call should do, and makes the status callback ignored. */
        order.callback = order.instructions = order.document = order.fallback = SPAN_NONE;
    } else if (order.instructions.n) {
        order.document = SPAN_NONE;
    }
    order.identity = sim_without_fragment(order.callback);
    if (error)
        refuse(sim, req, error);
    else
        sim_place(sim, &sim_twilio, &order, req);
    form_done(&form);
}

/* ---- looking up and hanging up ---- */

struct twilio_filter {
    struct span from, status, start, start_from, start_to; /* SPAN_NONE: any */
};

static bool passes(const struct twilio_filter *filter, const struct sim_call *call)
{
    char day[CLOCK_RFC3339_LEN + 1];
    clock_rfc3339(call->placed_wall_ms, day);
    day[10] = '\0'; /* Twilio compares dates only */
    return call->speech == &sim_twilio && (!filter->from.n || span_eq(filter->from, call->order.from)) &&
           (!filter->status.n || span_is(filter->status, looked_up_word(call))) &&
           (!filter->start.n || span_is(filter->start, day)) &&
           (filter->start_from.n != 10 || strncmp(day, filter->start_from.p, 10) >= 0) &&
           (filter->start_to.n != 10 || strncmp(day, filter->start_to.p, 10) <= 0);
}

/* The next older call: to the same number where one was asked for. */
static struct sim_call *older(struct sim *sim, const struct sim_call *call, bool same_to)
{
    if (same_to)
        return sim_find_previous(sim, call);
    for (uint64_t number = call->number - 1; number >= sim->first_number; number--) {
        struct sim_call *found = sim_numbered(sim, number);
        if (found->fate.exists)
            return found;
    }
    return NULL;
}

static struct sim_call *newest(struct sim *sim, struct span to)
{
    if (to.n)
        return sim_find_to(sim, to);
    struct sim_call *call = sim_numbered(sim, sim->next_number - 1);
    return !call || call->fate.exists ? call : older(sim, call, false);
}

/* The newest first, as Twilio lists them. */
static bool add_page(struct sim *sim, const struct form *form, int page, int size)
{
    const struct twilio_filter filter = {form_get(form, "From"), form_get(form, "Status"),
                                         form_get(form, "StartTime"), form_get(form, "StartTime>"),
                                         form_get(form, "StartTime<")};
    struct span to = form_get(form, "To");
    int skip = page * size, shown = 0;
    for (struct sim_call *call = newest(sim, to); call; call = older(sim, call, to.n > 0)) {
        if (!passes(&filter, call) || skip-- > 0)
            continue;
        if (shown++ == size || sim->body.n > 200 * 1024)
            return true;
        if (shown > 1)
            buf_adds(&sim->body, ", ");
        add_object(&sim->body, call, looked_up_word(call));
    }
    return false;
}

static void list(struct sim *sim, struct httpd_request *req)
{
    struct form form;
    sim->stats.lookups++;
    if (form_parse(&form, httpd_query(req), NULL)) {
        form_done(&form);
        refuse(sim, req, &bad_form);
        return;
    }
    int page = small_number(form_get(&form, "Page")), size = small_number(form_get(&form, "PageSize"));
    size = size == 0 ? DEFAULT_PAGE : size > MOST_PAGE ? MOST_PAGE : size;
    buf_clear(&sim->body);
    buf_adds(&sim->body, "{\"calls\": [");
    bool more = add_page(sim, &form, page, size);
    buf_addf(&sim->body, "], \"page\": %d, \"page_size\": %d, \"uri\": ", page, size);
    json_str(&sim->body, httpd_target(req));
    buf_adds(&sim->body, ", \"next_page_uri\": ");
    if (more)
        buf_addf(&sim->body, "\"" TWILIO_PREFIX "%s/Calls.json?PageSize=%d&Page=%d\"}",
                 sim->config.account_sid, size, page + 1);
    else
        buf_adds(&sim->body, "null}");
    form_done(&form);
    httpd_reply(req, 200, "application/json", buf_span(&sim->body), NULL);
}

static void look_up(struct sim *sim, struct httpd_request *req, struct span id)
{
    struct sim_call *call = find_id(sim, id);
    sim->stats.lookups++;
    if (call)
        reply_object(call, 200, req);
    else
        refuse(sim, req, &no_resource);
}

static bool change(struct sim_call *call, struct span status)
{
    bool cancel = span_is(status, "canceled"), complete = span_is(status, "completed");
    if (!cancel && !complete)
        return false;
    if (cancel && call->phase >= SIM_PHASE_ANSWERED)
        return false;
    return sim_hang_up(call);
}

static void update(struct sim *sim, struct httpd_request *req, struct span id)
{
    struct form form;
    struct sim_call *call = find_id(sim, id);
    const struct twilio_error *error = call ? NULL : &no_resource;
    if (form_parse(&form, httpd_body(req), NULL))
        error = &bad_form;
    if (!error && !change(call, form_get(&form, "Status")))
        error = &bad_state;
    form_done(&form);
    if (error) {
        refuse(sim, req, error);
        return;
    }
    sim->stats.hangups++;
    reply_object(call, 200, req);
}

/* ---- requests ---- */

static bool owns(struct span path)
{
    return path.n > sizeof TWILIO_PREFIX - 1 && memcmp(path.p, TWILIO_PREFIX, sizeof TWILIO_PREFIX - 1) == 0;
}

static bool matches_basic(struct span given, const char *user, const char *password)
{
    struct buf plain, expected;
    if (!user)
        return false;
    buf_init(&plain, 1024);
    buf_init(&expected, 2048);
    buf_addf(&plain, "%s:%s", user, password);
    buf_adds(&expected, "Basic ");
    crypto_add_base64(&expected, (const uint8_t *)plain.p, plain.n);
    bool same = span_eq(given, buf_span(&expected));
    buf_done(&plain);
    buf_done(&expected);
    return same;
}

static bool is_authentic(const struct sim *sim, struct span given)
{
    /* What was found right last time is compared first: it is nearly always the same. */
    static char right[512];
    static size_t right_n;
    const struct sim_config *config = &sim->config;
    if (right_n && given.n == right_n && memcmp(given.p, right, right_n) == 0)
        return true;
    if (!matches_basic(given, config->account_sid, config->auth_token) &&
        !matches_basic(given, config->api_key_sid, config->api_key_secret))
        return false;
    if (given.n <= sizeof right) {
        memcpy(right, given.p, given.n);
        right_n = given.n;
    }
    return true;
}

/* "{AccountSid}/Calls.json" or "{AccountSid}/Calls/{Sid}.json"; `id` is SPAN_NONE for the first. */
static bool route(const struct sim *sim, struct span path, struct span *id)
{
    static const char collection[] = "/Calls.json", one[] = "/Calls/", ending[] = ".json";
    size_t account_n = strlen(sim->config.account_sid), skip = sizeof TWILIO_PREFIX - 1;
    if (path.n < skip + account_n || memcmp(path.p + skip, sim->config.account_sid, account_n) != 0)
        return false;
    struct span rest = span_of(path.p + skip + account_n, path.n - skip - account_n);
    *id = SPAN_NONE;
    if (span_is(rest, collection))
        return true;
    if (rest.n != sizeof one - 1 + TWILIO_ID_LEN + sizeof ending - 1 ||
        memcmp(rest.p, one, sizeof one - 1) != 0 ||
        memcmp(rest.p + rest.n - (sizeof ending - 1), ending, sizeof ending - 1) != 0)
        return false;
    *id = span_of(rest.p + sizeof one - 1, TWILIO_ID_LEN);
    return true;
}

static void on_request(struct sim *sim, struct httpd_request *req)
{
    struct span id;
    bool post = strcmp(httpd_method(req), "POST") == 0, get = strcmp(httpd_method(req), "GET") == 0;
    if (!is_authentic(sim, httpd_header(req, "Authorization")))
        refuse(sim, req, &no_credentials);
    else if (!route(sim, httpd_path(req), &id))
        refuse(sim, req, &no_resource);
    else if (!post && !get)
        refuse(sim, req, &no_method);
    else if (post && id.n == 0)
        place(sim, req);
    else if (post)
        update(sim, req, id);
    else if (id.n == 0)
        list(sim, req);
    else
        look_up(sim, req, id);
}

const struct sim_speech sim_twilio = {
    .name = "twilio",
    .owns = owns,
    .request = on_request,
    .answer = answer_placement,
    .target = sim_twilio_target,
    .retry = sim_retry_parse,
    .report = sim_twilio_report,
    .understood = sim_xml_understood,
    .id = sim_twilio_id,
};
