/* Reads its options, opens the simulator on one loop, and runs until a signal ends it. */
#include <stdio.h>
#include <unistd.h>

#include "common/base/descriptors.h"
#include "common/run/log.h"
#include "common/run/loop.h"
#include "tests/simulator/options.h"
#include "tests/simulator/simulator.h"

static void on_stop(void *arg)
{
    loop_quit(arg);
}

static int run(const struct sim_config *config)
{
    struct sim sim;
    struct err err = ERR_INIT;
    struct loop *loop = loop_new();
    loop_on_signals(loop, on_stop, NULL, loop);
    int rc = sim_start(&sim, loop, config, &err);
    if (rc) {
        LOG_ERROR("simulator cannot start", LOG_ERR(&err));
        loop_free(&loop);
        return rc == ERR_CONFIG ? 2 : 1;
    }
    loop_run(loop);
    LOG_INFO("simulator ends", LOG_INT("placements", sim.stats.placements),
             LOG_INT("dialled", sim.stats.dialled),
             LOG_INT("dialled_again_by_attempt", sim.stats.dialled_again_by_attempt));
    sim_stop(&sim);
    loop_free(&loop);
    return 0;
}

static int print_help(void)
{
    struct buf text;
    buf_init(&text, 64 * 1024);
    sim_options_help(&text);
    fputs(text.p, stdout);
    buf_done(&text);
    return 0;
}

int main(int argc, char **argv)
{
    struct sim_config config;
    enum sim_wish wish;
    struct err err = ERR_INIT;
    descriptors_open_standard();
    if (sim_options_read(&config, &wish, argc, argv, &err)) {
        fprintf(stderr, "ivr-simulator: %s\n", err.text);
        return 2;
    }
    if (wish == SIM_WISH_HELP)
        return print_help();
    if (wish == SIM_WISH_VERSION) {
        puts("ivr-simulator " IVR_VERSION);
        return 0;
    }
    log_setup("ivr-simulator", LOG_LEVEL_INFO, isatty(STDERR_FILENO) ? LOG_FORMAT_TEXT : LOG_FORMAT_JSON);
    return run(&config);
}
