#include "tools/sandbox/options.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/number.h"
#include "common/run/program.h"

/* clang-format off: a literal is a row of what is printed. */
static const char help[] =
    "ivr-sandbox [options]\n"
    "\n"
    "The whole of ivr-workers on this machine, to look at: an in-memory Kafka broker, a private "
    "redis-server,\n"
    "three simulated voice providers (Africa's Talking, Twilio, Vonage), the four workers, and a campaign "
    "that runs\n"
    "through them. Nobody is called, nothing leaves the loopback interface, and nothing is left behind.\n"
    "\n"
    "Options:\n"
    "  --calls N           so many made-up contacts instead of the example's 500\n"
    "  --contacts FILE     another CSV file of contacts (see ivrctl request --help): +254 goes\n"
    "                      to Africa's Talking, +44 to Vonage, anything else to Twilio\n"
    "  --kafka HOST:PORT   use this Kafka; topics named ivr-sandbox.* are created there and stay. Other "
    "properties\n"
    "                      as IVR_KAFKA_X_Y in the environment\n"
    "  --redis URL         use this Redis; keys begin with ivr-sandbox and stay\n"
    "  --keep              leave everything up until Ctrl-C, and print how to play with it\n"
    "  --check             look whether everything is there that it needs, and end\n"
    "  --help, --version\n"
    "\n"
    "The in-memory broker is librdkafka's mock cluster: it forgets everything when the sandbox ends, and "
    "keeps\n"
    "about 5 MB a partition while it runs. Use --kafka for a look at a real one.\n"
    "\n"
    "Exit codes: 0 the campaign is complete and its summaries add up; 1 something failed; 2 wrong usage.\n"
    "\n"
    "Examples:\n"
    "  ivr-sandbox\n"
    "  ivr-sandbox --calls 20000\n"
    "  ivr-sandbox --keep\n"
    "  ivr-sandbox --kafka localhost:9092 --redis redis://localhost:6379/5\n";
/* clang-format on */

enum { O_CALLS = 256, O_CONTACTS, O_KAFKA, O_REDIS, O_KEEP, O_CHECK, O_HELP, O_VERSION };

static const struct option long_options[] = {
    {"calls", required_argument, NULL, O_CALLS},
    {"contacts", required_argument, NULL, O_CONTACTS},
    {"kafka", required_argument, NULL, O_KAFKA},
    {"redis", required_argument, NULL, O_REDIS},
    {"keep", no_argument, NULL, O_KEEP},
    {"check", no_argument, NULL, O_CHECK},
    {"help", no_argument, NULL, O_HELP},
    {"version", no_argument, NULL, O_VERSION},
    {NULL, 0, NULL, 0},
};

static int usage(const char *what, const char *value)
{
    fprintf(stderr, "ivr-sandbox: %s%s; --help says how\n", what, value);
    return EXIT_USAGE;
}

static int read_calls(struct sandbox_options *options, const char *text)
{
    int64_t calls;
    if (!number_read(span_str(text), 1, OPTIONS_MAX_CALLS, &calls))
        return usage("--calls takes a number from 1 to 1000000, not ", text);
    options->calls = (long)calls;
    return -1;
}

static int check(const struct sandbox_options *options)
{
    struct paths paths;
    struct err err = ERR_INIT;
    if (paths_find(&paths, options, &err) == 0)
        return EXIT_DONE;
    fprintf(stderr, "ivr-sandbox: %s\n", err.text);
    return EXIT_USAGE;
}

