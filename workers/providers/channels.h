/*
 * The channels file: which providers are configured, under which names. Validated as a whole; every problem
 * names the file and the field ("channels.json: channels.ke-main.credentials.api_key: file /run/secrets/at:
 * No such file").
 *
 * SIGHUP loads it again: a bad file is reported and the old one stays. Channels are reference-counted,
 * because an attempt in flight keeps the channel that it was placed with.
 */
#ifndef IVR_PROVIDERS_CHANNELS_H
#define IVR_PROVIDERS_CHANNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/crypto.h"
#include "common/base/span.h"
#include "common/model/hours.h"
#include "workers/providers/provider.h"

enum { CHANNEL_MAX_SECRETS = 8, CHANNEL_MAX_CREDENTIALS = 8 };

struct channel {
    char *name;
    const struct provider *provider;
    char *from;                                  /* NULL when the file gives none */
    char *base_url;                              /* without trailing slash */
    char *credentials[CHANNEL_MAX_CREDENTIALS];  /* by the index in provider->settings; NULL when absent */
    char *callback_secrets[CHANNEL_MAX_SECRETS]; /* the first signs; NULL-terminated unless full */
    double calls_per_second;                     /* of all replicas; 0.1 to 100000, 0: no limit of ours */
    int concurrent_calls;                        /* of all replicas; 0: no limit of ours */
    int64_t request_timeout_ms;                  /* default 10 s */
    int64_t idle_timeout_ms;                     /* default 15 s */
    char **country_codes;                        /* digits, NULL-terminated */
    char **fallback;                             /* channel names, NULL-terminated */
    bool insecure;
    /* Of the settings and of the secrets that were read: a channel with another digest is another channel. */
    uint8_t digest[SHA256_LEN];
    bool one_call_per_number; /* of a tenant at a time; default true */
    void *adapter;            /* the provider's own (open, close of struct provider); NULL: none */
    unsigned refs;            /* private to channels_file.c */
};

struct channels; /* the whole file; immutable */

/*
 * Reads and checks the file. 0, or ERR_CONFIG with *channels NULL and one row a problem appended to
 * `problems`: all of them at once, and no secret is quoted. Secrets from {"env": NAME} and {"file": PATH} are
 * read here, so that loading again picks up new ones. The result is owned by the caller.
 */
int channels_load(struct channels **channels, const char *path, struct buf *problems);
void channels_free(struct channels **channels);
/* Whether the file can be read and has no channel of that name. It reads no secret and checks nothing else,
 * so that who may not see the secrets can ask, too. */
bool channels_lacks(const char *path, struct span name);

/* NULL when unknown. Borrowed; channel_ref() to keep. */
struct channel *channels_find(const struct channels *channels, struct span name);
/* The channel for a request: the requested one; or the longest matching country code; or default_channel;
 * NULL: none. Of two channels with the same code the first in the file has it. */
struct channel *channels_choose(const struct channels *channels, struct span requested, struct span to);
size_t channels_count(const struct channels *channels);
struct channel *channels_at(const struct channels *channels, size_t i); /* in the file's order */
const char *channels_default(const struct channels *channels);          /* NULL when none */

/* The calling hours of a number whose request has none of its own: those of the longest country code that it
 * begins with; NULL: none. Borrowed. */
const struct hours *channels_hours(const struct channels *channels, struct span to);
/* In the file's order; NULL past the last. Both are borrowed. */
const struct hours *channels_hours_at(const struct channels *channels, size_t i, const char **code);

/* How many calls a tenant may have in progress on one channel, over all replicas, whatever it has on other
 * channels; 0: no cap of its own. */
int channels_tenant_cap(const struct channels *channels, struct span tenant);
/* By name; NULL past the last. Borrowed. */
const char *channels_tenants_at(const struct channels *channels, size_t i, int *cap);

struct channel *channel_ref(struct channel *channel);
void channel_unref(struct channel **channel); /* wipes the secrets with the last one */
/* A credential by name; SPAN_NONE when absent. */
struct span channel_credential(const struct channel *channel, const char *name);

/* The token that guards a callback URL we hand out: base64url HMAC-SHA256 of the path from /callbacks on,
 * under the first secret. */
void channel_add_token(struct buf *b, const struct channel *channel, struct span path);
/* True when `token` fits `path` under any of the secrets, or is one of the secrets itself (one fixed
 * registered URL, `fixed`). */
bool channel_token_ok(const struct channel *channel, struct span path, bool fixed, struct span token);

#endif
