/* program_fields.c - the fields of a program's records, one list each, in the order of the file form.
 *
 * Adding a field: a row here, and a higher SLX_PROGRAM_VERSION.
 */
#include "isa/isa_int.h"

#include <string.h>

#define FIELD(T, member, kind)                                                                     \
    {                                                                                              \
#member, SLX_FIELD_##kind, offsetof(T, member), sizeof(((T *)0)->member)                   \
    }
#define RECORD(var, text, T, fields)                                                               \
    const slx_record var = {text, fields, sizeof fields / sizeof *fields, sizeof(T)};

#define INFO(member, kind) FIELD(slx_program_info, member, kind)
static const slx_field info_fields[] = {
    INFO(chip_name, STR),       INFO(chip_hash, U64),   INFO(model_name, STR),
    INFO(model_hash, U64),      INFO(n_tiles, U32),     INFO(spm_bytes, U32),
    INFO(acc_cells, U32),       INFO(max_m, U32),       INFO(token_max, U32),
    INFO(n_layers, U32),        INFO(d_model, U32),     INFO(d_ff, U32),
    INFO(n_heads, U32),         INFO(n_kv_heads, U32),  INFO(head_dim, U32),
    INFO(head_dim_pad, U32),    INFO(n_rot, U32),       INFO(vocab, U32),
    INFO(vocab_pad, U32),       INFO(max_context, U32), INFO(rope_style, U32),
    INFO(rope_base, F32),       INFO(page_stride, U64), INFO(kv_head_stride, U64),
    INFO(kv_layer_stride, U64), INFO(n_chips, U32),     INFO(kv_unit, U32),
    INFO(attn_item_ps, U32),    INFO(attn_page_ps, U32),
    INFO(attn_row_base_ps, U32), INFO(attn_row_ps, U32),
    INFO(attn_shared_page_ps, U32), INFO(attn_merge_ps, U32), INFO(attn_state_ps, U32),
    INFO(attn_state_row_ps, U32),
    INFO(attn_beside_ps, U32),  INFO(short_rows, U32), INFO(attn_split_chunks, U32), INFO(grid_x, U32),
};
RECORD(slx_rec_info, "info", slx_program_info, info_fields)

#define DESC(member) FIELD(slx_desc_layout, member, U32)
static const slx_field desc_fields[] = {
    DESC(max_rows),   DESC(max_samples), DESC(max_seqs),  DESC(max_pages),    DESC(max_items),
    DESC(item_rows),  DESC(off_header),  DESC(off_token), DESC(off_position), DESC(off_kcode),
    DESC(off_kscale), DESC(off_vscale),  DESC(off_lim),   DESC(off_sample),   DESC(off_pages),
    DESC(off_span),   DESC(off_item),    DESC(max_merges), DESC(max_states), DESC(off_merge_span),
    DESC(off_merge),  DESC(bytes),
};
RECORD(slx_rec_desc, "desc", slx_desc_layout, desc_fields)

static const slx_field region_fields[] = {
    FIELD(slx_region, name, STR),
    FIELD(slx_region, kind, REGION_KIND),
    FIELD(slx_region, base, U64),
    FIELD(slx_region, bytes, U64),
};
RECORD(slx_rec_region, "region", slx_region, region_fields)

static const slx_field group_fields[] = {
    FIELD(struct slx_group, name, STR),
    FIELD(struct slx_group, first, U32),
    FIELD(struct slx_group, count, U32),
};
RECORD(slx_rec_group, "group", struct slx_group, group_fields)

#define WEIGHT(member, kind) FIELD(slx_weight, member, kind)
static const slx_field weight_fields[] = {
    WEIGHT(tensor, STR), WEIGHT(layout, LAYOUT),  WEIGHT(fmt, FMT),     WEIGHT(n, U32),
    WEIGHT(k, U32),      WEIGHT(n_pad, U32),      WEIGHT(kblk, U32),    WEIGHT(ns, U32),
    WEIGHT(pieces, U32), WEIGHT(addr, U64),       WEIGHT(bytes, U64),   WEIGHT(off_scale, U64),
    WEIGHT(off_m, U64),  WEIGHT(shard_rows, U32), WEIGHT(shard_k, U32), WEIGHT(ways, U32),
    WEIGHT(grain, U32),
};
RECORD(slx_rec_weight, "weight", slx_weight, weight_fields)

static const slx_field span_fields[] = {
    FIELD(slx_span, name, STR),  FIELD(slx_span, tmpl, U32),    FIELD(slx_span, pc, U32),
    FIELD(slx_span, count, U32), FIELD(slx_span, n_param, U32), FIELD(slx_span, param, U64S),
};
RECORD(slx_rec_span, "span", slx_span, span_fields)

/* ------------------------------------------------------------------ named codes */

static const char *const region_kinds[] = {
#define X(n, t) t,
    SLX_REGION_KINDS(X)
#undef X
};
static const char *const layouts[] = {
#define X(n, t) t,
    SLX_LAYOUTS(X)
#undef X
};

const char *slx_region_kind_name(slx_region_kind k)
{
    return (unsigned)k < SLX_N_REGION_KINDS ? region_kinds[k] : NULL;
}

const char *slx_field_name_of(slx_field_type t, uint32_t code)
{
    switch (t) {
    case SLX_FIELD_REGION_KIND: return code < SLX_N_REGION_KINDS ? region_kinds[code] : NULL;
    case SLX_FIELD_LAYOUT: return code < SLX_N_LAYOUTS ? layouts[code] : NULL;
    case SLX_FIELD_FMT: return slx_fn_name(SLX_FL_FMT, code);
    default: return NULL;
    }
}

int slx_field_code_of(slx_field_type t, const char *name, size_t len)
{
    for (uint32_t c = 0; c < 64; c++) {
        const char *s = slx_field_name_of(t, c);
        if (s && strlen(s) == len && !memcmp(s, name, len)) return (int)c;
    }
    return -1;
}
