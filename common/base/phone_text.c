/* Phone numbers inside text (phone.h: phone_add_masked_text). */
#include "common/base/phone.h"
#include "common/base/phone_mark.h"

enum {
    DIGITS_MIN = 7,      /* E.164's shortest */
    DIGITS_MAX = 15,     /* and longest; a "00" before it makes two more */
    NAME_DIGITS_MAX = 8, /* so many, in the middle of a name, are taken for a part of the name */
    BROKEN_MIN = 9,      /* with separators, and neither "+" nor "0" before them */
    COMPLETE = 10,       /* a group of so many is a number by itself: what follows is another thing */
    COUNTRY_MAX = 4,     /* digits before such a group that still belong to it: "+1 8005550100" */
    JOINTS_MAX = 3,      /* separators in a row: " (0) ", " - " */
    NATIONAL_MAX = 10,
    ID_MIN = 16, /* an id's letters and digits, which alternate at least ... */
    ID_TURNS = 3,
};

/* ---- what is no number although it is made of digits ---- */

static size_t run_of(struct span text, size_t at, bool (*belongs)(char))
{
    size_t end = at;
    while (end < text.n && belongs(text.p[end]))
        end++;
    return end - at;
}

static bool ascii_word(char c)
{
    return phone_ascii_digit(c) || phone_ascii_letter(c);
}

static char char_at(struct span text, size_t at)
{
    if (at < text.n)
        return text.p[at];
    return '\0';
}

/* A hash, a SID, 20261122T185050Z: letters and digits take turns. */
static size_t id_at(struct span text, size_t at)
{
    size_t n = run_of(text, at, ascii_word), turns = 0;
    for (size_t i = at + 1; i < at + n; i++)
        turns += phone_ascii_digit(text.p[i]) != phone_ascii_digit(text.p[i - 1]);
    return n >= ID_MIN && turns >= ID_TURNS ? n : 0;
}

static size_t uuid_at(struct span text, size_t at)
{
    static const size_t groups[] = {8, 4, 4, 4, 12};
    size_t end = at;
    for (size_t i = 0; i < 5; i++) {
        if (i > 0 && char_at(text, end++) != '-')
            return 0;
        if (run_of(text, end, ascii_word) != groups[i] || phone_mark_hex(text, end, 4) < 0)
            return 0;
        end += groups[i];
    }
    return end - at;
}

/* A number of `n` digits as it stands there. */
static int decimal(struct span text, size_t at, size_t n)
{
    int value = 0;
    for (size_t i = at; i < at + n; i++)
        value = value * 10 + (text.p[i] - '0');
    return value;
}

static bool is_year(int year)
{
    return year >= 1900 && year < 2100;
}

static bool is_date(int year, int month, int day)
{
    return is_year(year) && month >= 1 && month <= 12 && day >= 1 && day <= 31;
}

/* Whether more of the same kind follows, so that it is another thing. */
static bool goes_on(struct span text, size_t end)
{
    char c = char_at(text, end);
    return phone_ascii_digit(c) ||
           ((c == '-' || c == '.' || c == '/') && phone_ascii_digit(char_at(text, end + 1)));
}

/* 2026-11-22 and 22.11.2026, with "-", "." or "/". */
static size_t date_at(struct span text, size_t at)
{
    size_t first = run_of(text, at, phone_ascii_digit), second_at = at + first + 1;
    if (first == 0 || first > 4 || second_at >= text.n)
        return 0;
    char sign = text.p[second_at - 1];
    size_t second = run_of(text, second_at, phone_ascii_digit), third_at = second_at + second + 1;
    if ((sign != '-' && sign != '.' && sign != '/') || second == 0 || second > 2 ||
        char_at(text, third_at - 1) != sign)
        return 0;
    size_t third = run_of(text, third_at, phone_ascii_digit);
    if (third == 0 || third > 4 || goes_on(text, third_at + third))
        return 0;
    int a = decimal(text, at, first), b = decimal(text, second_at, second);
    int c = decimal(text, third_at, third);
    bool dated = first == 4 ? is_date(a, b, c) : third == 4 && (is_date(c, b, a) || is_date(c, a, b));
    return dated ? third_at + third - at : 0;
}

/* 20261122185050, 1764529850123 (milliseconds since 1970), and within a name 20261122. */
static size_t time_at(struct span text, size_t at, bool in_name)
{
    size_t n = run_of(text, at, phone_ascii_digit);
    if (n == 13)
        return text.p[at] == '1' && text.p[at + 1] >= '5' ? n : 0;
    if (n != 14 && !(n == 8 && in_name))
        return 0;
    bool dated = is_date(decimal(text, at, 4), decimal(text, at + 4, 2), decimal(text, at + 6, 2));
    bool timed = n == 8 || (decimal(text, at + 8, 2) < 24 && decimal(text, at + 10, 2) < 60 &&
                            decimal(text, at + 12, 2) < 60);
    return dated && timed ? n : 0;
}

