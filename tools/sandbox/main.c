/*
 * ivr-sandbox: starts everything that ivr-workers needs on this machine, sends a campaign through it, shows
 * what became of it, and takes everything down again.
 */
#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/descriptors.h"
#include "common/base/secrecy.h"
#include "common/run/log.h"
#include "common/run/program.h"
#include "tools/sandbox/sandbox.h"

enum { LOOK_EVERY_MS = 20, LOG_ROWS_SHOWN = 15 };

/* ---- waiting ---- */

struct readiness {
    struct sandbox *sb;
    bool (*ready)(struct sandbox *sb);
    bool is_ready;
    int64_t until_mono_ms;
};

static void look(void *arg)
{
    struct readiness *readiness = arg;
    struct sandbox *sb = readiness->sb;
    readiness->is_ready = readiness->ready(sb);
    if (readiness->is_ready || sb->stopped || sb->dead != NULL || clock_mono_ms() >= readiness->until_mono_ms)
        loop_quit(sb->loop);
}

int sandbox_wait(struct sandbox *sb, bool (*ready)(struct sandbox *sb), const char *what, int64_t timeout_ms,
                 struct err *err)
{
    int64_t now_ms = clock_mono_ms();
    struct readiness readiness = {.sb = sb,
                                  .ready = ready,
                                  .until_mono_ms =
                                      timeout_ms > INT64_MAX - now_ms ? INT64_MAX : now_ms + timeout_ms};
    struct loop_timer *timer = loop_timer_start(sb->loop, 0, LOOK_EVERY_MS, look, &readiness);
    loop_run(sb->loop);
    loop_timer_stop(&timer);
    if (sb->dead != NULL)
        return err_set(err, ERR_SYSTEM, "%s ended", sb->dead->name);
    if (readiness.is_ready)
        return 0;
    if (sb->stopped)
        return err_set(err, ERR_UNAVAILABLE, "interrupted");
    return err_set(err, ERR_UNAVAILABLE, "%s: not ready within %lld s", what, (long long)(timeout_ms / 1000));
}

static void on_stop(void *arg)
{
    struct sandbox *sb = arg;
    sb->stopped = true;
}

static void on_child_end(struct child *child, void *arg)
{
    struct sandbox *sb = arg;
    if (sb->dead == NULL)
        sb->dead = child;
}

/* ---- telling ---- */

static void say_failure(const struct sandbox *sb, const struct err *err)
{
    struct buf b;
    buf_init(&b, 64 * 1024);
    if (sb->dead != NULL) {
        buf_addf(&b, "ivr-sandbox: %s ended: ", sb->dead->name);
        child_add_end(&b, sb->dead);
        buf_adds(&b, "; its last log lines:\n");
        child_add_log_end(&b, sb->dead, LOG_ROWS_SHOWN);
    } else {
        buf_addf(&b, "ivr-sandbox: %s\n", err->text);
        for (int i = 0; !sb->stopped && i < 4 && sb->workers[i] != NULL; i++) {
            buf_addf(&b, "  %s:\n", sb->workers[i]->name);
            child_add_log_end(&b, sb->workers[i], 3);
        }
    }
    fputs(b.p, stderr);
    buf_done(&b);
}

/* clang-format off: a literal is a row of what is printed. */
static void say_what_is_up(const struct sandbox *sb)
{
    printf("Kafka      %s\n",
           sb->broker == NULL ? sb->kafka
                              : "in memory: librdkafka's mock cluster, which forgets everything at the end");
    printf("Redis      %s\n", sb->options.redis != NULL ? "as given with --redis" : "a private redis-server");
    printf("providers  simulated: Africa's Talking, Twilio, Vonage; calls live 30 times faster; nobody is "
           "called\n");
    printf("campaign   %s, contacts of %s\n\n", sb->campaign,
           sb->options.calls > 0 ? "nobody (made up)" : sb->contacts_path);
    fflush(stdout);
}

