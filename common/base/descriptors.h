/*
 * The process' descriptors: the three that every program has, and how many there may be.
 *
 * A program that was started with one of the first three closed would get that number for its first socket or
 * epoll, and whoever prints would write into it.
 */
#ifndef IVR_COMMON_DESCRIPTORS_H
#define IVR_COMMON_DESCRIPTORS_H

#include "common/base/err.h"

/* First thing in every main(): what of 0, 1 and 2 is closed is /dev/null from now on. */
void descriptors_open_standard(void);

/* Raises the limit of open files as far as this process may. */
void descriptors_raise_limit(void);
/* The limit, in descriptors. */
int descriptors_limit(void);

/* ERR_SYSTEM when fewer than `n` may be open: `who` needs so many, and where the limit is raised. */
int descriptors_check(const char *who, int n, struct err *err) __attribute__((warn_unused_result));

#endif
