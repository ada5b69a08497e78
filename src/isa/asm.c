/* asm.c - assembly text to a program: lines, labels, directives. The instructions' form is in print.c.
 *
 *   [label:] [INSTRUCTION | .directive] [# comment]
 *   .equ NAME expression                       a name for a number; .region defines its name as its base
 *   .info .desc .region .group .weight .span   key=value ..., the fields of program_fields.c; left out = 0
 *   .entry LABEL   .function LABEL             where a step starts (default: the first instruction); CALL 0, 1, ...
 *   .word w0, .., w7                           one instruction by its words
 *   A .span without pc= starts at the next instruction; a .desc with capacities alone is laid out.
 */
#include "isa/asm_int.h"

#include <stdlib.h>
#include <string.h>

uint32_t slx_asm_pc(const slx_asm_state *s)
{
    return (uint32_t)(s->insns.len / sizeof(slx_insn));
}

/* ------------------------------------------------------------------ labels */

static slx_asm_place here(const slx_asm_state *s, const char *at)
{
    return (slx_asm_place){s->line, at, s->line_no};
}

static slx_status fail_at(slx_asm_state *s, slx_asm_place p, const char *what, slx_str name,
                          const char *want)
{
    s->line = p.line;
    s->line_no = p.line_no;
    return slx_asm_fail(s, p.at, "%s %.*s, expected %s", what, (int)(name.len < 80 ? name.len : 80),
                        name.ptr, want);
}

void slx_asm_fixup_add(slx_asm_state *s, slx_asm_fix what, uint32_t index, slx_str label)
{
    slx_asm_fixup f = {what, index, label, here(s, label.ptr)};
    slx_buf_add(&s->fixups, &f, sizeof f);
}

static int by_name(const void *a, const void *b)
{
    const slx_asm_label *x = a, *y = b;
    size_t n = x->name.len < y->name.len ? x->name.len : y->name.len;
    int c = n ? memcmp(x->name.ptr, y->name.ptr, n) : 0;
    if (c) return c;
    return x->name.len < y->name.len ? -1 : x->name.len > y->name.len;
}

static int by_name_and_place(const void *a, const void *b)
{
    const slx_asm_label *x = a, *y = b;
    int c = by_name(a, b);
    return c ? c : x->name.ptr < y->name.ptr ? -1 : x->name.ptr > y->name.ptr;
}

static slx_status resolve(slx_asm_state *s)
{
    slx_asm_label *labels = (slx_asm_label *)(void *)s->labels.ptr;
    size_t n = s->labels.len / sizeof *labels, n_fix = s->fixups.len / sizeof(slx_asm_fixup);
    if (n) qsort(labels, n, sizeof *labels, by_name_and_place);
    for (size_t i = 1; i < n; i++)
        if (!by_name(&labels[i - 1], &labels[i]))
            return fail_at(s, labels[i].place, "found a second label", labels[i].name,
                           "each name once");
    slx_insn *insns = (slx_insn *)(void *)s->insns.ptr;
    for (size_t i = 0; i < n_fix; i++) {
        const slx_asm_fixup *f = (const slx_asm_fixup *)(void *)s->fixups.ptr + i;
        slx_asm_label key = {.name = f->label};
        const slx_asm_label *l = n ? bsearch(&key, labels, n, sizeof *labels, by_name) : NULL;
        if (!l)
            return fail_at(s, f->place, "found the unknown label", f->label, "one of this file");
        switch (f->what) {
        case SLX_FIX_BR: insns[f->index].w[4] = l->pc; break;
        case SLX_FIX_LOOP:
            if (l->pc <= f->index)
                return fail_at(s, f->place, "found the earlier label", f->label,
                               "one behind the loop's last instruction");
            insns[f->index].w[3] = l->pc - (f->index + 1);
            break;
        case SLX_FIX_ENTRY: s->entry_step = l->pc; break;
        case SLX_FIX_FUNCTION: ((uint32_t *)(void *)s->functions.ptr)[f->index] = l->pc; break;
        }
    }
    return SLX_OK;
}

/* ------------------------------------------------------------------ records */

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'                 ? c - '0'
           : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
                                                : -1;
}

