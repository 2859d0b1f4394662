/* What has to be up before a campaign can run, in the order in which it starts; and the way down. */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/url.h"
#include "common/json/json.h"
#include "tools/sandbox/probe.h"
#include "tools/sandbox/sandbox.h"

enum {
    START_MS = 10000, /* redis: it starts at once or not at all */
    READY_MS = 40000, /* the workers: group joined, topics found */
    STOP_MS = 10000,  /* the workers have 5 s to drain */
    KILL_MS = 3000,
    SOCKET_PATH_MAX = 90, /* of sockaddr_un's 108, less the file's name */
};

extern char **environ;

/* ---- directory and ports ---- */

static int make_directory(struct sandbox *sb, struct err *err)
{
    const char *parent = getenv("TMPDIR");
    if (parent == NULL || *parent != '/' || strlen(parent) > sizeof(sb->directory) - 32)
        parent = "/tmp";
    snprintf(sb->directory, sizeof(sb->directory), "%s/ivr-sandbox.XXXXXX", parent);
    if (mkdtemp(sb->directory) == NULL) {
        err_set(err, ERR_SYSTEM, "%s cannot be made: %s", sb->directory, strerror(errno));
        *sb->directory = '\0';
        return ERR_SYSTEM;
    }
    return 0;
}

/* All are held until each has one, so that no two are the same. */
static int choose_ports(struct sandbox *sb, struct err *err)
{
    int fds[PORTS], rc = 0, n = 0;
    for (; n < PORTS; n++) {
        struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t len = sizeof(addr);
        fds[n] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fds[n] < 0 || bind(fds[n], (struct sockaddr *)&addr, len) != 0 ||
            getsockname(fds[n], (struct sockaddr *)&addr, &len) != 0) {
            rc = err_set(err, ERR_SYSTEM, "no free port on the loopback interface: %s", strerror(errno));
            n += fds[n] >= 0;
            break;
        }
        sb->ports[n] = ntohs(addr.sin_port);
    }
    while (n-- > 0)
        close(fds[n]);
    return rc;
}

/* ---- environment ---- */

