/* gguf.c - reads the GGUF container, versions 2 and 3, over a map or a buffer.
 *
 *   u8[4] "GGUF"  u32 version  u64 n_tensors  u64 n_kv
 *   n_kv      x { string key; u32 vtype; value }
 *   n_tensors x { string name; u32 n_dims; u64 ne[n_dims]; u32 type; u64 offset }
 *   padding to general.alignment
 *   tensor data                      string = u64 length, bytes
 *
 * Invariant: after slx_gguf_parse returned SLX_OK every string, array and tensor lies inside the bytes, so nothing that
 * reads through this file's functions checks a length again. Nothing is sized from a count in the file: tables grow as
 * entries are really met. Values are borrowed from the bytes; only tensor names are copied (they become C strings).
 */
#include "model/model_int.h"

#include <stdlib.h>

#define MAX_KEY_BYTES  65535u
#define MAX_NAME_BYTES 255u

typedef struct {
    slx_str key; /* borrowed */
    slx_gguf_value v;
} entry;

/* Open addressing over indices into a table; 0 = empty, else index + 1. */
typedef struct {
    uint32_t *slot;
    uint32_t mask;
} index_table;

struct slx_gguf {
    slx_map map; /* ptr NULL when the bytes are somebody else's */
    const uint8_t *base;
    uint64_t size, header_bytes;
    char *path;
    entry *kv;
    uint32_t n_kv, cap_kv;
    slx_tensor *tensors;
    uint32_t n_tensors, cap_tensors;
    index_table by_key, by_name;
    slx_arena names;
};

typedef struct {
    slx_gguf *g;
    uint64_t at;
    slx_err *err;
} reader;

/* ------------------------------------------------------------------ tensor types */

const char *slx_tensor_type_name(uint32_t type)
{
    switch (type) {
#define X(name, id, elems, bytes, deq)                                                             \
    case id: return #name;
        SLX_TENSOR_TYPES(X)
#undef X
    default: return NULL;
    }
}

bool slx_tensor_type_info(uint32_t type, uint32_t *block_elems, uint32_t *block_bytes)
{
    switch (type) {
#define X(name, id, elems, bytes, deq)                                                             \
    case id:                                                                                       \
        *block_elems = elems;                                                                      \
        *block_bytes = bytes;                                                                      \
        return true;
        SLX_TENSOR_TYPES(X)
#undef X
    default: return false;
    }
}

/* ------------------------------------------------------------------ messages */

const char *slx_printable(char out[360], slx_str s)
{
    size_t n = 0, shown = s.len < 80 ? s.len : 80;
    for (size_t i = 0; i < shown; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c >= 32 && c < 127)
            out[n++] = (char)c;
        else
            n += (size_t)snprintf(out + n, 5, "\\x%02X", c);
    }
    if (shown < s.len) memcpy(out + n, "...", 4), n += 3;
    out[n] = 0;
    return out;
}

#define FAIL(r, status, ...) slx_fail((r)->err, (status), (r)->g->path, 0, 0, __VA_ARGS__)

/* ------------------------------------------------------------------ hash tables */

static uint32_t *find_slot(const index_table *t, slx_str s,
                           slx_str (*key_of)(const slx_gguf *, uint32_t), const slx_gguf *g)
{
    uint32_t i = (uint32_t)slx_hash_of(s.ptr, s.len) & t->mask;
    while (t->slot[i] && !slx_str_eq(key_of(g, t->slot[i] - 1), s)) i = (i + 1) & t->mask;
    return &t->slot[i];
}

static slx_str key_at(const slx_gguf *g, uint32_t i)
{
    return g->kv[i].key;
}
static slx_str name_at(const slx_gguf *g, uint32_t i)
{
    return slx_str_c(g->tensors[i].name);
}

/* Fills t with 0..n-1; returns the first index whose key was there before, or n. */
static uint32_t index_all(index_table *t, uint32_t n, slx_str (*key_of)(const slx_gguf *, uint32_t),
                          const slx_gguf *g)
{
    uint64_t cap = 16;
    while (cap < 2 * (uint64_t)n) cap *= 2;
    t->slot = slx_xcalloc(cap, sizeof *t->slot);
    t->mask = (uint32_t)(cap - 1);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t *slot = find_slot(t, key_of(g, i), key_of, g);
        if (*slot) return i;
        *slot = i + 1;
    }
    return n;
}

