#include "workers/dispatch/dead_letter.h"

enum { AGAIN_MS = 1000 };

static void send_again(struct attempt *a);

static void on_sent(const char *error, void *arg)
{
    if (error != NULL)
        attempt_later(arg, send_again, AGAIN_MS);
    else
        attempt_end(arg);
}

static void send_again(struct attempt *a)
{
    worker_dead_letter(a->dispatch->worker, a->record, a->dead_letter_reason, buf_span(&a->text), on_sent, a);
}

void dead_letter_send(struct attempt *a, const char *reason, struct span detail)
{
    attempt_enter(a, ATTEMPT_DEAD_LETTER);
    a->dead_letter_reason = reason;
    buf_clear(&a->text);
    buf_addspan(&a->text, detail);
    send_again(a);
}

/* A call that was due has no record to tell it by: the log and a metric do (store_unreadable). */
void dead_letter_unreadable(struct attempt *a)
{
    if (a->record != NULL)
        dead_letter_send(a, "unreadable_call", span_str(store_why(a->dispatch->worker->store)));
    else
        attempt_end(a);
}