static void add_env(struct sandbox *sb, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void add_env(struct sandbox *sb, const char *fmt, ...)
{
    struct buf text;
    va_list args;
    size_t n;
    buf_init(&text, 64 * 1024);
    va_start(args, fmt);
    buf_addv(&text, fmt, args);
    va_end(args);
    if (sb->env_n < SANDBOX_ENV_MAX - 1)
        sb->env[sb->env_n++] = buf_take(&text, &n);
    buf_done(&text);
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* Of the caller's own settings only those that reach what he pointed us at. */
static bool passes(const struct sandbox *sb, const char *variable)
{
    static const char *const kept[] = {"PATH=",         "HOME=",        "LANG=",         "LC_",
                                       "TERM=",         "TMPDIR=",      "ASAN_OPTIONS=", "UBSAN_OPTIONS=",
                                       "TSAN_OPTIONS=", "LSAN_OPTIONS="};
    if (begins(variable, "IVR_KAFKA_"))
        return sb->options.kafka != NULL && !begins(variable, "IVR_KAFKA_BOOTSTRAP_SERVERS=");
    if (begins(variable, "IVR_REDIS_PASSWORD"))
        return sb->options.redis != NULL;
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
        if (begins(variable, kept[i]))
            return true;
    }
    return false;
}

static void build_env(struct sandbox *sb)
{
    for (char **variable = environ; *variable != NULL; variable++) {
        if (passes(sb, *variable) && sb->env_n < SANDBOX_ENV_MAX - 32)
            add_env(sb, "%s", *variable);
    }
    sb->env_shown = sb->env_n;
    add_env(sb, "IVR_KAFKA_BOOTSTRAP_SERVERS=%s", sb->kafka);
    add_env(sb, "IVR_REDIS_URL=%s", sb->redis_url);
    add_env(sb, "IVR_CHANNELS=%s", sb->channels_path);
    add_env(sb, "IVR_REDIS_PREFIX=ivr-sandbox");
    if (sb->broker == NULL) {
        /* Somebody's brokers: never a topic, or a group, that real workers read. */
        add_env(sb, "IVR_TOPIC_PREFIX=ivr-sandbox.");
    } else {
        /* The mock broker answers a fetch that found nothing only when its time is over. */
        add_env(sb, "IVR_KAFKA_FETCH_WAIT_MAX_MS=50");
    }
    sb->env_shown_end = sb->env_n;
    add_env(sb, "IVR_API_TOKEN=sandbox-api-token");
    add_env(sb, "IVR_PUBLIC_URL=http://127.0.0.1:%d", sb->ports[PORT_GATEWAY]);
    add_env(sb, "IVR_GATEWAY_LISTEN=127.0.0.1:%d", sb->ports[PORT_GATEWAY]);
    /* The table is as lively as the summaries are. */
    add_env(sb, "IVR_REPORT_INTERVAL=250ms");
    add_env(sb, "IVR_DRAIN_TIMEOUT=5s");
    add_env(sb, "IVR_LOG_FORMAT=text");
}

/* ---- all that is there before the first program starts ---- */

int setup_open(struct sandbox *sb, struct err *err)
{
    int rc = make_directory(sb, err);
    if (rc == 0)
        rc = choose_ports(sb, err);
    if (rc == 0 && sb->options.kafka == NULL)
        rc = broker_start(&sb->broker, sb->options.calls, err);
    if (rc != 0)
        return rc;
    sb->children.directory = sb->directory;
    snprintf(sb->channels_path, sizeof(sb->channels_path), "%s/channels.json", sb->directory);
    snprintf(sb->key_path, sizeof(sb->key_path), "%s/vonage.pem", sb->directory);
    snprintf(sb->contacts_path, sizeof(sb->contacts_path), "%s", sb->paths.contacts);
    snprintf(sb->kafka, sizeof(sb->kafka), "%s",
             sb->broker != NULL ? broker_address(sb->broker) : sb->options.kafka);
    if (sb->options.redis != NULL)
        snprintf(sb->redis_url, sizeof(sb->redis_url), "%s", sb->options.redis);
    else
        snprintf(sb->redis_url, sizeof(sb->redis_url), "unix://%s/redis.sock", sb->directory);
    build_env(sb);
    rc = providers_write_channels(sb, err);
    if (rc == 0 && sb->options.calls > 0) {
        snprintf(sb->contacts_path, sizeof(sb->contacts_path), "%s/contacts.csv", sb->directory);
        rc = providers_write_contacts(sb, err);
    }
    return rc;
}

/* ---- starting ---- */

static bool redis_answers(struct sandbox *sb)
{
    char path[SOCKET_PATH_MAX + 16];
    snprintf(path, sizeof(path), "%s/redis.sock", sb->directory);
    return probe_unix(path);
}

static int start_redis(struct sandbox *sb, struct err *err)
{
    char socket_path[SOCKET_PATH_MAX + 16];
    if (sb->options.redis != NULL)
        return 0;
    snprintf(socket_path, sizeof(socket_path), "%s/redis.sock", sb->directory);
    const struct child_spec spec = {
        .name = "redis-server",
        .args = {sb->paths.redis_server, "--port", "0", "--unixsocket", socket_path, "--unixsocketperm",
                 "700", "--save", "", "--appendonly", "no", "--dir", sb->directory, "--daemonize", "no",
                 "--maxmemory-policy", "noeviction"},
        .env = sb->env,
    };
    sb->redis = child_start(&sb->children, &spec, err);
    if (sb->redis == NULL)
        return err->code;
    return sandbox_wait(sb, redis_answers, "redis-server", START_MS, err);
}

static bool ivrctl_ended(struct sandbox *sb)
{
    return child_read_out(sb->children.first);
}

static int create_topics(struct sandbox *sb, struct err *err)
{
    if (sb->broker != NULL)
        return 0;
    const struct child_spec spec = {
        .name = "ivrctl-topics",
        .args = {sb->paths.ivrctl, "topics", "create"},
        .env = sb->env,
        .ends = true,
    };
    if (child_start(&sb->children, &spec, err) == NULL)
        return err->code;
    return sandbox_wait(sb, ivrctl_ended, "ivrctl topics create", READY_MS, err);
}

/* Enough at once that the campaign takes a moment to look at, and no longer than it must. */
static int in_flight_for(long calls)
{
    long n = calls / 20;
    return (int)(n < 25 ? 25 : n > 1000 ? 1000 : n);
}

static int start_worker(struct sandbox *sb, int i, const char *name, const char *path, int port,
                        struct err *err)
{
    char admin[48], in_flight[48];
    char *env[SANDBOX_ENV_MAX + 3];
    int n = sb->env_n;
    memcpy(env, sb->env, sizeof(*env) * (size_t)n);
    snprintf(admin, sizeof(admin), "IVR_ADMIN_LISTEN=127.0.0.1:%d", sb->ports[port]);
    env[n++] = admin;
    if (port == PORT_DISPATCH) {
        snprintf(in_flight, sizeof(in_flight), "IVR_MAX_IN_FLIGHT=%d", in_flight_for(sb->options.calls));
        env[n++] = in_flight;
    }
    if (sb->broker == NULL) {
        static char group[4][64];
        snprintf(group[i], sizeof(group[i]), "IVR_GROUP_ID=ivr-sandbox.%s", name);
        env[n++] = group[i];
    }
    env[n] = NULL;
    const struct child_spec spec = {.name = name, .args = {path}, .env = env};
    sb->workers[i] = child_start(&sb->children, &spec, err);
    return sb->workers[i] == NULL ? (int)err->code : 0;
}

static const int admin_ports[4] = {PORT_DISPATCH, PORT_STATUS, PORT_REPORT, PORT_GATEWAY_ADMIN};

static bool workers_ready(struct sandbox *sb)
{
    for (int i = 0; i < 4; i++) {
        if (!probe_http(sb->ports[admin_ports[i]], "/readyz", NULL))
            return false;
    }
    return true;
}

/* Which one is not ready, and what it says. */
static void explain(struct sandbox *sb, struct err *err)
{
    struct buf why;
    buf_init(&why, 1024);
    for (int i = 0; i < 4 && why.n == 0; i++) {
        if (!probe_http(sb->ports[admin_ports[i]], "/readyz", &why)) {
            err_set(err, ERR_UNAVAILABLE, "%s is not ready: %s", sb->workers[i]->name,
                    why.n > 0 ? why.p : "no answer");
            break;
        }
    }
    buf_done(&why);
}

static int start_workers(struct sandbox *sb, struct err *err)
{
    const char *const names[4] = {"ivr-dispatch", "ivr-status", "ivr-report", "ivr-gateway"};
    const char *const programs[4] = {sb->paths.dispatch, sb->paths.status, sb->paths.report,
                                     sb->paths.gateway};
    for (int i = 0; i < 4; i++) {
        if (start_worker(sb, i, names[i], programs[i], admin_ports[i], err) != 0)
            return err->code;
    }
    int rc = sandbox_wait(sb, workers_ready, "the workers", READY_MS, err);
    if (rc != 0 && sb->dead == NULL && !sb->stopped)
        explain(sb, err);
    return rc;
}

int setup_start(struct sandbox *sb, struct err *err)
{
    int rc = start_redis(sb, err);
    if (rc == 0)
        rc = providers_start(sb, err);
    if (rc == 0)
        rc = create_topics(sb, err);
    return rc != 0 ? rc : start_workers(sb, err);
}

/* ---- the way down ---- */

static bool all_ended(struct sandbox *sb)
{
    return !children_running(&sb->children);
}

static bool workers_ended(struct sandbox *sb)
{
    for (struct child *child = sb->children.first; child != NULL; child = child->next) {
        if (child->running && child != sb->redis && child != sb->simulator)
            return false;
    }
    return true;
}

static void signal_children(struct sandbox *sb, int signum, bool with_services)
{
    for (struct child *child = sb->children.first; child != NULL; child = child->next) {
        if (with_services || (child != sb->redis && child != sb->simulator))
            child_stop(child, signum);
    }
}

/* Waits whatever happens meanwhile: the way down is not interrupted. */
static void wait_down(struct sandbox *sb, bool (*done)(struct sandbox *sb), int64_t timeout_ms)
{
    struct err err = ERR_INIT;
    bool stopped = sb->stopped;
    struct child *dead = sb->dead;
    sb->stopped = false;
    sb->dead = NULL;
    (void)sandbox_wait(sb, done, "", timeout_ms, &err);
    sb->stopped |= stopped;
    if (dead != NULL)
        sb->dead = dead;
}

static void remove_directory(struct sandbox *sb)
{
    uv_fs_t req;
    uv_dirent_t entry;
    char path[512];
    if (*sb->directory == '\0')
        return;
    if (uv_fs_scandir(NULL, &req, sb->directory, 0, NULL) >= 0) {
        while (uv_fs_scandir_next(&req, &entry) == 0) {
            snprintf(path, sizeof(path), "%s/%s", sb->directory, entry.name);
            unlink(path);
        }
    }
    uv_fs_req_cleanup(&req);
    rmdir(sb->directory);
}

void setup_close(struct sandbox *sb)
{
    signal_children(sb, SIGTERM, false);
    wait_down(sb, workers_ended, STOP_MS);
    if (!workers_ended(sb))
        signal_children(sb, SIGKILL, false);
    signal_children(sb, SIGTERM, true);
    wait_down(sb, all_ended, KILL_MS);
    if (!all_ended(sb)) {
        signal_children(sb, SIGKILL, true);
        wait_down(sb, all_ended, KILL_MS);
    }
    broker_stop(&sb->broker);
    remove_directory(sb);
    for (int i = 0; i < sb->env_n; i++)
        free(sb->env[i]);
}
