#include "common/run/metrics.h"

#include <assert.h>
#include <dirent.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/base/mem.h"

enum metric_type { COUNTER, GAUGE, HISTOGRAM };

enum { TABLE_SIZE = 1024, MAX_COLLECTORS = 16, MAX_LABEL_VALUE = 256 };

/* Seconds. From a pipelined script call (half a millisecond) to a callback that waited out an outage. */
static const struct {
    double most;
    const char *text;
} buckets[] = {
    {0.0005, "0.0005"}, {0.001, "0.001"}, {0.0025, "0.0025"}, {0.005, "0.005"}, {0.01, "0.01"},
    {0.025, "0.025"},   {0.05, "0.05"},   {0.1, "0.1"},       {0.25, "0.25"},   {0.5, "0.5"},
    {1, "1"},           {2.5, "2.5"},     {5, "5"},           {10, "10"},       {30, "30"},
    {60, "60"},         {300, "300"},
};
enum { BUCKETS = sizeof(buckets) / sizeof(buckets[0]) };

struct metric_row {
    const char *name;
    enum metric_type type;
    const char *labels;
    const char *help;
};

static const struct metric_row rows[METRIC_COUNT] = {
#define METRIC(id, name, type, labels, help) [id] = {name, type, labels, help},
#include "common/run/metrics_table.h"
#undef METRIC
};

struct metric_series {
    struct metric_series *next;      /* of the same metric, in order of first use */
    struct metric_series *same_hash; /* in the table */
    enum metric_id id;
    bool dropped;
    char *labels[METRICS_MAX_LABELS]; /* "" past the row's labels */
    double value;                     /* a histogram's sum */
    uint64_t count;                   /* histograms only, like `in` */
    uint64_t *in;                     /* BUCKETS of them, not cumulated */
};

static struct {
    struct metric_series *first[METRIC_COUNT];
    struct metric_series **last[METRIC_COUNT];
    int series_n[METRIC_COUNT];
    struct metric_series *table[TABLE_SIZE];
    struct {
        metric_collect_fn fn;
        void *arg;
    } collectors[MAX_COLLECTORS];
    int collectors_n;
} all;

/* ---- series ---- */

static uint32_t hash_of(enum metric_id id, const char *const labels[METRICS_MAX_LABELS])
{
    uint32_t hash = 2166136261U ^ (uint32_t)id; /* FNV-1a */
    for (int i = 0; i < METRICS_MAX_LABELS; i++)
        for (const char *c = labels[i];; c++) {
            hash = (hash ^ (unsigned char)*c) * 16777619U;
            if (!*c)
                break;
        }
    return hash % TABLE_SIZE;
}

static struct metric_series *find(enum metric_id id, const char *const labels[METRICS_MAX_LABELS],
                                  uint32_t hash)
{
    struct metric_series *s = all.table[hash];
    while (s &&
           !(s->id == id && strcmp(s->labels[0], labels[0]) == 0 && strcmp(s->labels[1], labels[1]) == 0))
        s = s->same_hash;
    return s;
}

static struct metric_series *add(enum metric_id id, const char *const labels[METRICS_MAX_LABELS],
                                 uint32_t hash)
{
    struct metric_series *s = mem_calloc(1, sizeof(*s));
    s->id = id;
    for (int i = 0; i < METRICS_MAX_LABELS; i++)
        s->labels[i] = mem_strndup(labels[i], strnlen(labels[i], MAX_LABEL_VALUE));
    if (rows[id].type == HISTOGRAM)
        s->in = mem_calloc(BUCKETS, sizeof(*s->in));
    s->same_hash = all.table[hash];
    all.table[hash] = s;
    if (!all.last[id])
        all.last[id] = &all.first[id];
    *all.last[id] = s;
    all.last[id] = &s->next;
    all.series_n[id]++;
    return s;
}

static int label_count(enum metric_id id)
{
    const char *labels = rows[id].labels;
    return !labels[0] ? 0 : strchr(labels, ',') ? 2 : 1;
}

