#include "common/http/http.h"

#include <assert.h>
#include <curl/curl.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/crypto.h"
#include "common/base/mem.h"
#include "common/base/number.h"
#include "common/http/http_socket.h"

enum {
    REDIRECT_MAX = 2048,
    SLOTS_A_MULTI = 16, /* measured best between 16 and 64 multis for 1,024 transfers */
    MAX_URL = 8 * 1024,
    MAX_HEADER_BYTES = 16 * 1024,
    MAX_USER = 1024,
    MAX_PASSWORD = 8 * 1024,
    MAX_BODY = 1024 * 1024,
    RECEIVE_BUFFER = 4 * 1024, /* a reply is about 1 KiB, and a thousand transfers have one buffer each */
    SEND_BUFFER = 16 * 1024,   /* libcurl's least */
    RETRY_AFTER_MAX_S = 366 * 24 * 3600,
};

/* One transfer at a time. Its easy handle is made at first use and then kept; only what changes is set
 * again. */
struct http_slot {
    struct http_client *client;
    struct http_multi *multi;
    CURL *easy;
    bool in_flight;
    struct http_slot *next_refused;

    /* what the easy handle points to or was told last */
    struct curl_slist headers[HTTP_MAX_HEADERS];
    struct buf header_text;
    struct buf url;
    struct buf body;
    const char *method;
    bool has_body;
    int64_t timeout_ms;
    int64_t connect_timeout_ms;
    int64_t idle_timeout_ms;

    /* this transfer */
    http_fn fn;
    void *arg;
    bool once;
    int64_t send_before_mono_ms;
    int64_t reuse_before_mono_ms;
    int64_t started_mono_us;
    int64_t sent_mono_ms;
    int sends; /* how often libcurl was allowed to send the request */
    bool refused_late;
    bool refused_again;
    struct buf reply;
    char error[CURL_ERROR_SIZE];
};

struct http_multi {
    struct http_client *client;
    CURLM *curl;
    uv_timer_t timer;
    struct loop_soon *at_once; /* libcurl wants to be called again without waiting */
};

struct http_client {
    struct loop *loop;
    struct http_client_options options;
    char *user_agent;
    CURLSH *share;              /* names and TLS sessions, across the multis */
    bool own_roots;             /* libcurl speaks TLS through the OpenSSL that we link */
    char *ca_file;              /* NULL: the system's */
    X509_STORE *roots;          /* NULL until the first TLS connection */
    struct http_multi **multis; /* each made at its first use: libcurl takes two descriptors for one */
    unsigned multis_n;
    struct http_slot *slots;
    struct http_slot **free_slots; /* a stack: light load stays on few multis and few connections */
    unsigned free_n;
    struct http_sockets *sockets;
    struct http_slot *refused; /* what http_send() could not take; told at the next turn */
    struct loop_soon *soon;
    struct buf delivered; /* the reply whose callback runs; its slot may be busy again already */
};

/* ---- requests ---- */

void http_request_init(struct http_request *request)
{
    *request = (struct http_request){.method = "POST"};
    buf_init(&request->url, MAX_URL);
    buf_init(&request->headers, MAX_HEADER_BYTES);
    buf_init(&request->user, MAX_USER);
    buf_init(&request->password, MAX_PASSWORD);
    buf_init(&request->body, MAX_BODY);
}

void http_request_clear(struct http_request *request)
{
    request->method = "POST";
    request->once = false;
    buf_clear(&request->url);
    buf_clear(&request->headers);
    buf_clear(&request->user);
    buf_clear(&request->password);
    buf_clear(&request->body);
}

static void wipe(struct buf *b)
{
    if (b->cap)
        explicit_bzero(b->p, b->cap);
    buf_done(b);
}

void http_request_done(struct http_request *request)
{
    wipe(&request->url);
    wipe(&request->headers);
    wipe(&request->user);
    wipe(&request->password);
    wipe(&request->body);
}

/* ---- the outcome ---- */

