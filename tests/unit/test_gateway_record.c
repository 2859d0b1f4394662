/* workers/gateway/callback_record and received: a provider's request on the topic, and how it is verified. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "workers/gateway/callback_record.h"

/* ---- a provider that signs nothing and echoes what its body says ---- */

static bool body_after(const struct callback *callback, const char *prefix, struct buf *out)
{
    size_t n = strlen(prefix);
    if (callback->body.n < n || memcmp(callback->body.p, prefix, n) != 0)
        return false;
    buf_addspan(out, span_of(callback->body.p + n, callback->body.n - n));
    return true;
}

static bool callback_id(const struct callback *callback, struct buf *id)
{
    return body_after(callback, "id=", id);
}

static bool callback_ref(const struct callback *callback, struct buf *ref)
{
    return body_after(callback, "ref=", ref);
}

static enum verified verify_nothing(const struct channel *channel, struct span public_url,
                                    const struct callback *callback)
{
    (void)channel, (void)public_url, (void)callback;
    return VERIFIED_NONE;
}

static char channel_name[] = "ke-main", secret[] = "the-secret", old_secret[] = "the-old-secret";

struct callback_fixture {
    struct provider provider;
    struct channel channel;
    struct route route;
    struct received r;
    struct callback_record record;
};

static struct span no_header(const struct callback *callback, const char *name)
{
    (void)callback, (void)name;
    return SPAN_NONE;
}

static struct span trace_header(const struct callback *callback, const char *name)
{
    (void)callback;
    return span_str(strcmp(name, "traceparent") == 0 ? "00-4bf9-00f0-01" : "congo=t61");
}

static void receive(struct callback_fixture *f, const char *path, const char *method, const char *text)
{
    memset(f, 0, sizeof(*f));
    f->provider = (struct provider){.name = "fake", .callback_id = callback_id, .callback_ref = callback_ref};
    f->channel.name = channel_name;
    f->channel.provider = &f->provider;
    route_read(&f->route, span_str(path), SPAN_NONE);
    assert_int_equal(f->route.kind, ROUTE_CALLBACK);
    f->r = (struct received){.route = &f->route, .channel = &f->channel, .provider = &f->provider};
    f->r.verified = VERIFIED_TOKEN;
    f->r.callback = (struct callback){.method = method, .received_ms = 1763837450123, .header = no_header};
    if (strcmp(method, "GET") == 0)
        f->r.callback.query = span_str(text);
    else
        f->r.callback.body = span_str(text);
}

static void assert_header(const struct callback_fixture *f, const char *name, const char *value)
{
    struct span found = SPAN_NONE;
    for (size_t i = 0; i < f->record.event.n; i++)
        if (span_is(f->record.event.headers[i].name, name))
            found = f->record.event.headers[i].value;
    if (value == NULL ? found.p != NULL : !span_is(found, value))
        fail_msg("%s is \"%.*s\"", name, SPAN_ARG(found));
}

static void assert_key(const struct callback_fixture *f, enum callback_names names, const char *key)
{
    assert_int_equal(f->record.names, names);
    assert_string_equal(f->record.key.p, key);
}

/* ---- records ---- */

static void a_path_with_our_reference_makes_the_key(void **state)
{
    struct callback_fixture f;
    (void)state;
    receive(&f, "/callbacks/fake/ke-main/acme/c-1/2", "POST", "id=7");
    callback_record_init(&f.record, &f.r);
    assert_key(&f, NAMES_CALL, "acme/c-1");
    assert_true(span_is(f.record.value, "id=7"));
    assert_header(&f, "ce_specversion", "1.0");
    assert_header(&f, "ce_type", "ivr.callback");
    assert_header(&f, "ce_source", "ivr/ivr-gateway");
    assert_header(&f, "ce_time", "2025-11-22T18:50:50.123Z");
    assert_header(&f, "ce_provider", "fake");
    assert_header(&f, "ce_channel", "ke-main");
    assert_header(&f, "ce_verified", "token");
    assert_header(&f, "ce_tenant", "acme");
    assert_header(&f, "ce_callid", "c-1");
    assert_header(&f, "ce_attempt", "2");
    assert_header(&f, "ce_query", NULL);
    assert_header(&f, "content-type", NULL);
    assert_header(&f, "traceparent", NULL);
    callback_record_done(&f.record);
}

