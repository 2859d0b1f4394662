/* The path and query of a request to the gateway, each up to a byte 0xFF, and a form. */
#include "workers/gateway/query.h"
#include "common/base/url.h"
#include "tests/fuzz/fuzz.h"
#include "workers/gateway/route.h"

static void take_token(struct span query)
{
    struct buf left, token;
    buf_init(&left, 1024 * 1024);
    buf_init(&token, 1024 * 1024);
    query_add_without_token(&left, query);
    assert(left.n <= query.n);
    assert(!query_add_token(&token, buf_span(&left))); /* it is kept off the topic and out of logs */
    buf_done(&left);
    buf_done(&token);
}

static void read_form(struct span text)
{
    struct form form;
    struct err err = ERR_INIT;
    if (form_parse(&form, text, &err) == 0)
        assert(form.n <= FORM_MAX_FIELDS);
    form_done(&form);
}

/* The path as it was handed out means the same, and is its own spelling. */
static void spell(const struct route *route)
{
    for (int spelling = 0; spelling < ROUTE_SPELLINGS; spelling++) {
        struct buf first, second;
        struct route again;
        buf_init(&first, 8 * 1024);
        buf_init(&second, 8 * 1024);
        route_add_path(&first, route, (enum route_spelling)spelling);
        route_read(&again, buf_span(&first), SPAN_LIT("/ivr"));
        assert(again.kind == route->kind && again.attempt == route->attempt);
        assert(span_eq(again.channel, route->channel) && span_eq(again.call_id, route->call_id));
        route_add_path(&second, &again, (enum route_spelling)spelling);
        assert(span_eq(buf_span(&first), buf_span(&second)));
        buf_done(&first);
        buf_done(&second);
    }
}

static void read_ref(struct span ref)
{
    struct span tenant, call_id;
    int attempt;
    if (route_read_ref(ref, &tenant, &call_id, &attempt))
        assert(attempt > 0 && tenant.n + call_id.n + 2 < ref.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span rest = fuzz_input(data, size);
    struct span path = fuzz_part(&rest), query = fuzz_part(&rest);
    struct route route;
    route_read(&route, path, SPAN_LIT("/ivr"));
    if (route.kind == ROUTE_CALL)
        assert(route.tenant.n > 0 && route.call_id.n > 0);
    if (route.kind == ROUTE_CALLBACK || route.kind == ROUTE_ANSWER)
        spell(&route);
    take_token(query);
    read_form(query);
    read_ref(path);
    return 0;
}
