/* program.h - a compiled program: what a .slx file holds, in memory. Text form through slx_asm and slx_disasm.
 *
 * A program never contains weights. Its recipe says which tensor of the model goes where in HBM and in which form;
 * strict lays the image out, fast packs straight from the model file.
 *
 *   .slx file, little-endian:
 *   0   "SILEXSLX" | u32 version | u32 sections | u64 file bytes | u64 hash of all that follows | zeros    64 bytes
 *   64  section table {u32 kind, u32 count, u64 offset, u64 bytes}, one row for every kind of slx_section, in order
 *   ..  the sections, each at the next multiple of 64, zeros between; the file ends at a multiple of 64
 *   A section holds count records of one size, their fields packed in the order of program_fields.c. So a program has
 *   exactly one file form, and a reader can tell every length, offset and overlap before it uses one.
 */
#ifndef SLX_PROGRAM_H
#define SLX_PROGRAM_H

#include "isa/isa.h"

enum { SLX_PROGRAM_VERSION = 5 };

/* Kinds of sections: INFO and DESC hold one record, ENTRIES the pc of the step, then those of the functions. */
typedef enum {
    SLX_SECTION_INFO = 1, SLX_SECTION_DESC, SLX_SECTION_REGIONS, SLX_SECTION_GROUPS, SLX_SECTION_ENTRIES,
    SLX_SECTION_INSNS, SLX_SECTION_WEIGHTS, SLX_SECTION_SPANS, SLX_SECTION_END
} slx_section;

/* ------------------------------------------------------------------ HBM regions */

/* Addresses from here on are ROM, those below HBM. On a chip with weights beside its tensor engines the WEIGHTS region
 * lies there: MM with ROM reads tiles of matrices in place, LD and LDX the rest (norms, rows of the embedding). */
#define SLX_ROM_BASE (UINT64_C(1) << 48)

#define SLX_REGION_KINDS(X)                                                                        \
    X(WEIGHTS, "weights")       /* read-only, laid out by the recipe */                            \
    X(ROPE, "rope")             /* read-only fp32 table [position][n_rot/2]{c,s} */                \
    X(DESC, "descriptor")       /* the host writes it before a step */                             \
    X(KV, "kv")                 /* [layer][KV head][page]; observable */                           \
    X(EXCHANGE, "exchange")     /* between phases; not observable */                               \
    X(LOGITS, "logits")         /* fp32 [sample slot][vocab padded]; observable */
typedef enum {
#define X(n, t) SLX_REGION_##n,
    SLX_REGION_KINDS(X)
#undef X
    SLX_N_REGION_KINDS
} slx_region_kind;
const char *slx_region_kind_name(slx_region_kind k);

typedef struct {
    char name[32];
    uint32_t kind;          /* slx_region_kind */
    uint32_t pad;
    uint64_t base, bytes;   /* HBM addresses; regions never overlap; base multiple of 4096 */
} slx_region;

/* ------------------------------------------------------------------ step descriptor
 * Structure of arrays of u32 (f32 where said) at fixed offsets inside the DESC region, so that LDX, STX, VSMX and LDS
 * read them in place. Offsets and capacities stand in slx_desc_layout; capacities are the LDS limits of the program.
 *   header   u32 rows, samples, pages_in_list, merges, 0...                              (64 bytes)
 *   token[R] position[R] kcode_idx[R] kscale_idx[R] vscale_idx[R]                        (R = max_rows, each padded to 64)
 *   lim[R]{u32 lo, hi}       admitted absolute positions of a row
 *   sample_row[S]            row whose logits go to slot s
 *   page_list[P]             page numbers of all sequences, one after another
 *   item_span[T]{u32 first, count}   attention work of each tile, in items
 *   item[I]{u32 row0, rows, kv_head, page_at, chunks, first, each, slot}   (32 bytes) rows of one sequence and their
 *            chunks: page_at indexes page_list, chunks >= 1 pages from there, the first of them chunk `first` of the
 *            sequence; rows <= item_rows. each 0: all of the rows' chunks. Else a part of them (up to 16 each), of which
 *            the states (m, l, o) of every `each` chunks are kept: state k of a row is number slot + k*rows + its row
 *   merge_span[T]{u32 first, count}  what each tile merges, where the header's merges is not 0
 *   merge[M]{u32 row0, rows, kv_head, page_at, chunks, states, fold, slot}   (32 bytes) an item whose parts, in order, kept
 *            so many states from slot on; every `fold` of them (up to 16) are merged first. page_at and chunks: of all parts
 * A page p is one page of every (layer, KV head): code index p*264+offset, scale index p*8448+offset, V scale index
 * p*264*d+offset, with d = head_dim padded to 32 and offset = position mod 128.
 */
