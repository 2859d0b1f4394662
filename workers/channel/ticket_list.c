#include "workers/channel/ticket_list.h"

#include <assert.h>
#include <stdio.h>

#include "workers/store/pack.h"

void ticket_list_init(struct ticket_list *list)
{
    buf_init(&list->packed, TICKET_LIST_MAX);
    list->n = 0;
}

void ticket_list_clear(struct ticket_list *list)
{
    buf_clear(&list->packed);
    list->n = 0;
}

void ticket_list_done(struct ticket_list *list)
{
    buf_done(&list->packed);
}

void ticket_list_add(struct ticket_list *list, struct ticket_name name)
{
    msgpack_packer packer;
    char text[CALLS_MAX_REF + 1];
    int n = snprintf(text, sizeof(text), "%.*s/%d", SPAN_ARG(name.id), name.claim_no);
    assert(n > 0 && (size_t)n < sizeof(text));
    pack_init(&packer, &list->packed);
    pack_span(&packer, span_of(text, (size_t)n));
    list->n++;
}

void ticket_list_add_with(struct ticket_list *list, struct ticket_name name, int64_t number)
{
    msgpack_packer packer;
    ticket_list_add(list, name);
    pack_init(&packer, &list->packed);
    msgpack_pack_int64(&packer, number);
    list->n++;
}