struct metric_series *metric_series(enum metric_id id, const char *label1, const char *label2)
{
    int n = label_count(id);
    const char *labels[METRICS_MAX_LABELS] = {n > 0 && label1 ? label1 : "", n > 1 && label2 ? label2 : ""};
    uint32_t hash = hash_of(id, labels);
    struct metric_series *s = find(id, labels, hash);
    if (!s && all.series_n[id] >= METRICS_MAX_SERIES - 1) { /* the last place is the rest's */
        for (int i = 0; i < n; i++)
            labels[i] = "other";
        hash = hash_of(id, labels);
        s = find(id, labels, hash);
    }
    return s ? s : add(id, labels, hash);
}

void metric_add(struct metric_series *series, double value)
{
    assert(rows[series->id].type != HISTOGRAM);
    assert(rows[series->id].type != COUNTER || value >= 0);
    series->dropped = false;
    series->value += value;
}

void metric_set(struct metric_series *series, double value)
{
    assert(rows[series->id].type == GAUGE);
    series->dropped = false;
    series->value = value;
}

void metric_observe(struct metric_series *series, double value)
{
    assert(rows[series->id].type == HISTOGRAM);
    series->value += value;
    series->count++;
    for (int i = 0; i < BUCKETS; i++)
        if (value <= buckets[i].most) {
            series->in[i]++;
            return;
        }
}

double metric_value(const struct metric_series *series)
{
    return series->in ? (double)series->count : series->value;
}

void metric_drop(struct metric_series *series)
{
    assert(rows[series->id].type == GAUGE);
    series->dropped = true;
    series->value = 0;
}

void metric_count(enum metric_id id, const char *label1, const char *label2)
{
    metric_add(metric_series(id, label1, label2), 1);
}

void metric_on_collect(metric_collect_fn fn, void *arg)
{
    assert(all.collectors_n < MAX_COLLECTORS);
    all.collectors[all.collectors_n].fn = fn;
    all.collectors[all.collectors_n++].arg = arg;
}

/* ---- text ---- */

/* Label values escape the quote too, HELP texts do not. */
static void add_escaped(struct buf *out, const char *text, bool quotes)
{
    for (const char *c = text; *c; c++) {
        if (*c == '\\')
            buf_adds(out, "\\\\");
        else if (*c == '\n')
            buf_adds(out, "\\n");
        else if (*c == '"' && quotes)
            buf_adds(out, "\\\"");
        else
            buf_addc(out, *c);
    }
}

static void add_number(struct buf *out, double value)
{
    if (fabs(value) < 1e15 && value == (double)(int64_t)value)
        buf_addint(out, (int64_t)value);
    else
        buf_addf(out, "%.12g", value);
}

/* {a="x",b="y",le="0.5"}; nothing when there are neither labels nor `le`. */
static void add_labels(struct buf *out, const struct metric_series *s, const char *le)
{
    const char *name = rows[s->id].labels;
    char before = '{';
    for (int i = 0; i < label_count(s->id); i++) {
        size_t n = strcspn(name, ",");
        buf_addc(out, before);
        buf_add(out, name, n);
        buf_adds(out, "=\"");
        add_escaped(out, s->labels[i], true);
        buf_addc(out, '"');
        name += n + 1;
        before = ',';
    }
    if (le) {
        buf_addc(out, before);
        buf_addf(out, "le=\"%s\"", le);
        before = ',';
    }
    if (before == ',')
        buf_addc(out, '}');
}

static void add_sample(struct buf *out, const struct metric_series *s, const char *suffix, const char *le,
                       double value)
{
    buf_adds(out, rows[s->id].name);
    buf_adds(out, suffix);
    add_labels(out, s, le);
    buf_addc(out, ' ');
    add_number(out, value);
    buf_addc(out, '\n');
}

static void add_histogram(struct buf *out, const struct metric_series *s)
{
    uint64_t below = 0;
    for (int i = 0; i < BUCKETS; i++) {
        below += s->in[i];
        add_sample(out, s, "_bucket", buckets[i].text, (double)below);
    }
    add_sample(out, s, "_bucket", "+Inf", (double)s->count);
    add_sample(out, s, "_sum", NULL, s->value);
    add_sample(out, s, "_count", NULL, (double)s->count);
}

