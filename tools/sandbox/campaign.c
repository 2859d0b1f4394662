/* The campaign: sent with `ivrctl request`, followed with `ivrctl tail summaries`, shown with `ivrctl`. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "tools/sandbox/sandbox.h"

enum {
    SEND_MS = 120000,
    STALLED_MS = 30000, /* nothing changed for so long: something is wrong */
    SETTLE_MS = 4000,   /* complete, but some legs never told their end */
    SHOW_MS = 20000,
    IDS_LOOKED_AT = 40, /* for one whose call was answered */
    ROW_MAX_BYTES = 4096,
};

static bool newest_ended(struct sandbox *sb)
{
    return child_read_out(sb->children.first);
}

/* Runs ivrctl to its end. */
static int run_ivrctl(struct sandbox *sb, const struct child_spec *spec, int64_t timeout_ms, struct err *err)
{
    if (child_start(&sb->children, spec, err) == NULL)
        return err->code;
    return sandbox_wait(sb, newest_ended, spec->name, timeout_ms, err);
}

/* ---- sending and following ---- */

static void on_summary(struct span row, void *arg)
{
    struct sandbox *sb = arg;
    progress_take(&sb->progress, row, clock_mono_ms());
}

static int follow(struct sandbox *sb, struct err *err)
{
    const struct child_spec spec = {
        .name = "ivrctl-tail",
        .args = {sb->paths.ivrctl, "tail", "summaries", "--json", "--from-beginning", "--campaign",
                 sb->campaign},
        .env = sb->env,
        .out = CHILD_STDOUT_ROWS,
        .on_row = on_summary,
        .arg = sb,
    };
    return child_start(&sb->children, &spec, err) != NULL ? 0 : (int)err->code;
}

static bool tick_until_sent(struct sandbox *sb)
{
    progress_draw(&sb->progress, clock_mono_ms(), false);
    return !sb->children.first->running;
}

/* The number of ids that `ivrctl request --ids` printed; its last row is the count for people. */
static long count_rows(const char *path)
{
    FILE *file = fopen(path, "rb");
    char row[ROW_MAX_BYTES];
    long n = 0;
    if (file == NULL)
        return 0;
    while (fgets(row, sizeof(row), file) != NULL)
        n++;
    fclose(file);
    return n > 0 ? n - 1 : 0;
}

static int send_requests(struct sandbox *sb, struct err *err)
{
    const char *name = strchr(sb->campaign, '/') + 1;
    const struct child_spec spec = {
        .name = "ivrctl-request",
        .args = {sb->paths.ivrctl, "request", sb->contacts_path, "--tenant", "demo", "--campaign", name,
                 "--ids"},
        .env = sb->env,
        .out = CHILD_STDOUT_FILE,
        .ends = true,
    };
    struct child *child = child_start(&sb->children, &spec, err);
    if (child == NULL || sandbox_wait(sb, tick_until_sent, "ivrctl request", SEND_MS, err) != 0)
        return err->code;
    sb->calls = count_rows(child->out_path);
    sb->progress.expected = sb->calls;
    return sb->calls > 0 ? 0 : err_set(err, ERR_INVALID, "%s has no contact", sb->contacts_path);
}

static bool tick_until_done(struct sandbox *sb)
{
    int64_t now_ms = clock_mono_ms();
    progress_draw(&sb->progress, now_ms, false);
    int64_t quiet_ms = now_ms - sb->progress.changed_mono_ms;
    if (progress_done(&sb->progress))
        return progress_settled(&sb->progress) || quiet_ms > SETTLE_MS;
    return quiet_ms > STALLED_MS;
}

static int judge(const struct sandbox *sb, struct err *err)
{
    const struct progress *p = &sb->progress;
    if (!progress_done(p))
        return err_set(
            err, ERR_UNAVAILABLE,
            "the campaign stands still: %lld of %ld calls known, %lld waiting, %lld pending, %lld retrying",
            (long long)p->calls, p->expected, (long long)p->waiting, (long long)p->by_status[STATUS_PENDING],
            (long long)p->retrying);
    if (p->wrong > 0)
        return err_set(err, ERR_INVALID, "%ld of %ld summaries did not add up, or came in the wrong order",
                       p->wrong, p->summaries);
    return 0;
}

