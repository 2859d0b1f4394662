/* Digests, MACs and their text forms, over OpenSSL. Nothing here fails; a key may be empty. Safe from any
 * thread. */
#ifndef IVR_COMMON_CRYPTO_H
#define IVR_COMMON_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/span.h"

enum { SHA1_LEN = 20, SHA256_LEN = 32 };

void crypto_sha256(struct span data, uint8_t out[SHA256_LEN]);
void crypto_hmac_sha1(struct span key, struct span data, uint8_t out[SHA1_LEN]);
void crypto_hmac_sha256(struct span key, struct span data, uint8_t out[SHA256_LEN]);

void crypto_add_hex(struct buf *b, const uint8_t *bytes, size_t n); /* lower case */
void crypto_add_base64(struct buf *b, const uint8_t *bytes, size_t n);
void crypto_add_base64url(struct buf *b, const uint8_t *bytes, size_t n); /* unpadded */
/* Appends the bytes of unpadded base64url. False, with nothing appended, where the text is anything else:
 * another character, padding, a length that none has, bits set behind the last byte. So each run of bytes has
 * one text. */
bool crypto_decode_base64url(struct buf *out, struct span text);

/* True when equal; the time taken depends on the lengths only. */
bool crypto_equal(struct span a, struct span b);

/* n random bytes from the system's generator; aborts when there is none. */
void crypto_random(void *out, size_t n);

#endif