static slx_status string(slx_asm_state *s, char *out, size_t size)
{
    SLX_TRY(slx_asm_expect(s, '"', "before the text"));
    const char *from = s->at - 1;
    size_t n = 0;
    memset(out, 0, size);
    for (;; s->at++) {
        if (s->at == s->end || *s->at == '\n')
            return slx_asm_fail(s, from, "found a text without end, expected '\"'");
        char c = *s->at;
        if (c == '"') break;
        if (c == '\\') {
            s->at++;
            char e = s->at < s->end ? *s->at : 0;
            bool hex = e == 'x' && s->end - s->at > 2 && hex_digit(s->at[1]) >= 0 &&
                       hex_digit(s->at[2]) >= 0;
            if (!hex && e != '"' && e != '\\')
                return slx_asm_fail(s, s->at - 1,
                                    "found an unknown escape, expected \\\", \\\\ or \\xNN");
            c = hex ? (char)(hex_digit(s->at[1]) * 16 + hex_digit(s->at[2])) : e;
            if (hex) s->at += 2;
        }
        if (n + 1 >= size)
            return slx_asm_fail(s, from, "found a text of more than %zu bytes", size - 1);
        if (!c) return slx_asm_fail(s, s->at, "found a zero byte in a text, expected none");
        out[n++] = c;
    }
    s->at++;
    return SLX_OK;
}

static slx_status named_code(slx_asm_state *s, const slx_field *f, uint32_t *v)
{
    slx_asm_blanks(s);
    const char *at = s->at;
    slx_str w = slx_asm_word(s);
    int c = slx_field_code_of(f->type, w.ptr, w.len);
    if (c >= 0) {
        *v = (uint32_t)c;
        return SLX_OK;
    }
    if (!w.len) return slx_asm_u32(s, UINT32_MAX, f->name, v);
    char all[160] = "";
    for (uint32_t i = 0; i < 64; i++) {
        size_t len = strlen(all);
        const char *name = slx_field_name_of(f->type, i);
        if (name) snprintf(all + len, sizeof all - len, "%s%s", len ? " " : "", name);
    }
    return slx_asm_fail(s, at, "found %.*s, expected a %s: %s", (int)w.len, w.ptr, f->name, all);
}

/* n: how many values a list had. */
static slx_status field(slx_asm_state *s, const slx_field *f, char *to, uint32_t *n)
{
    uint32_t v32 = 0;
    switch (f->type) {
    case SLX_FIELD_STR: return string(s, to, f->size);
    case SLX_FIELD_U32: SLX_TRY(slx_asm_u32(s, UINT32_MAX, f->name, &v32)); break;
    case SLX_FIELD_F32: SLX_TRY(slx_asm_f32(s, &v32)); break;
    case SLX_FIELD_REGION_KIND:
    case SLX_FIELD_LAYOUT:
    case SLX_FIELD_FMT: SLX_TRY(named_code(s, f, &v32)); break;
    case SLX_FIELD_U64:
    case SLX_FIELD_U64S: {
        uint32_t most = f->size / 8u;
        *n = 0;
        do {
            uint64_t v;
            if (*n == most)
                return slx_asm_fail(s, s->at, "found more than %u values of %s", most, f->name);
            SLX_TRY(slx_asm_expr(s, &v));
            memcpy(to + 8 * (*n)++, &v, 8);
        } while (most > 1 && slx_asm_take(s, ','));
        return SLX_OK;
    }
    }
    memcpy(to, &v32, 4);
    return SLX_OK;
}

/* key=value ... to the end of the line. given: bit i for field i. */
static slx_status record(slx_asm_state *s, const slx_record *r, void *data, uint64_t *given,
                         uint32_t *n_list)
{
    *given = 0;
    while (!slx_asm_line_over(s)) {
        const char *at = s->at;
        slx_str w = slx_asm_word(s);
        int i = 0;
        while (i < r->n_fields && !slx_str_is(w, r->field[i].name)) i++;
        if (i == r->n_fields) {
            const char *names[64];
            char text[32] = "";
            for (int k = 0; k < r->n_fields; k++) names[k] = r->field[k].name;
            memcpy(text, w.ptr, w.len < sizeof text ? w.len : sizeof text - 1);
            const char *near = slx_nearest(text, names, r->n_fields);
            slx_str f = slx_asm_found(s, at);
            return slx_asm_fail(s, at, "found %.*s, expected a key of .%s%s%s%s", (int)f.len, f.ptr,
                                r->name, near ? ": did you mean " : "", near ? near : "",
                                near ? "?" : "");
        }
        if (*given >> i & 1)
            return slx_asm_fail(s, at, "found %s twice, expected it once", r->field[i].name);
        *given |= UINT64_C(1) << i;
        SLX_TRY(slx_asm_expect(s, '=', "after the key"));
        uint32_t n = 0;
        SLX_TRY(field(s, &r->field[i], (char *)data + r->field[i].at, &n));
        if (r->field[i].type == SLX_FIELD_U64S) *n_list = n;
    }
    return SLX_OK;
}