static void a_reference_that_the_provider_echoes_makes_the_key(void **state)
{
    struct callback_fixture f;
    (void)state;
    receive(&f, "/callbacks/fake/ke-main", "POST", "ref=acme/c-2/1");
    callback_record_init(&f.record, &f.r);
    assert_key(&f, NAMES_CALL, "acme/c-2");
    assert_header(&f, "ce_callid", "c-2");
    assert_header(&f, "ce_attempt", "1");
    callback_record_done(&f.record);
}

static void without_our_reference_the_provider_s_id_makes_the_key(void **state)
{
    struct callback_fixture f;
    (void)state;
    receive(&f, "/callbacks/fake/ke-main", "POST", "id=7");
    callback_record_init(&f.record, &f.r);
    assert_key(&f, NAMES_PROVIDER_ID, "fake:7");
    assert_header(&f, "ce_tenant", NULL);
    assert_header(&f, "ce_callid", NULL);
    assert_header(&f, "ce_attempt", NULL);
    callback_record_done(&f.record);
}

static void what_cannot_be_read_has_the_provider_and_a_colon_as_key(void **state)
{
    static const char *const bodies[] = {"", "\xff", "id=", "ref=acme/../1", "ref=acme/c-1"};
    struct callback_fixture f;
    (void)state;
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        receive(&f, "/callbacks/fake/ke-main", "POST", bodies[i]);
        callback_record_init(&f.record, &f.r);
        assert_key(&f, NAMES_NOTHING, "fake:");
        assert_header(&f, "ce_callid", NULL);
        callback_record_done(&f.record);
    }
}

static void of_a_get_the_query_is_the_value(void **state)
{
    struct callback_fixture f;
    (void)state;
    receive(&f, "/callbacks/fake/ke-main", "GET", "id=7");
    callback_record_init(&f.record, &f.r);
    assert_key(&f, NAMES_PROVIDER_ID, "fake:7");
    assert_true(span_is(f.record.value, "id=7"));
    assert_header(&f, "ce_query", NULL);
    callback_record_done(&f.record);
    f.r.callback.query = SPAN_NONE;
    callback_record_init(&f.record, &f.r);
    assert_non_null(f.record.value.p);
    assert_int_equal(f.record.value.n, 0);
    callback_record_done(&f.record);
}

static void of_a_post_the_query_is_a_header(void **state)
{
    struct callback_fixture f;
    (void)state;
    receive(&f, "/callbacks/fake/ke-main", "POST", "id=7");
    f.r.callback.query = SPAN_LIT("region=east&x=%2F");
    f.r.callback.content_type = SPAN_LIT("text/plain; charset=x");
    f.r.callback.header = trace_header;
    callback_record_init(&f.record, &f.r);
    assert_header(&f, "ce_query", "region=east&x=%2F");
    assert_header(&f, "content-type", "text/plain; charset=x");
    assert_header(&f, "traceparent", "00-4bf9-00f0-01");
    assert_header(&f, "tracestate", "congo=t61");
    callback_record_done(&f.record);
}

static void each_record_has_an_id_of_its_own(void **state)
{
    struct callback_fixture f;
    struct cloudevent first;
    (void)state;
    receive(&f, "/callbacks/fake/ke-main", "POST", "id=7");
    callback_record_init(&f.record, &f.r);
    cloudevent_init(&first, SPAN_LIT("ivr/ivr-gateway"), SPAN_NONE, SPAN_LIT("ivr.callback"), 0);
    assert_int_equal(strlen(first.id), CLOUDEVENT_ID_LEN);
    assert_string_not_equal(first.id, f.record.event.id);
    callback_record_done(&f.record);
}

