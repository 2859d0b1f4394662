/*
 * A whole simulator in the test's process, and both sides of the wire: stage_ask() is a worker that places
 * calls, and a server notes what the simulator posts. All of it on one loop; one a process. Calls live 200
 * times faster.
 */
#ifndef IVR_UNIT_SIMULATED_H
#define IVR_UNIT_SIMULATED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/url.h"
#include "common/json/json.h"
#include "tests/simulator/options.h"
#include "tests/simulator/simulator.h"

enum { STAGE_POSTS = 256, STAGE_BODY = 2048, STAGE_PATIENCE_MS = 10000 };

/* What the simulator sent to the worker's side. */
struct post {
    char method[8], target[512], type[64], authorization[1024], body[STAGE_BODY];
    struct form form; /* the body or, of a GET, the query */
    json_t *json;     /* the body where it is JSON */
};

struct stage {
    struct loop *loop;
    struct sim_config config;
    struct sim sim;
    struct httpd *worker;
    struct http_client *client;
    struct http_request request; /* fill in, then stage_ask() */
    char worker_url[64];         /* "http://127.0.0.1:4711" */
    int status;                  /* of the last reply; 0: none came */
    char reply[8192];
    json_t *reply_json;   /* NULL where it is none */
    const char *document; /* what the worker's side answers, as application/xml */
    int fail_first;       /* so many posts are answered 503 */
    struct post posts[STAGE_POSTS];
    int posts_n, wanted;
    bool late, answered;
};

static struct stage stage;

static inline void copy_text(char *out, size_t size, struct span text)
{
    snprintf(out, size, "%.*s", SPAN_ARG(text));
}

static inline void stage_on_post(struct httpd_request *req, void *arg)
{
    struct stage *s = arg;
    assert_true(s->posts_n < STAGE_POSTS);
    struct post *post = &s->posts[s->posts_n++];
    copy_text(post->method, sizeof post->method, span_str(httpd_method(req)));
    copy_text(post->target, sizeof post->target, httpd_target(req));
    copy_text(post->type, sizeof post->type, httpd_header(req, "Content-Type"));
    copy_text(post->authorization, sizeof post->authorization, httpd_header(req, "Authorization"));
    copy_text(post->body, sizeof post->body, httpd_body(req));
    bool get = strcmp(post->method, "GET") == 0;
    post->json = strstr(post->type, "json") ? json_parse(httpd_body(req), STAGE_BODY, NULL) : NULL;
    assert_int_equal(form_parse(&post->form,
                                get          ? httpd_query(req)
                                : post->json ? SPAN_NONE
                                             : httpd_body(req),
                                NULL),
                     0);
    int status = s->posts_n <= s->fail_first ? 503 : 200;
    httpd_reply(req, status, "application/xml", span_str(s->document), NULL);
    if (s->wanted && s->posts_n >= s->wanted)
        loop_quit(s->loop);
}

static inline void stage_on_late(void *arg)
{
    struct stage *s = arg;
    s->late = true;
    loop_quit(s->loop);
}

static inline void stage_run(struct stage *s, int64_t patience_ms)
{
    s->late = false;
    struct loop_timer *timer = loop_timer_start(s->loop, patience_ms, 0, stage_on_late, s);
    loop_run(s->loop);
    loop_timer_stop(&timer);
}

/* Until that many posts have come in all. */
static inline void stage_wait(struct stage *s, int posts)
{
    s->wanted = posts;
    if (s->posts_n < posts)
        stage_run(s, STAGE_PATIENCE_MS);
    s->wanted = 0;
    assert_false(s->late && s->posts_n < posts);
}

/* What else comes within a moment. */
static inline void stage_linger(struct stage *s, int64_t ms)
{
    stage_run(s, ms);
}

static inline void stage_on_reply(const struct http_reply *reply, void *arg)
{
    struct stage *s = arg;
    s->answered = true;
    s->status = reply->status;
    copy_text(s->reply, sizeof s->reply, reply->body);
    json_decref(s->reply_json);
    s->reply_json = reply->body.n ? json_parse(reply->body, sizeof s->reply, NULL) : NULL;
    loop_quit(s->loop);
}

static inline struct http_request *stage_request(struct stage *s, const char *method, const char *path)
{
    http_request_clear(&s->request);
    s->request.method = method;
    s->request.once = true;
    buf_addf(&s->request.url, "http://%s%s", httpd_address(s->sim.httpd), path);
    return &s->request;
}

/* Sends what stage_request() began and waits for its reply, which may be none (status 0). */
static inline void stage_ask(struct stage *s)
{
    const struct http_limits limits = {.timeout_ms = STAGE_PATIENCE_MS, .idle_timeout_ms = 5000};
    struct http_slot *slot = http_slot_take(s->client);
    s->answered = false;
    http_send(s->client, &slot, &s->request, &limits, stage_on_reply, s);
    while (!s->answered)
        stage_run(s, STAGE_PATIENCE_MS);
}

static inline struct span stage_reply_text(struct stage *s, const char *key)
{
    return json_get_span(s->reply_json, key);
}

static inline void stage_forget_posts(struct stage *s)
{
    for (int i = 0; i < s->posts_n; i++) {
        form_done(&s->posts[i].form);
        json_decref(s->posts[i].json);
    }
    memset(s->posts, 0, sizeof s->posts);
    s->posts_n = 0;
}

/* Before each test: nothing has happened, and nothing of the one before is still on its way. */
static inline int stage_clear(void **state)
{
    (void)state;
    sim_reset(&stage.sim);
    while (stage.sim.stats.out)
        stage_run(&stage, 5);
    stage_forget_posts(&stage);
    stage.fail_first = 0;
    return 0;
}

static inline void stage_set(struct stage *s, const char *name, const char *value)
{
    assert_int_equal(sim_switch_set(&s->sim.switches, span_str(name), span_str(value), NULL), 0);
}

static inline void stage_start(struct stage *s, int argc, char **argv)
{
    enum sim_wish wish;
    struct err err = ERR_INIT;
    const struct http_client_options client = {.max_transfers = 16, .user_agent = "ivr-test/1"};
    const struct httpd_options worker = {.listen = "127.0.0.1:0",
                                         .max_body = STAGE_BODY,
                                         .max_connections = 100,
                                         .idle_timeout_ms = 5000,
                                         .handler = stage_on_post,
                                         .arg = s};
    memset(s, 0, sizeof *s);
    s->loop = loop_new();
    assert_int_equal(http_client_new(&s->client, s->loop, &client, NULL), 0);
    assert_int_equal(httpd_start(&s->worker, s->loop, &worker, NULL), 0);
    http_request_init(&s->request);
    snprintf(s->worker_url, sizeof s->worker_url, "http://%s", httpd_address(s->worker));
    assert_int_equal(sim_options_read(&s->config, &wish, argc, argv, &err), 0);
    s->config.switches.speed = 200;
    assert_int_equal(sim_start(&s->sim, s->loop, &s->config, &err), 0);
    s->document = "";
}

static inline void stage_end(struct stage *s)
{
    stage_forget_posts(s);
    json_decref(s->reply_json);
    sim_stop(&s->sim);
    httpd_stop(&s->worker);
    http_client_free(&s->client);
    http_request_done(&s->request);
    loop_free(&s->loop);
}

#endif
