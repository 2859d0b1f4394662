/* ivrctl dnc add, remove, list: the do-not-call lists of a tenant, and everybody's. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/base/pii.h"
#include "common/json/json.h"
#include "common/model/request.h"
#include "tools/ivrctl/ask.h"
#include "tools/ivrctl/ivrctl.h"
#include "workers/calls/audit.h"
#include "workers/contact/dnc.h"

enum {
    NUMBERS_MAX_BYTES = 512 * 1024 * 1024,
    CHUNK = 10000, /* in flight at once: a second's work for Redis at most */
    SAID_MAX = 20,
    QUOTED_MAX = 64, /* bytes of what is no number */
};

/* ---- which list, which numbers ---- */

/* The list, and the first word that is no part of its name; -1 when the usage is wrong. */
static int which_list(const struct args *args, struct span *tenant)
{
    *tenant = SPAN_LIT(DNC_ALL);
    if (args_has(args, "--global"))
        return 0;
    if (args->words_n == 0)
        return -1;
    *tenant = span_str(args->words[0]);
    return request_valid_tenant(*tenant) ? 1 : -1;
}

static const char *list_name(struct span tenant)
{
    return span_is(tenant, DNC_ALL) ? "everybody's list" : "the list of";
}

/* Numbers one after the other, each ended by a line break; how many. */
struct numbers {
    struct buf text;
    size_t n;
    size_t wrong;
};

static void take(struct numbers *numbers, struct span number, const char *from, size_t line)
{
    if (phone_valid(number)) {
        buf_addspan(&numbers->text, number);
        buf_addc(&numbers->text, '\n');
        numbers->n++;
        return;
    }
    struct buf shown;
    buf_init(&shown, 1024);
    pii_add_text(&shown, span_of(number.p, number.n < QUOTED_MAX ? number.n : QUOTED_MAX));
    if (numbers->wrong++ < SAID_MAX && line > 0)
        ctl_say("%s:%zu: \"%s\" is no number like +254722000111", from, line, shown.p);
    else if (numbers->wrong <= SAID_MAX)
        ctl_say("\"%s\" is no number like +254722000111", shown.p);
    buf_done(&shown);
}

/* Most likely a number without its plus was meant. */
static int no_such_file(const char *path, struct err *err)
{
    int why = errno;
    struct buf shown;
    buf_init(&shown, sizeof(err->text));
    pii_add_text(&shown, span_str(path));
    err_set(err, ERR_INVALID, "%s: %s (a file; a number begins with +)", shown.p, strerror(why));
    buf_done(&shown);
    return err->code;
}

/* One number a line; empty lines and those that begin with # are passed over. */
static int take_file(struct numbers *numbers, const char *path, struct err *err)
{
    bool standard = strcmp(path, "-") == 0;
    FILE *in = standard ? stdin : fopen(path, "r");
    char *line = NULL;
    size_t room = 0, at = 0;
    if (in == NULL)
        return no_such_file(path, err);
    for (ssize_t n; (n = getline(&line, &room, in)) >= 0;) {
        at++;
        while (n > 0 && strchr(" \t\r\n", line[n - 1]) != NULL)
            n--;
        if (n > 0 && line[0] != '#')
            take(numbers, span_of(line, (size_t)n), standard ? "stdin" : path, at);
    }
    int rc = ferror(in) ? err_set(err, ERR_INVALID, "%s: cannot be read", path) : 0;
    free(line);
    if (!standard)
        fclose(in);
    return rc;
}

static int take_words(struct numbers *numbers, const struct args *args, int from, struct err *err)
{
    for (int i = from; i < args->words_n; i++) {
        if (args->words[i][0] == '+') {
            take(numbers, span_str(args->words[i]), "", 0);
        } else {
            int rc = take_file(numbers, args->words[i], err);
            if (rc != 0)
                return rc;
        }
    }
    if (numbers->wrong > 0)
        return err_set(err, ERR_INVALID, "nothing was changed: %zu wrong", numbers->wrong);
    if (!buf_ok(&numbers->text))
        return err_set(err, ERR_LIMIT, "too many numbers at once, at most %d MB", NUMBERS_MAX_BYTES >> 20);
    return 0;
}

/* ---- changing a list ---- */

