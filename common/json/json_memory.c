#include "common/json/json_memory.h"

#include <jansson.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#include "common/base/mem.h"

enum { ARENA_BYTES = 256 * 1024 };

static alignas(max_align_t) char arena[ARENA_BYTES];
static size_t used;  /* bytes from the start */
static size_t alive; /* allocations not freed */

static void *take(size_t n)
{
    size_t rounded = (n + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    if (rounded < n || rounded > ARENA_BYTES - used)
        return mem_alloc(n);
    void *p = arena + used;
    used += rounded;
    alive++;
    return p;
}

void json_memory_free(void *p)
{
    char *at = p;
    if (at < arena || at >= arena + ARENA_BYTES) {
        free(p);
        return;
    }
    if (--alive == 0)
        used = 0;
}

void json_memory_use(void)
{
    static bool set;
    if (!set)
        json_set_alloc_funcs(take, json_memory_free);
    set = true;
}
