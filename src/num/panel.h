/* panel.h - weights packed for this host, and the matrix products over them: the same bits as
 * slx_dot, fast.
 *
 * A panel is SLX_PANEL_ROWS output rows x all blocks of K, laid out so that a thread reads one
 * sequential stream of exactly the weight's information: codes (4 or 8 bits) and scales, nothing
 * twice. The layout is private to panel_*.c and depends on the level (slx_cpu) it was packed for.
 *
 * Activations: MXINT8 rows, codes [rows][32*kblk], scales [rows][kblk]; slx_act_put brings a
 * batch of rows into the form the kernels want (interleaving, per-block sums of codes for Q4S/Q4SM,
 * scales as floats).
 */
#ifndef SLX_PANEL_H
#define SLX_PANEL_H

#include "num/num.h"

enum { SLX_PANEL_ROWS = 16 };

typedef struct {
    slx_num_fmt fmt;
    slx_cpu level;
    uint32_t n, kblk; /* output rows (last panel padded with zero rows), blocks of K */
    unsigned log2g;   /* segments of the tree */
    uint32_t n_panels;
    size_t panel_bytes; /* every panel starts at a multiple of 64 */
    uint8_t *data;      /* slx_aalloc'ed, n_panels * panel_bytes */
    bool vnni;          /* level AVX2: the host has AVX-VNNI, which saves half of the work */
} slx_panels;

/* Allocates for n rows; data is zero. */
void slx_panels_init(slx_panels *p, slx_num_fmt fmt, slx_cpu level, uint32_t n, uint32_t kblk,
                     unsigned log2g);
void slx_panels_deinit(slx_panels *p);
/* Puts row n: codes as in the ISA (4-bit: low nibble = even element), scale plane row, m row or
 * NULL. Rows of one panel may be put by one thread only; different panels by different threads. */
void slx_panels_put(slx_panels *p, uint32_t n, const uint8_t *codes, const void *scales,
                    const uint16_t *m);

/* Prepared activations for up to `rows` rows. */
typedef struct {
    slx_cpu level;
    uint32_t rows, kblk;
    size_t bytes;
    uint8_t *data; /* caller's memory, 64-byte aligned, slx_act_bytes() of it */
} slx_act;
size_t slx_act_bytes(slx_cpu level, uint32_t rows, uint32_t kblk);
/* Fills rows [first, first+count) from MXINT8 (threads may fill disjoint multiples of 8 rows). */
void slx_act_put(slx_act *a, uint32_t first, uint32_t count, const int8_t *codes,
                 const uint8_t *scales);

/* out[r*ldo + (n - first_panel*16)] for rows r of a and all 16 outputs of panels [first_panel,
 * first_panel+count). scratch: slx_panel_scratch_bytes(), per thread, 64-byte aligned. Tuned for 1
 * row (GEMV) and for many (GEMM). */
size_t slx_panel_scratch_bytes(const slx_panels *p, uint32_t rows);
void slx_panel_mul(const slx_panels *p, const slx_act *a, uint32_t first_panel, uint32_t count,
                   float *out, size_t ldo, void *scratch);
#endif