/* ------------------------------------------------------------------ reading */

static uint64_t left(const reader *r)
{
    return r->g->size - r->at;
}

static slx_status need(const reader *r, uint64_t n, const char *what)
{
    if (n <= left(r)) return SLX_OK;
    return FAIL(r, SLX_EINPUT,
                "%s at byte %llu: found %llu bytes up to the end of the file, expected %llu", what,
                (unsigned long long)r->at, (unsigned long long)left(r), (unsigned long long)n);
}

static slx_status get_u32(reader *r, const char *what, uint32_t *out)
{
    SLX_TRY(need(r, 4, what));
    *out = slx_le32(r->g->base + r->at);
    r->at += 4;
    return SLX_OK;
}

static slx_status get_u64(reader *r, const char *what, uint64_t *out)
{
    SLX_TRY(need(r, 8, what));
    *out = slx_le64(r->g->base + r->at);
    r->at += 8;
    return SLX_OK;
}

static slx_status get_str(reader *r, const char *what, slx_str *out)
{
    uint64_t n;
    SLX_TRY(get_u64(r, what, &n));
    SLX_TRY(need(r, n, what));
    out->ptr = (const char *)r->g->base + r->at;
    out->len = (size_t)n;
    r->at += n;
    return SLX_OK;
}

/* Keys and tensor names: short, UTF-8, no NUL; they end up in messages and comparisons. */
static slx_status get_name(reader *r, const char *what, uint32_t max_bytes, slx_str *out)
{
    uint64_t at = r->at;
    SLX_TRY(get_str(r, what, out));
    if (out->len == 0 || out->len > max_bytes)
        return FAIL(r, SLX_EINPUT, "%s at byte %llu: found a length of %zu, expected 1 to %u", what,
                    (unsigned long long)at, out->len, max_bytes);
    if (memchr(out->ptr, 0, out->len) || !slx_utf8_valid(out->ptr, out->len)) {
        char text[360];
        return FAIL(r, SLX_EINPUT, "%s at byte %llu: found '%s', expected UTF-8 text without NUL",
                    what, (unsigned long long)at, slx_printable(text, *out));
    }
    return SLX_OK;
}

static slx_status check_bools(const reader *r, const char *key, const uint8_t *p, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++)
        if (p[i] > 1)
            return FAIL(r, SLX_EINPUT, "key '%s': found a bool of value %u, expected 0 or 1", key,
                        p[i]);
    return SLX_OK;
}

static slx_status get_array(reader *r, const char *key, slx_gguf_value *v)
{
    SLX_TRY(get_u32(r, "array element type", &v->etype));
    SLX_TRY(get_u64(r, "array length", &v->n));
    v->data = r->g->base + r->at;
    if (v->etype == SLX_V_STR) {
        for (uint64_t i = 0; i < v->n; i++) {
            slx_str s;
            SLX_TRY(get_str(r, key, &s));
        }
        return SLX_OK;
    }
    uint32_t each = slx_gguf_vtype_bytes(v->etype);
    if (each == 0)
        return FAIL(
            r, v->etype == SLX_V_ARR ? SLX_EUNSUPPORTED : SLX_EINPUT,
            "key '%s': found an array of element type %u, expected numbers, bools or strings", key,
            v->etype);
    if (v->n > left(r) / each)
        return FAIL(r, SLX_EINPUT,
                    "key '%s': found an array of %llu %s values with %llu bytes left in the file",
                    key, (unsigned long long)v->n, slx_gguf_vtype_name(v->etype),
                    (unsigned long long)left(r));
    if (v->etype == SLX_V_BOOL) SLX_TRY(check_bools(r, key, v->data, v->n));
    r->at += v->n * each;
    return SLX_OK;
}

