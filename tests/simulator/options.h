/* The command line: one table of options, from which parsing and --help follow. */
#ifndef IVR_SIMULATOR_OPTIONS_H
#define IVR_SIMULATOR_OPTIONS_H

#include "common/base/buf.h"
#include "common/base/err.h"
#include "tests/simulator/simulator.h"

enum sim_wish { SIM_WISH_RUN, SIM_WISH_HELP, SIM_WISH_VERSION };

/* Fills `config` from its defaults and the arguments, whose strings it borrows (some are cut in place).
 * ERR_CONFIG names the option. */
int sim_options_read(struct sim_config *config, enum sim_wish *wish, int argc, char **argv, struct err *err);

void sim_options_help(struct buf *out);

#endif
