#include "common/run/program.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/descriptors.h"
#include "common/base/pii.h"
#include "common/base/secrecy.h"
#include "common/base/visible.h"
#include "common/run/log.h"

#ifndef IVR_VERSION
#error "the Makefile sets IVR_VERSION"
#endif

enum { MAX_TEXT = 1024 * 1024 };

struct program_options {
    bool help;
    bool version;
    bool check;
    bool verbose;
};

const char *program_version(void)
{
    return IVR_VERSION;
}

/* NULL, or the argument that is none of ours. */
static const char *read_options(struct program_options *options, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            options->help = true;
        else if (strcmp(argv[i], "--version") == 0)
            options->version = true;
        else if (strcmp(argv[i], "--check") == 0)
            options->check = true;
        else if (strcmp(argv[i], "--verbose") == 0)
            options->verbose = true;
        else
            return argv[i];
    }
    return NULL;
}

static void print(FILE *to, const struct buf *text)
{
    (void)fwrite(text->p, 1, text->n, to);
    (void)fflush(to);
}

static int print_help(const struct program_info *info)
{
    struct buf out;
    buf_init(&out, MAX_TEXT);
    buf_addf(&out, "%s - %s\n\n", info->name, info->sentence);
    buf_addf(&out, "Usage: %s [--check [--verbose] | --help | --version]\n\n", info->name);
    buf_adds(&out,
             "  --check      read the configuration, say what is wrong, exit\n"
             "  --verbose    with --check: print the effective settings too, secrets hidden\n"
             "  --help       this text\n"
             "  --version    the version\n\n"
             "Exit codes: 0 done, or drained after SIGTERM or SIGINT; 2 the configuration or the usage is\n"
             "wrong; 1 anything else fatal. SIGHUP reads the channels file again.\n\n"
             "Configuration comes from the environment:\n\n");
    settings_add_help(&out);
    if (info->examples)
        buf_addf(&out, "\nExamples:\n\n%s", info->examples);
    if (out.n && out.p[out.n - 1] != '\n')
        buf_addc(&out, '\n');
    print(stdout, &out);
    buf_done(&out);
    return EXIT_DONE;
}

/* Each of `rows` behind `prefix`. */
static void print_rows(const char *name, const char *prefix, const struct buf *rows)
{
    const char *row = rows->p, *end = rows->p + rows->n;
    while (row < end) {
        const char *stop = memchr(row, '\n', (size_t)(end - row));
        size_t n = (size_t)((stop ? stop : end) - row);
        struct buf shown;
        buf_init(&shown, MAX_TEXT);
        visible_add(&shown, span_of(row, n));
        (void)fprintf(stderr, "%s: %s%s\n", name, prefix, shown.p);
        buf_done(&shown);
        row += n + 1;
    }
}

static void log_warnings(const struct buf *warnings)
{
    const char *row = warnings->p, *end = warnings->p + warnings->n;
    while (row < end) {
        const char *stop = memchr(row, '\n', (size_t)(end - row));
        size_t n = (size_t)((stop ? stop : end) - row);
        LOG_WARN("configuration is odd", LOG_SPAN("warning", span_of(row, n)));
        row += n + 1;
    }
}

static int finish_check(const struct settings *settings, const struct program_options *options)
{
    struct buf out;
    buf_init(&out, MAX_TEXT);
    if (options->verbose)
        settings_add_effective(&out, settings);
    buf_adds(&out, "configuration ok\n");
    print(stdout, &out);
    buf_done(&out);
    return EXIT_DONE;
}

/* -1: go on. */
static int configure(struct program *program, const struct program_info *info,
                     const struct program_options *options)
{
    struct settings *settings = &program->settings;
    struct buf problems, warnings;
    int code = -1;
    buf_init(&problems, MAX_TEXT);
    buf_init(&warnings, MAX_TEXT);
    int rc = settings_read(settings, info->name, environ, &problems, &warnings);
    secrecy_add_warning(&warnings);
    pii_setup(settings->pii, settings_hash_key(settings));
    pii_setup_metadata(span_str(settings->pii_metadata));
    if (info->check)
        info->check(settings, &problems);
    if (rc != 0 || problems.n) {
        print_rows(info->name, "warning: ", &warnings);
        print_rows(info->name, "", &problems);
        code = EXIT_USAGE;
    } else if (options->check) {
        print_rows(info->name, "warning: ", &warnings);
        code = finish_check(settings, options);
    } else {
        log_setup(info->name, settings->log_level, settings->log_format);
        log_warnings(&warnings);
    }
    buf_done(&problems);
    buf_done(&warnings);
    return code;
}

int program_start(struct program *program, const struct program_info *info, int argc, char **argv)
{
    struct program_options options = {0};
    struct err err = ERR_INIT;
    descriptors_open_standard();
    secrecy_begin();
    *program = (struct program){0};
    const char *unknown = read_options(&options, argc, argv);
    if (unknown) {
        (void)fprintf(stderr, "%s: unknown argument \"%s\"; \"%s --help\" lists what there is\n", info->name,
                      unknown, info->name);
        return EXIT_USAGE;
    }
    if (options.help)
        return print_help(info);
    if (options.version) {
        (void)printf("%s %s\n", info->name, program_version());
        (void)fflush(stdout);
        return EXIT_DONE;
    }
    program->check_only = options.check;
    int code = configure(program, info, &options);
    if (code >= 0) {
        settings_free(&program->settings);
        return code;
    }
    descriptors_raise_limit();
    if (descriptors_check(info->name, info->descriptors, &err) != 0) {
        LOG_ERROR("cannot start", LOG_ERR(&err));
        settings_free(&program->settings);
        return EXIT_FATAL;
    }
    program->loop = loop_new();
    return -1;
}

int program_end(struct program *program, int code)
{
    loop_free(&program->loop);
    settings_free(&program->settings);
    return code;
}
