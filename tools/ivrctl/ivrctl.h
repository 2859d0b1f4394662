/*
 * What the commands of ivrctl share: the settings, how output is wanted, and the ways to end.
 *
 * A command returns its exit code. What it prints on stdout goes there in one piece at its end (tail: a line
 * at a time), so that a failure leaves stdout empty. Every message for the person is a line on stderr.
 */
#ifndef IVR_TOOLS_IVRCTL_H
#define IVR_TOOLS_IVRCTL_H

#include <signal.h>
#include <stdbool.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/span.h"
#include "common/run/program.h"
#include "common/run/settings.h"
#include "tools/ivrctl/args.h"

struct ivrctl {
    struct settings settings;
    bool json;
    volatile sig_atomic_t *stopped; /* not 0 after SIGINT or SIGTERM */
};

struct command {
    const char *name;      /* "call", or two words: "topics create" */
    const char *arguments; /* "TENANT/CALL_ID"; "" for none */
    int words_min, words_max;
    const char *sentence;
    const struct args_option *options; /* besides those of every command; NULL for none */
    void (*add_more)(struct buf *b);   /* before `more`; NULL for nothing */
    const char *more;                  /* the rest of its --help: details and examples */
    int (*run)(struct ivrctl *ctl, const struct args *args);
};

/* One a file; main.c lists them. */
extern const struct command command_call, command_campaign, command_request, command_tail, command_pause,
    command_resume, command_cancel, command_dnc_add, command_dnc_remove, command_dnc_list,
    command_dead_letters_list, command_channels, command_providers, command_topics_create;

/* "ivrctl: text" on stderr, on one line whatever it quotes. */
void ctl_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Lines as they are, each with its end: what is wrong with the configuration. */
void ctl_say_lines(struct span lines);
/* What asking again later may mend: Kafka or Redis cannot be reached, or refuses. Beside those of
 * common/run/program.h. */
enum { EXIT_UNAVAILABLE = 3 };

/* 2 for ERR_CONFIG, 3 for ERR_UNAVAILABLE, else 1. */
int ctl_exit_code(const struct err *err);
/* Says what is in `err`; returns the exit code for it. */
int ctl_fail(const struct err *err);
/* Says what is wrong with the usage, and where help is; returns 2. Numbers in what it quotes are shown as
 * IVR_PII says. */
int ctl_usage(const char *command, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Writes all of it to stdout at once; returns EXIT_DONE, or EXIT_FATAL when stdout does not take it. Nothing
 * that a terminal obeys gets through (common/base/visible.h), in text and in JSON; line breaks within values
 * are the business of who lays them out (show_make_visible). */
int ctl_print(struct span text);
/* Splits "TENANT/NAME" at its first slash; false when a half is empty or there is no slash. */
bool ctl_split(const char *text, struct span *tenant, struct span *name);

#endif