static size_t ipv4_at(struct span text, size_t at)
{
    size_t end = at;
    for (size_t i = 0; i < 4; i++) {
        if (i > 0 && char_at(text, end++) != '.')
            return 0;
        size_t n = run_of(text, end, phone_ascii_digit);
        if (n == 0 || n > 3 || (n > 1 && text.p[end] == '0') || decimal(text, end, n) > 255)
            return 0;
        end += n;
    }
    return goes_on(text, end) ? 0 : end - at;
}

/* An amount, seconds, a coordinate: 1234567.89, 0.0065, 36.8219462. */
static size_t decimal_at(struct span text, size_t at)
{
    size_t whole = run_of(text, at, phone_ascii_digit), dot = at + whole;
    size_t part = char_at(text, dot) == '.' ? run_of(text, dot + 1, phone_ascii_digit) : 0;
    if (whole == 0 || part == 0 || (whole > 1 && text.p[at] == '0') || goes_on(text, dot + 1 + part))
        return 0;
    return whole <= 2 || part <= 2 ? whole + 1 + part : 0;
}

static bool joins_a_name(char c)
{
    return phone_ascii_letter(c) || c == '-' || c == '_';
}

/* Bytes from `at` that are certainly no number; 0 where there are none. `before`: the character before, as it
 * is meant ("+" of "%2B"); 0 for none and for one that is not ASCII. */
static size_t kept_at(struct span text, size_t at, char before)
{
    size_t n = 0;
    if (ascii_word(text.p[at]) && !ascii_word(before) && (n = uuid_at(text, at)) == 0)
        n = id_at(text, at);
    if (n > 0 || !phone_ascii_digit(text.p[at]) || phone_ascii_digit(before))
        return n;
    size_t run = run_of(text, at, phone_ascii_digit);
    if (run <= 4 && at >= 4 && memcmp(text.p + at - 4, "****", 4) == 0)
        return run; /* what is left of a masked number */
    bool in_name = joins_a_name(before) || joins_a_name(char_at(text, at + run));
    if ((n = time_at(text, at, in_name)) == 0 && (n = date_at(text, at)) == 0 && (n = ipv4_at(text, at)) == 0)
        n = decimal_at(text, at);
    return n;
}

/* ---- numbers ---- */

struct number {
    size_t end; /* behind its last digit */
    size_t digits, groups;
    bool plus;
    bool led;    /* by "+" or 0 */
    bool dashed; /* a dash or a dot between its groups */
    bool by_thousands;
};

/* Digits in a row, with what nobody sees between them; `end` comes behind the last one. */
static size_t group_at(struct span text, size_t at, size_t *end)
{
    size_t digits = 0;
    while (at < text.n) {
        struct phone_mark mark = phone_mark_at(text, at);
        if (mark.kind != MARK_DIGIT && mark.kind != MARK_INVISIBLE)
            break;
        at += mark.n;
        if (mark.kind == MARK_INVISIBLE)
            continue;
        digits++;
        *end = at;
    }
    return digits;
}

/* What stands between two groups. */
struct gap {
    bool dashed; /* a dash or a dot */
    bool weak;
};

/* Where the next group begins, 0 where none follows that could belong to the number. */
static size_t next_group(struct span text, const struct number *number, struct gap *gap)
{
    size_t at = number->end, joints = 0, dots = 0;
    bool opened = false;
    *gap = (struct gap){0};
    for (; at < text.n; joints++) {
        struct phone_mark mark = phone_mark_at(text, at);
        if (mark.kind == MARK_DIGIT)
            break;
        if (mark.kind == MARK_OTHER || mark.kind == MARK_LETTER)
            return 0;
        /* A form's blank, right behind a digit; elsewhere another number begins. */
        if (mark.kind == MARK_PLUS && (joints > 0 || number->digits == 0))
            return 0;
        at += mark.n;
        if (mark.kind == MARK_INVISIBLE)
            joints--;
        gap->weak |= mark.kind == MARK_WEAK_JOINT;
        dots += mark.c == '.';
        opened |= mark.c == '(' || mark.c == '[';
        gap->dashed |= mark.c == '-' || mark.c == '.';
    }
    /* ". " ends a sentence, ", " stands in a list, an area code is not at the end. */
    bool apart = (gap->weak && !number->led) || (joints > 1 && (gap->weak || dots > 0)) ||
                 (opened && number->digits >= DIGITS_MIN);
    return at < text.n && joints <= JOINTS_MAX && !apart ? at : 0;
}

