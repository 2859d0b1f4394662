#include "workers/report/letters.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"

enum { AGAIN_MS = 1000 };

struct letter {
    struct letters *letters;
    struct letter *next;
    struct kafka_record *record;
    char detail[sizeof(((struct err *)NULL)->text)];
};

struct letters {
    struct worker *worker;
    struct letter *again; /* refused by the brokers, sent anew when the timer comes */
    struct loop_timer *timer;
    bool stopped;
};

static void on_again(void *arg);

static void on_ack(const char *error, void *arg)
{
    struct letter *letter = arg;
    struct letters *letters = letter->letters;
    if (error == NULL || letters->stopped) {
        if (!letters->stopped)
            kafka_done(&letter->record);
        free(letter);
        return;
    }
    letter->next = letters->again;
    letters->again = letter;
    if (letters->timer == NULL)
        letters->timer = loop_timer_start(letters->worker->loop, AGAIN_MS, 0, on_again, letters);
}

static void send_letter(struct letter *letter)
{
    worker_dead_letter(letter->letters->worker, letter->record, "invalid_json", span_str(letter->detail),
                       on_ack, letter);
}

static void on_again(void *arg)
{
    struct letters *letters = arg;
    loop_timer_stop(&letters->timer);
    while (letters->again != NULL) {
        struct letter *letter = letters->again;
        letters->again = letter->next;
        send_letter(letter);
    }
}

void letters_add(struct letters *letters, struct kafka_record *record, const struct err *err)
{
    struct letter *letter = mem_calloc(1, sizeof(*letter));
    letter->letters = letters;
    letter->record = record;
    snprintf(letter->detail, sizeof(letter->detail), "%s", err->text);
    send_letter(letter);
}

struct letters *letters_new(struct worker *worker)
{
    struct letters *letters = mem_calloc(1, sizeof(*letters));
    letters->worker = worker;
    return letters;
}

void letters_stop(struct letters *letters)
{
    letters->stopped = true;
    if (letters->timer != NULL)
        loop_timer_stop(&letters->timer);
}

void letters_free(struct letters **pointer)
{
    struct letters *letters = *pointer;
    *pointer = NULL;
    while (letters != NULL && letters->again != NULL) {
        struct letter *letter = letters->again;
        letters->again = letter->next;
        free(letter);
    }
    free(letters);
}
