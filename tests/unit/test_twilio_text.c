/* Whoever replays a signed request may cut its fields elsewhere: it says the same, or nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/url.h"
#include "workers/providers/twilio/twilio.h"
#include "workers/providers/twilio/twilio_text.h"

#define FORM "application/x-www-form-urlencoded; charset=utf-8"
#define SID  "CA35c0f00dbeef35c0f00dbeef35c0f00d"

enum { TEXT_MAX = 4096, RANDOM_CUTS = 60000, PIECES_MAX = 12 };

/* ---- what a body says ---- */

struct said {
    struct evidence ev;
    bool readable;
};

static struct said read_body(struct span body, struct span query)
{
    struct said said;
    struct callback callback = {
        .method = "POST", .content_type = SPAN_LIT(FORM), .body = body, .query = query};
    said.readable = twilio_callback(&callback, &said.ev, NULL) == 0;
    return said;
}

static struct said read_text(const char *body)
{
    return read_body(span_str(body), SPAN_NONE);
}

static bool same(const struct evidence *a, const struct evidence *b)
{
    return a->status == b->status && a->terminal == b->terminal && a->permanent == b->permanent &&
           a->hops == b->hops && a->at_ms == b->at_ms && a->talk_seconds == b->talk_seconds &&
           a->cost_micros == b->cost_micros && strcmp(a->currency, b->currency) == 0 &&
           a->reason_kind == b->reason_kind && strcmp(a->reason_code, b->reason_code) == 0 &&
           strcmp(a->reason_detail, b->reason_detail) == 0 && strcmp(a->hop_detail, b->hop_detail) == 0 &&
           strcmp(a->provider_call_id, b->provider_call_id) == 0;
}

/* ---- bodies ---- */

/* As recorded, but for who and whom. */
static const char BUSY[] =
    "Called=%2B254700000001&ToState=&CallerCountry=KE&Direction=outbound-api&Timestamp=Sat%2C+07+May+2022+14%"
    "3A30"
    "%3A14+%2B0000&CallbackSource=call-progress-events&SipResponseCode=486&CallerState=&ToZip=&"
    "SequenceNumber=2&"
    "CallSid=" SID "&To=%2B254700000001&CallerZip=&ToCountry=KE&CalledZip=&ApiVersion=2010-04-01&CalledCity=&"
    "CallStatus=busy&Duration=0&From=%2B254711082000&CallDuration=0&AccountSid="
    "AC55555555555555555555555555555555&"
    "CalledCountry=KE&CallerCity=&ToCity=Tokyo&FromCountry=KE&Caller=%2B254711082000&FromCity=&CalledState=&"
    "FromZip=&FromState=";

static const char ANSWERED[] =
    "AccountSid=AC55555555555555555555555555555555&AnsweredBy=machine_start&ApiVersion=2010-04-01&"
    "CallDuration=17&"
    "CallSid=" SID "&CallStatus=completed&ParentCallSid=CAffffffffffffffffffffffffffffffff&Price=-0.0065&"
    "PriceUnit=USD&Timestamp=Sat%2C+07+May+2022+14%3A30%3A14+%2B0000&To=%2B254700000001";

static const char FAILED[] =
    "AccountSid=AC55555555555555555555555555555555&ApiVersion=2010-04-01&CallSid=" SID
    "&CallStatus=failed&Called=%2B254700000001&ErrorCode=13224&ErrorMessage=Invalid+phone+number+To+dial&"
    "From=%2B254711082000&SipResponseCode=404&Timestamp=Sat%2C+07+May+2022+14%3A30%3A14+%2B0000";

static const char STRANGE[] =
    "CallDuration=12&CallSid=" SID "&CallStatus=failed&rrorMessage=x&zzz=CallStatus";

static const char *const bodies[] = {BUSY, ANSWERED, FAILED, STRANGE};

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

static void a_report_is_read_as_it_was_meant(void **state)
{
    (void)state;
    struct evidence busy = read_text(BUSY).ev, answered = read_text(ANSWERED).ev,
                    failed = read_text(FAILED).ev;
    assert_string_equal(busy.provider_call_id, SID);
    assert_int_equal(busy.status, STATUS_USER_BUSY);
    assert_string_equal(busy.reason_code, "486");
    assert_int_equal(busy.at_ms, 1651933814000);
    assert_string_equal(answered.provider_call_id, SID);
    assert_int_equal(answered.status, STATUS_COMPLETED);
    assert_int_equal(answered.talk_seconds, 17);
    assert_int_equal(answered.cost_micros, 6500);
    assert_string_equal(answered.currency, "USD");
    assert_string_equal(answered.hop_detail, "completed, answered by machine_start");
    assert_string_equal(failed.reason_code, "13224");
    assert_string_equal(failed.reason_detail, "Invalid phone number To dial");
    assert_string_equal(failed.hop_detail, "failed, SIP 404");
}