typedef struct {
    uint32_t max_rows, max_samples, max_seqs, max_pages; /* max_pages: pool size and length of page_list */
    uint32_t max_items, item_rows;                       /* rows of one item at most */
    uint32_t max_merges, max_states;                     /* 0: items are never split; states of a row kept at once */
    uint32_t off_header, off_token, off_position, off_kcode, off_kscale, off_vscale, off_lim, off_sample,
        off_pages, off_span, off_item, off_merge_span, off_merge;
    uint32_t bytes;                                      /* of the whole descriptor */
} slx_desc_layout;
/* Fills the offsets and bytes from the capacities and the number of tiles. */
void slx_desc_layout_init(slx_desc_layout *l, uint32_t n_tiles);

/* ------------------------------------------------------------------ weight recipe */

/* How rows of a tensor become bytes of HBM. */
#define SLX_LAYOUTS(X)                                                                             \
    X(SLICES, "slices") /* tiles of ns rows x piece of K: [slice][piece] B tiles, each slx_piece_bytes; slx_slices */ \
    X(PLANES, "planes") /* codes [N][Kblk] | scales [N][Kblk] | m [N][Kblk], each plane at a multiple of 4096 */ \
    X(VECTOR, "vector") /* fp32 [N*K] */
typedef enum {
#define X(n, t) SLX_LAYOUT_##n,
    SLX_LAYOUTS(X)
#undef X
    SLX_N_LAYOUTS
} slx_weight_layout;

typedef struct {
    char tensor[96];      /* name in the model file */
    uint32_t layout, fmt; /* slx_weight_layout, SLX_FMT_* */
    uint32_t n, k;        /* rows and contraction length of the tensor */
    uint32_t n_pad, kblk; /* rows in HBM (zero rows added), blocks of 32 a row (zero codes added) */
    uint32_t ns;          /* SLICES: rows a slice; n_pad is a multiple */
    uint32_t pieces;      /* SLICES: K pieces, 1 2 4 8; piece p covers blocks of node p of the tree at depth log2(pieces) */
    uint32_t ways, grain; /* SLICES: over how many stacks slices are spread, and in what steps (slx_slices); ways below 2: not */
    uint64_t addr, bytes; /* place in the WEIGHTS region */
    uint64_t off_scale, off_m; /* PLANES: from addr */
    /* Programs of several chips: n and k are those of one chip, and what the chip of rank r holds of the tensor is
     * rows:    row i of it is row ((i / shard_rows) * chips + r) * shard_rows + i % shard_rows of the tensor, zero when
     *          the tensor ends before; 0 = every chip the same rows, the tensor's
     * columns: shard_k = 1: columns r*k .. r*k+k-1 */
    uint32_t shard_rows, shard_k;
} slx_weight;

/* Where the slices of a matrix lie from its first byte on. Without ways one behind the other. With `ways` they are woven, so
 * that each lies in one of `ways` stacks of a memory whose addresses go round the stacks every `grain` bytes:
 *
 *   bytes     0      grain  2 grain ..         (ways 6: columns are stacks 0 .. 5, rows ways * grain apart)
 *             s0     s5     s1 ..              a row has the next grain bytes of `ways` slices, each in a column
 *
 * Slices fall to the ways in runs of equal length: first those for the stacks at the left edge (0 2 4 ..), top to bottom,
 * then those at the right, bottom to top, so neighbouring slices lie in neighbouring stacks. Pieces, and with them slices,
 * are then padded to whole grains. */
enum { SLX_MAX_WAYS = 64 };
typedef struct {
    uint64_t n, bytes;    /* slices; bytes of one (slx_piece_bytes of its pieces) */
    uint32_t ways, grain; /* as in slx_weight */
} slx_slices;
/* First byte of slice s; the next grain bytes of it lie ways * grain further. */
uint64_t slx_slices_at(const slx_slices *l, uint64_t s);
/* Bytes of them all. */
uint64_t slx_slices_bytes(const slx_slices *l);
/* Bytes of a B tile of ns rows x `blocks` as a piece of a slice; 0 for a format without blocks. */
uint64_t slx_piece_bytes(unsigned fmt, uint32_t ns, uint32_t blocks, uint32_t ways, uint32_t grain);

/* First block of node `node` at the depth where the tree over kblk blocks has `pieces` (power of two) nodes; node ==
 * pieces gives kblk. chip.md 4.2: halves cut at floor. */
uint32_t slx_tree_cut(uint32_t kblk, uint32_t pieces, uint32_t node);
/* Segments of a linear layer over kblk blocks: largest power of two <= 8 with kblk / g >= 4, at least 1. */
uint32_t slx_tree_segments(uint32_t kblk);

/* ------------------------------------------------------------------ spans: what each stretch of words was made from */

/* Names the template whose expansion with `param` gives exactly the words [pc, pc+count) of stream 0; see
 * compile/template.h. fast uses a fused kernel only after expanding it again and comparing word for word. */
enum { SLX_SPAN_PARAMS = 56 };
typedef struct {
    uint32_t tmpl;      /* slx_template_id of compile/template.h */
    uint32_t pc, count;
    uint32_t n_param;
    uint64_t param[SLX_SPAN_PARAMS];
    char name[32];      /* for people: "qkv", "attention", ...; with the layer index in traces */
} slx_span;

/* ------------------------------------------------------------------ the program */

