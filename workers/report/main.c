/*
 * ivr-report: takes the events of calls from ivr.call-events, and publishes how their campaigns and
 * one-minute windows stand to ivr.delivery-summaries, always adding up, each with a revision.
 */
#include "workers/program/worker.h"
#include "workers/report/report.h"

static const struct worker_info info = {
    .name = "ivr-report",
    .sentence = "publishes delivery summaries of campaigns and of one-minute windows",
    .examples = "  ivr-report --check                 read the configuration, say what is wrong\n"
                "  IVR_REPORT_INTERVAL=1s ivr-report  a changed campaign's summary every second\n",
};

int main(int argc, char **argv)
{
    struct worker worker;
    struct report *report = NULL;
    struct err err = ERR_INIT;
    int rc = worker_open(&worker, &info, argc, argv);
    if (rc >= 0)
        return rc;
    if (report_open(&report, &worker, &err) != 0) {
        rc = worker_fail(&worker, &err);
    } else {
        worker_run(&worker,
                   &(struct worker_drain){.quiesce = report_quiesce, .busy = report_busy, .arg = report});
        report_close(report);
        rc = worker_close(&worker);
    }
    report_free(&report);
    return rc;
}