/* ---- verification ---- */

static enum verified with_query(struct callback_fixture *f, const char *query)
{
    f->r.raw_query = query != NULL ? span_str(query) : SPAN_NONE;
    return received_verify(&f->r, SPAN_NONE);
}

static enum verified with_token_of(struct callback_fixture *f, const char *path)
{
    struct buf query;
    buf_init(&query, 256);
    buf_adds(&query, "a=1&token=");
    channel_add_token(&query, &f->channel, span_str(path));
    f->r.raw_query = buf_span(&query);
    enum verified verified = received_verify(&f->r, SPAN_NONE);
    buf_done(&query);
    return verified;
}

static void a_url_that_we_handed_out_needs_the_token_of_its_path(void **state)
{
    static const char path[] = "/callbacks/fake/ke-main/acme/c-1/2";
    struct callback_fixture f;
    (void)state;
    receive(&f, path, "POST", "id=7");
    f.channel.callback_secrets[0] = secret;
    assert_int_equal(with_token_of(&f, path), VERIFIED_TOKEN);
    assert_int_equal(with_token_of(&f, "/callbacks/fake/ke-main/acme/c-1/3"), VERIFIED_NO);
    assert_int_equal(with_query(&f, "token=the-secret"), VERIFIED_NO);
    assert_int_equal(with_query(&f, "token="), VERIFIED_NO);
    assert_int_equal(with_query(&f, "a=1"), VERIFIED_NO);
    assert_int_equal(with_query(&f, NULL), VERIFIED_NO);
}

static void a_fixed_url_may_carry_any_of_the_secrets(void **state)
{
    struct callback_fixture f;
    (void)state;
    receive(&f, "/callbacks/fake/ke-main", "POST", "id=7");
    f.channel.callback_secrets[0] = secret;
    f.channel.callback_secrets[1] = old_secret;
    assert_int_equal(with_query(&f, "token=the-secret"), VERIFIED_TOKEN);
    assert_int_equal(with_query(&f, "token=the%2Dold-secret&a=1"), VERIFIED_TOKEN);
    assert_int_equal(with_query(&f, "token=another"), VERIFIED_NO);
    assert_int_equal(with_query(&f, NULL), VERIFIED_NO);
}

static void without_a_secret_nothing_is_verified(void **state)
{
    struct callback_fixture f;
    (void)state;
    receive(&f, "/callbacks/fake/ke-main", "POST", "id=7");
    assert_int_equal(with_query(&f, NULL), VERIFIED_NONE);
}

static void none_is_refused_where_something_could_have_been_verified(void **state)
{
    struct callback_fixture f;
    (void)state;
    receive(&f, "/callbacks/fake/ke-main", "POST", "id=7");
    f.provider.verify = verify_nothing;
    assert_int_equal(with_query(&f, NULL), VERIFIED_NONE);
    f.channel.callback_secrets[0] = secret;
    assert_int_equal(with_query(&f, NULL), VERIFIED_NO);
    f.channel.callback_secrets[0] = NULL;
    f.provider.signs_callbacks = true;
    assert_int_equal(with_query(&f, NULL), VERIFIED_NO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_with_our_reference_makes_the_key),
        cmocka_unit_test(a_reference_that_the_provider_echoes_makes_the_key),
        cmocka_unit_test(without_our_reference_the_provider_s_id_makes_the_key),
        cmocka_unit_test(what_cannot_be_read_has_the_provider_and_a_colon_as_key),
        cmocka_unit_test(of_a_get_the_query_is_the_value),
        cmocka_unit_test(of_a_post_the_query_is_a_header),
        cmocka_unit_test(each_record_has_an_id_of_its_own),
        cmocka_unit_test(a_url_that_we_handed_out_needs_the_token_of_its_path),
        cmocka_unit_test(a_fixed_url_may_carry_any_of_the_secrets),
        cmocka_unit_test(without_a_secret_nothing_is_verified),
        cmocka_unit_test(none_is_refused_where_something_could_have_been_verified),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
