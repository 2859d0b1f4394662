/*
 * The head of an HTTP/1.x request: its request line and fields, read once they are complete. Pure.
 *
 * It is strict on purpose. Where a server reads bytes otherwise than the proxy before it, what is a body to
 * one is the next request to the other ("request smuggling"). So everything that RFC 9112 lets two readers
 * take differently is refused: a bare LF or CR, a folded line, a blank before the colon, two lengths, a
 * length beside chunked, a coding that is not chunked, HTTP/1.1 without Host or with two.
 */
#ifndef IVR_COMMON_HTTPD_HEAD_H
#define IVR_COMMON_HTTPD_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/span.h"

enum { HTTPD_HEAD_MAX = 16 * 1024, HTTPD_MAX_FIELDS = 100, HTTPD_MAX_METHOD = 23 };

/* Offsets into the head: a request has a hundred of them at most, and ten thousand may be open. */
struct httpd_field {
    uint16_t name_at, name_n, value_at, value_n;
};

struct httpd_head {
    const char *text; /* what the offsets and spans point into; borrowed */
    char method[HTTPD_MAX_METHOD + 1];
    struct span target; /* path and query as sent: of "http://host/path?x" what follows the host */
    struct span host;   /* the absolute form's, else the Host field's; SPAN_NONE without (HTTP/1.0) */
    bool http_1_0;
    bool keep_alive;
    bool chunked;
    bool expects_continue;
    uint64_t length; /* of the body; 0 without one, and when chunked */
    struct httpd_field fields[HTTPD_MAX_FIELDS];
    size_t fields_n;
};

/* Where the head ends: its bytes, the empty line included. 0: not all of it is there; SIZE_MAX: it cannot
 * become one (a LF without its CR). `*scanned` is how much of it the last call has read, 0 at first. */
size_t httpd_head_end(struct span text, size_t *scanned);

/* Reads a complete head, which must outlive `head`. 0, or the status to answer before closing, with *why a
 * sentence for the peer. */
int httpd_head_read(struct httpd_head *head, struct span text, const char **why);

/* The first field of that name, without regard to case; SPAN_NONE when absent. */
struct span httpd_head_field(const struct httpd_head *head, const char *name);

/* RFC 9110's token characters: names of fields and methods. */
bool httpd_is_token(char c);

#endif