static bool belongs(const struct number *number, const struct gap *gap, size_t digits)
{
    if (gap->weak && digits == 1 && number->digits >= DIGITS_MIN)
        return false; /* a path goes on */
    size_t most = number->led ? DIGITS_MAX + 2 : DIGITS_MAX;
    if (number->digits + digits > most || (number->groups == 1 && number->digits >= COMPLETE))
        return false;
    return digits < COMPLETE || (number->led && number->digits <= COUNTRY_MAX);
}

/* The longest that could be one number, from `at`: its plus or first digit. False where there are no
 * digits. */
static bool measure(struct span text, size_t at, struct number *number)
{
    struct phone_mark mark = phone_mark_at(text, at);
    struct gap gap = {0};
    *number = (struct number){.end = at, .plus = mark.kind == MARK_PLUS, .by_thousands = true};
    if (mark.kind == MARK_PLUS) {
        number->end = at + mark.n;
        at = next_group(text, number, &gap);
        if (at == 0)
            return false;
        mark = phone_mark_at(text, at);
    }
    number->led = number->plus || (mark.kind == MARK_DIGIT && mark.digit == 0);
    size_t digits = group_at(text, at, &number->end);
    gap = (struct gap){0};
    while (digits > 0) {
        number->by_thousands &= number->groups == 0 ? digits < 3 : digits == 3;
        number->digits += digits;
        number->groups++;
        number->dashed |= gap.dashed;
        at = next_group(text, number, &gap);
        size_t end = number->end;
        digits = at > 0 ? group_at(text, at, &end) : 0;
        if (digits == 0 || !belongs(number, &gap, digits))
            break;
        number->end = end;
    }
    return number->groups > 0;
}

static bool is_number(struct span text, char before, const struct number *number)
{
    if (number->digits < DIGITS_MIN)
        return false;
    if (number->plus)
        return true;
    bool in_name = joins_a_name(before) || joins_a_name(char_at(text, number->end));
    if (in_name && number->digits <= NAME_DIGITS_MAX)
        return false;
    if (number->groups == 1 || number->led || number->digits >= BROKEN_MIN)
        return true;
    return (number->groups > 2 || number->dashed) && !number->by_thousands;
}

static void add_number(struct buf *b, struct span written, const struct number *number,
                       enum phone_shown shown, struct span key)
{
    struct buf e164;
    buf_init(&e164, written.n + 1);
    if (number->plus)
        buf_addc(&e164, '+');
    for (size_t at = 0; at < written.n;) {
        struct phone_mark mark = phone_mark_at(written, at);
        at += mark.n;
        if (mark.kind == MARK_DIGIT)
            buf_addc(&e164, (char)('0' + mark.digit));
    }
    struct span digits = buf_span(&e164);
    bool abroad = digits.n > NATIONAL_MAX + 2 && digits.p[0] == '0' && digits.p[1] == '0';
    if (abroad) {
        e164.p[1] = '+';
        digits = span_of(digits.p + 1, digits.n - 1);
    }
    if (shown == PHONE_MASK && !number->plus && !abroad && digits.n <= NATIONAL_MAX)
        buf_addf(b, "****%.2s", digits.p + digits.n - 2);
    else
        phone_add_shown(b, digits, shown, key);
    buf_done(&e164);
}

/* Most text has too few digits for any number: seen in one quick pass. A digit outside ASCII is two bytes or
 * more, an escaped one holds at least one ASCII digit. */
static bool may_hold_number(struct span text)
{
    size_t digits = 0, high = 0;
    for (size_t i = 0; i < text.n; i++) {
        digits += (unsigned char)(text.p[i] - '0') < 10;
        high += (unsigned char)text.p[i] >> 7;
    }
    return digits + high / 2 >= DIGITS_MIN;
}

/* How far what begins at `at` and is no number goes, up to where one could begin. */
static size_t other_at(struct span text, size_t at, struct phone_mark mark)
{
    size_t end = at + mark.n;
    if (mark.kind == MARK_DIGIT)
        (void)group_at(text, at, &end);
    return end - at;
}

void phone_add_masked_text(struct buf *b, struct span text, enum phone_shown shown, struct span key)
{
    char before = '\0';
    if (shown == PHONE_PLAIN || !may_hold_number(text)) {
        buf_addspan(b, text);
        return;
    }
    for (size_t at = 0, n; at < text.n; at += n) {
        struct number number;
        struct phone_mark mark = phone_mark_at(text, at);
        n = kept_at(text, at, before);
        if (n == 0 && (mark.kind == MARK_DIGIT || mark.kind == MARK_PLUS) && measure(text, at, &number) &&
            is_number(text, before, &number)) {
            n = number.end - at;
            add_number(b, span_of(text.p + at, n), &number, shown, key);
        } else {
            if (n == 0)
                n = other_at(text, at, mark);
            buf_add(b, text.p + at, n);
        }
        before = mark.c;
        if (n > mark.n)
            before = text.p[at + n - 1];
    }
}
