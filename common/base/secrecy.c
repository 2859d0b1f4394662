#include "common/base/secrecy.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#define KEY_LOG "SSLKEYLOGFILE"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define SANITIZED true
#endif
#endif
#ifndef SANITIZED
#define SANITIZED false
#endif

static bool key_log_ignored;

void secrecy_begin(void)
{
    const char *key_log = getenv(KEY_LOG), *dumps = getenv("IVR_CORE_DUMPS");
    key_log_ignored = key_log != NULL && *key_log != '\0';
    (void)unsetenv(KEY_LOG);
    if (SANITIZED || (dumps != NULL && strcmp(dumps, "yes") == 0))
        return;
    /* The limit is for what we start, which inherits it; a core that goes through a pipe minds only the
     * flag. */
    const struct rlimit none = {0, 0};
    (void)setrlimit(RLIMIT_CORE, &none);
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

void secrecy_add_warning(struct buf *warnings)
{
    if (key_log_ignored)
        buf_adds(warnings, KEY_LOG ": is ignored, the keys of TLS connections are written nowhere\n");
}
