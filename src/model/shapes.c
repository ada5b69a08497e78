/* shapes.c - a model known by its shapes alone: every tensor with the name and shape the GGUF reader gives it, and no
 * data. It can be compiled and timed; what needs values is refused by slx_model_need_values.
 *
 * Invariant: rope_freqs, which comes from the config itself, is the only tensor with data.
 */
#include "model/model_int.h"

#include <stdlib.h>
#include <sys/stat.h>

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), k = strlen(end);
    return n >= k && !strcmp(s + n - k, end);
}

/* ------------------------------------------------------------------ where a model lies */

static bool starts_like_json(const char *path)
{
    FILE *f = fopen(path, "rb");
    int c = f ? getc(f) : EOF;
    for (int i = 0; i < 64 && (c == ' ' || c == '\n' || c == '\r' || c == '\t'); i++) c = getc(f);
    if (f) fclose(f);
    return c == '{';
}

slx_status slx_model_find(char out[1024], const char *path, bool *config, slx_err *err)
{
    static const char *const suffixes[] = {".json", NULL};
    struct stat st;
    *config = true;
    if (strlen(path) >= 1024 - sizeof "/config.json")
        return slx_fail(err, SLX_EINPUT, path, 0, 0, "path of %zu bytes, expected fewer than %zu",
                        strlen(path), 1024 - sizeof "/config.json");
    if (!stat(path, &st) && S_ISDIR(st.st_mode)) {
        snprintf(out, 1024, "%s/config.json", path);
        if (!stat(out, &st)) return SLX_OK;
        return slx_fail(err, SLX_EINPUT, path, 0, 0,
                        "is a folder without config.json, expected a model");
    }
    snprintf(out, 1024, "%s", path);
    if (!stat(path, &st)) {
        *config = S_ISREG(st.st_mode) && (ends_with(path, ".json") || starts_like_json(path));
        return SLX_OK;
    }
    *config = !strchr(path, '/') && !ends_with(path, ".gguf");
    return *config ? slx_find_file(out, "data/models", path, suffixes, err) : SLX_OK;
}

/* ------------------------------------------------------------------ tensors */

typedef struct {
    slx_model *m;
    uint32_t type; /* of matrices */
    slx_err *err;
} maker;

static slx_status make(void *arg, const char *name, uint64_t n0, uint64_t n1,
                       const slx_tensor **out)
{
    maker *k = arg;
    uint32_t type = n1 ? k->type : SLX_T_F32, elems, bytes;
    if (!slx_tensor_type_info(type, &elems, &bytes)) SLX_BUG("tensor type %u", type);
    if (n0 % elems)
        return slx_fail(k->err, SLX_EINPUT, k->m->path, 0, 0,
                        "tensor '%s': found rows of %llu values, expected a multiple of %u for "
                        "weights of type %s",
                        name, (unsigned long long)n0, elems, slx_tensor_type_name(type));
    slx_tensor *t = slx_new(&k->m->arena, slx_tensor, 1);
    *t = (slx_tensor){.name = slx_strdup(&k->m->arena, name),
                      .type = type,
                      .n_dims = n1 ? 2 : 1,
                      .ne = {n0, n1 ? n1 : 1, 1, 1},
                      .row_bytes = n0 / elems * bytes};
    t->bytes = t->row_bytes * t->ne[1];
    k->m->file_bytes += t->bytes;
    *out = t;
    return SLX_OK;
}

static void set_rope(slx_model *m, const slx_config *c)
{
    if (!c->rope_freqs) return;
    uint64_t half = m->hp.n_rot / 2;
    slx_tensor *t = slx_new(&m->arena, slx_tensor, 1);
    *t = (slx_tensor){.name = "rope_freqs.weight",
                      .type = SLX_T_F32,
                      .n_dims = 1,
                      .ne = {half, 1, 1, 1},
                      .data = (const uint8_t *)c->rope_freqs,
                      .bytes = 4 * half,
                      .row_bytes = 4 * half};
    m->rope_freqs = t;
}

/* The file's name without its ending; the folder's when the file is just "config.json". */
static const char *name_of(slx_arena *a, const char *path)
{
    const char *end = path + strlen(path), *at = end;
    if (ends_with(path, "/config.json"))
        end -= strlen("/config.json");
    else if (ends_with(path, ".json"))
        end -= strlen(".json");
    while (end > path && end[-1] == '/') end--;
    for (at = end; at > path && at[-1] != '/'; at--) {}
    char *name = slx_sprintf(a, "%.*s", (int)(end - at < 200 ? end - at : 200), at);
    for (char *p = name; *p; p++)
        if ((unsigned char)*p < 32 || (unsigned char)*p > 126) *p = '?';
    return *name && strcmp(name, ".") && strcmp(name, "..") ? name : "model";
}

/* ------------------------------------------------------------------ the whole */

static slx_status load(slx_model *m, const char *text, size_t n, const char *weight_type,
                       slx_err *err)
{
    slx_config c;
    slx_hash h;
    SLX_TRY(slx_config_parse(&c, &m->arena, text, n, m->path, weight_type, err));
    m->hp = c.hp;
    maker k = {m, c.weight_type, err};
    SLX_TRY(slx_arch_weights(m, make, &k));
    set_rope(m, &c);
    slx_hash_init(&h);
    slx_hash_add(&h, text, n);
    slx_hash_add(&h, &c.weight_type, sizeof c.weight_type);
    m->hash = slx_hash_get(&h);
    return SLX_OK;
}

slx_status slx_model_parse_config(slx_model **out, const char *text, size_t n, const char *name,
                                  const char *weight_type, slx_err *err)
{
    slx_model *m = slx_xcalloc(1, sizeof *m);
    slx_arena_init(&m->arena);
    m->shapes_only = true;
    snprintf(m->path, sizeof m->path, "%s", name);
    m->name = name_of(&m->arena, m->path);
    slx_status st = load(m, text, n, weight_type, err);
    if (st != SLX_OK) {
        slx_model_close(m);
        m = NULL;
    }
    *out = m;
    return st;
}

slx_status slx_shapes_open(slx_model **out, const char *path, const char *weight_type, slx_err *err)
{
    slx_map map;
    SLX_TRY(slx_map_open(&map, path, err));
    slx_status st =
        slx_model_parse_config(out, (const char *)map.ptr, map.size, path, weight_type, err);
    slx_map_close(&map);
    return st;
}
