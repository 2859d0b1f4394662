/* ivrctl: finds the command, reads its options and the settings, runs it. */
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/descriptors.h"
#include "common/base/mem.h"
#include "common/base/pii.h"
#include "common/base/secrecy.h"
#include "common/kafka/kafka.h"
#include "common/redis/redis.h"
#include "common/run/log.h"
#include "tools/ivrctl/ivrctl.h"
#include "workers/providers/channels.h"

extern char **environ;

static const struct command *const commands[] = {
    &command_call,
    &command_campaign,
    &command_request,
    &command_tail,
    &command_pause,
    &command_resume,
    &command_cancel,
    &command_dnc_add,
    &command_dnc_remove,
    &command_dnc_list,
    &command_channels,
    &command_providers,
    &command_dead_letters_list,
    &command_topics_create,
};

enum { COMMANDS = sizeof(commands) / sizeof(commands[0]), NOTES_MAX = 128 * 1024 };

static const struct args_option common_options[] = {
    {"--json", NULL, "print JSON"},
    {"--plain", NULL, "show phone numbers in full, whatever IVR_PII says"},
    {"--help", NULL, "this text"},
    {NULL, NULL, NULL},
};

static volatile sig_atomic_t stopped;

static void on_signal(int signum)
{
    (void)signum;
    if (stopped)
        _exit(EXIT_FATAL); /* asked a second time: whatever it is busy with */
    stopped = 1;
}

static void watch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* ---- help ---- */

static int print_help(void)
{
    struct buf b;
    buf_init(&b, 256 * 1024);
    buf_adds(
        &b,
        "ivrctl COMMAND [arguments] [options]\n"
        "\nWhat operators of ivr-workers type: look at calls and campaigns, send requests, follow topics.\n"
        "\nCommands (ivrctl COMMAND --help says more, with examples):\n");
    for (size_t i = 0; i < COMMANDS; i++) {
        int used = (int)(strlen(commands[i]->name) + strlen(commands[i]->arguments));
        buf_addf(&b, "  %s %s%*s %s\n", commands[i]->name, commands[i]->arguments, used < 38 ? 38 - used : 1,
                 "", commands[i]->sentence);
    }
    buf_adds(&b, "\nOptions of every command:\n");
    args_add_help(&b, common_options);
    buf_adds(&b,
             "\nivrctl --check reads the configuration and says what is wrong; ivrctl --version.\n"
             "\nExit codes: 0 done; 1 the call or campaign is unknown, or something failed; 2 the usage or\n"
             "the configuration is wrong; 3 Kafka or Redis cannot be reached, or refuses: its words are on\n"
             "stderr.\n"
             "\nEnvironment:\n");
    settings_add_help(&b);
    int rc = ctl_print(buf_span(&b));
    buf_done(&b);
    return rc;
}

static int print_command_help(const struct command *command)
{
    struct buf b;
    buf_init(&b, 64 * 1024);
    buf_addf(&b, "ivrctl %s%s%s [options]\n\n%s\n\nOptions:\n", command->name,
             *command->arguments != '\0' ? " " : "", command->arguments, command->sentence);
    args_add_help(&b, command->options);
    args_add_help(&b, common_options);
    buf_addc(&b, '\n');
    if (command->add_more != NULL)
        command->add_more(&b);
    buf_adds(&b, command->more);
    int rc = ctl_print(buf_span(&b));
    buf_done(&b);
    return rc;
}

/* ---- settings ---- */

/* Who acts, where nobody said so. */
static char *login_name(void)
{
    char name[32];
    const struct passwd *user = getpwuid(getuid());
    snprintf(name, sizeof(name), "uid %lu", (unsigned long)getuid());
    return mem_strdup(user != NULL ? user->pw_name : name);
}

/* 0, or the exit code. What there is to say of it is left in `notes`. From here on IVR_PII holds. */
static int read_settings(struct ivrctl *ctl, struct buf *notes)
{
    struct buf problems;
    const struct settings *s = &ctl->settings;
    buf_init(&problems, NOTES_MAX);
    int rc = settings_read(&ctl->settings, "ivrctl", environ, &problems, notes);
    secrecy_add_warning(notes);
    buf_addspan(notes, buf_span(&problems));
    buf_done(&problems);
    if (s->actor == NULL)
        ctl->settings.actor = login_name();
    pii_setup(s->pii, settings_hash_key(s));
    pii_setup_metadata(span_str(s->pii_metadata));
    /* The answer is the message here; the log is for who asks for it. */
    log_setup("ivrctl", s->log_level == LOG_LEVEL_DEBUG ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR, s->log_format);
    return rc == 0 ? 0 : EXIT_USAGE;
}