struct change {
    struct ask *ask;
    bool add;
    struct span tenant;
    struct span audit; /* what ivr.audit is to say, with the first number */
    struct span rest;  /* numbers of this chunk and behind it */
    bool first;        /* this is the first chunk */
    struct span chunk; /* of it, what is not asked for yet */
    struct store *store;
    size_t out, changed;
    enum store_status status;
};

static void edit_rest(struct change *change);

static void on_edit(enum store_status status, bool changed, void *arg)
{
    struct change *change = arg;
    if (status != STORE_OK)
        change->status = status;
    change->changed += changed;
    if (--change->out > 0)
        return;
    if (change->status == STORE_OK && change->chunk.n > 0)
        edit_rest(change);
    else
        ask_answered(change->ask, change->status);
}

static struct span next_number(struct span *rest)
{
    const char *end = memchr(rest->p, '\n', rest->n);
    struct span number = span_of(rest->p, (size_t)(end - rest->p));
    *rest = span_of(end + 1, rest->n - number.n - 1);
    return number;
}

static void edit_one(struct change *change, struct span audit)
{
    struct span number = next_number(&change->chunk);
    change->out++;
    (change->add ? dnc_add : dnc_remove)(change->store, change->tenant, number, audit, on_edit, change);
}

static void edit_rest(struct change *change)
{
    while (change->chunk.n > 0)
        edit_one(change, SPAN_NONE);
}

/* The first numbers of what is left. */
static struct span chunk_of(struct span rest)
{
    const char *begin = rest.p;
    for (size_t i = 0; i < CHUNK && rest.n > 0; i++)
        next_number(&rest);
    return span_of(begin, (size_t)(rest.p - begin));
}

/* The number whose shard notes who did it comes first: nothing is changed unrecorded. Asked again after a lost answer it
 * counts what changed then only. */
static void edit_chunk(struct store *store, struct ask *ask, void *arg)
{
    struct change *change = arg;
    change->store = store;
    change->ask = ask;
    change->status = STORE_OK;
    change->chunk = chunk_of(change->rest);
    if (change->first)
        edit_one(change, change->audit);
    else
        edit_rest(change);
}

static int edit_all(const struct ivrctl *ctl, struct change *change, size_t n, struct err *err)
{
    bool progress = n > CHUNK && isatty(STDERR_FILENO);
    for (size_t done = 0; done < n && !*ctl->stopped; done += CHUNK) {
        if (ask_redis(&ctl->settings, edit_chunk, change, err) != 0)
            return err->code;
        struct span chunk = chunk_of(change->rest);
        change->first = false;
        change->rest = span_of(chunk.p + chunk.n, change->rest.n - chunk.n);
        if (progress)
            fprintf(stderr, "\r%zu of %zu", done + CHUNK < n ? done + CHUNK : n, n);
    }
    if (progress)
        fputc('\n', stderr);
    return *ctl->stopped ? err_set(err, ERR_UNAVAILABLE, "stopped before all of it was done") : 0;
}

/* One number is named, masked; of many it is said how many they are. */
static void add_audit(struct buf *text, const struct ivrctl *ctl, const struct args *args,
                      const struct change *change, size_t n)
{
    struct span rest = change->rest, number = n == 1 ? next_number(&rest) : SPAN_NONE;
    const char *reason = args_get(args, "--reason");
    struct buf target;
    buf_init(&target, AUDIT_MAX);
    buf_adds(&target, "dnc:");
    buf_addspan(&target, change->tenant);
    if (n == 1) {
        buf_addc(&target, '/');
        phone_add_shown(&target, number, PHONE_MASK, SPAN_NONE);
    }
    audit_begin(text, &(struct audit){.actor_kind = "user",
                                      .actor = span_str(ctl->settings.actor),
                                      .from = "ivrctl",
                                      .action = change->add ? "dnc.add" : "dnc.remove",
                                      .tenant = span_is(change->tenant, DNC_ALL) ? SPAN_NONE : change->tenant,
                                      .target = buf_span(&target),
                                      .number = number,
                                      .reason = reason != NULL ? span_str(reason) : SPAN_NONE});
    audit_add_affected(text, (long long)n);
    buf_done(&target);
}