static void add_head(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_addf(out, "# HELP %s ", name);
    add_escaped(out, help, false);
    buf_addf(out, "\n# TYPE %s %s\n", name, type);
}

static void add_metric(struct buf *out, enum metric_id id)
{
    static const char *const types[] = {[COUNTER] = "counter", [GAUGE] = "gauge", [HISTOGRAM] = "histogram"};
    add_head(out, rows[id].name, types[rows[id].type], rows[id].help);
    if (label_count(id) == 0) /* a counter that never counted is 0, not absent: rates need the start */
        (void)metric_series(id, NULL, NULL);
    for (const struct metric_series *s = all.first[id]; s; s = s->next) {
        if (s->in)
            add_histogram(out, s);
        else if (!s->dropped)
            add_sample(out, s, "", NULL, s->value);
    }
}

/* ---- process_* ---- */

static void add_process_value(struct buf *out, const char *name, const char *type, const char *help,
                              double value)
{
    add_head(out, name, type, help);
    buf_addf(out, "%s ", name);
    add_number(out, value);
    buf_addc(out, '\n');
}

static long open_files(void)
{
    DIR *dir = opendir("/proc/self/fd");
    long n = -3; /* ".", ".." and the directory itself */
    if (!dir)
        return 0;
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

/* Reads a small file of /proc whole. */
static bool read_proc(const char *path, char *text, size_t size)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    size_t n = fread(text, 1, size - 1, file);
    text[n] = '\0';
    fclose(file);
    return n > 0;
}

/* Seconds since 1970 at which this process started: the machine's start plus field 22 of stat, in clock
 * ticks. */
static double start_time(const char *stat)
{
    char text[8192];
    unsigned long long ticks = 0, booted = 0;
    const char *after = strrchr(stat, ')'); /* the name may hold spaces and parentheses */
    if (!after ||
        sscanf(after + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
               &ticks) != 1)
        return 0;
    FILE *file = fopen("/proc/stat", "re");
    if (!file)
        return 0;
    while (fgets(text, sizeof(text), file))
        if (sscanf(text, "btime %llu", &booted) == 1)
            break;
    fclose(file);
    return (double)booted + (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

static double seconds(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static void add_process(struct buf *out)
{
    static double started; /* never changes */
    char text[1024];
    unsigned long long size = 0, resident = 0;
    struct rusage usage;
    struct rlimit files;
    double page = (double)sysconf(_SC_PAGESIZE);
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        add_process_value(out, "process_cpu_seconds_total", "counter",
                          "User and system CPU time spent in seconds.",
                          seconds(usage.ru_utime) + seconds(usage.ru_stime));
    if (read_proc("/proc/self/statm", text, sizeof(text)) &&
        sscanf(text, "%llu %llu", &size, &resident) == 2) {
        add_process_value(out, "process_virtual_memory_bytes", "gauge", "Virtual memory size in bytes.",
                          (double)size * page);
        add_process_value(out, "process_resident_memory_bytes", "gauge", "Resident memory size in bytes.",
                          (double)resident * page);
    }
    if (started == 0 && read_proc("/proc/self/stat", text, sizeof(text)))
        started = start_time(text);
    add_process_value(out, "process_start_time_seconds", "gauge", "Start time since the epoch in seconds.",
                      started);
    add_process_value(out, "process_open_fds", "gauge", "Open file descriptors.", (double)open_files());
    if (getrlimit(RLIMIT_NOFILE, &files) == 0)
        add_process_value(out, "process_max_fds", "gauge", "Most open file descriptors allowed.",
                          (double)files.rlim_cur);
}

void metrics_render(struct buf *out)
{
    for (int i = 0; i < all.collectors_n; i++)
        all.collectors[i].fn(all.collectors[i].arg);
    for (int id = 0; id < METRIC_COUNT; id++)
        add_metric(out, (enum metric_id)id);
    add_process(out);
}
