#include "workers/report/change.h"

#include "common/base/clock.h"
#include "common/json/json.h"
#include "common/model/request.h"

/* An event of an attempt has both; those of a call that waits have neither. */
static void read_window(struct event_change *change)
{
    int64_t placed_ms;
    struct span channel = json_get_span(change->json, "channel");
    struct span placed_at = json_get_span(change->json, "placed_at");
    if (channel.n == 0 || placed_at.n == 0 || !clock_parse_rfc3339(placed_at, &placed_ms) || placed_ms <= 0)
        return;
    change->has_window = true;
    change->window = change->campaign;
    change->window.window = true;
    change->window.channel = channel;
    change->window.minute_ms = placed_ms - placed_ms % CHANGE_MINUTE_MS;
}

int change_read(struct event_change *change, struct span event, struct err *err)
{
    *change = (struct event_change){.json = json_parse(event, CHANGE_MAX_BYTES, err)};
    if (change->json == NULL)
        return ERR_INVALID;
    if (!json_is_object(change->json))
        return err_set(err, ERR_INVALID, "the record is a JSON array, expected a call event");
    change->campaign.tenant = json_get_span(change->json, "tenant");
    change->campaign.campaign = json_get_span(change->json, "campaign");
    if (!request_valid_tenant(change->campaign.tenant))
        return err_set(err, ERR_INVALID, "tenant: expected the tenant of a call event");
    if (!request_valid_campaign(change->campaign.campaign))
        return err_set(err, ERR_INVALID, "campaign: expected the campaign of a call event");
    read_window(change);
    return 0;
}

void change_done(struct event_change *change)
{
    json_decref(change->json);
    change->json = NULL;
}