static void say_how_to_play(const struct sandbox *sb)
{
    const char *ctl = sb->paths.ivrctl;
    printf("\nEverything stays up until Ctrl-C. In another terminal:\n\n");
    for (int i = sb->env_shown; i < sb->env_shown_end; i++)
        printf("  export %s\n", sb->env[i]);
    printf("\n");
    printf("  %s tail\n", ctl);
    printf("  %s campaign %s\n", ctl, sb->campaign);
    printf("  %s channels\n", ctl);
    printf("  echo "
           "'{\"call_id\":\"mine-1\",\"tenant\":\"demo\",\"campaign\":\"mine\",\"to\":\"+447700900001\",'\\\n"
           "       '\"message\":{\"say\":\"Hello\"}}' | %s request -\n",
           ctl);
    printf("  %s call demo/mine-1\n", ctl);
    printf("  curl -H 'Authorization: Bearer sandbox-api-token' http://127.0.0.1:%d/v1/calls/demo/mine-1\n",
           sb->ports[PORT_GATEWAY]);
    printf("  curl http://127.0.0.1:%d/metrics        # ivr-dispatch; status :%d, report :%d, gateway :%d\n",
           sb->ports[PORT_DISPATCH], sb->ports[PORT_STATUS], sb->ports[PORT_REPORT],
           sb->ports[PORT_GATEWAY_ADMIN]);
    printf("  curl -X PUT http://127.0.0.1:%d/_sim/faults -d '{\"timeout\": 0.1}'   # make the providers "
           "worse; GET shows how\n",
           sb->ports[PORT_SIMULATOR]);
    if (sb->redis != NULL)
        printf("  redis-cli -s %s/redis.sock\n", sb->directory);
    printf("  tail -f %s/*.log\n", sb->directory);
    fflush(stdout);
}
/* clang-format on */

/* ---- the story ---- */

static bool never(struct sandbox *sb)
{
    (void)sb;
    return false;
}

/* Until Ctrl-C, which is the way this ends. */
static int stay(struct sandbox *sb, struct err *err)
{
    say_how_to_play(sb);
    int rc = sandbox_wait(sb, never, "", INT64_MAX, err);
    return sb->stopped && sb->dead == NULL ? 0 : rc;
}

static int run(struct sandbox *sb, struct err *err)
{
    int rc = setup_open(sb, err);
    if (rc != 0)
        return rc;
    printf("starting: %s, simulated providers, four workers\n",
           sb->options.redis != NULL ? "Kafka" : "Kafka, Redis");
    fflush(stdout);
    rc = setup_start(sb, err);
    if (rc != 0)
        return rc;
    say_what_is_up(sb);
    rc = campaign_run(sb, err);
    if (rc == 0)
        rc = campaign_show(sb, err);
    if (rc == 0 && !sb->options.keep)
        printf("\n"
               "All of it goes down again. "
               "make demo KEEP=1 (ivr-sandbox --keep) leaves it up and says what to type.\n");
    return rc == 0 && sb->options.keep ? stay(sb, err) : rc;
}

/* A name of its own for each run, because another Kafka and Redis remember the last. */
static void name_campaign(struct sandbox *sb)
{
    struct tm tm;
    time_t now = (time_t)(clock_wall_ms() / 1000);
    gmtime_r(&now, &tm);
    size_t n = strftime(sb->campaign_text, sizeof(sb->campaign_text), "demo/maize-prices-%Y%m%d-%H%M%S", &tm);
    assert(n > 0); /* it fits */
    sb->campaign = sb->campaign_text;
}

static void keep_secrets(void)
{
    struct buf warning;
    buf_init(&warning, 1024);
    secrecy_begin();
    secrecy_add_warning(&warning);
    if (warning.n > 0)
        fprintf(stderr, "ivr-sandbox: warning: %s", warning.p);
    buf_done(&warning);
}

int main(int argc, char **argv)
{
    keep_secrets();
    static struct sandbox sb;
    struct err err = ERR_INIT;
    descriptors_open_standard();
    int rc = options_read(&sb.options, argc, argv);
    if (rc >= 0)
        return rc;
    if (paths_find(&sb.paths, &sb.options, &err) != 0) {
        fprintf(stderr, "ivr-sandbox: %s\n", err.text);
        return EXIT_USAGE;
    }
    log_setup("ivr-sandbox", LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    sb.loop = loop_new();
    loop_on_signals(sb.loop, on_stop, NULL, &sb);
    sb.children = (struct children){.loop = sb.loop, .on_end = on_child_end, .arg = &sb};
    name_campaign(&sb);
    progress_init(&sb.progress);
    rc = run(&sb, &err) == 0 ? EXIT_DONE : EXIT_FATAL;
    if (rc != EXIT_DONE)
        say_failure(&sb, &err);
    bool said = rc != EXIT_DONE;
    setup_close(&sb);
    if (sb.dead != NULL && !said) {
        say_failure(&sb, &err); /* one that went down badly */
        rc = EXIT_FATAL;
    }
    children_free(&sb.children);
    loop_free(&sb.loop);
    return rc;
}
