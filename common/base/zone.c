#include "common/base/zone.h"

#include <fcntl.h>
#include <glib.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/base/zone_links.h"

enum { PATH_LEN = 4096 };

struct zone {
    char *name;
    GTimeZone *rules;
};

static GHashTable *known; /* by name, for the life of the process */

/* Parts of letters, digits, _ + -, with slashes between: nothing that leaves the directory. */
static bool valid_name(struct span name)
{
    bool letter_wanted = true;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        bool inside = (c >= '0' && c <= '9') || c == '_' || c == '+' || c == '-';
        if (c == '/' ? letter_wanted : !letter && (letter_wanted || !inside))
            return false;
        letter_wanted = c == '/';
    }
    return name.n <= ZONE_NAME_MAX && !letter_wanted;
}

static bool begins_with(struct span name, const char *start)
{
    size_t n = strlen(start);
    return name.n >= n && memcmp(name.p, start, n) == 0;
}

static bool of_this_machine(struct span name)
{
    return span_is(name, "localtime") || span_is(name, "posixrules") || begins_with(name, "posix/") ||
           begins_with(name, "right/");
}

/* tzdata's directory holds other files besides, which GLib does not expect. */
static bool is_zone_file(const char *path)
{
    char magic[4];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool is = read(fd, magic, sizeof magic) == sizeof magic && memcmp(magic, "TZif", sizeof magic) == 0;
    close(fd);
    return is;
}

/* A colon says that what follows is a file, whatever it looks like: "EST5EDT" would be read as a rule. */
static GTimeZone *read_file(struct span name)
{
    const char *directory = getenv("TZDIR");
    struct buf path;
    GTimeZone *rules = NULL;
    buf_init(&path, PATH_LEN);
    buf_addc(&path, ':');
    buf_adds(&path, directory && *directory ? directory : "/usr/share/zoneinfo");
    buf_addc(&path, '/');
    buf_addspan(&path, name);
    if (buf_ok(&path) && is_zone_file(path.p + 1))
        rules = g_time_zone_new_identifier(path.p);
    buf_done(&path);
    return rules;
}

/* tzdata's own file first: where it has one, it may know better than a link what was before 1970. */
static GTimeZone *read_rules(struct span name)
{
    GTimeZone *rules = read_file(name);
    struct span linked = rules == NULL ? zone_links_find(name) : span_of(NULL, 0);
    return linked.n > 0 ? read_file(linked) : rules;
}

const struct zone *zone_find(struct span name)
{
    char key[ZONE_NAME_MAX + 1] = "";
    if (!valid_name(name) || of_this_machine(name))
        return NULL;
    memcpy(key, name.p, name.n);
    if (!known)
        known = g_hash_table_new(g_str_hash, g_str_equal);
    struct zone *zone = g_hash_table_lookup(known, key);
    if (zone)
        return zone;
    GTimeZone *rules = read_rules(name);
    if (!rules)
        return NULL;
    zone = mem_alloc(sizeof *zone);
    *zone = (struct zone){.name = mem_strdup(key), .rules = rules};
    g_hash_table_insert(known, zone->name, zone);
    return zone;
}

const char *zone_name(const struct zone *zone)
{
    return zone->name;
}

/* Towards the past, so that a part of a second belongs to its second before 1970 too. */
static int64_t second_of(int64_t wall_ms)
{
    return wall_ms / 1000 - (wall_ms % 1000 < 0);
}

/* GLib numbers the stretches of time between two changes, in their order. */
static int stretch_of(const struct zone *zone, int64_t second)
{
    return g_time_zone_find_interval(zone->rules, G_TIME_TYPE_UNIVERSAL, second);
}

int64_t zone_offset_ms(const struct zone *zone, int64_t wall_ms)
{
    return (int64_t)g_time_zone_get_offset(zone->rules, stretch_of(zone, second_of(wall_ms))) * 1000;
}

int64_t zone_change_ms(const struct zone *zone, int64_t wall_ms, int64_t last_ms)
{
    int64_t same = second_of(wall_ms), other = second_of(last_ms);
    int stretch = stretch_of(zone, same);
    if (other <= same || stretch_of(zone, other) == stretch)
        return -1;
    while (other - same > 1) {
        int64_t middle = same + (other - same) / 2;
        if (stretch_of(zone, middle) == stretch)
            same = middle;
        else
            other = middle;
    }
    return other * 1000;
}
