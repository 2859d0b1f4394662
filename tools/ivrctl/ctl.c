#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tools/ivrctl/ivrctl.h"

enum { NUMBER_DIGITS_MIN = 7 };

static void say(const char *fmt, va_list args) __attribute__((format(printf, 1, 0)));

static void say(const char *fmt, va_list args)
{
    struct buf line;
    buf_init(&line, 64 * 1024);
    buf_adds(&line, "ivrctl: ");
    buf_addv(&line, fmt, args);
    buf_addc(&line, '\n');
    fputs(line.p, stderr);
    buf_done(&line);
}

void ctl_say(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    say(fmt, args);
    va_end(args);
}

int ctl_fail(const struct err *err)
{
    ctl_say("%s", err->text);
    return err->code == ERR_CONFIG ? EXIT_USAGE : EXIT_FATAL;
}

int ctl_usage(const char *command, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    say(fmt, args);
    va_end(args);
    ctl_say("\"ivrctl %s%s--help\" says how", command, *command != '\0' ? " " : "");
    return EXIT_USAGE;
}

int ctl_print(struct span text)
{
    bool taken = fwrite(text.p, 1, text.n, stdout) == text.n && fflush(stdout) == 0;
    return taken ? EXIT_DONE : EXIT_FATAL;
}

void ctl_add_number(struct buf *b, const struct ivrctl *ctl, struct span number)
{
    phone_add_shown(b, number, ctl->shown, ctl->pii_key);
}

/* ---- numbers inside text ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Digits beside one of these belong to an id (a UUID, "call-1234567"), which must stay readable. */
static bool is_id_char(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
}

/* Whether a number may start at `i`: at a '+', after an escaped one, or where no id is under way. */
static bool starts_number(struct span text, size_t i)
{
    if (i == 0 || text.p[i] == '+' || text.p[i - 1] == '+')
        return true;
    if (i >= 3 && text.p[i - 3] == '%' && text.p[i - 2] == '2' && (text.p[i - 1] | 0x20) == 'b')
        return true;
    return !is_id_char(text.p[i - 1]);
}

/* Bytes of the number at `i`, its '+' included; 0 where there is none. */
static size_t number_at(struct span text, size_t i)
{
    size_t sign = text.p[i] == '+', end = i + sign;
    while (end < text.n && is_digit(text.p[end]))
        end++;
    if (end - i - sign < NUMBER_DIGITS_MIN || !starts_number(text, i))
        return 0;
    bool escaped_before = i >= 1 && (text.p[i - 1] | 0x20) == 'b';
    if (!sign && !escaped_before && end < text.n && is_id_char(text.p[end]))
        return 0;
    return end - i;
}

void ctl_add_text(struct buf *b, const struct ivrctl *ctl, struct span text)
{
    for (size_t i = 0; i < text.n;) {
        size_t n = number_at(text, i);
        if (n > 0) {
            ctl_add_number(b, ctl, span_of(text.p + i, n));
            i += n;
            continue;
        }
        /* What is left of a run of digits is no number either. */
        do
            buf_addc(b, text.p[i++]);
        while (i < text.n && is_digit(text.p[i]) && is_digit(text.p[i - 1]));
    }
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
