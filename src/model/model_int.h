/* model_int.h - what the files of this layer share and nobody else needs. */
#ifndef SLX_MODEL_INT_H
#define SLX_MODEL_INT_H

#include "model/model.h"

#include <string.h>

/* Unaligned little-endian loads: nothing in a GGUF header is aligned. */
static inline uint16_t slx_le16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}
static inline uint32_t slx_le32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}
static inline uint64_t slx_le64(const uint8_t *p)
{
    return (uint64_t)slx_le32(p) | (uint64_t)slx_le32(p + 4) << 32;
}
static inline float slx_le_f32(const uint8_t *p)
{
    uint32_t u = slx_le32(p);
    float f;
    memcpy(&f, &u, 4);
    return f;
}

/* Value types of GGUF, by the number in the file. */
enum {
    SLX_V_U8,
    SLX_V_I8,
    SLX_V_U16,
    SLX_V_I16,
    SLX_V_U32,
    SLX_V_I32,
    SLX_V_F32,
    SLX_V_BOOL,
    SLX_V_STR,
    SLX_V_ARR,
    SLX_V_U64,
    SLX_V_I64,
    SLX_V_F64,
    SLX_V_COUNT
};
const char *slx_gguf_vtype_name(uint32_t vtype); /* "u32"; "?" when unknown */
uint32_t slx_gguf_vtype_bytes(uint32_t vtype);   /* of a value of fixed size; 0 for strings, arrays, unknown types */

/* Item i of an integer-typed value or array, widened; false when the type is no integer or the value > INT64_MAX. */
bool slx_gguf_int_at(const slx_gguf_value *v, uint64_t i, int64_t *out);
/* Steps through a packed string array: *at starts at 0 and moves on; false at the end. Lengths were checked on open. */
bool slx_gguf_next_str(const slx_gguf_value *v, uint64_t *i, const uint8_t **at, slx_str *out);
slx_status slx_gguf_bool(const slx_gguf *g, const char *key, bool *out, slx_err *err);

const slx_map *slx_gguf_map(const slx_gguf *g); /* ptr NULL when parsed from a buffer */
const uint8_t *slx_gguf_bytes(const slx_gguf *g, uint64_t *header_bytes, uint64_t *file_bytes);

/* s for a message: at most 80 bytes, control and non-ASCII bytes as \xNN, in a caller's buffer of 360. */
const char *slx_printable(char out[360], slx_str s);

/* As slx_model_open / slx_model_open_vocab over an open container, which the model owns from then on (closed on error). */
slx_status slx_model_from_gguf(slx_model **out, slx_gguf *g, bool vocab_only, slx_err *err);

/* Fills m->hp, m->tok_embd.. m->layers from the container: arch.c. */
slx_status slx_arch_load(slx_model *m, slx_err *err);

enum { SLX_MAX_COUNT = 1 << 24, SLX_MAX_LAYERS = 4096 }; /* of any hyperparameter; of n_layers */
bool slx_type_for_matmul(uint32_t type);                 /* storage types of matrices that have kernels */
extern const char slx_matmul_types[];                    /* their names, for messages */

/* Finds or makes a weight; n1 == 0 asks for a vector. */
typedef slx_status slx_weight_fn(void *arg, const char *name, uint64_t n0, uint64_t n1,
                                 const slx_tensor **out);
/* The one list of an architecture's weights, names and shapes: asks for each that m->hp calls for and fills
 * m->tok_embd .. m->layers. Stops at the first error. */
slx_status slx_arch_weights(slx_model *m, slx_weight_fn *take, void *arg);

/* What a config.json says: config.c. */
typedef struct {
    slx_hparams hp;       /* as a GGUF file of the same model would say */
    uint32_t weight_type; /* slx_tensor_type */
    float *rope_freqs;    /* [n_rot/2] divisors in the arena, NULL when all are 1 */
} slx_config;
/* weight_type as slx_model_open_as. */
slx_status slx_config_parse(slx_config *c, slx_arena *a, const char *text, size_t n,
                            const char *path, const char *weight_type, slx_err *err);
/* Whether the path leads to a config, and to which: a folder's, one in data/models by name. *config false: path is left
 * to the GGUF reader, in out as it came. */
slx_status slx_model_find(char out[1024], const char *path, bool *config, slx_err *err);
slx_status slx_shapes_open(slx_model **out, const char *path, const char *weight_type, slx_err *err);

/* NULL in *out when the file has no tokenizer. Borrows g's bytes; close before the container. */
slx_status slx_tokenizer_open(slx_tokenizer **out, const slx_gguf *g, slx_err *err);
void slx_tokenizer_close(slx_tokenizer *t);

#endif