static int64_t retry_after_ms(CURL *easy)
{
    struct curl_header *header = NULL;
    if (curl_easy_header(easy, "Retry-After", 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
        return -1;
    const char *text = header->value;
    int64_t wait_s = -1;
    if (text[0] && strspn(text, "0123456789") == strlen(text)) {
        if (!number_read(span_str(text), 0, RETRY_AFTER_MAX_S, &wait_s))
            wait_s = RETRY_AFTER_MAX_S;
    } else {
        time_t when = curl_getdate(text, NULL);
        if (when == -1)
            return -1;
        wait_s = (int64_t)when - clock_wall_ms() / 1000;
    }
    if (wait_s > RETRY_AFTER_MAX_S)
        wait_s = RETRY_AFTER_MAX_S;
    return wait_s < 0 ? 0 : wait_s * 1000;
}

/* Copied into `text`, because the handle is another transfer's when the reply is read; cut off it would be
 * another URL. */
static struct span redirected_to(CURL *easy, char *text, size_t size)
{
    const char *url = NULL;
    if (curl_easy_getinfo(easy, CURLINFO_REDIRECT_URL, &url) != CURLE_OK || !url || strlen(url) >= size)
        return SPAN_NONE;
    (void)snprintf(text, size, "%s", url);
    return span_str(text);
}

/* With nothing sent: could the peer not be contacted, or is the request itself at fault? */
static bool means_unreachable(CURLcode code)
{
    switch (code) {
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_NOT_BUILT_IN:
    case CURLE_FAILED_INIT:
    case CURLE_OUT_OF_MEMORY:
    case CURLE_BAD_FUNCTION_ARGUMENT:
    case CURLE_ABORTED_BY_CALLBACK:
        return false;
    default:
        return true;
    }
}

/* A body in an encoding that libcurl does not know, or in one that it is not: what the status says, it
 * says. */
static bool is_garbled(CURLcode code)
{
    return code == CURLE_BAD_CONTENT_ENCODING;
}

static enum http_outcome judge(const struct http_slot *slot, CURLcode code, int status)
{
    if ((code == CURLE_OK || is_garbled(code)) && status >= 200)
        return HTTP_REPLY;
    return code != CURLE_OK && slot->sends == 0 ? HTTP_NOT_SENT : HTTP_IN_DOUBT;
}

static const char *words_for(const struct http_slot *slot, CURLcode code)
{
    if (slot->refused_again)
        return "the connection ended without a reply; sending again was refused";
    if (slot->refused_late)
        return "too late to send";
    if (slot->reply.overflow)
        return "the reply is too large";
    if (slot->error[0])
        return slot->error;
    return code == CURLE_OK ? "no complete reply" : curl_easy_strerror(code);
}

static void slot_free(struct http_slot *slot)
{
    slot->in_flight = false;
    slot->client->free_slots[slot->client->free_n++] = slot;
}

/* The slot is free when `fn` runs and may be taken again inside it, so nothing of the reply may live
 * there. */
static void finish(struct http_slot *slot, CURLcode code)
{
    struct http_client *client = slot->client;
    struct http_reply reply = {.retry_after_ms = -1, .error = ""};
    char words[CURL_ERROR_SIZE], redirect[REDIRECT_MAX];
    long status = 0;
    curl_easy_getinfo(slot->easy, CURLINFO_RESPONSE_CODE, &status);
    reply.outcome = judge(slot, code, (int)status);
    reply.seconds_us = clock_mono_us() - slot->started_mono_us;
    reply.sent_mono_ms = slot->sent_mono_ms;
    if (is_garbled(code))
        buf_clear(&slot->reply);
    if (reply.outcome == HTTP_REPLY) {
        struct buf spare = client->delivered;
        client->delivered = slot->reply;
        slot->reply = spare;
        reply.status = (int)status;
        reply.body = buf_span(&client->delivered);
        reply.retry_after_ms = retry_after_ms(slot->easy);
        reply.redirected_to = redirected_to(slot->easy, redirect, sizeof(redirect));
    } else {
        (void)snprintf(words, sizeof(words), "%s", words_for(slot, code));
        reply.error = words;
        reply.refused_late = reply.outcome == HTTP_NOT_SENT && slot->refused_late;
        reply.unreachable = reply.outcome == HTTP_NOT_SENT && means_unreachable(code);
    }
    http_fn fn = slot->fn;
    void *arg = slot->arg;
    slot_free(slot);
    fn(&reply, arg);
}

static void deliver(struct http_multi *multi)
{
    int left = 0;
    CURLMsg *msg;
    while ((msg = curl_multi_info_read(multi->curl, &left))) {
        struct http_slot *slot = NULL;
        CURL *easy = msg->easy_handle;
        CURLcode code = msg->data.result;
        if (msg->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(easy, CURLINFO_PRIVATE, &slot);
        curl_multi_remove_handle(multi->curl, easy);
        finish(slot, code);
    }
}

static void on_soon(void *arg)
{
    struct http_client *client = arg;
    struct http_slot *slot;
    while ((slot = client->refused)) {
        client->refused = slot->next_refused;
        slot->next_refused = NULL;
        finish(slot, CURLE_BAD_FUNCTION_ARGUMENT);
    }
}

/* ---- libcurl asks for sockets and timers ---- */

static void on_socket(void *owner, int fd, int events)
{
    struct http_multi *multi = owner;
    int running = 0;
    int flags = events ? 0 : CURL_CSELECT_ERR;
    if (events & UV_READABLE)
        flags |= CURL_CSELECT_IN;
    if (events & UV_WRITABLE)
        flags |= CURL_CSELECT_OUT;
    curl_multi_socket_action(multi->curl, fd, flags, &running);
    deliver(multi);
}

/* CURLMOPT_SOCKETFUNCTION: what libcurl wants of a socket from now on. */
static int want_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *unused)
{
    struct http_multi *multi = arg;
    struct http_slot *slot = NULL;
    (void)unused;
    if (what == CURL_POLL_REMOVE) {
        if (easy)
            curl_easy_getinfo(easy, CURLINFO_PRIVATE, &slot);
        http_socket_idle(multi->client->sockets, fd, slot ? slot->idle_timeout_ms : 0);
        return 0;
    }
    int events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    http_socket_want(multi->client->sockets, fd, events, multi);
    return 0;
}

static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct http_client *client = arg;
    (void)purpose;
    return http_socket_open(client->sockets, address->family, address->socktype, address->protocol);
}

static int close_socket(void *arg, curl_socket_t fd)
{
    struct http_client *client = arg;
    return http_socket_close(client->sockets, fd);
}

static void time_out(void *arg)
{
    struct http_multi *multi = arg;
    int running = 0;
    curl_multi_socket_action(multi->curl, CURL_SOCKET_TIMEOUT, 0, &running);
    deliver(multi);
}

static void on_timeout(uv_timer_t *handle)
{
    time_out(handle->data);
}

static int want_timer(CURLM *curl, long timeout_ms, void *arg)
{
    struct http_multi *multi = arg;
    (void)curl;
    if (timeout_ms == 0)
        loop_soon_ask(multi->at_once);
    else
        loop_soon_cancel(multi->at_once);
    if (timeout_ms <= 0)
        return uv_timer_stop(&multi->timer);
    return uv_timer_start(&multi->timer, on_timeout, (uint64_t)timeout_ms, 0);
}

static bool is_late(const struct http_slot *slot, int64_t mono_ms)
{
    long connected = 0;
    if (slot->send_before_mono_ms && mono_ms > slot->send_before_mono_ms)
        return true;
    if (!slot->reuse_before_mono_ms || mono_ms <= slot->reuse_before_mono_ms)
        return false;
    curl_easy_getinfo(slot->easy, CURLINFO_NUM_CONNECTS, &connected);
    return connected == 0;
}

/*
 * CURLOPT_PREREQFUNCTION: the connection stands and the request leaves next, whether for the first time, on a
 * fresh connection after a kept one died, or after an HTTP/2 server refused the stream. The clock is read
 * here and not once a turn, because the point is to notice that this process was stopped for a while.
 */
static int before_send(void *arg, char *peer, char *local, int peer_port, int local_port)
{
    struct http_slot *slot = arg;
    (void)peer, (void)local, (void)peer_port, (void)local_port;
    if (slot->sends > 0 && slot->once) {
        slot->refused_again = true;
        return CURL_PREREQFUNC_ABORT;
    }
    int64_t mono_ms = clock_mono_ms();
    if (is_late(slot, mono_ms)) {
        slot->refused_late = true;
        return CURL_PREREQFUNC_ABORT;
    }
    slot->sends++;
    slot->sent_mono_ms = mono_ms;
    buf_clear(&slot->reply);
    return CURL_PREREQFUNC_OK;
}

static size_t on_reply_bytes(char *bytes, size_t size, size_t n, void *arg)
{
    struct http_slot *slot = arg;
    buf_add(&slot->reply, bytes, size * n);
    return buf_ok(&slot->reply) ? size * n : 0;
}

/* ---- TLS ---- */

static X509_STORE *read_roots(const struct http_client *client)
{
    const curl_version_info_data *curl = curl_version_info(CURLVERSION_NOW);
    X509_STORE *roots = X509_STORE_new();
    const char *file = client->ca_file ? client->ca_file : curl->cainfo;
    const char *path = client->ca_file ? NULL : curl->capath;
    assert(roots);
    bool read_file = file && X509_STORE_load_file(roots, file) == 1;
    bool read_path = path && X509_STORE_load_path(roots, path) == 1;
    if (!read_file && !read_path) {
        X509_STORE_free(roots);
        return NULL;
    }
    X509_STORE_set_flags(roots, X509_V_FLAG_TRUSTED_FIRST | X509_V_FLAG_PARTIAL_CHAIN); /* as libcurl does */
    return roots;
}

/*
 * CURLOPT_SSL_CTX_FUNCTION. Each multi of libcurl would read the certificates of all the world's authorities
 * for itself: tens of milliseconds and half a megabyte, 64 times. They are read once, and every connection
 * shares them.
 */
static CURLcode use_roots(CURL *easy, void *ctx, void *arg)
{
    struct http_client *client = arg;
    (void)easy;
    if (!client->roots)
        client->roots = read_roots(client);
    if (!client->roots)
        return CURLE_SSL_CACERT_BADFILE;
    SSL_CTX_set1_cert_store(ctx, client->roots);
    return CURLE_OK;
}

/* ---- setting a transfer up ---- */

static struct http_multi *multi_new(struct http_client *client)
{
    struct http_multi *multi = mem_calloc(1, sizeof(*multi));
    multi->client = client;
    multi->curl = curl_multi_init();
    assert(multi->curl);
    multi->timer.data = multi;
    multi->at_once = loop_soon_new(client->loop, time_out, multi);
    int rc = uv_timer_init(loop_uv(client->loop), &multi->timer);
    assert(rc == 0);
    curl_multi_setopt(multi->curl, CURLMOPT_SOCKETFUNCTION, want_socket);
    curl_multi_setopt(multi->curl, CURLMOPT_SOCKETDATA, multi);
    curl_multi_setopt(multi->curl, CURLMOPT_TIMERFUNCTION, want_timer);
    curl_multi_setopt(multi->curl, CURLMOPT_TIMERDATA, multi);
    /* Its own default follows the transfers out at the moment and would close connections that the next burst
     * needs. */
    curl_multi_setopt(multi->curl, CURLMOPT_MAXCONNECTS, 2L * SLOTS_A_MULTI);
    return multi;
}

/* A refused option means that memory ran out or that this libcurl is not the one we were built for. */
#define SET(slot, option, value)                                                                             \
    do {                                                                                                     \
        CURLcode code_here = curl_easy_setopt((slot)->easy, option, value);                                  \
        assert(code_here == CURLE_OK);                                                                       \
    } while (0)

static void slot_open(struct http_slot *slot)
{
    struct http_client *client = slot->client;
    struct http_multi **multi = &client->multis[(slot - client->slots) / SLOTS_A_MULTI];
    if (*multi == NULL)
        *multi = multi_new(client);
    slot->multi = *multi;
    slot->easy = curl_easy_init();
    assert(slot->easy);
    SET(slot, CURLOPT_PRIVATE, slot);
    SET(slot, CURLOPT_ERRORBUFFER, slot->error);
    SET(slot, CURLOPT_SHARE, client->share);
    SET(slot, CURLOPT_NOSIGNAL, 1L);
    SET(slot, CURLOPT_PROTOCOLS_STR, "http,https");
    SET(slot, CURLOPT_FOLLOWLOCATION, 0L);
    SET(slot, CURLOPT_PROXY, ""); /* whatever the environment says, and without asking it each time */
    SET(slot, CURLOPT_NOPROXY, "*");
    SET(slot, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(slot, CURLOPT_USERAGENT, client->user_agent);
    SET(slot, CURLOPT_ACCEPT_ENCODING, ""); /* all that this libcurl can read; it reads them unasked, too */
    SET(slot, CURLOPT_BUFFERSIZE, (long)RECEIVE_BUFFER);
    SET(slot, CURLOPT_UPLOAD_BUFFERSIZE, (long)SEND_BUFFER);
    /* Without it libcurl joins the resolver's thread when a transfer times out, and the whole loop waits for
     * a name. */
    SET(slot, CURLOPT_QUICK_EXIT, 1L);
    SET(slot, CURLOPT_PREREQFUNCTION, before_send);
    SET(slot, CURLOPT_PREREQDATA, slot);
    SET(slot, CURLOPT_WRITEFUNCTION, on_reply_bytes);
    SET(slot, CURLOPT_WRITEDATA, slot);
    SET(slot, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    SET(slot, CURLOPT_OPENSOCKETDATA, client);
    SET(slot, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
    SET(slot, CURLOPT_CLOSESOCKETDATA, client);
    if (client->own_roots) {
        SET(slot, CURLOPT_CAINFO, NULL);
        SET(slot, CURLOPT_CAPATH, NULL);
        SET(slot, CURLOPT_SSL_CTX_FUNCTION, use_roots);
        SET(slot, CURLOPT_SSL_CTX_DATA, client);
    } else if (client->ca_file) {
        SET(slot, CURLOPT_CAINFO, client->ca_file);
    }
    slot->timeout_ms = slot->connect_timeout_ms = slot->idle_timeout_ms = -1;
}

static void set_url(struct http_slot *slot, const struct buf *url)
{
    if (slot->url.n && span_eq(buf_span(&slot->url), buf_span(url)))
        return;
    bool tls = strncasecmp(url->p, "https:", 6) == 0;
    bool was_tls = strncasecmp(slot->url.p, "https:", 6) == 0;
    if (!slot->url.n || tls != was_tls) {
        SET(slot, CURLOPT_HTTP_VERSION, (long)(tls ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1));
        SET(slot, CURLOPT_PIPEWAIT, tls ? 1L : 0L); /* rather a stream on a connection that is being made */
    }
    SET(slot, CURLOPT_URL, url->p);
    buf_clear(&slot->url);
    buf_addspan(&slot->url, buf_span(url));
}

static void set_method_and_body(struct http_slot *slot, const struct http_request *request)
{
    bool post = strcmp(request->method, "POST") == 0;
    bool has_body = post || request->body.n > 0;
    if (!slot->method || strcmp(slot->method, request->method) != 0 || slot->has_body != has_body) {
        bool plain = post || strcmp(request->method, "GET") == 0;
        if (has_body)
            SET(slot, CURLOPT_POST, 1L);
        else
            SET(slot, CURLOPT_HTTPGET, 1L);
        SET(slot, CURLOPT_CUSTOMREQUEST, plain ? NULL : request->method);
        slot->method = request->method;
        slot->has_body = has_body;
    }
    if (!has_body)
        return;
    buf_clear(&slot->body);
    buf_addspan(&slot->body, buf_span(&request->body));
    SET(slot, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)slot->body.n);
    SET(slot, CURLOPT_POSTFIELDS, slot->body.p);
}

static void add_authorization(struct buf *out, const struct http_request *request)
{
    struct buf pair;
    buf_init(&pair, MAX_USER + MAX_PASSWORD + 1);
    buf_addspan(&pair, buf_span(&request->user));
    buf_addc(&pair, ':');
    buf_addspan(&pair, buf_span(&request->password));
    buf_adds(out, "Authorization: Basic ");
    crypto_add_base64(out, (const uint8_t *)pair.p, pair.n);
    buf_addc(out, '\n');
    wipe(&pair);
}

/*
 * The list that libcurl reads lies in the slot: lines of `header_text`, cut by NULs. No "Expect:" is needed
 * to keep libcurl from waiting for "100 Continue": it does so only above 1 MiB, which is the most a body may
 * have.
 */
static void set_headers(struct http_slot *slot, const struct http_request *request)
{
    struct buf *text = &slot->header_text;
    size_t n = 0;
    buf_clear(text);
    buf_addspan(text, buf_span(&request->headers));
    if (text->n && text->p[text->n - 1] != '\n')
        buf_addc(text, '\n');
    if (request->user.n)
        add_authorization(text, request);
    assert(buf_ok(text));
    char *line = text->p, *end = text->p + text->n;
    while (line < end) {
        char *stop = memchr(line, '\n', (size_t)(end - line));
        *stop = '\0';
        assert(n < sizeof(slot->headers) / sizeof(slot->headers[0]));
        slot->headers[n] = (struct curl_slist){.data = line};
        if (n)
            slot->headers[n - 1].next = &slot->headers[n];
        n++;
        line = stop + 1;
    }
    SET(slot, CURLOPT_HTTPHEADER, n ? slot->headers : NULL);
}

/* libcurl compares whole seconds and reuses while they are not more than this; so "15s" must say 14 to mean
 * it. */
static long maxage_s(int64_t idle_timeout_ms)
{
    return idle_timeout_ms < 2000 ? 0 : (long)(idle_timeout_ms / 1000) - 1;
}

static void set_limits(struct http_slot *slot, const struct http_limits *limits)
{
    if (slot->timeout_ms != limits->timeout_ms) {
        assert(limits->timeout_ms > 0);
        SET(slot, CURLOPT_TIMEOUT_MS, (long)limits->timeout_ms);
        slot->timeout_ms = limits->timeout_ms;
    }
    if (slot->connect_timeout_ms != limits->connect_timeout_ms) {
        assert(limits->connect_timeout_ms >= 0);
        SET(slot, CURLOPT_CONNECTTIMEOUT_MS, (long)limits->connect_timeout_ms);
        slot->connect_timeout_ms = limits->connect_timeout_ms;
    }
    if (slot->idle_timeout_ms != limits->idle_timeout_ms) {
        SET(slot, CURLOPT_MAXAGE_CONN, maxage_s(limits->idle_timeout_ms));
        slot->idle_timeout_ms = limits->idle_timeout_ms;
    }
}

/* A request that overflowed one of its buffers was cut, and must not leave. */
static bool is_whole(const struct http_request *request)
{
    return request->url.n && buf_ok(&request->url) && buf_ok(&request->headers) && buf_ok(&request->user) &&
           buf_ok(&request->password) && buf_ok(&request->body);
}

static void refuse(struct http_slot *slot)
{
    static const char why[] = "the request is too large or has no URL";
    memcpy(slot->error, why, sizeof(why));
    slot->next_refused = slot->client->refused;
    slot->client->refused = slot;
    loop_soon_ask(slot->client->soon);
}

void http_send(struct http_client *client, struct http_slot **slot_at, const struct http_request *request,
               const struct http_limits *limits, http_fn fn, void *arg)
{
    struct http_slot *slot = *slot_at;
    *slot_at = NULL;
    assert(slot->client == client && !slot->in_flight);
    if (!slot->easy)
        slot_open(slot);
    slot->in_flight = true;
    slot->fn = fn;
    slot->arg = arg;
    slot->once = request->once;
    slot->send_before_mono_ms = limits->send_before_mono_ms;
    slot->reuse_before_mono_ms = limits->reuse_before_mono_ms;
    slot->started_mono_us = clock_mono_us();
    slot->sent_mono_ms = 0;
    slot->sends = 0;
    slot->refused_late = slot->refused_again = false;
    slot->error[0] = '\0';
    buf_clear(&slot->reply);
    if (!is_whole(request)) {
        refuse(slot);
        return;
    }
    set_url(slot, &request->url);
    set_method_and_body(slot, request);
    set_headers(slot, request);
    set_limits(slot, limits);
    CURLMcode rc = curl_multi_add_handle(slot->multi->curl, slot->easy);
    assert(rc == CURLM_OK);
}

/* ---- slots ---- */

struct http_slot *http_slot_take(struct http_client *client)
{
    return client->free_n ? client->free_slots[--client->free_n] : NULL;
}

void http_slot_release(struct http_client *client, struct http_slot **slot_at)
{
    struct http_slot *slot = *slot_at;
    if (!slot)
        return;
    *slot_at = NULL;
    assert(slot->client == client && !slot->in_flight);
    slot_free(slot);
}

unsigned http_slots_free(const struct http_client *client)
{
    return client->free_n;
}

/* ---- the client ---- */

static void free_data(uv_handle_t *handle)
{
    free(handle->data);
}

static void multi_free(struct http_multi *multi)
{
    curl_multi_setopt(multi->curl, CURLMOPT_TIMERFUNCTION, NULL);
    curl_multi_cleanup(multi->curl); /* closes the kept connections: close_socket() */
    loop_soon_free(&multi->at_once);
    uv_close((uv_handle_t *)&multi->timer, free_data);
}

static void slots_new(struct http_client *client)
{
    unsigned n = client->options.max_transfers;
    client->slots = mem_calloc(n, sizeof(*client->slots));
    client->free_slots = mem_calloc(n, sizeof(struct http_slot *));
    for (unsigned i = n; i-- > 0;) { /* so that the first one lies on top */
        struct http_slot *slot = &client->slots[i];
        slot->client = client;
        buf_init(&slot->header_text, 2 * MAX_HEADER_BYTES + 2 * (MAX_USER + MAX_PASSWORD));
        buf_init(&slot->url, MAX_URL);
        buf_init(&slot->body, MAX_BODY);
        buf_init(&slot->reply, HTTP_MAX_REPLY);
        client->free_slots[client->free_n++] = slot;
    }
}

int http_client_new(struct http_client **client_at, struct loop *loop,
                    const struct http_client_options *options, struct err *err)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return err_set(err, ERR_SYSTEM, "libcurl does not start");
    struct http_client *client = mem_calloc(1, sizeof(*client));
    client->loop = loop;
    client->options = *options;
    assert(options->max_transfers > 0);
    client->user_agent = mem_strdup(options->user_agent ? options->user_agent : "ivr-workers");
    client->ca_file = options->ca_file ? mem_strdup(options->ca_file) : NULL;
    const char *tls = curl_version_info(CURLVERSION_NOW)->ssl_version;
    client->own_roots = tls && strncmp(tls, "OpenSSL/", 8) == 0;
    client->share = curl_share_init();
    assert(client->share);
    curl_share_setopt(client->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS);
    curl_share_setopt(client->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
    client->sockets = http_sockets_new(loop, on_socket);
    buf_init(&client->delivered, HTTP_MAX_REPLY);
    client->multis_n = (options->max_transfers + SLOTS_A_MULTI - 1) / SLOTS_A_MULTI;
    client->multis = mem_calloc(client->multis_n, sizeof(struct http_multi *));
    slots_new(client);
    client->soon = loop_soon_new(loop, on_soon, client);
    *client_at = client;
    return 0;
}

static void slot_done(struct http_slot *slot)
{
    if (slot->easy) {
        if (slot->in_flight)
            curl_multi_remove_handle(slot->multi->curl, slot->easy);
        curl_easy_cleanup(slot->easy);
    }
    wipe(&slot->header_text);
    wipe(&slot->url);
    wipe(&slot->body);
    buf_done(&slot->reply);
}

void http_client_free(struct http_client **client_at)
{
    struct http_client *client = *client_at;
    if (!client)
        return;
    *client_at = NULL;
    for (unsigned i = 0; i < client->options.max_transfers; i++)
        slot_done(&client->slots[i]);
    for (unsigned i = 0; i < client->multis_n; i++)
        if (client->multis[i] != NULL)
            multi_free(client->multis[i]);
    curl_share_cleanup(client->share);
    http_sockets_free(&client->sockets);
    free(client->multis);
    free(client->slots);
    free(client->free_slots);
    free(client->user_agent);
    free(client->ca_file);
    X509_STORE_free(client->roots);
    buf_done(&client->delivered);
    loop_soon_free(&client->soon);
    free(client);
    curl_global_cleanup();
}
