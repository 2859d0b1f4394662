/*
 * ivr-status: takes what providers report from ivr.callbacks, reads it as evidence, and merges it into the
 * calls in Redis; the changes go out as call events, what cannot be read or belongs to nobody as dead
 * letters.
 */
#include "workers/program/worker.h"
#include "workers/status/overdue.h"
#include "workers/status/status.h"

static const struct worker_info info = {
    .name = "ivr-status",
    .sentence = "turns the callbacks of voice providers into statuses and hop logs",
    .examples = "  ivr-status --check                  read the configuration, say what is wrong\n"
                "  IVR_MAX_IN_FLIGHT=4000 ivr-status   more callbacks at once\n",
    .outbox = true,
};

struct parts {
    struct status *status;
    struct overdue *overdue;
};

static void quiesce(void *arg)
{
    struct parts *parts = arg;
    overdue_stop(parts->overdue);
    status_quiesce(parts->status);
}

static size_t busy(void *arg)
{
    const struct parts *parts = arg;
    return status_busy(parts->status);
}

int main(int argc, char **argv)
{
    struct worker worker;
    struct parts parts = {NULL, NULL};
    struct err err = ERR_INIT;
    int rc = worker_open(&worker, &info, argc, argv);
    if (rc >= 0)
        return rc;
    if (status_open(&parts.status, &worker, &err) != 0) {
        rc = worker_fail(&worker, &err);
    } else {
        parts.overdue = overdue_new(&worker);
        worker_run(&worker, &(struct worker_drain){.quiesce = quiesce, .busy = busy, .arg = &parts});
        overdue_stop(parts.overdue);
        status_close(parts.status);
        rc = worker_close(&worker);
    }
    overdue_free(&parts.overdue);
    status_free(&parts.status);
    return rc;
}
