/* template_string.c - what Python's str does, in code points, with the marks of user input kept on their bytes. */
#include "model/template_int.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

size_t tpl_char(const char *p, size_t n, uint32_t *cp) {
    int k = slx_utf8_get(p, p + n, cp);
    if (k > 0) return (size_t)k;
    *cp = 0xfffd;
    return 1;
}

bool tpl_is_space(uint32_t cp) {
    if (cp < 0x80) return cp == ' ' || (cp >= 9 && cp <= 13) || (cp >= 0x1c && cp <= 0x1f);
    return cp == 0x85 || cp == 0xa0 || cp == 0x1680 || (cp >= 0x2000 && cp <= 0x200a) || cp == 0x2028 ||
           cp == 0x2029 || cp == 0x202f || cp == 0x205f || cp == 0x3000;
}

size_t tpl_cp_count(const char *p, size_t n) {
    size_t count = 0;
    for (size_t i = 0; i < n; i++) count += ((unsigned char)p[i] & 0xc0) != 0x80;
    return count;
}

size_t tpl_cp_offset(const tpl_str *s, size_t cp) {
    size_t i = 0;
    for (; i < s->n; i++)
        if (((unsigned char)s->p[i] & 0xc0) != 0x80 && cp-- == 0) break;
    return i;
}

size_t tpl_find(tpl_run *r, const tpl_str *s, const tpl_str *what, size_t from) {
    if (from > s->n || what->n > s->n - from) return SIZE_MAX;
    if (!what->n) return from;
    const char *hit = memmem(s->p + from, s->n - from, what->p, what->n);
    tpl_cost(r, hit ? (size_t)(hit - s->p) - from : s->n - from);
    return hit ? (size_t)(hit - s->p) : SIZE_MAX;
}

/* ------------------------------------------------------------------ case */

/* Simple case mapping of Latin, Greek, Cyrillic and Armenian; other scripts have no case or stay as they are. */
static uint32_t upper_of(uint32_t c) {
    if (c < 0x80) return c >= 'a' && c <= 'z' ? c - 32 : c;
    if (c == 0xb5) return 0x39c;
    if (c >= 0xe0 && c <= 0xfe && c != 0xf7) return c - 32;
    if (c == 0xff) return 0x178;
    if (c == 0x131) return 'I';
    if (c == 0x17f) return 'S';
    if ((c >= 0x100 && c <= 0x137) || (c >= 0x14a && c <= 0x177) || (c >= 0x1e00 && c <= 0x1e95) ||
        (c >= 0x1ea0 && c <= 0x1eff) || (c >= 0x460 && c <= 0x481) || (c >= 0x48a && c <= 0x4bf) ||
        (c >= 0x4d0 && c <= 0x52f))
        return c & 1 ? c - 1 : c;
    if ((c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17e) || (c >= 0x4c1 && c <= 0x4ce))
        return c & 1 ? c : c - 1;
    if (c == 0x3ac) return 0x386;
    if (c >= 0x3ad && c <= 0x3af) return c - 37;
    if (c == 0x3c2) return 0x3a3;
    if (c >= 0x3b1 && c <= 0x3cb) return c - 32;
    if (c == 0x3cc) return 0x38c;
    if (c == 0x3cd || c == 0x3ce) return c - 63;
    if (c >= 0x430 && c <= 0x44f) return c - 32;
    if (c >= 0x450 && c <= 0x45f) return c - 80;
    if (c == 0x4cf) return 0x4c0;
    if (c >= 0x561 && c <= 0x586) return c - 48;
    return c;
}

static uint32_t lower_of(uint32_t c) {
    if (c < 0x80) return c >= 'A' && c <= 'Z' ? c + 32 : c;
    if (c >= 0xc0 && c <= 0xde && c != 0xd7) return c + 32;
    if (c == 0x178) return 0xff;
    if ((c >= 0x100 && c <= 0x137 && c != 0x130) || (c >= 0x14a && c <= 0x177) || (c >= 0x1e00 && c <= 0x1e95) ||
        (c >= 0x1ea0 && c <= 0x1eff) || (c >= 0x460 && c <= 0x481) || (c >= 0x48a && c <= 0x4bf) ||
        (c >= 0x4d0 && c <= 0x52f))
        return c & 1 ? c : c + 1;
    if ((c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17e) || (c >= 0x4c1 && c <= 0x4ce))
        return c & 1 ? c + 1 : c;
    if (c == 0x386) return 0x3ac;
    if (c >= 0x388 && c <= 0x38a) return c + 37;
    if (c == 0x38c) return 0x3cc;
    if (c == 0x38e || c == 0x38f) return c + 63;
    if (c >= 0x391 && c <= 0x3ab && c != 0x3a2) return c + 32;
    if (c >= 0x400 && c <= 0x40f) return c + 80;
    if (c >= 0x410 && c <= 0x42f) return c + 32;
    if (c == 0x4c0) return 0x4cf;
    if (c >= 0x531 && c <= 0x556) return c + 48;
    return c;
}

