#include "common/base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Drops the half of a UTF-8 character that a cut may have left at the end. */
static void trim_partial_character(char *text)
{
    size_t n = strlen(text), back = 0;
    while (back < n && back < 4 && ((unsigned char)text[n - 1 - back] & 0xC0) == 0x80)
        back++;
    if (back == n)
        return;
    unsigned char lead = (unsigned char)text[n - 1 - back];
    size_t want = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
    if (want > 1 && back + 1 < want)
        text[n - 1 - back] = '\0';
}

/* The caller's arguments may point into err->text, so everything is formatted beside it first. */
static void store(struct err *err, const char *text)
{
    int n = snprintf(err->text, sizeof err->text, "%s", text);
    if (n >= (int)sizeof err->text)
        trim_partial_character(err->text);
}

int err_set(struct err *err, enum err_code code, const char *fmt, ...)
{
    if (!err)
        return code;
    char text[2 * sizeof err->text];
    va_list args;
    va_start(args, fmt);
    if (vsnprintf(text, sizeof text, fmt, args) < 0)
        text[0] = '\0';
    va_end(args);
    err->code = code;
    store(err, text);
    return code;
}

int err_prefix(struct err *err, const char *fmt, ...)
{
    if (!err)
        return ERR_SYSTEM;
    char text[3 * sizeof err->text];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof text / 2, fmt, args);
    va_end(args);
    size_t used = n < 0 ? 0 : strlen(text);
    snprintf(text + used, sizeof text - used, ": %s", err->text);
    store(err, text);
    return err->code;
}
