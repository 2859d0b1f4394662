#include "workers/providers/tenant_caps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/model/request.h"

enum { FIELD_MAX = 256 };

static void read_cap(struct channels_reader *r, struct tenant_cap *cap, json_t *object)
{
    static const char *const member = "concurrent_calls";
    char field[FIELD_MAX];
    const char *name;
    json_t *value;
    snprintf(field, sizeof field, "tenants.%s", cap->tenant);
    if (!request_valid_tenant(span_str(cap->tenant)))
        reader_problem(r, field, "a tenant's name is 1 to 64 of A-Z a-z 0-9 . _ - (and neither . nor ..)");
    if (!json_is_object(object)) {
        reader_problem(r, field, "expected an object like {\"%s\": 50}", member);
        return;
    }
    json_object_foreach(object, name, value)
    {
        snprintf(field, sizeof field, "tenants.%s.%s", cap->tenant, name);
        if (strcmp(name, member) == 0)
            cap->concurrent_calls = reader_concurrent_calls(r, field, value);
        else
            reader_problem(r, field, "no such field");
    }
    snprintf(field, sizeof field, "tenants.%s.%s", cap->tenant, member);
    if (!json_object_get(object, member))
        reader_problem(r, field, "is missing");
}

static int by_name(const void *a, const void *b)
{
    const struct tenant_cap *x = a, *y = b;
    return strcmp(x->tenant, y->tenant);
}

void tenant_caps_read(struct channels_reader *r, struct tenant_caps *all, json_t *object)
{
    const char *tenant;
    json_t *value;
    if (!object)
        return;
    if (!json_is_object(object)) {
        reader_problem(r, "tenants", "expected an object like {\"acme\": {\"concurrent_calls\": 50}}");
        return;
    }
    all->items = mem_calloc(json_object_size(object) + 1, sizeof *all->items);
    json_object_foreach(object, tenant, value)
    {
        struct tenant_cap *cap = &all->items[all->n++];
        cap->tenant = mem_strdup(tenant);
        read_cap(r, cap, value);
    }
    qsort(all->items, all->n, sizeof *all->items, by_name);
}

void tenant_caps_done(struct tenant_caps *all)
{
    for (size_t i = 0; i < all->n; i++)
        free(all->items[i].tenant);
    free(all->items);
}

static int compare(const void *key, const void *item)
{
    const struct span *name = key;
    const struct tenant_cap *cap = item;
    size_t n = strlen(cap->tenant);
    int order = memcmp(name->p, cap->tenant, name->n < n ? name->n : n);
    return order != 0 ? order : (name->n > n) - (name->n < n);
}

int tenant_caps_find(const struct tenant_caps *all, struct span tenant)
{
    const struct tenant_cap *cap = NULL;
    if (tenant.n > 0 && all->n > 0)
        cap = bsearch(&tenant, all->items, all->n, sizeof *all->items, compare);
    return cap ? cap->concurrent_calls : 0;
}