int options_read(struct sandbox_options *options, int argc, char **argv)
{
    bool only_check = false;
    int option, rc = -1;
    *options = (struct sandbox_options){0};
    while (rc < 0 && (option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        switch (option) {
        case O_CALLS:
            rc = read_calls(options, optarg);
            break;
        case O_CONTACTS:
            options->contacts = optarg;
            break;
        case O_KAFKA:
            options->kafka = optarg;
            break;
        case O_REDIS:
            options->redis = optarg;
            break;
        case O_KEEP:
            options->keep = true;
            break;
        case O_CHECK:
            only_check = true;
            break;
        case O_HELP:
            return fputs(help, stdout) < 0 ? EXIT_FATAL : EXIT_DONE;
        case O_VERSION:
            return printf("ivr-sandbox %s\n", program_version()) < 0 ? EXIT_FATAL : EXIT_DONE;
        default: /* getopt has said it */
            return EXIT_USAGE;
        }
    }
    if (rc >= 0)
        return rc;
    if (optind < argc)
        return usage("it takes no argument, but there is ", argv[optind]);
    if (options->calls > 0 && options->contacts != NULL)
        return usage("--calls and --contacts exclude each other", "");
    return only_check ? check(options) : -1;
}

/* ---- paths ---- */

static bool set_path(char *out, const char *path)
{
    size_t n = strlen(path);
    if (n >= OPTIONS_PATH_MAX) {
        errno = ENAMETOOLONG;
        return false;
    }
    memcpy(out, path, n + 1);
    return true;
}

/* The first of `candidates` (below `base`) that is there. */
static bool first_there(char *out, const char *base, const char *const *candidates, int mode)
{
    for (; *candidates != NULL; candidates++) {
        int n = snprintf(out, OPTIONS_PATH_MAX, "%s/%s", base, *candidates);
        if (n > 0 && n < OPTIONS_PATH_MAX && access(out, mode) == 0)
            return true;
    }
    return false;
}

static bool in_path(char *out, const char *program)
{
    const char *path = getenv("PATH");
    for (const char *at = path != NULL ? path : "/usr/bin:/bin"; *at != '\0';) {
        size_t n = strcspn(at, ":");
        int used = snprintf(out, OPTIONS_PATH_MAX, "%.*s/%s", (int)n, at, program);
        if (used > 0 && used < OPTIONS_PATH_MAX && access(out, X_OK) == 0)
            return true;
        at += n + (at[n] == ':');
    }
    return false;
}

static int find_program(char *out, const char *base, const char *name, struct err *err)
{
    /* The build leaves the simulator, which is no product, beside the tests. */
    char built[64];
    snprintf(built, sizeof(built), "../build/bin/%s", name);
    const char *const places[] = {name, built, NULL};
    if (first_there(out, base, places, X_OK) || in_path(out, name))
        return 0;
    return err_set(err, ERR_CONFIG, "%s is missing beside ivr-sandbox (in %s), run make", name, base);
}

static int find_contacts(char *out, const char *base, struct err *err)
{
    static const char *const places[] = {"../schemas/examples/contacts.csv",
                                         "../../schemas/examples/contacts.csv",
                                         "../share/ivr-workers/examples/contacts.csv", NULL};
    char found[OPTIONS_PATH_MAX], real[PATH_MAX];
    if (first_there(found, base, places, R_OK) && realpath(found, real) != NULL && set_path(out, real))
        return 0;
    return err_set(err, ERR_CONFIG,
                   "schemas/examples/contacts.csv is missing; "
                   "--contacts names another, --calls makes some up");
}

static int find_own_directory(char *base, struct err *err)
{
    ssize_t n = readlink("/proc/self/exe", base, OPTIONS_PATH_MAX - 1);
    char *slash = n > 0 ? memrchr(base, '/', (size_t)n) : NULL;
    if (slash == NULL)
        return err_set(err, ERR_SYSTEM, "/proc/self/exe cannot be read");
    *slash = '\0';
    return 0;
}

int paths_find(struct paths *paths, const struct sandbox_options *options, struct err *err)
{
    char base[OPTIONS_PATH_MAX];
    *paths = (struct paths){0};
    const struct {
        char *out;
        const char *name;
    } programs[] = {
        {paths->dispatch, "ivr-dispatch"}, {paths->status, "ivr-status"}, {paths->report, "ivr-report"},
        {paths->gateway, "ivr-gateway"},   {paths->ivrctl, "ivrctl"},     {paths->simulator, "ivr-simulator"},
    };
    int rc = find_own_directory(base, err);
    for (size_t i = 0; rc == 0 && i < sizeof(programs) / sizeof(programs[0]); i++)
        rc = find_program(programs[i].out, base, programs[i].name, err);
    if (rc == 0 && options->redis == NULL && !in_path(paths->redis_server, "redis-server") &&
        !first_there(paths->redis_server, "/usr", (const char *const[]){"bin/redis-server", NULL}, X_OK))
        rc = err_set(err, ERR_CONFIG,
                     "redis-server is not installed (apt-get install redis-server), "
                     "and no --redis was given");
    if (rc == 0 && options->contacts != NULL) {
        char real[PATH_MAX];
        if (realpath(options->contacts, real) == NULL || access(real, R_OK) != 0 ||
            !set_path(paths->contacts, real))
            return err_set(err, ERR_CONFIG, "--contacts: %s: %s", options->contacts, strerror(errno));
    } else if (rc == 0 && options->calls == 0) {
        rc = find_contacts(paths->contacts, base, err);
    }
    return rc;
}
