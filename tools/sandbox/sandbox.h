/*
 * The sandbox: what is up, in which order it came, and the one way to wait for something.
 *
 * Everything is linear in main.c: start, wait until it is ready, go on. sandbox_wait() runs the loop
 * meanwhile, and ends early when a signal came or a child died that should not have.
 */
#ifndef IVR_SANDBOX_SANDBOX_H
#define IVR_SANDBOX_SANDBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/run/loop.h"
#include "tools/sandbox/broker.h"
#include "tools/sandbox/child.h"
#include "tools/sandbox/options.h"
#include "tools/sandbox/progress.h"

enum { PORT_SIMULATOR, PORT_GATEWAY, PORT_DISPATCH, PORT_STATUS, PORT_REPORT, PORT_GATEWAY_ADMIN, PORTS };
enum { SANDBOX_ENV_MAX = 96 };

struct sandbox {
    struct sandbox_options options;
    struct paths paths;
    struct loop *loop;
    struct broker *broker; /* NULL: --kafka */
    char directory[64];    /* temporary, private */
    char channels_path[96], key_path[96], contacts_path[OPTIONS_PATH_MAX];
    char kafka[256], redis_url[256];
    int ports[PORTS];
    char *env[SANDBOX_ENV_MAX]; /* of every child; owned, ends with NULL */
    int env_n;
    int env_shown, env_shown_end; /* which of it a person needs to paste */
    struct children children;
    struct child *simulator, *redis, *workers[4];
    struct progress progress;
    const char *campaign; /* "demo/maize-prices-…" */
    char campaign_text[64];
    long calls;
    long dialled, dialled_again; /* by the simulator's own count, once known */
    bool dialled_known;
    bool stopped;       /* a signal asked to end */
    struct child *dead; /* one that died on its own; NULL */
};

/* Runs the loop until `ready` says so. ERR_UNAVAILABLE after timeout_ms ("... was not ready within ..."),
 * when a signal came, or when a child died. */
int sandbox_wait(struct sandbox *sb, bool (*ready)(struct sandbox *sb), const char *what, int64_t timeout_ms,
                 struct err *err);

/* setup.c: everything before the campaign, each in its turn. */
/* Directory, ports, broker, environment, channels file. */
int setup_open(struct sandbox *sb, struct err *err);
/* Redis, simulator, topics, workers; waits for each. */
int setup_start(struct sandbox *sb, struct err *err);
/* Ends all children (SIGTERM, SIGKILL for who does not listen), the broker, and removes the directory. */
void setup_close(struct sandbox *sb);

/* providers.c: the simulated providers, and what reaches them. */
int providers_write_channels(struct sandbox *sb, struct err *err); /* and Vonage's key */
int providers_write_contacts(struct sandbox *sb, struct err *err); /* made up, spread over the channels */
int providers_start(struct sandbox *sb, struct err *err);
/* Asks the simulator what it dialled. ERR_INVALID: an attempt more than once. */
int providers_ask(struct sandbox *sb, struct err *err);

/* campaign.c: sends it, follows it to its end, shows what became of it. */
int campaign_run(struct sandbox *sb, struct err *err);
int campaign_show(struct sandbox *sb, struct err *err);

#endif
