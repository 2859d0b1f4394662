/* workers/calls/audit and call_record's identity: what is noted of who did something is what is sent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/clock.h"
#include "common/base/pii.h"
#include "common/json/json.h"
#include "workers/calls/audit.h"
#include "workers/calls/identity.h"

struct noted {
    struct buf text;
    struct audit_text audit;
    json_t *json;
};

static void note(struct noted *noted, const struct audit *audit)
{
    struct err err = ERR_INIT;
    buf_init(&noted->text, 2 * AUDIT_MAX);
    audit_begin(&noted->text, audit);
    audit_add_affected(&noted->text, 7);
    buf_adds(&noted->text, ",\"result\":\"done\"}"); /* as lib/audit.lua ends it */
    assert_true(buf_ok(&noted->text));
    audit_read(&noted->audit, buf_span(&noted->text));
    noted->json = json_parse(noted->audit.json, 2 * AUDIT_MAX, &err);
    assert_non_null(noted->json);
}

static void note_done(struct noted *noted)
{
    json_decref(noted->json);
    buf_done(&noted->text);
}

static const char *text_of(const struct noted *noted, const char *name)
{
    return json_string_value(json_object_get(noted->json, name));
}

static const struct audit PAUSE = {.actor_kind = "user",
                                   .actor = {"jane", 4},
                                   .from = "ivrctl",
                                   .action = "pause",
                                   .tenant = {"acme", 4},
                                   .target = {"campaign:acme/20261122", 22}};

static void what_is_noted_is_read_again_with_its_id_and_its_time(void **state)
{
    (void)state;
    struct noted noted;
    int64_t before_ms = clock_wall_ms();
    note(&noted, &PAUSE);
    assert_true(span_is(noted.audit.key, "acme"));
    assert_true(span_is(noted.audit.id, text_of(&noted, "id")));
    assert_in_range(noted.audit.at_ms, before_ms, clock_wall_ms());
    assert_string_equal(text_of(&noted, "target"), "campaign:acme/20261122");
    assert_int_equal(json_integer_value(json_object_get(noted.json, "affected")), 7);
    assert_true(json_is_null(json_object_get(noted.json, "target_hash")));
    assert_true(json_is_null(json_object_get(noted.json, "reason")));
    note_done(&noted);
}

static void numbers_in_what_people_say_are_masked_whatever_is_shown_elsewhere(void **state)
{
    (void)state;
    struct noted noted;
    struct audit audit = PAUSE;
    pii_setup(PHONE_PLAIN, SPAN_LIT("key"));
    audit.actor = SPAN_LIT("+254722000111");
    audit.reason = SPAN_LIT("\"ask\" +254722000111\n");
    audit.number = SPAN_LIT("+254722000111");
    note(&noted, &audit);
    assert_string_equal(text_of(&noted, "reason"), "\"ask\" +2547****0111\n");
    assert_string_equal(json_string_value(json_object_get(json_object_get(noted.json, "actor"), "name")),
                        "+2547****0111");
    assert_int_equal(strlen(text_of(&noted, "target_hash")), 2 + 32);
    note_done(&noted);
    pii_setup(PHONE_MASK, SPAN_NONE);
}

static void a_long_reason_is_cut_between_two_characters(void **state)
{
    (void)state;
    struct noted noted;
    struct audit audit = PAUSE;
    char reason[3 * AUDIT_REASON_MAX];
    for (size_t i = 0; i + 1 < sizeof(reason); i += 2)
        memcpy(reason + i, "\xc3\xa9", 2);
    audit.reason = span_of(reason + 1, sizeof(reason) - 1); /* its first byte belongs to no character */
    note(&noted, &audit);
    const char *said = text_of(&noted, "reason");
    assert_null(strstr(said + strlen("\xef\xbf\xbd"), "\xef\xbf\xbd"));
    note_done(&noted);
}

static void a_text_that_is_none_of_ours_has_no_id(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "acme", "acme\n{}", "acme\n{\"v\":1,\"id\":\"short"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct audit_text audit;
        audit_read(&audit, span_str(texts[i]));
        assert_null(audit.id.p);
        assert_int_equal(audit.at_ms, 0);
    }
}

static void an_identity_that_version_0_1_wrote_has_a_hash_that_nobody_knows(void **state)
{
    (void)state;
    static const char older[] =
        "\"tenant\":\"t\",\"campaign\":\"m\",\"call_id\":\"c\",\"to\":\"+2547****0111\","
        "\"metadata\":{\"to_hash\":1}";
    struct buf b, again;
    buf_init(&b, 1024);
    buf_init(&again, 1024);
    identity_add_json(&b, SPAN_LIT(older));
    assert_non_null(strstr(b.p, "\"+2547****0111\",\"to_hash\":null,\"metadata\":{\"to_hash\":1}"));
    identity_add_json(&again, buf_span(&b));
    assert_string_equal(again.p, b.p);
    buf_done(&b);
    buf_done(&again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_noted_is_read_again_with_its_id_and_its_time),
        cmocka_unit_test(numbers_in_what_people_say_are_masked_whatever_is_shown_elsewhere),
        cmocka_unit_test(a_long_reason_is_cut_between_two_characters),
        cmocka_unit_test(a_text_that_is_none_of_ours_has_no_id),
        cmocka_unit_test(an_identity_that_version_0_1_wrote_has_a_hash_that_nobody_knows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
