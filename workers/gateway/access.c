#include "workers/gateway/access.h"

#include <strings.h>

#include "common/crypto.h"

bool access_granted(struct span authorization, const char *token)
{
    static const struct span scheme = SPAN_LIT("Bearer ");
    if (authorization.n < scheme.n || strncasecmp(authorization.p, scheme.p, scheme.n) != 0)
        return false;
    return crypto_equal(span_of(authorization.p + scheme.n, authorization.n - scheme.n), span_str(token));
}
