/* A secret that stands in a file. */
#ifndef IVR_COMMON_SECRET_FILE_H
#define IVR_COMMON_SECRET_FILE_H

#include "common/base/err.h"

/* The file's content without its last line end; the caller frees it. NULL on error. */
char *secret_file_read(const char *path, struct err *err);

#endif