static int print_change(const struct ivrctl *ctl, const struct change *change, size_t n)
{
    struct buf b;
    bool all = span_is(change->tenant, DNC_ALL);
    const char *verb = change->add ? "added to" : "removed from";
    buf_init(&b, 4096);
    if (ctl->json) {
        buf_addc(&b, '{');
        json_kstr(&b, "list", change->tenant);
        json_kint(&b, change->add ? "added" : "removed", (int64_t)change->changed);
        json_kint(&b, "unchanged", (int64_t)(n - change->changed));
        buf_adds(&b, "}\n");
    } else {
        buf_addf(&b, "%zu %s %s %s%.*s", change->changed, change->changed == 1 ? "number" : "numbers", verb,
                 list_name(change->tenant), all ? 0 : 1, " ");
        if (!all)
            buf_addspan(&b, change->tenant);
        if (n > change->changed)
            buf_addf(&b, "; %zu %s", n - change->changed, change->add ? "on it before" : "not on it");
        buf_addc(&b, '\n');
    }
    int rc = ctl_print(buf_span(&b));
    buf_done(&b);
    return rc;
}

static int edit(const struct ivrctl *ctl, const struct args *args, bool add)
{
    const char *command = add ? "dnc add" : "dnc remove";
    struct err err = ERR_INIT;
    struct numbers numbers = {.n = 0};
    struct change change = {.add = add, .first = true};
    struct buf audit;
    int from = which_list(args, &change.tenant);
    if (from < 0)
        return ctl_usage(command, "a tenant, or --global, comes first");
    if (from >= args->words_n)
        return ctl_usage(command, "a number, a file of numbers, or - is missing");
    buf_init(&numbers.text, NUMBERS_MAX_BYTES);
    buf_init(&audit, 2 * AUDIT_MAX);
    int rc = take_words(&numbers, args, from, &err);
    change.rest = buf_span(&numbers.text);
    if (rc == 0 && numbers.n > 0) {
        add_audit(&audit, ctl, args, &change, numbers.n);
        change.audit = buf_span(&audit);
    }
    if (rc == 0)
        rc = edit_all(ctl, &change, numbers.n, &err);
    rc = rc != 0 ? ctl_fail(&err) : print_change(ctl, &change, numbers.n);
    buf_done(&numbers.text);
    buf_done(&audit);
    return rc;
}

static int run_add(struct ivrctl *ctl, const struct args *args)
{
    return edit(ctl, args, true);
}

static int run_remove(struct ivrctl *ctl, const struct args *args)
{
    return edit(ctl, args, false);
}

/* ---- showing a list ---- */

struct listing {
    const struct ivrctl *ctl;
    struct ask *ask;
    struct span tenant;
    struct buf after; /* the last number so far */
    unsigned limit;   /* of this page */
    size_t n;         /* on this page */
    struct buf out;
};

static void on_page(enum store_status status, const struct span *numbers, size_t n, void *arg)
{
    struct listing *listing = arg;
    for (size_t i = 0; status == STORE_OK && i < n; i++) {
        if (listing->ctl->json) {
            json_sep(&listing->out);
            buf_addc(&listing->out, '"');
        }
        pii_add_number(&listing->out, numbers[i]);
        buf_addc(&listing->out, listing->ctl->json ? '"' : '\n');
    }
    if (status == STORE_OK && n > 0) {
        buf_clear(&listing->after);
        buf_addspan(&listing->after, numbers[n - 1]);
    }
    listing->n = n;
    ask_answered(listing->ask, status);
}

static void ask_page(struct store *store, struct ask *ask, void *arg)
{
    struct listing *listing = arg;
    listing->ask = ask;
    dnc_list(store, listing->tenant, buf_span(&listing->after), listing->limit, on_page, listing);
}

static int read_list(struct listing *listing, int64_t most, struct err *err)
{
    do {
        listing->limit = most < DNC_PAGE_MAX ? (unsigned)most : DNC_PAGE_MAX;
        int rc = ask_redis(&listing->ctl->settings, ask_page, listing, err);
        if (rc != 0)
            return rc;
        most -= (int64_t)listing->n;
    } while (most > 0 && listing->n == listing->limit && !*listing->ctl->stopped);
    return buf_ok(&listing->out)
               ? 0
               : err_set(err, ERR_LIMIT, "the list is too long: --after and --limit page it");
}