static int check_settings(const struct settings *s)
{
    struct channels *channels = NULL;
    struct err err = ERR_INIT;
    struct buf problems;
    buf_init(&problems, 64 * 1024);
    if (redis_check_url(s->redis_url, &err) != 0)
        buf_addf(&problems, "IVR_REDIS_URL: %s\n", err.text);
    if (kafka_check_settings(s, &err) != 0)
        buf_addf(&problems, "%s\n", err.text);
    /* Only `ivrctl channels` needs the file: one that nobody asked for may be missing. */
    const char *asked = getenv("IVR_CHANNELS");
    bool expected = (asked != NULL && *asked != '\0') || access(s->channels_path, F_OK) == 0;
    if (expected && channels_load(&channels, s->channels_path, &problems) == 0)
        channels_free(&channels);
    int rc = problems.n == 0 ? EXIT_DONE : EXIT_USAGE;
    ctl_say_lines(buf_span(&problems));
    buf_done(&problems);
    return rc;
}

static int check(void)
{
    struct ivrctl ctl = {0};
    struct buf notes;
    buf_init(&notes, NOTES_MAX);
    int rc = read_settings(&ctl, &notes);
    ctl_say_lines(buf_span(&notes));
    buf_done(&notes);
    if (rc == 0)
        rc = check_settings(&ctl.settings);
    settings_free(&ctl.settings);
    return rc;
}

/* ---- running ---- */

/* How many of the words are the command's name; 0: another command. */
static int name_words(const struct command *command, int argc, char **argv)
{
    const char *space = strchr(command->name, ' ');
    size_t n = space != NULL ? (size_t)(space - command->name) : strlen(command->name);
    if (argc < 1 || strlen(argv[0]) != n || memcmp(argv[0], command->name, n) != 0)
        return 0;
    if (space == NULL)
        return 1;
    return argc > 1 && strcmp(argv[1], space + 1) == 0 ? 2 : 0;
}

/* -1: the command can run with them; otherwise the exit code, help or what is wrong has been printed. */
static int read_arguments(const struct command *command, int argc, char **argv, struct args *args)
{
    struct err err = ERR_INIT;
    if (args_read(args, common_options, command->options, argc, argv, &err) != 0)
        return ctl_usage(command->name, "%s", err.text);
    if (args_has(args, "--help"))
        return print_command_help(command);
    if (args->words_n < command->words_min)
        return ctl_usage(command->name, "%s needs %s", command->name, command->arguments);
    if (args->words_n > command->words_max)
        return ctl_usage(command->name, "\"%s\" is one word too many", args->words[command->words_max]);
    return -1;
}

/* The settings come first, so that what a complaint about the arguments quotes is shown as IVR_PII says; what
 * is wrong with them is said last, since help needs none. */
static int run_command(const struct command *command, int argc, char **argv)
{
    struct args args;
    struct ivrctl ctl = {.stopped = &stopped};
    struct buf notes;
    buf_init(&notes, NOTES_MAX);
    int bad_settings = read_settings(&ctl, &notes);
    int rc = read_arguments(command, argc, argv, &args);
    if (rc < 0) {
        ctl_say_lines(buf_span(&notes));
        ctl.json = args_has(&args, "--json");
        if (args_has(&args, "--plain"))
            pii_setup(PHONE_PLAIN, settings_hash_key(&ctl.settings));
        rc = bad_settings != 0 ? bad_settings : command->run(&ctl, &args);
    }
    buf_done(&notes);
    settings_free(&ctl.settings);
    return rc;
}

/* "dead-letters" alone, or "topics" with a word that it does not know. */
static int say_unknown(int argc, char **argv)
{
    size_t n = strlen(argv[0]);
    for (size_t i = 0; i < COMMANDS; i++) {
        const char *name = commands[i]->name;
        if (strncmp(name, argv[0], n) == 0 && name[n] == ' ' && argc > 1)
            return ctl_usage("", "%s %s: there is \"%s\"", argv[0], argv[1], name);
        if (strncmp(name, argv[0], n) == 0 && name[n] == ' ')
            return ctl_usage("", "%s: there is \"%s\"", argv[0], name);
    }
    return ctl_usage("", "%s \"%s\"", argv[0][0] == '-' ? "there is no option" : "there is no command",
                     argv[0]);
}

int main(int argc, char **argv)
{
    descriptors_open_standard();
    secrecy_begin();
    watch_signals();
    if (argc < 2)
        return ctl_usage("", "a command is missing");
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0)
        return print_help();
    if (strcmp(argv[1], "--version") == 0)
        return ctl_print(SPAN_LIT("ivrctl " IVR_VERSION "\n"));
    if (strcmp(argv[1], "--check") == 0)
        return check();
    for (size_t i = 0; i < COMMANDS; i++) {
        int words = name_words(commands[i], argc - 1, argv + 1);
        if (words > 0)
            return run_command(commands[i], argc - 1 - words, argv + 1 + words);
    }
    return say_unknown(argc - 1, argv + 1);
}
