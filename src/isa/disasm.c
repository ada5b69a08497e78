/* disasm.c - a program as text that slx_asm reads back to the same program.
 *
 * Directives first, then the instructions, indented by LOOP, each span's directive before its first instruction. Only
 * fields that are not zero are written: zero is what the assembler starts from.
 */
#include "isa/isa_int.h"

#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ records */

static void print_string(const char *s, size_t size, slx_buf *out)
{
    slx_buf_addc(out, '"');
    for (size_t i = 0; i < size && s[i]; i++) {
        unsigned char c = (unsigned char)s[i];
        if (c == '"' || c == '\\')
            slx_buf_addf(out, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            slx_buf_addf(out, "\\x%02x", c);
        else
            slx_buf_addc(out, (char)c);
    }
    slx_buf_addc(out, '"');
}

/* n: values of a U64S field that are meant. */
static void print_field(const slx_field *f, const char *from, uint32_t n, slx_buf *out)
{
    uint32_t v32 = 0;
    if (slx_field_is_u32(f->type)) memcpy(&v32, from, 4);
    slx_buf_addf(out, " %s=", f->name);
    if (f->type == SLX_FIELD_STR) {
        print_string(from, f->size, out);
    } else if (f->type == SLX_FIELD_F32) {
        slx_print_f32(v32, out);
    } else if (slx_field_name_of(f->type, v32)) {
        slx_buf_adds(out, slx_field_name_of(f->type, v32));
    } else if (slx_field_is_u32(f->type)) {
        slx_print_number(v32, out);
    } else {
        for (uint32_t i = 0; i < n; i++) {
            uint64_t v;
            memcpy(&v, from + 8 * i, 8);
            if (i) slx_buf_addc(out, ',');
            slx_print_number(v, out);
        }
    }
}

static bool all_zero(const char *p, size_t n)
{
    while (n && !*p) p++, n--;
    return !n;
}

/* skip: a field left out, "" for none. The fields of one record stay on one line, but those of wide ones break. */
static void print_record(const slx_record *r, const void *data, const char *skip, slx_buf *out)
{
    size_t line = out->len;
    slx_buf_addf(out, ".%s", r->name);
    for (int i = 0; i < r->n_fields; i++) {
        const slx_field *f = &r->field[i];
        const char *from = (const char *)data + f->at;
        bool always = f->type == SLX_FIELD_REGION_KIND || f->type == SLX_FIELD_LAYOUT ||
                      !strcmp(f->name, "pc");
        /* a list that counts its values shows them, zeros too */
        if (r == &slx_rec_span && f->type == SLX_FIELD_U64S)
            always = ((const slx_span *)data)->n_param > 0;
        if ((!always && all_zero(from, f->size)) || !strcmp(f->name, skip)) continue;
        if ((r == &slx_rec_info || r == &slx_rec_desc) && out->len - line > 90) {
            line = out->len + 1;
            slx_buf_addf(out, "\n.%s", r->name);
        }
        uint32_t n = r == &slx_rec_span ? ((const slx_span *)data)->n_param : f->size / 8u;
        if (f->type == SLX_FIELD_U64) n = 1;
        if (r == &slx_rec_span && !strcmp(f->name, "n_param")) continue; /* counted from the list */
        print_field(f, from, n > f->size / 8u ? f->size / 8u : n, out);
    }
    slx_buf_addc(out, '\n');
}

/* ------------------------------------------------------------------ instructions */

/* Which instructions have a label: entries, branch targets, ends of loops. One more than the instructions. */
static uint8_t *find_labels(const slx_program *p)
{
    uint8_t *is = slx_xcalloc((size_t)p->n_insns + 1, 1);
    if (p->entry_step <= p->n_insns) is[p->entry_step] = 1;
    for (uint32_t i = 0; i < p->n_functions; i++)
        if (p->functions[i] <= p->n_insns) is[p->functions[i]] = 1;
    for (uint32_t pc = 0; pc < p->n_insns; pc++) {
        const slx_insn *i = &p->insns[pc];
        uint64_t to = UINT64_MAX;
        if (slx_insn_op(i) == SLX_OP_BR) to = i->w[4];
        if (slx_insn_op(i) == SLX_OP_LOOP) to = (uint64_t)pc + 1 + i->w[3];
        if (to <= p->n_insns) is[to] = 1;
    }
    return is;
}

static bool spans_in_order(const slx_program *p)
{
    for (uint32_t i = 0; i < p->n_spans; i++)
        if (p->spans[i].pc > p->n_insns || (i && p->spans[i].pc < p->spans[i - 1].pc)) return false;
    return true;
}

static void print_insn(const slx_program *p, uint32_t pc, const uint8_t *is_label, slx_buf *out)
{
    const slx_insn *i = &p->insns[pc];
    uint64_t to = slx_insn_op(i) == SLX_OP_LOOP ? (uint64_t)pc + 1 + i->w[3] : i->w[4];
    char label[24];
    snprintf(label, sizeof label, "L%llu", (unsigned long long)to);
    bool named = (slx_insn_op(i) == SLX_OP_LOOP || slx_insn_op(i) == SLX_OP_BR) &&
                 to <= p->n_insns && is_label[to];
    slx_insn_print_at(i, named ? label : NULL, out);
}

static void print_insns(const slx_program *p, const uint8_t *is_label, slx_buf *out)
{
    enum { DEEPEST = 16 };
    bool inline_spans = spans_in_order(p);
    uint32_t span = 0;
    uint64_t end[DEEPEST]; /* pc behind each open loop */
    int depth = 0;
    for (uint32_t pc = 0; pc <= p->n_insns; pc++) {
        while (depth && end[depth - 1] <= pc) depth--;
        for (; inline_spans && span < p->n_spans && p->spans[span].pc == pc; span++) {
            slx_buf_addc(out, '\n');
            print_record(&slx_rec_span, &p->spans[span], "pc", out);
        }
        if (is_label[pc]) slx_buf_addf(out, "L%u:\n", pc);
        if (pc == p->n_insns) break;
        slx_buf_addf(out, "%*s", 4 + 2 * depth, "");
        print_insn(p, pc, is_label, out);
        slx_buf_addc(out, '\n');
        if (slx_insn_op(&p->insns[pc]) == SLX_OP_LOOP && depth < DEEPEST)
            end[depth++] = (uint64_t)pc + 1 + p->insns[pc].w[3];
    }
    for (uint32_t i = 0; !inline_spans && i < p->n_spans; i++)
        print_record(&slx_rec_span, &p->spans[i], "", out);
}

void slx_disasm(const slx_program *p, slx_buf *out)
{
    print_record(&slx_rec_info, &p->info, "", out);
    if (!all_zero((const char *)&p->info.desc, sizeof p->info.desc))
        print_record(&slx_rec_desc, &p->info.desc, "", out);
    for (uint32_t i = 0; i < p->n_regions; i++)
        print_record(&slx_rec_region, &p->regions[i], "", out);
    for (uint32_t i = 0; i < p->n_groups; i++) print_record(&slx_rec_group, &p->groups[i], "", out);
    for (uint32_t i = 0; i < p->n_weights; i++)
        print_record(&slx_rec_weight, &p->weights[i], "", out);
    if (p->n_insns) slx_buf_addf(out, ".entry L%u\n", p->entry_step);
    for (uint32_t i = 0; i < p->n_functions; i++)
        slx_buf_addf(out, ".function L%u\n", p->functions[i]);
    uint8_t *is_label = find_labels(p);
    print_insns(p, is_label, out);
    free(is_label);
}