int campaign_run(struct sandbox *sb, struct err *err)
{
    sb->progress.started_mono_ms = sb->progress.changed_mono_ms = clock_mono_ms();
    int rc = follow(sb, err);
    if (rc == 0)
        rc = send_requests(sb, err);
    sb->progress.changed_mono_ms = clock_mono_ms();
    if (rc == 0)
        rc = sandbox_wait(sb, tick_until_done, "the campaign", INT64_MAX, err);
    progress_draw(&sb->progress, clock_mono_ms(), true);
    return rc != 0 ? rc : judge(sb, err);
}

/* ---- showing ---- */

static bool file_has(const char *path, const char *text)
{
    char row[ROW_MAX_BYTES];
    FILE *file = fopen(path, "rb");
    bool found = false;
    if (file == NULL)
        return false;
    while (!found && fgets(row, sizeof(row), file) != NULL)
        found = strstr(row, text) != NULL;
    fclose(file);
    return found;
}

static int is_answered(struct sandbox *sb, const char *id, bool *answered, struct err *err)
{
    const struct child_spec spec = {
        .name = "ivrctl-call",
        .args = {sb->paths.ivrctl, "call", id},
        .env = sb->env,
        .out = CHILD_STDOUT_FILE,
        .ends = true,
    };
    char path[256];
    snprintf(path, sizeof(path), "%s/ivrctl-call.out", sb->directory);
    unlink(path);
    int rc = run_ivrctl(sb, &spec, SHOW_MS, err);
    *answered = rc == 0 && file_has(path, "Completed");
    return rc;
}

/* An answered call has the most to show; the first of all when nobody picked up. */
static int choose_call(struct sandbox *sb, char id[ROW_MAX_BYTES], struct err *err)
{
    char path[256], row[ROW_MAX_BYTES];
    bool answered = false;
    int rc = 0;
    snprintf(path, sizeof(path), "%s/ivrctl-request.out", sb->directory);
    FILE *file = fopen(path, "rb");
    *id = '\0';
    for (int i = 0; file != NULL && rc == 0 && !answered && i < IDS_LOOKED_AT && i < sb->calls; i++) {
        if (fgets(row, sizeof(row), file) == NULL)
            break;
        row[strcspn(row, "\n")] = '\0';
        rc = is_answered(sb, row, &answered, err);
        if (answered || *id == '\0')
            snprintf(id, ROW_MAX_BYTES, "%s", row);
    }
    if (file != NULL)
        fclose(file);
    return rc;
}

static int show(struct sandbox *sb, const char *command, const char *what, const char *option,
                struct err *err)
{
    const struct child_spec spec = {
        .name = "ivrctl-show",
        .args = {sb->paths.ivrctl, command, what, option},
        .env = sb->env,
        .out = CHILD_STDOUT_INHERIT,
        .ends = true,
    };
    printf("\n$ ivrctl %s %s%s%s\n", command, what, option != NULL ? " " : "", option != NULL ? option : "");
    fflush(stdout);
    return run_ivrctl(sb, &spec, SHOW_MS, err);
}

static void say_what_was_checked(const struct sandbox *sb)
{
    const struct progress *p = &sb->progress;
    printf("\n"
           "In each of the %ld summaries published meanwhile every channel adds up, "
           "and the channels to the whole.\n"
           "By their own count the simulated providers dialled %ld calls for %lld attempts, none twice.\n",
           p->summaries, sb->dialled, (long long)p->attempts);
    fflush(stdout);
}

int campaign_show(struct sandbox *sb, struct err *err)
{
    char id[ROW_MAX_BYTES];
    int rc = show(sb, "campaign", sb->campaign, "--published", err);
    if (rc == 0)
        rc = providers_ask(sb, err);
    if (rc == 0)
        say_what_was_checked(sb);
    if (rc == 0)
        rc = choose_call(sb, id, err);
    if (rc == 0 && *id != '\0')
        rc = show(sb, "call", id, NULL, err);
    return rc;
}
