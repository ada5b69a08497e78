/* asm_int.h - the assembler's state, shared by its three files:
 *   asm.c       lines, labels, directives, the finished program
 *   asm_insn.c  one instruction
 *   asm_text.c  characters to words, numbers and expressions
 *
 * Every parse function returns a status and leaves at behind what it read. The first error ends the assembly.
 */
#ifndef SLX_ASM_INT_H
#define SLX_ASM_INT_H

#include "isa/isa_int.h"

typedef struct {
    slx_str name;
    uint64_t value;
} slx_asm_symbol;

/* A place in the text, for messages about it once its line is past. */
typedef struct {
    const char *line, *at;
    int line_no;
} slx_asm_place;

typedef struct {
    slx_str name;
    uint32_t pc;
    slx_asm_place place;
} slx_asm_label;

/* Where a label's pc goes once all are known: operand C of a BR, operand B of a LOOP (the distance), an entry. */
typedef enum { SLX_FIX_BR, SLX_FIX_LOOP, SLX_FIX_ENTRY, SLX_FIX_FUNCTION } slx_asm_fix;
typedef struct {
    slx_asm_fix what;
    uint32_t index;        /* of the instruction or function */
    slx_str label;
    slx_asm_place place;
} slx_asm_fixup;

typedef struct {
    const char *name;      /* of the file */
    const char *at, *end;  /* end: of the whole text */
    const char *line;      /* start of the current line */
    int line_no;
    slx_err *err;
    slx_program_info info;
    slx_buf symbols, labels, fixups;                 /* slx_asm_symbol, slx_asm_label, slx_asm_fixup */
    slx_buf insns, regions, groups, functions, weights, spans; /* as in slx_program */
    uint32_t entry_step;
    bool has_entry;
} slx_asm_state;

/* asm_text.c */
slx_status slx_asm_fail(slx_asm_state *s, const char *at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void slx_asm_blanks(slx_asm_state *s);               /* skips blanks, and a comment to the end of its line */
bool slx_asm_line_over(slx_asm_state *s);            /* nothing but blanks and a comment is left of this line */
bool slx_asm_take(slx_asm_state *s, char c);         /* after blanks */
slx_status slx_asm_expect(slx_asm_state *s, char c, const char *where);
slx_str slx_asm_word(slx_asm_state *s);              /* [A-Za-z_][A-Za-z0-9_]*, empty when there is none */
slx_str slx_asm_found(slx_asm_state *s, const char *at); /* the piece of text at a place, for messages */
bool slx_asm_is_register(slx_str w, unsigned *r);    /* r0..r31 */
slx_status slx_asm_expr(slx_asm_state *s, uint64_t *out);      /* sum of products of numbers and .equ names */
slx_status slx_asm_u32(slx_asm_state *s, uint64_t most, const char *what, uint32_t *out);
slx_status slx_asm_f32(slx_asm_state *s, uint32_t *bits);      /* 0x bits, or a decimal number */
slx_status slx_asm_value(slx_asm_state *s, const char *what, uint32_t *w); /* immediate or register + sum */
slx_status slx_asm_define(slx_asm_state *s, slx_str name, uint64_t value, const char *at);
const slx_asm_symbol *slx_asm_symbol_find(const slx_asm_state *s, slx_str name);

/* asm_insn.c: from the first character of the mnemonic to the last of the line. */
slx_status slx_asm_insn(slx_asm_state *s);

/* asm.c */
void slx_asm_fixup_add(slx_asm_state *s, slx_asm_fix what, uint32_t index, slx_str label);
uint32_t slx_asm_pc(const slx_asm_state *s);

#endif
