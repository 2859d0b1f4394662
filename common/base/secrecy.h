/* What keeps the secrets of a process in it: the first thing that main() does. */
#ifndef IVR_COMMON_SECRECY_H
#define IVR_COMMON_SECRECY_H

#include "common/base/buf.h"

/*
 * No core dump, nor a debugger of the same user, gets to the memory: in it are credentials, tokens, private
 * keys and everybody's numbers. Unless IVR_CORE_DUMPS is "yes" (settings.c refuses what is neither yes nor
 * no), and not in a build with sanitizers, whose reports look into the process from outside.
 *
 * SSLKEYLOGFILE, which would have the TLS libraries write the keys of every connection into a file, is taken
 * out of the environment before any of them has read it; secrecy_add_warning() says so.
 */
void secrecy_begin(void);

/* Appends a row where secrecy_begin() left something out that was asked for. */
void secrecy_add_warning(struct buf *warnings);

#endif