/* ---- the same text, cut elsewhere ---- */

static void add_signed(struct buf *text, const char *body)
{
    buf_init(text, TEXT_MAX);
    twilio_add_signed_fields(text, span_str(body));
}

/* Fields from text[cuts[0] = 0 .. cuts[1]) as a name, up to cuts[2] as its value, and so on. */
static void add_cut(struct buf *body, struct span text, const size_t *cuts, size_t n)
{
    for (size_t i = 0; i + 1 < n; i++) {
        struct span piece = span_of(text.p + cuts[i], cuts[i + 1] - cuts[i]);
        if (i > 0)
            buf_addc(body, i % 2 == 0 ? '&' : '=');
        form_add_encoded(body, piece);
    }
}

/* How often the cut has the same signature and is read; then it must say the same. */
static size_t check_cut(const struct said *meant, struct span text, const size_t *cuts, size_t n)
{
    struct buf body, again;
    buf_init(&body, 4 * TEXT_MAX);
    add_cut(&body, text, cuts, n);
    add_signed(&again, body.n > 0 ? body.p : "");
    bool replay = span_eq(buf_span(&again), text);
    struct said said = {.readable = false};
    if (replay)
        said = read_body(buf_span(&body), SPAN_NONE);
    if (said.readable && !same(&said.ev, &meant->ev))
        fail_msg("cut elsewhere it says something else: %s", body.p);
    buf_done(&body);
    buf_done(&again);
    return said.readable;
}

/* As one field, and as two: every length of name and value, and lengths of the second name. */
static void cut_into_one_or_two_fields_a_report_says_the_same(void **state)
{
    static const size_t lengths[] = {1, 2, 3, 5, 7, 10, 13};
    (void)state;
    for (size_t i = 0; i < COUNT(bodies); i++) {
        struct buf text;
        const struct said meant = read_text(bodies[i]);
        size_t read = 0;
        add_signed(&text, bodies[i]);
        for (size_t name = 1; name <= text.n; name++) {
            const size_t one[] = {0, name, text.n};
            read += check_cut(&meant, buf_span(&text), one, COUNT(one));
            for (size_t value = name; value < text.n; value++) {
                if (text.p[value] < 'A' || text.p[value] > 'Z')
                    continue; /* refused or sorted elsewhere: the random cuts have them */
                const size_t second = value + lengths[(name + value) % COUNT(lengths)];
                const size_t two[] = {0, name, value, second < text.n ? second : text.n, text.n};
                read += check_cut(&meant, buf_span(&text), two, COUNT(two));
            }
        }
        assert_true(read > text.n);
        buf_done(&text);
    }
}

static size_t below(uint64_t *seed, size_t n)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (size_t)(*seed >> 33) % n;
}

static int by_size(const void *a, const void *b)
{
    size_t left = *(const size_t *)a, right = *(const size_t *)b;
    return (left > right) - (left < right);
}

/* Half of the cuts stand before a capital letter, so that the names sort as often as those of Twilio do. */
static size_t random_cuts(uint64_t *seed, struct span text, size_t cuts[PIECES_MAX + 1])
{
    size_t n = 2 + 2 * below(seed, PIECES_MAX / 2);
    cuts[0] = 0;
    for (size_t i = 1; i < n; i++) {
        cuts[i] = below(seed, text.n + 1);
        while (below(seed, 2) && cuts[i] < text.n && (text.p[cuts[i]] < 'A' || text.p[cuts[i]] > 'Z'))
            cuts[i]++;
    }
    cuts[n] = text.n;
    qsort(cuts, n, sizeof *cuts, by_size);
    return n + 1;
}

static void cut_anyhow_a_report_says_the_same(void **state)
{
    uint64_t seed = 20261122;
    (void)state;
    for (size_t i = 0; i < COUNT(bodies); i++) {
        struct buf text;
        const struct said meant = read_text(bodies[i]);
        size_t read = 0;
        add_signed(&text, bodies[i]);
        for (int round = 0; round < RANDOM_CUTS / (int)COUNT(bodies); round++) {
            size_t cuts[PIECES_MAX + 1];
            size_t n = random_cuts(&seed, buf_span(&text), cuts);
            read += check_cut(&meant, buf_span(&text), cuts, n);
        }
        assert_true(read > 100);
        buf_done(&text);
    }
}

