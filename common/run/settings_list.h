/* Settings that are a list with commas between. */
#ifndef IVR_COMMON_SETTINGS_LIST_H
#define IVR_COMMON_SETTINGS_LIST_H

#include <stddef.h>

#include "common/base/err.h"
#include "common/base/span.h"

/* ERR_CONFIG where an item is empty. */
int settings_list_fits(const char *text, struct err *err);
/* The items, which point into `text`; the caller frees the array. NULL where the text is NULL. */
struct span *settings_list_split(const char *text, size_t *n);

#endif