static slx_status get_entry(reader *r, entry *e)
{
    char key[360];
    *e = (entry){0};
    SLX_TRY(get_name(r, "key", MAX_KEY_BYTES, &e->key));
    slx_printable(key, e->key);
    SLX_TRY(get_u32(r, "value type", &e->v.vtype));
    e->v.n = 1;
    e->v.data = r->g->base + r->at;
    if (e->v.vtype == SLX_V_ARR) return get_array(r, key, &e->v);
    if (e->v.vtype == SLX_V_STR) {
        slx_str s;
        return get_str(r, key, &s);
    }
    uint32_t bytes = slx_gguf_vtype_bytes(e->v.vtype);
    if (bytes == 0)
        return FAIL(r, SLX_EINPUT, "key '%s': found value type %u, expected 0 to %d", key,
                    e->v.vtype, SLX_V_COUNT - 1);
    SLX_TRY(need(r, bytes, key));
    if (e->v.vtype == SLX_V_BOOL) SLX_TRY(check_bools(r, key, e->v.data, 1));
    r->at += bytes;
    return SLX_OK;
}

/* data is set later, when the place of the tensor data is known; until then bytes holds the size, offset the place. */
static slx_status get_tensor(reader *r, slx_tensor *t, uint64_t *offset)
{
    slx_str name;
    char text[360];
    *t = (slx_tensor){.ne = {1, 1, 1, 1}};
    SLX_TRY(get_name(r, "tensor name", MAX_NAME_BYTES, &name));
    slx_printable(text, name);
    SLX_TRY(get_u32(r, "number of dimensions", &t->n_dims));
    if (t->n_dims < 1 || t->n_dims > 4)
        return FAIL(r, SLX_EINPUT, "tensor '%s': found %u dimensions, expected 1 to 4", text,
                    t->n_dims);
    for (uint32_t i = 0; i < t->n_dims; i++) SLX_TRY(get_u64(r, "dimension", &t->ne[i]));
    SLX_TRY(get_u32(r, "tensor type", &t->type));
    SLX_TRY(get_u64(r, "tensor offset", offset));

    uint32_t elems, bytes;
    if (!slx_tensor_type_info(t->type, &elems, &bytes))
        return FAIL(r, SLX_EUNSUPPORTED,
                    "tensor '%s': found storage type %u, which this version does not know", text,
                    t->type);
    if (t->ne[0] % elems)
        return FAIL(r, SLX_EINPUT,
                    "tensor '%s': found rows of %llu elements, expected a multiple of %u for %s",
                    text, (unsigned long long)t->ne[0], elems, slx_tensor_type_name(t->type));
    uint64_t total = 1;
    for (int i = 0; i < 4; i++)
        if (t->ne[i] == 0 || __builtin_mul_overflow(total, t->ne[i], &total))
            return FAIL(
                r, SLX_EINPUT,
                "tensor '%s': found dimensions [%llu, %llu, %llu, %llu], expected none zero and "
                "a product below 2^64",
                text, (unsigned long long)t->ne[0], (unsigned long long)t->ne[1],
                (unsigned long long)t->ne[2], (unsigned long long)t->ne[3]);
    if (__builtin_mul_overflow(total / elems, bytes, &t->bytes))
        return FAIL(r, SLX_EINPUT, "tensor '%s': found a size above 2^64 bytes", text);
    t->row_bytes = t->ne[0] / elems * bytes;
    char *copy = slx_push(&r->g->names, name.len + 1, 1);
    memcpy(copy, name.ptr, name.len);
    t->name = copy;
    return SLX_OK;
}

typedef struct {
    uint64_t beg, end;
    uint32_t tensor;
} span;

static int by_beg(const void *a, const void *b)
{
    const span *x = a, *y = b;
    return x->beg < y->beg ? -1 : x->beg > y->beg;
}

static slx_status check_overlap(const reader *r, span *s)
{
    const slx_gguf *g = r->g;
    qsort(s, g->n_tensors, sizeof *s, by_beg);
    for (uint32_t i = 1; i < g->n_tensors; i++)
        if (s[i].beg < s[i - 1].end)
            return FAIL(r, SLX_EINPUT,
                        "tensor '%s': found at offset %llu, which lies inside tensor '%s'",
                        g->tensors[s[i].tensor].name, (unsigned long long)s[i].beg,
                        g->tensors[s[i - 1].tensor].name);
    return SLX_OK;
}

