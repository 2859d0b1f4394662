/*
 * JSON Web Tokens in compact form (RFC 7519 over RFC 7515): RS256 and HS256, the two that providers use, over
 * OpenSSL. The algorithm is the function that is called and never the token's choice: a header that says
 * another one ("none", HS256 where RS256 is due) opens nothing.
 *
 * Reading is strict: three parts of unpadded canonical base64url, header and claims JSON objects without
 * duplicate keys, no "crit" (extensions that a reader must know). What the claims mean is the caller's
 * business: nothing here looks at a clock. Nothing here keeps OpenSSL's error queue filled, which libcurl
 * reads too.
 */
#ifndef IVR_COMMON_JWT_H
#define IVR_COMMON_JWT_H

#include <jansson.h>
#include <stdbool.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/span.h"

enum { JWT_MAX = 8 * 1024 }; /* bytes of a token that is read; each kind of header has them too */

/* An RSA key. */
struct jwt_key;

/* Parses PEM: PKCS#8 ("BEGIN PRIVATE KEY") or PKCS#1, not encrypted, of 2048 bits or more (RFC 7518
 * section 3.3). ERR_INVALID says what is wrong and quotes nothing; *key is then NULL. */
int jwt_key_new(struct jwt_key **key, struct span pem, struct err *err) __attribute__((warn_unused_result));
/* The same for a public key ("BEGIN PUBLIC KEY"), with which tokens can only be opened. */
int jwt_public_key_new(struct jwt_key **key, struct span pem, struct err *err)
    __attribute__((warn_unused_result));
/* Also of NULL; OpenSSL wipes the key. */
void jwt_key_free(struct jwt_key **key);

/* Appends a token over `claims`, a JSON object as text. ERR_SYSTEM, with nothing appended, where the key
 * cannot sign (its parts do not fit each other); one that signed once signs again. About a millisecond. */
int jwt_add_rs256(struct buf *out, const struct jwt_key *key, struct span claims, struct err *err)
    __attribute__((warn_unused_result));
void jwt_add_hs256(struct buf *out, struct span secret, struct span claims);

/* The claims of a token that is signed with `key` or `secret`: a new reference; NULL where it is not, or
 * cannot be read. The time taken does not tell how much of a MAC fits. */
json_t *jwt_open_rs256(struct span token, const struct jwt_key *key) __attribute__((warn_unused_result));
json_t *jwt_open_hs256(struct span token, struct span secret) __attribute__((warn_unused_result));

#endif
