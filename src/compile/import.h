/* import.h - model tensors in the chip's formats: what a recipe entry (slx_weight) means in bytes. The machines see this
 * and template.h of compile, nothing else. */
#ifndef SLX_IMPORT_H
#define SLX_IMPORT_H

#include "isa/program.h"
#include "model/model.h"

/* For whom: the chip of a rank, among the chips of the program. */
typedef struct { uint32_t rank, chips; } slx_rank;
#define SLX_ALONE ((slx_rank){0, 1})

/* The entry for the whole tensor, as if one chip had all of it; n_pad: its rows in memory. Places and pieces are those of
 * the entry. The tensor is that of the model, if it has one of that name. */
slx_weight slx_weight_whole(const slx_weight *w, const slx_tensor *t, uint32_t n_pad);

/* Rows [row0, row0+n) of a recipe entry as the ISA wants them: codes [n][kblk] blocks (slx_fmt_code_bytes each), scales
 * [n][kblk] (u8 or fp16), m [n][kblk] fp16 (Q4SM; else NULL). Rows >= w->n are zero. Native where tensor type and format
 * agree (Q4_1 -> q4sm, Q4_0 -> q4s, Q8_0 -> q8s), else dequantised and quantised to mxint8. Faults of range name tensor
 * and row. VECTOR entries: slx_import_vector. */
slx_status slx_import_rows(const slx_model *m, const slx_weight *w, slx_rank at, uint32_t row0, uint32_t n,
                           uint8_t *codes, void *scales, uint16_t *mplane, slx_err *err);
slx_status slx_import_vector(const slx_model *m, const slx_weight *w, slx_rank at, float *out, slx_err *err);
/* Writes one entry's bytes (w->bytes) as HBM holds them from w->addr on; used by strict. */
slx_status slx_import_image(const slx_model *m, const slx_weight *w, slx_rank at, uint8_t *out, slx_err *err);
/* The whole rope table of a program: fp32 [max_context][n_rot]. */
void slx_import_rope(const slx_program *p, const slx_model *m, float *out);

#endif
