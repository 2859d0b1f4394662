#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/pii.h"
#include "common/base/visible.h"
#include "tools/ivrctl/ivrctl.h"

enum { SAID_MAX = 64 * 1024, PRINTED_MAX = 1024 * 1024 * 1024 };

static void put_line(struct span text)
{
    struct buf line;
    buf_init(&line, 8 * SAID_MAX);
    buf_adds(&line, "ivrctl: ");
    visible_add(&line, text);
    buf_addc(&line, '\n');
    fputs(line.p, stderr);
    buf_done(&line);
}

void ctl_say(const char *fmt, ...)
{
    va_list args;
    struct buf text;
    buf_init(&text, SAID_MAX);
    va_start(args, fmt);
    buf_addv(&text, fmt, args);
    va_end(args);
    put_line(buf_span(&text));
    buf_done(&text);
}

void ctl_say_lines(struct span lines)
{
    struct buf text;
    buf_init(&text, 8 * SAID_MAX);
    visible_add_lines(&text, lines);
    fputs(text.p, stderr);
    buf_done(&text);
}

int ctl_exit_code(const struct err *err)
{
    if (err->code == ERR_UNAVAILABLE)
        return EXIT_UNAVAILABLE;
    return err->code == ERR_CONFIG ? EXIT_USAGE : EXIT_FATAL;
}

int ctl_fail(const struct err *err)
{
    ctl_say("%s", err->text);
    return ctl_exit_code(err);
}

int ctl_usage(const char *command, const char *fmt, ...)
{
    va_list args;
    struct buf text, shown;
    buf_init(&text, SAID_MAX);
    buf_init(&shown, 8 * SAID_MAX);
    va_start(args, fmt);
    buf_addv(&text, fmt, args);
    va_end(args);
    pii_add_text(&shown, buf_span(&text));
    put_line(buf_span(&shown));
    buf_done(&text);
    buf_done(&shown);
    ctl_say("\"ivrctl %s%s--help\" says how", command, *command != '\0' ? " " : "");
    return EXIT_USAGE;
}

static int put(struct span text)
{
    bool taken = fwrite(text.p, 1, text.n, stdout) == text.n && fflush(stdout) == 0;
    return taken ? EXIT_DONE : EXIT_FATAL;
}

int ctl_print(struct span text)
{
    struct buf shown;
    if (visible_is_lines(text))
        return put(text);
    buf_init(&shown, PRINTED_MAX);
    visible_add_lines(&shown, text);
    int rc = put(buf_span(&shown));
    buf_done(&shown);
    return rc;
}

bool ctl_split(const char *text, struct span *tenant, struct span *name)
{
    const char *slash = strchr(text, '/');
    if (slash == NULL || slash == text || slash[1] == '\0')
        return false;
    *tenant = span_of(text, (size_t)(slash - text));
    *name = span_str(slash + 1);
    return true;
}
