#include "workers/report/dead_letters.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"

enum { AGAIN_MS = 1000 };

struct bad_event {
    struct dead_letters *letters;
    struct bad_event *next;
    struct kafka_record *record;
    char detail[sizeof(((struct err *)NULL)->text)];
};

struct dead_letters {
    struct worker *worker;
    struct bad_event *again; /* refused by the brokers, sent anew when the timer comes */
    struct loop_timer *timer;
    bool stopped;
};

static void on_again(void *arg);

static void on_ack(const char *error, void *arg)
{
    struct bad_event *event = arg;
    struct dead_letters *letters = event->letters;
    if (error == NULL || letters->stopped) {
        if (!letters->stopped)
            kafka_done(&event->record);
        free(event);
        return;
    }
    event->next = letters->again;
    letters->again = event;
    if (letters->timer == NULL)
        letters->timer = loop_timer_start(letters->worker->loop, AGAIN_MS, 0, on_again, letters);
}

static void send_bad_event(struct bad_event *event)
{
    worker_dead_letter(event->letters->worker, event->record, "invalid_json", span_str(event->detail), on_ack,
                       event);
}

static void on_again(void *arg)
{
    struct dead_letters *letters = arg;
    loop_timer_stop(&letters->timer);
    while (letters->again != NULL) {
        struct bad_event *event = letters->again;
        letters->again = event->next;
        send_bad_event(event);
    }
}

void dead_letters_add(struct dead_letters *letters, struct kafka_record *record, const struct err *err)
{
    struct bad_event *event = mem_calloc(1, sizeof(*event));
    event->letters = letters;
    event->record = record;
    snprintf(event->detail, sizeof(event->detail), "%s", err->text);
    send_bad_event(event);
}

struct dead_letters *dead_letters_new(struct worker *worker)
{
    struct dead_letters *letters = mem_calloc(1, sizeof(*letters));
    letters->worker = worker;
    return letters;
}

void dead_letters_stop(struct dead_letters *letters)
{
    letters->stopped = true;
    if (letters->timer != NULL)
        loop_timer_stop(&letters->timer);
}

void dead_letters_free(struct dead_letters **pointer)
{
    struct dead_letters *letters = *pointer;
    *pointer = NULL;
    while (letters != NULL && letters->again != NULL) {
        struct bad_event *event = letters->again;
        letters->again = event->next;
        free(event);
    }
    free(letters);
}