/* offsets: one a tensor, relative to the start of the data. */
static slx_status place_tensors(reader *r, const uint64_t *offsets)
{
    slx_gguf *g = r->g;
    uint64_t align = 32;
    const slx_gguf_value *v = slx_gguf_get(g, "general.alignment");
    if (v) {
        if (v->vtype != SLX_V_U32)
            return FAIL(r, SLX_EINPUT, "key 'general.alignment': found type %s, expected u32",
                        slx_gguf_vtype_name(v->vtype));
        align = slx_le32(v->data);
        if (align < 8 || (align & (align - 1)))
            return FAIL(
                r, SLX_EINPUT,
                "key 'general.alignment': found %llu, expected a power of two of at least 8",
                (unsigned long long)align);
    }
    uint64_t start = (r->at + align - 1) / align * align;
    g->header_bytes = start < g->size ? start : g->size;
    if (g->n_tensors == 0) return SLX_OK;

    span *spans = slx_xcalloc(g->n_tensors, sizeof *spans);
    slx_status s = SLX_OK;
    for (uint32_t i = 0; i < g->n_tensors && s == SLX_OK; i++) {
        slx_tensor *t = &g->tensors[i];
        uint64_t off = offsets[i], room = g->size - g->header_bytes;
        if (off % align)
            s = FAIL(r, SLX_EINPUT,
                     "tensor '%s': found at offset %llu, expected a multiple of the alignment %llu",
                     t->name, (unsigned long long)off, (unsigned long long)align);
        else if (off > room || t->bytes > room - off)
            s = FAIL(
                r, SLX_EINPUT,
                "tensor '%s': found at offset %llu with %llu bytes, but the file holds only %llu "
                "bytes of tensor data (is it cut off?)",
                t->name, (unsigned long long)off, (unsigned long long)t->bytes,
                (unsigned long long)room);
        else {
            t->data = g->base + g->header_bytes + off;
            spans[i] = (span){off, off + t->bytes, i};
        }
    }
    if (s == SLX_OK) s = check_overlap(r, spans);
    free(spans);
    return s;
}

static slx_status read_header(reader *r, uint64_t *n_tensors, uint64_t *n_kv)
{
    slx_gguf *g = r->g;
    if (g->size < 4 || memcmp(g->base, "GGUF", 4)) {
        char text[360];
        slx_str found = {(const char *)g->base, g->size < 4 ? (size_t)g->size : 4};
        return FAIL(r, SLX_EINPUT,
                    "found '%s' at the start, expected a GGUF file (first bytes \"GGUF\")",
                    slx_printable(text, found));
    }
    r->at = 4;
    uint32_t version;
    SLX_TRY(get_u32(r, "version", &version));
    if (version && (version & 0xffff) == 0)
        return FAIL(r, SLX_EUNSUPPORTED, "found a big-endian GGUF file, expected little-endian");
    if (version != 2 && version != 3)
        return FAIL(r, SLX_EUNSUPPORTED, "found GGUF version %u, expected 2 or 3", version);
    SLX_TRY(get_u64(r, "tensor count", n_tensors));
    SLX_TRY(get_u64(r, "key count", n_kv));
    /* The smallest key takes 14 bytes, the smallest tensor entry 33: refuse at once what cannot fit. */
    if (*n_kv > left(r) / 14 || *n_kv > INT32_MAX)
        return FAIL(r, SLX_EINPUT, "found a count of %llu keys in a file of %llu bytes",
                    (unsigned long long)*n_kv, (unsigned long long)g->size);
    if (*n_tensors > left(r) / 33 || *n_tensors > INT32_MAX)
        return FAIL(r, SLX_EINPUT, "found a count of %llu tensors in a file of %llu bytes",
                    (unsigned long long)*n_tensors, (unsigned long long)g->size);
    return SLX_OK;
}