/* ------------------------------------------------------------------ directives */

static slx_status span(slx_asm_state *s)
{
    slx_span v = {.pc = slx_asm_pc(s)};
    uint64_t given;
    uint32_t n = 0;
    SLX_TRY(record(s, &slx_rec_span, &v, &given, &n));
    if (n > v.n_param) v.n_param = n;
    slx_buf_add(&s->spans, &v, sizeof v);
    return SLX_OK;
}

static slx_status region(slx_asm_state *s, const char *at)
{
    slx_region v = {0};
    uint64_t given;
    uint32_t n;
    SLX_TRY(record(s, &slx_rec_region, &v, &given, &n));
    if (!v.name[0])
        return slx_asm_fail(s, at, "found a region without a name, expected name=\"...\"");
    slx_buf_add(&s->regions, &v, sizeof v);
    unsigned r;
    slx_str name = slx_str_c(v.name);
    bool word = !(name.ptr[0] >= '0' && name.ptr[0] <= '9') && !slx_asm_is_register(name, &r);
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i], low = (char)(c | 32);
        word = word && ((low >= 'a' && low <= 'z') || c == '_' || (c >= '0' && c <= '9'));
    }
    if (!word || slx_asm_symbol_find(s, name)) return SLX_OK;
    /* the name must outlive this call: it stands in the text */
    const char *text = memmem(at, (size_t)(s->at - at), name.ptr, name.len);
    return text ? slx_asm_define(s, (slx_str){text, name.len}, v.base, at) : SLX_OK;
}

static slx_status equ(slx_asm_state *s)
{
    slx_str name = slx_asm_word(s);
    uint64_t v;
    if (!name.len) return slx_asm_fail(s, s->at, "found no name, expected .equ NAME number");
    SLX_TRY(slx_asm_expr(s, &v));
    return slx_asm_define(s, name, v, name.ptr);
}

static slx_status entry(slx_asm_state *s, bool function)
{
    slx_asm_blanks(s);
    const char *at = s->at;
    slx_str label = slx_asm_word(s);
    if (!label.len) return slx_asm_fail(s, at, "found no label, expected one of this file");
    if (!function && s->has_entry)
        return slx_asm_fail(s, at, "found a second .entry, expected one");
    if (!function) {
        s->has_entry = true;
        slx_asm_fixup_add(s, SLX_FIX_ENTRY, 0, label);
        return SLX_OK;
    }
    uint32_t zero = 0;
    slx_asm_fixup_add(s, SLX_FIX_FUNCTION, (uint32_t)(s->functions.len / sizeof zero), label);
    slx_buf_add(&s->functions, &zero, sizeof zero);
    return SLX_OK;
}

static slx_status word(slx_asm_state *s, const char *at)
{
    slx_insn i;
    char why[256];
    for (int k = 0; k < SLX_INSN_WORDS; k++) {
        if (k) SLX_TRY(slx_asm_expect(s, ',', "between the eight words"));
        SLX_TRY(slx_asm_u32(s, UINT32_MAX, "the word", &i.w[k]));
    }
    if (slx_insn_check(&i, why)) return slx_asm_fail(s, at, "%s", why);
    slx_buf_add(&s->insns, &i, sizeof i);
    return SLX_OK;
}

