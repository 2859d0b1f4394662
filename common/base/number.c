#include "common/base/number.h"

bool number_read(struct span text, int64_t min, int64_t max, int64_t *out)
{
    int64_t value = 0;
    if (text.n == 0)
        return false;
    for (size_t i = 0; i < text.n; i++) {
        unsigned digit = (unsigned)(text.p[i] - '0');
        if (digit > 9 || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, digit, &value))
            return false;
    }
    if (value < min || value > max)
        return false;
    *out = value;
    return true;
}

bool number_read_int(struct span text, int min, int max, int *out)
{
    int64_t value;
    if (!number_read(text, min, max, &value))
        return false;
    *out = (int)value;
    return true;
}

struct span number_write(char room[NUMBER_LEN], int64_t value)
{
    size_t at = NUMBER_LEN;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do {
        room[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest);
    if (value < 0)
        room[--at] = '-';
    return span_of(room + at, NUMBER_LEN - at);
}