static int run_list(struct ivrctl *ctl, const struct args *args)
{
    struct err err = ERR_INIT;
    struct listing listing = {.ctl = ctl};
    const char *after = args_get(args, "--after");
    int64_t most;
    int from = which_list(args, &listing.tenant);
    if (from < 0 || from < args->words_n)
        return ctl_usage("dnc list", "give a tenant, or --global");
    if (args_number(args, "--limit", 1, INT64_MAX, &most, &err) != 0)
        return ctl_usage("dnc list", "%s", err.text);
    if (after != NULL && !phone_valid(span_str(after)))
        return ctl_usage("dnc list", "--after: \"%s\" is no number like +254722000111", after);
    buf_init(&listing.after, 64);
    buf_init(&listing.out, NUMBERS_MAX_BYTES);
    buf_adds(&listing.after, after != NULL ? after : "");
    if (ctl->json) {
        buf_addc(&listing.out, '{');
        json_kstr(&listing.out, "list", listing.tenant);
        json_key(&listing.out, "numbers");
        buf_addc(&listing.out, '[');
    }
    int rc = read_list(&listing, most, &err);
    if (ctl->json)
        buf_adds(&listing.out, "]}\n");
    rc = rc != 0 ? ctl_fail(&err) : ctl_print(buf_span(&listing.out));
    buf_done(&listing.after);
    buf_done(&listing.out);
    return rc;
}

/* ---- the commands ---- */

static const struct args_option edit_options[] = {
    {"--global", NULL, "everybody's list, which holds for all tenants"},
    {"--reason", "TEXT", "why, for the audit topic"},
    {NULL, NULL, NULL},
};

static const struct args_option list_options[] = {
    {"--global", NULL, "everybody's list, which holds for all tenants"},
    {"--after", "NUMBER", "begin behind that number"},
    {"--limit", "N", "at most so many"},
    {NULL, NULL, NULL},
};

#define NUMBERS_IN_PS                                                                                        \
    "A number on the command line stands in \"ps\" for everybody on the machine, and in the shell's\n"       \
    "history; with - it comes from standard input.\n"

const struct command command_dnc_add = {
    .name = "dnc add",
    .arguments = "TENANT|--global NUMBER|FILE|- ...",
    .words_min = 1,
    .words_max = ARGS_MAX_WORDS,
    .sentence = "put numbers on a do-not-call list",
    .options = edit_options,
    .more = "A number on the list of a call's tenant, or on everybody's, is not dialled: looked up right\n"
            "before dialling, at every attempt. Such a call is dropped (do_not_call), or ends with its\n"
            "status where it had an attempt. A file has one number a line; with a wrong one in it nothing\n"
            "is changed.\n"
            "\n" NUMBERS_IN_PS "\nExamples:\n"
            "  ivrctl dnc add acme -                 type numbers, Ctrl-D ends\n"
            "  ivrctl dnc add --global register.txt\n"
            "  psql -Atc 'select number from opted_out' | ivrctl dnc add acme -\n",
    .run = run_add,
};

const struct command command_dnc_remove = {
    .name = "dnc remove",
    .arguments = "TENANT|--global NUMBER|FILE|- ...",
    .words_min = 1,
    .words_max = ARGS_MAX_WORDS,
    .sentence = "take numbers off a do-not-call list",
    .options = edit_options,
    .more = "What was dropped for it stays dropped.\n"
            "\n" NUMBERS_IN_PS "\nExamples:\n"
            "  ivrctl dnc remove acme -              type numbers, Ctrl-D ends\n"
            "  ivrctl dnc remove acme opted_in.txt\n",
    .run = run_remove,
};

const struct command command_dnc_list = {
    .name = "dnc list",
    .arguments = "TENANT|--global",
    .words_min = 0,
    .words_max = 1,
    .sentence = "the numbers of a do-not-call list, sorted",
    .options = list_options,
    .more = "Masked as IVR_PII says, unless --plain.\n"
            "\nExamples:\n"
            "  ivrctl dnc list acme --plain\n"
            "  ivrctl dnc list --global --after +254722000111 --limit 1000 --plain\n",
    .run = run_list,
};
