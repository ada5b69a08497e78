/* isa_int.h - what the files of this layer share: small helpers, and the fields of a program's records.
 *
 * A record (info, region, weight, ...) is one list of fields. Writing and reading a file, printing and assembling all
 * walk that list, so a field added there is at once in every form.
 */
#ifndef SLX_ISA_INT_H
#define SLX_ISA_INT_H

#include "isa/program.h"

static inline size_t slx_align64(size_t n) { return (n + 63) & ~(size_t)63; }

/* ------------------------------------------------------------------ instructions */

const char *slx_fn_list_name(slx_fn_list list);     /* "ALUFN"; "" for NONE */
int slx_op_find(const char *name, size_t len);      /* opcode by mnemonic in either case, -1 */
/* Bit k is set when operand A+k means something, given the function and flags; the others must be 0. */
unsigned slx_insn_uses(const slx_insn *i);
/* Prints an instruction; label, when not NULL, stands for its LOOP length or branch target. */
void slx_insn_print_at(const slx_insn *i, const char *label, slx_buf *out);
void slx_print_number(uint64_t v, slx_buf *out);    /* decimal when small, else hexadecimal */
void slx_print_f32(uint32_t bits, slx_buf *out);    /* shortest decimal that reads back, else bits in hexadecimal */

/* ------------------------------------------------------------------ records */

typedef enum {
    SLX_FIELD_U32, SLX_FIELD_U64, SLX_FIELD_F32,
    SLX_FIELD_STR,                                  /* char[size], NUL-terminated, zeros behind */
    SLX_FIELD_REGION_KIND, SLX_FIELD_LAYOUT, SLX_FIELD_FMT, /* u32 with names */
    SLX_FIELD_U64S                                  /* u64[size/8] */
} slx_field_type;

typedef struct {
    const char *name;
    slx_field_type type;
    uint16_t at, size;                              /* in the C struct */
} slx_field;

typedef struct {
    const char *name;                               /* directive without the dot */
    const slx_field *field;
    int n_fields;
    size_t size;                                    /* of the C struct */
} slx_record;

extern const slx_record slx_rec_info, slx_rec_desc, slx_rec_region, slx_rec_group, slx_rec_weight, slx_rec_span;

static inline bool slx_field_is_u32(slx_field_type t)
{
    return t == SLX_FIELD_U32 || t == SLX_FIELD_F32 || t == SLX_FIELD_REGION_KIND || t == SLX_FIELD_LAYOUT ||
           t == SLX_FIELD_FMT;
}
/* Name of a code of a named field, NULL; and back, -1. */
const char *slx_field_name_of(slx_field_type t, uint32_t code);
int slx_field_code_of(slx_field_type t, const char *name, size_t len);

/* slx_desc_layout_init, but returns the bytes, which may be more than the layout's 32 bits hold. */
uint64_t slx_desc_place(slx_desc_layout *l, uint32_t n_tiles);

#endif
