/*
 * Runs the corpus, from the repository's top: ivr-corpus [PREFIX]. Every case runs; exit 1 when one fails, or
 * when something stands beside the cases that nobody reads.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/corpus/corpus.h"

enum { PATH_LEN = 512, LEAST_CASES = 40 };

struct tally {
    struct buf providers; /* "africastalking 45, twilio 44" */
    unsigned run, failed, complaints;
};

static void complain(struct tally *tally, const char *what, const char *why)
{
    printf("%s: %s\n", what, why);
    tally->complaints++;
}

static bool ends_with(const char *name, const char *end)
{
    size_t n = strlen(name), m = strlen(end);
    return n > m && strcmp(name + n - m, end) == 0;
}

/* Sorted; *n names, freed by forget(). */
static struct dirent **list(const char *path, int *n)
{
    struct dirent **entries = NULL;
    *n = scandir(path, &entries, NULL, alphasort);
    if (*n < 0)
        *n = 0;
    return entries;
}

static void forget(struct dirent **entries, int n)
{
    for (int i = 0; i < n; i++)
        free(entries[i]);
    free(entries);
}

/* ---- one case ---- */

static void run_case(struct tally *tally, const char *provider, const char *path)
{
    struct corpus_case c;
    corpus_case_run(&c, provider, path);
    tally->run++;
    if (c.problems.n > 0) {
        const char *what = json_string_value(json_object_get(c.root, "what"));
        printf("%s: %s\n%s\n", path, what ? what : "", c.problems.p);
        tally->failed++;
    }
    corpus_case_done(&c);
}

/* ---- a provider's folder ---- */

static bool is_case(struct tally *tally, const struct dirent *entry, const char *path)
{
    const char *name = entry->d_name;
    if (name[0] == '.' && (!name[1] || strcmp(name, "..") == 0))
        return false;
    if (strcmp(name, "channel.json") == 0 || ends_with(name, ".pem"))
        return false;
    bool json = ends_with(name, ".json") && name[0] != '.' && entry->d_type != DT_DIR;
    if (!json)
        complain(tally, path, "is neither a case (NAME.json) nor channel.json nor a key (NAME.pem)");
    return json;
}

static void count_provider(struct tally *tally, const char *provider, unsigned cases, unsigned run)
{
    char why[128];
    if (cases < LEAST_CASES) {
        snprintf(why, sizeof why, "%u cases, expected %d and more", cases, LEAST_CASES);
        complain(tally, provider, why);
    }
    if (run > 0)
        buf_addf(&tally->providers, "%s%s %u", tally->providers.n ? ", " : "", provider, run);
}

static void run_provider(struct tally *tally, const char *provider, const char *prefix)
{
    char path[PATH_LEN];
    int n;
    unsigned cases = 0, run = tally->run;
    snprintf(path, sizeof path, CORPUS_DIR "/%s", provider);
    struct dirent **entries = list(path, &n);
    for (int i = 0; i < n; i++) {
        snprintf(path, sizeof path, CORPUS_DIR "/%s/%s", provider, entries[i]->d_name);
        if (!is_case(tally, entries[i], path))
            continue;
        cases++;
        if (strncmp(path + sizeof CORPUS_DIR, prefix, strlen(prefix)) == 0)
            run_case(tally, provider, path);
    }
    forget(entries, n);
    /* Who runs a part of it may still be writing the rest. */
    count_provider(tally, provider, *prefix ? LEAST_CASES : cases, tally->run - run);
}

/* ---- the corpus ---- */

static void check_folder(struct tally *tally, const struct dirent *entry)
{
    const char *name = entry->d_name;
    char path[PATH_LEN];
    snprintf(path, sizeof path, CORPUS_DIR "/%s", name);
    if (entry->d_type == DT_DIR && name[0] != '.' && !provider_by_name(span_str(name)))
        complain(tally, path, "no provider in provider.h has that name");
    if (entry->d_type != DT_DIR && ends_with(name, ".json") && strcmp(name, "_request.json") != 0)
        complain(tally, path, "a case stands in the folder of its provider");
}

static void check_folders(struct tally *tally)
{
    int n;
    struct dirent **entries = list(CORPUS_DIR, &n);
    if (n == 0)
        complain(tally, CORPUS_DIR, "is not here; run it from the repository's top");
    for (int i = 0; i < n; i++)
        check_folder(tally, entries[i]);
    forget(entries, n);
}

static void run_providers(struct tally *tally, const char *prefix)
{
    size_t n;
    const struct provider *const *providers = provider_all(&n);
    for (size_t i = 0; i < n; i++)
        run_provider(tally, providers[i]->name, prefix);
}

static int conclude(const struct tally *tally, const char *prefix)
{
    if (tally->run == 0) {
        printf("corpus: no case begins with \"%s\"\n", prefix);
        return 1;
    }
    if (tally->failed > 0)
        printf("corpus: %u of %u cases failed (of %s)\n", tally->failed, tally->run, tally->providers.p);
    else
        printf("corpus: %u cases passed (%s)%s\n", tally->run, tally->providers.p,
               tally->complaints ? ", and something is amiss: see above" : "");
    return tally->failed > 0 || tally->complaints > 0;
}

int main(int argc, char **argv)
{
    const char *prefix = argc > 1 ? argv[1] : "";
    struct tally tally = {.run = 0};
    buf_init(&tally.providers, CORPUS_MAX_TEXT);
    check_folders(&tally);
    run_providers(&tally, prefix);
    int code = conclude(&tally, prefix);
    buf_done(&tally.providers);
    return code;
}