static slx_status read_tensors(reader *r, uint64_t n, uint64_t **offsets)
{
    slx_gguf *g = r->g;
    while (g->n_tensors < n) {
        if (g->n_tensors == g->cap_tensors) {
            g->cap_tensors = g->cap_tensors ? 2 * g->cap_tensors : 64;
            g->tensors = slx_xrealloc(g->tensors, g->cap_tensors * sizeof *g->tensors);
            *offsets = slx_xrealloc(*offsets, g->cap_tensors * sizeof **offsets);
        }
        SLX_TRY(get_tensor(r, &g->tensors[g->n_tensors], &(*offsets)[g->n_tensors]));
        g->n_tensors++;
    }
    uint32_t twice = index_all(&g->by_name, g->n_tensors, name_at, g);
    if (twice < g->n_tensors)
        return FAIL(r, SLX_EINPUT, "tensor '%s': found twice, expected once",
                    g->tensors[twice].name);
    return place_tensors(r, *offsets);
}

static slx_status read_all(reader *r)
{
    slx_gguf *g = r->g;
    uint64_t n_tensors, n_kv;
    SLX_TRY(read_header(r, &n_tensors, &n_kv));
    while (g->n_kv < n_kv) {
        if (g->n_kv == g->cap_kv) {
            g->cap_kv = g->cap_kv ? 2 * g->cap_kv : 64;
            g->kv = slx_xrealloc(g->kv, g->cap_kv * sizeof *g->kv);
        }
        SLX_TRY(get_entry(r, &g->kv[g->n_kv]));
        g->n_kv++;
    }
    uint32_t twice = index_all(&g->by_key, g->n_kv, key_at, g);
    if (twice < g->n_kv) {
        char text[360];
        return FAIL(r, SLX_EINPUT, "key '%s': found twice, expected once",
                    slx_printable(text, g->kv[twice].key));
    }
    uint64_t *offsets = NULL;
    slx_status s = read_tensors(r, n_tensors, &offsets);
    free(offsets);
    return s;
}

static slx_status parse(slx_gguf **out, slx_map map, const uint8_t *p, uint64_t n, const char *name,
                        slx_err *err)
{
    slx_gguf *g = slx_xcalloc(1, sizeof *g);
    g->map = map;
    g->base = p;
    g->size = n;
    slx_arena_init(&g->names);
    g->path = slx_strdup(&g->names, name);
    reader r = {g, 0, err};
    slx_status s = read_all(&r);
    if (s != SLX_OK) {
        slx_gguf_close(g);
        g = NULL;
    }
    *out = g;
    return s;
}

slx_status slx_gguf_open(slx_gguf **out, const char *path, slx_err *err)
{
    slx_map map;
    *out = NULL;
    SLX_TRY(slx_map_open(&map, path, err));
    return parse(out, map, map.ptr, map.size, path, err);
}

slx_status slx_gguf_parse(slx_gguf **out, const void *p, size_t n, const char *name, slx_err *err)
{
    return parse(out, (slx_map){0}, p, n, name, err);
}

void slx_gguf_close(slx_gguf *g)
{
    if (!g) return;
    free(g->kv);
    free(g->tensors);
    free(g->by_key.slot);
    free(g->by_name.slot);
    if (g->map.ptr) slx_map_close(&g->map);
    slx_arena_deinit(&g->names);
    free(g);
}

/* ------------------------------------------------------------------ looking up */

const slx_gguf_value *slx_gguf_get(const slx_gguf *g, const char *key)
{
    uint32_t i = *find_slot(&g->by_key, slx_str_c(key), key_at, g);
    return i ? &g->kv[i - 1].v : NULL;
}

const slx_tensor *slx_gguf_find(const slx_gguf *g, const char *name)
{
    uint32_t i = *find_slot(&g->by_name, slx_str_c(name), name_at, g);
    return i ? &g->tensors[i - 1] : NULL;
}

const char *slx_gguf_path(const slx_gguf *g)
{
    return g->path;
}
int slx_gguf_tensor_count(const slx_gguf *g)
{
    return (int)g->n_tensors;
}

const slx_tensor *slx_gguf_tensor(const slx_gguf *g, int i)
{
    SLX_ASSERT(i >= 0 && (uint32_t)i < g->n_tensors);
    return &g->tensors[i];
}

const slx_map *slx_gguf_map(const slx_gguf *g)
{
    return &g->map;
}

const uint8_t *slx_gguf_bytes(const slx_gguf *g, uint64_t *header_bytes, uint64_t *file_bytes)
{
    *header_bytes = g->header_bytes;
    *file_bytes = g->size;
    return g->base;
}