static bool cased(uint32_t c) { return upper_of(c) != c || lower_of(c) != c || c == 0xdf; }

/* A sigma that ends a word is written differently. */
static bool final_sigma(const tpl_str *s, size_t i, bool after_letter) {
    uint32_t cp = 0;
    if (i < s->n) tpl_char(s->p + i, s->n - i, &cp);
    return after_letter && !cased(cp);
}

tpl_value tpl_recase(tpl_run *r, const tpl_str *s, tpl_case c) {
    tpl_sink out;
    tpl_sink_init(r, &out, s->n);
    bool in_word = false;
    for (size_t i = 0, k; i < s->n; i += k) {
        uint32_t cp;
        k = tpl_char(s->p + i, s->n - i, &cp);
        bool mark = s->m && s->m[i];
        bool up = c == TPL_UPPER || (c == TPL_TITLE && !in_word) || (c == TPL_CAPITALIZE && i == 0);
        if (up && cp == 0xdf) tpl_put(r, &out, c == TPL_UPPER ? "SS" : "Ss", 2, mark);
        else if (!up && cp == 0x130) {
            tpl_put_cp(r, &out, 'i', mark);
            tpl_put_cp(r, &out, 0x307, mark);
        } else if (!up && cp == 0x3a3 && final_sigma(s, i + k, in_word)) tpl_put_cp(r, &out, 0x3c2, mark);
        else if (cp == 0xfffd) tpl_put_part(r, &out, s, i, i + k);
        else tpl_put_cp(r, &out, up ? upper_of(cp) : lower_of(cp), mark);
        in_word = cased(cp);
    }
    return tpl_sink_value(r, &out);
}

/* ------------------------------------------------------------------ cutting and joining */

static bool in_chars(const tpl_str *chars, uint32_t cp) {
    for (size_t i = 0, k; i < chars->n; i += k) {
        uint32_t c;
        k = tpl_char(chars->p + i, chars->n - i, &c);
        if (c == cp) return true;
    }
    return false;
}

tpl_value tpl_strip(tpl_run *r, const tpl_str *s, const tpl_str *chars, bool left, bool right) {
    size_t from = 0, to = s->n;
    uint32_t cp;
    size_t each = chars ? chars->n + 1 : 1;
    while (left && from < to) {
        size_t k = tpl_char(s->p + from, to - from, &cp);
        if (!(chars ? in_chars(chars, cp) : tpl_is_space(cp))) break;
        from += k;
        tpl_cost(r, each);
    }
    while (right && to > from) {
        size_t k = to - 1;
        while (k > from && ((unsigned char)s->p[k] & 0xc0) == 0x80) k--;
        tpl_char(s->p + k, to - k, &cp);
        if (!(chars ? in_chars(chars, cp) : tpl_is_space(cp))) break;
        to = k;
        tpl_cost(r, each);
    }
    return tpl_part(r, s, from, to);
}

tpl_value tpl_replace(tpl_run *r, const tpl_str *s, const tpl_str *old, const tpl_str *with, int64_t count) {
    tpl_sink out;
    tpl_sink_init(r, &out, s->n);
    size_t i = 0;
    if (count < 0) count = INT64_MAX;
    if (!old->n) { /* before every code point and at the end */
        while (count-- > 0) {
            tpl_put_str(r, &out, with);
            tpl_cost(r, 16);
            if (i >= s->n) return tpl_sink_value(r, &out);
            uint32_t cp;
            size_t k = tpl_char(s->p + i, s->n - i, &cp);
            tpl_put_part(r, &out, s, i, i + k);
            i += k;
        }
    } else {
        for (size_t hit; count-- > 0 && (hit = tpl_find(r, s, old, i)) != SIZE_MAX; i = hit + old->n) {
            tpl_put_part(r, &out, s, i, hit);
            tpl_put_str(r, &out, with);
            tpl_cost(r, 16);
        }
    }
    tpl_put_part(r, &out, s, i, s->n);
    return tpl_sink_value(r, &out);
}