static slx_status directive(slx_asm_state *s)
{
    const char *at = s->at++;
    slx_str w = slx_asm_word(s);
    uint64_t given;
    uint32_t n;
    if (slx_str_is(w, "equ")) return equ(s);
    if (slx_str_is(w, "entry")) return entry(s, false);
    if (slx_str_is(w, "function")) return entry(s, true);
    if (slx_str_is(w, "word")) return word(s, at);
    if (slx_str_is(w, "info")) return record(s, &slx_rec_info, &s->info, &given, &n);
    if (slx_str_is(w, "desc")) return record(s, &slx_rec_desc, &s->info.desc, &given, &n);
    if (slx_str_is(w, "region")) return region(s, at);
    if (slx_str_is(w, "span")) return span(s);
    if (slx_str_is(w, "group")) {
        struct slx_group v = {.count = 0};
        SLX_TRY(record(s, &slx_rec_group, &v, &given, &n));
        slx_buf_add(&s->groups, &v, sizeof v);
        return SLX_OK;
    }
    if (slx_str_is(w, "weight")) {
        slx_weight v = {.n = 0};
        SLX_TRY(record(s, &slx_rec_weight, &v, &given, &n));
        slx_buf_add(&s->weights, &v, sizeof v);
        return SLX_OK;
    }
    slx_str f = slx_asm_found(s, at + 1);
    return slx_asm_fail(s, at,
                        "found .%.*s, expected .info .desc .region .group .weight .span .equ "
                        ".entry .function .word",
                        (int)f.len, f.ptr);
}

/* ------------------------------------------------------------------ the whole text */

static slx_status line(slx_asm_state *s)
{
    for (;;) { /* labels, then at most one statement */
        if (slx_asm_line_over(s)) return SLX_OK;
        const char *at = s->at;
        slx_str w = slx_asm_word(s);
        if (!w.len || !slx_asm_take(s, ':')) {
            s->at = at;
            break;
        }
        slx_asm_label l = {w, slx_asm_pc(s), here(s, at)};
        slx_buf_add(&s->labels, &l, sizeof l);
    }
    if (*s->at == '.')
        SLX_TRY(directive(s));
    else
        SLX_TRY(slx_asm_insn(s));
    if (slx_asm_line_over(s)) return SLX_OK;
    slx_str f = slx_asm_found(s, s->at);
    return slx_asm_fail(s, s->at, "found %.*s, expected the end of the line", (int)f.len, f.ptr);
}

static slx_status lines(slx_asm_state *s)
{
    while (s->at < s->end) {
        s->line = s->at;
        s->line_no++;
        SLX_TRY(line(s));
        if (s->at < s->end) s->at++; /* the newline */
    }
    return resolve(s);
}

static void *keep(slx_arena *a, const slx_buf *b, size_t size, uint32_t *n)
{
    *n = (uint32_t)(b->len / size);
    void *p = slx_push(a, b->len, 16);
    if (b->len) memcpy(p, b->ptr, b->len);
    return p;
}

static void fill(slx_program *p, slx_asm_state *s)
{
    p->info = s->info;
    slx_desc_layout *d = &p->info.desc;
    bool wanted =
        d->max_rows | d->max_samples | d->max_seqs | d->max_pages | d->max_items | d->item_rows;
    if (wanted && !d->bytes) slx_desc_place(d, p->info.n_tiles);
    p->regions = keep(&p->arena, &s->regions, sizeof *p->regions, &p->n_regions);
    p->insns = keep(&p->arena, &s->insns, sizeof *p->insns, &p->n_insns);
    p->groups = keep(&p->arena, &s->groups, sizeof *p->groups, &p->n_groups);
    p->functions = keep(&p->arena, &s->functions, sizeof *p->functions, &p->n_functions);
    p->weights = keep(&p->arena, &s->weights, sizeof *p->weights, &p->n_weights);
    p->spans = keep(&p->arena, &s->spans, sizeof *p->spans, &p->n_spans);
    p->entry_step = s->entry_step;
}

slx_status slx_asm(slx_program *p, const char *text, size_t len, const char *name, slx_err *err)
{
    slx_program_init(p);
    static const char nothing[] = "";
    if (!text) text = nothing;
    slx_asm_state s = {.name = name, .at = text, .end = text + len, .line = text, .err = err};
    slx_status st = lines(&s);
    if (st == SLX_OK) {
        fill(p, &s);
        st = slx_program_check(p, name, err);
        if (st) slx_program_free(p);
    }
    slx_buf *all[] = {&s.symbols, &s.labels,    &s.fixups,  &s.insns, &s.regions,
                      &s.groups,  &s.functions, &s.weights, &s.spans};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) slx_buf_free(all[i]);
    return st;
}
