#include "tests/simulator/rates.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/json/json.h"

void sim_rates_done(struct sim_rates *rates)
{
    for (size_t i = 0; i < rates->n; i++)
        sim_window_done(&rates->rows[i].window);
    free(rates->rows);
    *rates = (struct sim_rates){0};
}

static struct sim_rate *find(const struct sim_rates *rates, const char *provider, struct span from)
{
    for (size_t i = 0; i < rates->n; i++) {
        struct sim_rate *row = &rates->rows[i];
        if (row->provider == provider && span_eq(span_of(row->from, row->from_n), from))
            return row;
    }
    return NULL;
}

static struct sim_rate *add(struct sim_rates *rates, const char *provider, struct span from)
{
    if (!rates->rows)
        rates->rows = mem_calloc(SIM_RATES_MOST, sizeof *rates->rows);
    struct sim_rate *row = &rates->rows[rates->n++];
    row->provider = provider;
    row->from_n = from.n;
    memcpy(row->from, from.p, from.n);
    return row;
}

void sim_rates_add(struct sim_rates *rates, const char *provider, struct span from, int64_t now_us)
{
    if (from.n > SIM_RATES_FROM)
        from.n = SIM_RATES_FROM;
    struct sim_rate *row = find(rates, provider, from);
    if (!row && rates->n < SIM_RATES_MOST - 1)
        row = add(rates, provider, from);
    if (!row)
        row = find(rates, "", SPAN_LIT("other"));
    if (!row)
        row = add(rates, "", SPAN_LIT("other"));
    row->placements++;
    sim_window_add(&row->window, now_us);
}

void sim_rates_show(const struct sim_rates *rates, struct buf *out)
{
    json_key(out, "channels");
    buf_addc(out, '{');
    for (size_t i = 0; i < rates->n; i++) {
        const struct sim_rate *row = &rates->rows[i];
        char name[SIM_RATES_FROM + 32];
        size_t n = strlen(row->provider);
        memcpy(name, row->provider, n);
        name[n++] = ' ';
        memcpy(name + n, row->from, row->from_n);
        json_sep(out);
        json_str(out, span_of(name, n + row->from_n));
        buf_adds(out, ":{");
        json_kint(out, "placements", (int64_t)row->placements);
        json_kint(out, "max_placements_in_a_second", (int64_t)row->window.most);
        buf_addc(out, '}');
    }
    buf_addc(out, '}');
}
