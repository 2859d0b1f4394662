/*
 * Allocation that does not return NULL. A worker is crash-only: when the kernel refuses memory it logs and
 * aborts, the claims keep every call safe, and the next process goes on. Whatever outside bytes can make
 * large has a limit of its own (buf.h), so an abort here means that the machine is out of memory, not that
 * somebody sent a big message.
 */
#ifndef IVR_COMMON_MEM_H
#define IVR_COMMON_MEM_H

#include <stddef.h>

void *mem_alloc(size_t size) __attribute__((malloc, alloc_size(1), returns_nonnull, warn_unused_result));
/* Zeroed. */
void *mem_calloc(size_t count, size_t size)
    __attribute__((malloc, alloc_size(1, 2), returns_nonnull, warn_unused_result));
void *mem_realloc(void *old, size_t size) __attribute__((alloc_size(2), returns_nonnull, warn_unused_result));
/* Copies exactly `n` bytes, whatever they hold, and adds a NUL. Free with free(), as everything here. */
char *mem_strndup(const char *text, size_t n) __attribute__((malloc, returns_nonnull, warn_unused_result));
char *mem_strdup(const char *text) __attribute__((malloc, returns_nonnull, warn_unused_result));

#endif
