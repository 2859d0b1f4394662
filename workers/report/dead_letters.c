#include "workers/report/dead_letters.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/fifo.h"
#include "common/base/mem.h"

enum { AGAIN_MS = 1000 };

struct bad_event {
    struct dead_letters *letters;
    struct fifo_link link; /* in `again` */
    struct kafka_record *record;
    char detail[sizeof(((struct err *)NULL)->text)];
};

struct dead_letters {
    struct worker *worker;
    struct fifo again; /* events whose dead letter the brokers refused: sent once more when the timer comes */
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
    fifo_add(&letters->again, &event->link);
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
    struct fifo again = {0};
    fifo_move(&again, &letters->again);
    for (struct bad_event *event; (event = FIFO_TAKE(&again, struct bad_event, link)) != NULL;)
        send_bad_event(event);
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
    if (letters == NULL)
        return;
    for (struct bad_event *event; (event = FIFO_TAKE(&letters->again, struct bad_event, link)) != NULL;)
        free(event);
    free(letters);
}