typedef struct {
    char chip_name[64], model_name[128];
    uint64_t chip_hash, model_hash;
    uint32_t n_tiles, spm_bytes, acc_cells, max_m, token_max;
    /* the model's shape, for machines and reports */
    uint32_t n_layers, d_model, d_ff, n_heads, n_kv_heads, head_dim, head_dim_pad, n_rot, vocab, vocab_pad, max_context;
    uint32_t rope_style;
    float rope_base;
    slx_desc_layout desc;
    uint64_t page_stride;        /* bytes of one page: 264 * head_dim_pad */
    uint64_t kv_head_stride, kv_layer_stride; /* in the KV region */
    /* Chips that run it together, each with its own HBM, scratchpads and rank in r2; 0 means 1. The figures above are of
     * one chip: heads, KV heads and KV are shares, d_model, d_ff and vocab are the model's. KV head g of the model is on chip
     * (g / kv_unit) % n_chips, there number g / kv_unit / n_chips * kv_unit + g % kv_unit (kv_unit 0 means 1). */
    uint32_t n_chips, kv_unit;
    uint32_t grid_x; /* tiles in a row of the chip; 0: not known */
    /* What attention takes of a tile, about, in picoseconds: the host shares its items out by them (step_share.h). An item
     * beside its chunks; a page through the tile's link; the engines' work for a chunk: base + rows * row. A page while all
     * tiles read; a step that merges beside the merges; a state merged: state + rows * row; loads of weights that tiles without items
     * do meanwhile in steps of at most short_rows. 0: not known. */
    uint32_t attn_item_ps, attn_page_ps, attn_row_base_ps, attn_row_ps, attn_shared_page_ps, attn_merge_ps, attn_state_ps,
        attn_state_row_ps, attn_beside_ps, short_rows;
    uint32_t attn_split_chunks; /* items of fewer chunks stay whole */
} slx_program_info;

static inline uint32_t slx_program_chips(const slx_program_info *i) { return i->n_chips ? i->n_chips : 1; }
/* Where KV head `head` of the model is. */
typedef struct { uint32_t chip, head; } slx_kv_place;
slx_kv_place slx_program_kv_head(const slx_program_info *i, uint32_t head);

typedef struct {
    slx_program_info info;
    uint32_t n_regions; slx_region *regions;
    uint32_t n_insns;   slx_insn *insns;        /* stream 0: every tile runs it (SPMD, told apart by r1) */
    uint32_t entry_step;                        /* pc where a step starts; ends with SYS halt */
    uint32_t n_groups;  struct slx_group { char name[16]; uint32_t first, count; } *groups; /* tiles first..first+count-1; group 0 = ALL */
    uint32_t n_functions; uint32_t *functions;  /* entry pcs for CALL */
    uint32_t n_weights; slx_weight *weights;
    uint32_t n_spans;   slx_span *spans;
    slx_arena arena;                            /* owns all of the above */
} slx_program;

void slx_program_init(slx_program *p);
void slx_program_free(slx_program *p);
/* Most rows of a step that takes the short way of a program that has two; 0: it has one. */
uint32_t slx_program_short_rows(const slx_program *p);
const slx_region *slx_program_region(const slx_program *p, slx_region_kind kind); /* first of a kind, NULL */

/* File form. Reading checks structure (sizes, counts, names, instruction words by slx_insn_check), not legality: that
 * is verify's. p is overwritten; after an error there is nothing to free. An all-zero desc means "no descriptor", any
 * other one must be what slx_desc_layout_init makes of its capacities. */
slx_status slx_program_write(const slx_program *p, const char *path, slx_err *err);
slx_status slx_program_read(slx_program *p, const char *path, slx_err *err);
slx_status slx_program_parse(slx_program *p, const void *data, size_t n, const char *name, slx_err *err);
/* What must hold of a program whatever form it came in, as reading and assembling check it; place: the file's name. */
slx_status slx_program_check(const slx_program *p, const char *place, slx_err *err);
void slx_program_serialise(const slx_program *p, slx_buf *out);
/* SHA-256 of the serialised form, and its size. */
void slx_program_sha256(const slx_program *p, char out[65], uint64_t *bytes);

/* Text form (docs/isa-semantics.md): directives .info .desc .region .group .entry .function .weight .span .equ, and
 * instructions with labels. slx_disasm(slx_asm(text)) is stable; slx_asm(slx_disasm(p)) == p. slx_asm overwrites p and
 * checks as reading a file does; errors have file, line, column and the source line. */
void slx_disasm(const slx_program *p, slx_buf *out);
slx_status slx_asm(slx_program *p, const char *text, size_t len, const char *name, slx_err *err);

/* ------------------------------------------------------------------ retire record: how machines are compared */
typedef struct {
    uint64_t index;       /* dynamic count on this tile */
    uint32_t chip, tile, pc; /* chip: its rank */
    uint8_t op, engine;
    uint64_t dst, bytes;  /* first byte or cell written and how many; 0 when none */
    uint64_t hash;        /* slx_hash of what was written */
} slx_retire;

#endif