static void reverse(tpl_list *l) {
    for (size_t i = 0, k = l->n; i + 1 < k; i++) {
        tpl_value v = l->v[i];
        l->v[i] = l->v[--k];
        l->v[k] = v;
    }
}

/* Start of the code point that ends at byte `to`. */
static size_t back(const tpl_str *s, size_t to, uint32_t *cp) {
    size_t k = to - 1;
    while (k > 0 && ((unsigned char)s->p[k] & 0xc0) == 0x80) k--;
    tpl_char(s->p + k, to - k, cp);
    return k;
}

static void split_space(tpl_run *r, const tpl_str *s, int64_t max, bool from_right, tpl_list *l) {
    size_t from = 0, to = s->n;
    for (;;) {
        tpl_value rest = tpl_strip(r, s, NULL, !from_right, from_right);
        from = (size_t)(rest.u.s->p - s->p);
        to = from + rest.u.s->n;
        if (from == to) return;
        if (max-- == 0) { /* the rest keeps its blanks, those at its far end too */
            tpl_list_add(r, l, rest);
            return;
        }
        size_t i = from_right ? to : from;
        uint32_t cp;
        while (from_right ? i > from : i < to) {
            size_t k = from_right ? i - back(s, i, &cp) : tpl_char(s->p + i, to - i, &cp);
            if (tpl_is_space(cp)) break;
            i = from_right ? i - k : i + k;
        }
        tpl_cost(r, to - from > 64 ? 64 : to - from);
        tpl_list_add(r, l, from_right ? tpl_part(r, s, i, to) : tpl_part(r, s, from, i));
        tpl_value left = from_right ? tpl_part(r, s, 0, i) : tpl_part(r, s, i, s->n);
        tpl_str *cut = tpl_alloc(r, sizeof *cut);
        *cut = *left.u.s;
        s = cut;
    }
}

static size_t find_last(tpl_run *r, const tpl_str *s, const tpl_str *what, size_t end) {
    if (what->n > end) return SIZE_MAX;
    for (size_t i = end - what->n + 1; i-- > 0;) {
        tpl_cost(r, 1);
        if (!memcmp(s->p + i, what->p, what->n)) return i;
    }
    return SIZE_MAX;
}

tpl_value tpl_split(tpl_run *r, const tpl_str *s, const tpl_str *sep, int64_t max, bool from_right) {
    tpl_value v = tpl_list_new(r, TPL_F_LIST, 4);
    tpl_list *l = v.u.l;
    if (max < 0) max = INT64_MAX;
    if (!sep) {
        split_space(r, s, max, from_right, l);
    } else if (!sep->n) {
        tpl_error(r, "found an empty separator");
    } else if (from_right) {
        size_t end = s->n, hit;
        while (max-- > 0 && (hit = find_last(r, s, sep, end)) != SIZE_MAX) {
            tpl_list_add(r, l, tpl_part(r, s, hit + sep->n, end));
            end = hit;
        }
        tpl_list_add(r, l, tpl_part(r, s, 0, end));
    } else {
        size_t i = 0, hit;
        while (max-- > 0 && (hit = tpl_find(r, s, sep, i)) != SIZE_MAX) {
            tpl_list_add(r, l, tpl_part(r, s, i, hit));
            i = hit + sep->n;
        }
        tpl_list_add(r, l, tpl_part(r, s, i, s->n));
    }
    if (from_right) reverse(l);
    return v;
}

tpl_value tpl_splitlines(tpl_run *r, const tpl_str *s, bool keep_ends) {
    tpl_value v = tpl_list_new(r, TPL_F_LIST, 4);
    size_t from = 0;
    for (size_t i = 0, k; i < s->n; i += k) {
        uint32_t cp;
        k = tpl_char(s->p + i, s->n - i, &cp);
        if (!((cp >= 10 && cp <= 13) || (cp >= 0x1c && cp <= 0x1e) || cp == 0x85 || cp == 0x2028 || cp == 0x2029))
            continue;
        if (cp == '\r' && i + 1 < s->n && s->p[i + 1] == '\n') k = 2;
        tpl_list_add(r, v.u.l, tpl_part(r, s, from, keep_ends ? i + k : i));
        from = i + k;
    }
    tpl_cost(r, s->n);
    if (from < s->n) tpl_list_add(r, v.u.l, tpl_part(r, s, from, s->n));
    return v;
}