static void the_order_of_a_body_and_what_is_there_twice_say_nothing(void **state)
{
    (void)state;
    struct evidence meant = read_text("CallSid=CA1&CallStatus=busy&SipResponseCode=486").ev;
    struct evidence other = read_text("SipResponseCode=486&CallStatus=busy&CallSid=CA1&CallStatus=busy").ev;
    assert_true(same(&meant, &other));
}

/* ---- text of the URL ---- */

static void text_that_was_moved_out_of_the_url_is_refused(void **state)
{
    static const char *const moved[] = {
        "2AccountSid=AC1&CallSid=CA1&CallStatus=busy",                 /* of attempt 12, sent to attempt 1 */
        "%2Facme%2Fc-1%2F1AccountSid=AC1&CallSid=CA1&CallStatus=busy", /* sent to the fixed URL */
        "%3Fregion=eastAccountSid&CallSid=CA1&CallStatus=busy",        /* the query */
        "%23rc%3D5%26rp%3Dall=AC1&CallSid=CA1&CallStatus=busy",        /* the fragment */
    };
    (void)state;
    for (size_t i = 0; i < COUNT(moved); i++)
        assert_false(read_text(moved[i]).readable);
}

static void fields_that_were_moved_into_the_query_are_refused(void **state)
{
    (void)state;
    struct span rest = SPAN_LIT("CallStatus=busy&SipResponseCode=486");
    assert_true(read_body(rest, SPAN_LIT("region=east")).readable);
    assert_false(read_body(rest, SPAN_LIT("region=eastAccountSidAC1CallSidCA1")).readable);
    assert_false(read_body(rest, SPAN_LIT("region=eastAccountSidAC1Call%53idCA1")).readable);
}

/* ---- values ---- */

static void names_that_end_like_ours_are_not_ours(void **state)
{
    (void)state;
    struct evidence child =
        read_text("CallSid=CA1&CallStatus=ringing&DialCallSid=CA2&DialCallStatus=completed&"
                  "ParentCallSid=CA3&ReferSipResponseCode=486")
            .ev;
    assert_string_equal(child.provider_call_id, "CA1");
    assert_int_equal(child.status, STATUS_NONE);
    struct evidence alone = read_text("AccountSid=AC1&DialCallSid=CA2&DialCallStatus=completed").ev;
    assert_string_equal(alone.provider_call_id, "");
    assert_int_equal(alone.status, STATUS_NONE);
}

static void a_name_that_is_new_does_not_hide_those_we_know(void **state)
{
    (void)state;
    struct evidence ev =
        read_text("AgentTimestamp=x&CallSid=" SID "&CallStatus=busy&NewCallSid=CA2&NewCallStatus="
                  "completed&Timestamp=Sat%2C+07+May+2022+14%3A30%3A14+%2B0000&To=%2B254")
            .ev;
    assert_string_equal(ev.provider_call_id, SID);
    assert_int_equal(ev.status, STATUS_USER_BUSY);
    assert_int_equal(ev.at_ms, 1651933814000);
}

static void a_field_that_begins_with_a_small_letter_costs_no_status(void **state)
{
    (void)state;
    struct evidence ev = read_text("CallSid=" SID "&CallStatus=busy&x=%FF").ev;
    assert_int_equal(ev.status, STATUS_USER_BUSY);
    ev = read_text("CallSid=" SID "&CallStatus=completed&CallDuration=12&x=3").ev;
    assert_int_equal(ev.status, STATUS_COMPLETED);
    assert_int_equal(ev.talk_seconds, 12);
    ev = read_text("CallSid=" SID "&CallStatus=busy-elsewhere").ev;
    assert_int_equal(ev.status, STATUS_FAILED_UNKNOWN_REASON);
    assert_string_equal(ev.reason_code, "busy-elsewhere");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_report_is_read_as_it_was_meant),
        cmocka_unit_test(cut_into_one_or_two_fields_a_report_says_the_same),
        cmocka_unit_test(cut_anyhow_a_report_says_the_same),
        cmocka_unit_test(the_order_of_a_body_and_what_is_there_twice_say_nothing),
        cmocka_unit_test(text_that_was_moved_out_of_the_url_is_refused),
        cmocka_unit_test(fields_that_were_moved_into_the_query_are_refused),
        cmocka_unit_test(names_that_end_like_ours_are_not_ours),
        cmocka_unit_test(a_name_that_is_new_does_not_hide_those_we_know),
        cmocka_unit_test(a_field_that_begins_with_a_small_letter_costs_no_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
