/* A key and a certificate for 127.0.0.1 that only itself signed, in memory and as PEM files for others to
 * read. */
#ifndef IVR_UNIT_HTTP_IDENTITY_H
#define IVR_UNIT_HTTP_IDENTITY_H

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

struct identity {
    EVP_PKEY *key;
    X509 *cert;
    char dir[64];
    char key_file[96];
    char cert_file[96];
};

static inline void identity_write(struct identity *me)
{
    (void)snprintf(me->dir, sizeof(me->dir), P_tmpdir "/ivr-test-http-XXXXXX");
    assert_non_null(mkdtemp(me->dir));
    (void)snprintf(me->key_file, sizeof(me->key_file), "%s/key.pem", me->dir);
    (void)snprintf(me->cert_file, sizeof(me->cert_file), "%s/cert.pem", me->dir);
    FILE *key = fopen(me->key_file, "we"), *cert = fopen(me->cert_file, "we");
    assert_non_null(key);
    assert_non_null(cert);
    assert_int_equal(PEM_write_PrivateKey(key, me->key, NULL, NULL, 0, NULL, NULL), 1);
    assert_int_equal(PEM_write_X509(cert, me->cert), 1);
    (void)fclose(key);
    (void)fclose(cert);
}

static inline void identity_make(struct identity *me)
{
    me->key = EVP_EC_gen("P-256");
    me->cert = X509_new();
    assert_non_null(me->key);
    X509_gmtime_adj(X509_getm_notBefore(me->cert), 0);
    X509_gmtime_adj(X509_getm_notAfter(me->cert), 3600);
    X509_set_pubkey(me->cert, me->key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(me->cert), "CN", MBSTRING_ASC,
                               (const unsigned char *)"127.0.0.1", -1, -1, 0);
    X509_set_issuer_name(me->cert, X509_get_subject_name(me->cert));
    X509_EXTENSION *name = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "IP:127.0.0.1");
    X509_set_version(me->cert, 2);
    X509_add_ext(me->cert, name, -1);
    X509_EXTENSION_free(name);
    assert_true(X509_sign(me->cert, me->key, EVP_sha256()) > 0);
    identity_write(me);
}

static inline void identity_done(struct identity *me)
{
    (void)unlink(me->key_file);
    (void)unlink(me->cert_file);
    (void)rmdir(me->dir);
    X509_free(me->cert);
    EVP_PKEY_free(me->key);
}

#endif
