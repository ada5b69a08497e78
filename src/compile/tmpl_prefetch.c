/* tmpl_prefetch.c - weights of a short step into places of their own, ahead of the phase that multiplies them. */
#include "compile/tmpl_mat.h"

/* A load of more bytes is cut: long ones would fill the memory's queues for long. */
enum { CHUNK = 24576 };

/* Equal parts in whole units; one where there are none of a good size. */
static uint64_t chunks_of(uint64_t bytes, uint64_t unit)
{
    uint64_t least = (bytes + CHUNK - 1) / CHUNK;
    for (uint64_t n = least; n < 2 * least; n++)
        if (bytes % (unit * n) == 0) return n;
    return 1;
}

void tmpl_prefetch(em *e, const uint64_t *p)
{
    enum { BASE = RI, LIVE = AT };
    mat m = {.kblk = p[SLX_PREFETCH_kblk],
             .pieces = p[SLX_PREFETCH_pieces],
             .log2g = 3,
             .a_ld = p[SLX_PREFETCH_kblk],
             .ns = p[SLX_PREFETCH_ns],
             .mr = 1,
             .slots = 1,
             .ways = p[SLX_PREFETCH_ways],
             .grain = p[SLX_PREFETCH_grain],
             .ready = p[SLX_PREFETCH_ready]};
    if (!mat_init(e, &m) || !m.ready || p[SLX_PREFETCH_n_layers] == 0) {
        e->ok = false;
        return;
    }
    if (p[SLX_PREFETCH_next]) { /* behind the last layer the address is the last layer's, and nothing is loaded */
        e_addc(e, BASE, R_LAYER, 1);
        e_alu(e, SLX_ALUFN_ltu, LIVE, REG(BASE), IMM(p[SLX_PREFETCH_n_layers]));
        e_alu(e, SLX_ALUFN_min, BASE, REG(BASE), IMM(p[SLX_PREFETCH_n_layers] - 1));
        e_at_row(e, BASE, BASE, p[SLX_PREFETCH_weights], p[SLX_PREFETCH_layer_stride]);
    }
    e_join(e, SLX_ENG_LDQ, WAIT((unsigned)m.ready + 1));
    for (int k = 0; k < SLX_LINEAR_PARTS; k++) {
        if (p[SLX_PREFETCH_slices + k] == 0) continue;
        uint64_t bytes = mat_slice_bytes(e, &m, (unsigned)p[SLX_PREFETCH_fmt + k], m.pieces),
                 chunks = chunks_of(bytes, m.ways < 2 ? 64 : m.grain), part = bytes / chunks;
        e_slices(e, FIRST, NSL, TMP, p[SLX_PREFETCH_slices + k], p[SLX_PREFETCH_tiles],
                 p[SLX_PREFETCH_rot + k], p[SLX_PREFETCH_grid_x]);
        if (p[SLX_PREFETCH_next]) e_alu(e, SLX_ALUFN_mul, NSL, REG(NSL), REG(LIVE));
        /* AS: first chunk of this tile, so that all chunks of a slice are asked for at any time, and all
         * channels of the memory with them */
        e_mulc(e, AS, SLX_R_TILE, chunks);
        e_alu(e, SLX_ALUFN_divu, AS, REG(AS), IMM(p[SLX_PREFETCH_tiles]));
        size_t slices = e_loop(e, REG(NSL), SL);
        e_alu(e, SLX_ALUFN_add, SLICE, REG(FIRST), REG(SL));
        mat_slice_addr(e, &m, WA, p[SLX_PREFETCH_next] ? (unsigned)BASE : (unsigned)R_W, p[SLX_PREFETCH_slices + k],
                       bytes, p[SLX_PREFETCH_off_w + k]);
        e_at_row(e, WM, SL, p[SLX_PREFETCH_home + k], bytes);
        for (uint64_t n = 0; n < chunks; n++) { /* the tiles' turns begin with different chunks */
            e_addc(e, CELLS, AS, n);
            e_alu(e, SLX_ALUFN_remu, CELLS, REG(CELLS), IMM(chunks));
            e_mulc(e, OUT, CELLS, part);
            e_alu(e, SLX_ALUFN_add, OUT, REG(OUT), REG(WM));
            e_mulc(e, AC, CELLS, part * (m.ways < 2 ? 1 : m.ways));
            e_alu(e, SLX_ALUFN_add, AC, REG(AC), REG(WA));
            mat_load(e, &m, REG(OUT), AC, 0, part, WAITPOST(TK_PACE, TK_PACE));
        }
        e_loop_end(e, slices);
    }
    e_join(e, SLX_ENG_LDQ, POST((unsigned)m.ready));
}
