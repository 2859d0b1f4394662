/* ivrctl providers: which providers this build speaks to, and what a channel of each needs. */
#include "common/json/json.h"
#include "tools/ivrctl/ivrctl.h"
#include "tools/ivrctl/show.h"
#include "workers/providers/provider.h"

enum { TEXT_MAX = 256 * 1024 };

/* What verifies a provider's callbacks. */
enum guard { GUARD_SIGNATURE, GUARD_SECRET_SIGNATURE, GUARD_TOKEN };

static enum guard guard_of(const struct provider *provider)
{
    if (provider->signs_with_callback_secret)
        return GUARD_SECRET_SIGNATURE;
    return provider->signs_callbacks ? GUARD_SIGNATURE : GUARD_TOKEN;
}

static void add_setting_json(struct buf *b, const struct provider_setting *setting)
{
    json_sep(b);
    buf_addc(b, '{');
    json_kstrz(b, "name", setting->name);
    json_kbool(b, "required", setting->required);
    json_kbool(b, "secret", setting->secret);
    buf_addc(b, '}');
}

static void add_json(struct buf *b, const struct provider *provider)
{
    static const char *const verified[] = {"signature", "signature", "token"};
    enum guard guard = guard_of(provider);
    json_sep(b);
    buf_addc(b, '{');
    json_kstrz(b, "name", provider->name);
    json_kstrz(b, "default_base_url", provider->default_base_url);
    json_key(b, "credentials");
    buf_addc(b, '[');
    for (const struct provider_setting *s = provider->settings; s->name != NULL; s++)
        add_setting_json(b, s);
    buf_addc(b, ']');
    json_kstrz(b, "callbacks_verified_by", verified[guard]);
    json_kbool(b, "needs_callback_secret", guard != GUARD_SIGNATURE);
    json_kbool(b, "callback_url_per_call", provider->url_per_call);
    json_kbool(b, "can_be_asked", provider->lookup != NULL);
    buf_addc(b, '}');
}

static void add_text(struct buf *b, const struct provider *provider)
{
    static const char *const verified[] = {"signed with its credentials", "signed with callback_secret",
                                           "guarded by a token made with callback_secret"};
    buf_addf(b, "%s\n  base_url     %s\n  credentials  ", provider->name,
             provider->default_base_url != NULL ? provider->default_base_url : "to be given");
    for (const struct provider_setting *s = provider->settings; s->name != NULL; s++)
        buf_addf(b, "%s%s%s%s", s == provider->settings ? "" : ", ", s->name, s->secret ? " (secret)" : "",
                 s->required ? "" : " (optional)");
    buf_addf(b, "\n  callbacks    %s, %s\n", verified[guard_of(provider)],
             provider->url_per_call ? "a URL with each call" : "one URL that you register with it");
}

static int run(struct ivrctl *ctl, const struct args *args)
{
    size_t n;
    const struct provider *const *providers = provider_all(&n);
    struct buf b;
    (void)args;
    buf_init(&b, TEXT_MAX);
    buf_adds(&b, ctl->json ? "[" : "");
    for (size_t i = 0; i < n; i++) {
        if (ctl->json)
            add_json(&b, providers[i]);
        else
            add_text(&b, providers[i]);
    }
    buf_adds(&b, ctl->json ? "]\n" : "");
    int rc = ctl_print(buf_span(&b));
    buf_done(&b);
    return rc;
}

const struct command command_providers = {
    .name = "providers",
    .arguments = "",
    .sentence = "the providers of this build, and the credentials that a channel of each needs",
    .more = "A provider that signs its callbacks with its own credentials needs no callback_secret in the\n"
            "channels file; the others do, unless the channel says \"insecure\": true or is on loopback.\n"
            "\nExamples:\n"
            "  ivrctl providers\n"
            "  ivrctl providers --json | jq '.[] | {name, credentials}'\n",
    .run = run,
};