tpl_value tpl_join(tpl_run *r, const tpl_str *sep, const tpl_list *l, bool only_strings) {
    tpl_sink out;
    tpl_sink_init(r, &out, 64);
    for (size_t i = 0; i < l->n; i++) {
        if (only_strings && l->v[i].kind != TPL_STR)
            tpl_error(r, "found %s at index %zu of the joined list, expected str", tpl_type(l->v[i]), i);
        if (i) tpl_put_str(r, &out, sep);
        tpl_put_str(r, &out, tpl_to_str(r, l->v[i]));
        tpl_cost(r, 16);
    }
    return tpl_sink_value(r, &out);
}

tpl_value tpl_repeat(tpl_run *r, const tpl_str *s, int64_t n) {
    if (n < 0 || !s->n) n = 0;
    if (n && (uint64_t)n > TPL_MAX_OUT / s->n) tpl_error(r, "found a string of more than %zu bytes", TPL_MAX_OUT);
    tpl_sink out;
    tpl_sink_init(r, &out, s->n * (size_t)n);
    while (n-- > 0) {
        tpl_put_str(r, &out, s);
        tpl_cost(r, 1);
    }
    return tpl_sink_value(r, &out);
}

/* ------------------------------------------------------------------ numbers in strings */

bool tpl_parse_int(tpl_run *r, const tpl_str *s, int base, int64_t *out) {
    const tpl_str *t = tpl_strip(r, s, NULL, true, true).u.s;
    size_t i = 0;
    bool neg = false;
    if (i < t->n && (t->p[i] == '-' || t->p[i] == '+')) neg = t->p[i++] == '-';
    if ((base == 16 || base == 8 || base == 2) && i + 1 < t->n && t->p[i] == '0' &&
        (t->p[i + 1] | 32) == (base == 16 ? 'x' : base == 8 ? 'o' : 'b'))
        i += 2;
    if (i >= t->n) return false;
    int64_t v = 0;
    bool digit = false; /* an underscore may stand between two digits */
    for (; i < t->n; i++) {
        char c = t->p[i], low = (char)(c | 32);
        if (c == '_' && digit) {
            digit = false;
            continue;
        }
        int d = c >= '0' && c <= '9' ? c - '0' : low >= 'a' && low <= 'z' ? low - 'a' + 10 : 99;
        if (d >= base) return false;
        if (__builtin_mul_overflow(v, (int64_t)base, &v) || __builtin_sub_overflow(v, (int64_t)d, &v))
            tpl_error(r, "found an integer of more than 64 bits");
        digit = true;
    }
    if (!digit) return false;
    if (!neg && v == INT64_MIN) tpl_error(r, "found an integer of more than 64 bits");
    *out = neg ? v : -v;
    return true;
}

bool tpl_parse_float(const tpl_str *s, double *out) {
    size_t from = 0, to = s->n;
    while (from < to && tpl_is_space((unsigned char)s->p[from])) from++;
    while (to > from && tpl_is_space((unsigned char)s->p[to - 1])) to--;
    char buf[400];
    size_t n = 0;
    for (size_t i = from; i < to; i++) {
        char c = s->p[i];
        if (c == '_') {
            bool between = i > from && i + 1 < to && s->p[i - 1] >= '0' && s->p[i - 1] <= '9' &&
                           s->p[i + 1] >= '0' && s->p[i + 1] <= '9';
            if (!between) return false;
            continue;
        }
        if (n + 1 == sizeof buf) return false;
        buf[n++] = c;
    }
    buf[n] = 0;
    const char *word = buf + (buf[0] == '-' || buf[0] == '+');
    static const char *const words[] = {"inf", "infinity", "nan"};
    for (size_t i = 0; i < 3; i++)
        if (!strcasecmp(word, words[i])) {
            *out = (buf[0] == '-' ? -1.0 : 1.0) * (i < 2 ? INFINITY : NAN);
            return true;
        }
    if (!n || strspn(buf, "0123456789+-.eE") != n) return false; /* no hexadecimal */
    char *end;
    *out = strtod(buf, &end);
    return *end == 0;
}
