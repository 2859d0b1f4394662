#include "tools/ivrctl/args.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/number.h"

static const struct args_option *find(const struct args_option *table, const char *name, size_t n)
{
    for (; table != NULL && table->name != NULL; table++) {
        if (strlen(table->name) == n && memcmp(table->name, name, n) == 0)
            return table;
    }
    return NULL;
}

/* Reads the option at argv[*at]; *at is left at the last argument used. */
static int read_option(struct args *args, int argc, char **argv, int *at, struct err *err)
{
    const char *text = argv[*at];
    size_t n = strcspn(text, "=");
    const struct args_option *row = find(args->options[0], text, n);
    if (row == NULL)
        row = find(args->options[1], text, n);
    if (row == NULL)
        return err_set(err, ERR_CONFIG, "there is no option %.*s", (int)n, text);
    const char *value = text[n] == '=' ? text + n + 1 : NULL;
    if (row->value == NULL && value != NULL)
        return err_set(err, ERR_CONFIG, "%s takes no value", row->name);
    if (row->value != NULL && value == NULL) {
        if (*at + 1 >= argc)
            return err_set(err, ERR_CONFIG, "%s needs %s", row->name, row->value);
        value = argv[++*at];
    }
    if (args->n == ARGS_MAX_OPTIONS)
        return err_set(err, ERR_CONFIG, "too many options");
    args->names[args->n] = row->name;
    args->values[args->n++] = value != NULL ? value : "";
    return 0;
}

int args_read(struct args *args, const struct args_option *common, const struct args_option *own, int argc,
              char **argv, struct err *err)
{
    bool options_over = false;
    *args = (struct args){.options = {common, own}};
    for (int at = 0; at < argc; at++) {
        /* A lone "-" is a word: standard input. */
        bool option = !options_over && argv[at][0] == '-' && argv[at][1] != '\0';
        if (option && strcmp(argv[at], "--") == 0) {
            options_over = true;
        } else if (option) {
            int rc = read_option(args, argc, argv, &at, err);
            if (rc != 0)
                return rc;
        } else if (args->words_n == ARGS_MAX_WORDS) {
            return err_set(err, ERR_CONFIG, "\"%s\" is one word too many", argv[at]);
        } else {
            args->words[args->words_n++] = argv[at];
        }
    }
    return 0;
}

const char *args_get(const struct args *args, const char *name)
{
    for (int i = args->n; i-- > 0;) {
        if (strcmp(args->names[i], name) == 0)
            return args->values[i];
    }
    return NULL;
}

bool args_has(const struct args *args, const char *name)
{
    return args_get(args, name) != NULL;
}

int args_number(const struct args *args, const char *name, int64_t min, int64_t fallback, int64_t *out,
                struct err *err)
{
    const char *text = args_get(args, name);
    *out = fallback;
    if (text == NULL || number_read(span_str(text), min, INT64_MAX, out))
        return 0;
    return err_set(err, ERR_CONFIG, "%s: \"%.40s\" is no whole number from %lld on", name, text,
                   (long long)min);
}

void args_add_help(struct buf *b, const struct args_option *options)
{
    for (; options != NULL && options->name != NULL; options++) {
        int used =
            (int)strlen(options->name) + (options->value != NULL ? (int)strlen(options->value) + 1 : 0);
        buf_addf(b, "  %s%s%s%*s %s\n", options->name, options->value != NULL ? " " : "",
                 options->value != NULL ? options->value : "", used < 24 ? 24 - used : 1, "", options->what);
    }
}
