#include "workers/providers/provider.h"

#include "common/base/url.h"
#include "workers/providers/channels.h"

#define ADDRESS_OF(name) &name##_provider,
static const struct provider *const providers[] = {PROVIDERS(ADDRESS_OF)};
#undef ADDRESS_OF

enum { PROVIDER_COUNT = sizeof providers / sizeof providers[0] };

const struct provider *provider_by_name(struct span name)
{
    for (int i = 0; i < PROVIDER_COUNT; i++) {
        if (span_is(name, providers[i]->name))
            return providers[i];
    }
    return NULL;
}

const struct provider *const *provider_all(size_t *n)
{
    *n = PROVIDER_COUNT;
    return providers;
}

int provider_setting_index(const struct provider *provider, const char *name)
{
    for (int i = 0; provider->settings[i].name; i++) {
        if (strcmp(provider->settings[i].name, name) == 0)
            return i;
    }
    return -1;
}

static void add_segment(struct buf *b, struct span text)
{
    buf_addc(b, '/');
    url_add_segment(b, text);
}

void provider_add_call_url(struct buf *b, const struct placement *placement, const char *what)
{
    const struct channel *channel = placement->channel;
    buf_addspan(b, placement->public_url);
    add_segment(b, span_str(what));
    add_segment(b, span_str(channel->provider->name));
    add_segment(b, span_str(channel->name));
    add_segment(b, placement->request->tenant);
    add_segment(b, placement->request->call_id);
    buf_addc(b, '/');
    buf_addint(b, placement->attempt);
}
