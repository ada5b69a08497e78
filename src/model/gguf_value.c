/* gguf_value.c - values of a GGUF file as the types their readers want; a key that is missing or of another
 * type is named.
 */
#include "model/model_int.h"

const char *slx_gguf_vtype_name(uint32_t vtype)
{
    static const char *const names[SLX_V_COUNT] = {"u8",  "i8",  "u16",  "i16",    "u32",
                                                   "i32", "f32", "bool", "string", "array",
                                                   "u64", "i64", "f64"};
    return vtype < SLX_V_COUNT ? names[vtype] : "?";
}

uint32_t slx_gguf_vtype_bytes(uint32_t vtype)
{
    static const uint8_t bytes[SLX_V_COUNT] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
    return vtype < SLX_V_COUNT ? bytes[vtype] : 0;
}

bool slx_gguf_int_at(const slx_gguf_value *v, uint64_t i, int64_t *out)
{
    uint32_t type = v->vtype == SLX_V_ARR ? v->etype : v->vtype;
    if (i >= v->n) return false;
    const uint8_t *p = v->data + i * slx_gguf_vtype_bytes(type);
    switch (type) {
    case SLX_V_U8: *out = p[0]; return true;
    case SLX_V_I8: *out = (int8_t)p[0]; return true;
    case SLX_V_U16: *out = slx_le16(p); return true;
    case SLX_V_I16: *out = (int16_t)slx_le16(p); return true;
    case SLX_V_U32: *out = slx_le32(p); return true;
    case SLX_V_I32: *out = (int32_t)slx_le32(p); return true;
    case SLX_V_I64: *out = (int64_t)slx_le64(p); return true;
    case SLX_V_U64: *out = (int64_t)slx_le64(p); return *out >= 0;
    default: return false;
    }
}

bool slx_gguf_next_str(const slx_gguf_value *v, uint64_t *i, const uint8_t **at, slx_str *out)
{
    if (*i >= v->n) return false;
    if (*i == 0) *at = v->data;
    *out = (slx_str){(const char *)*at + 8, (size_t)slx_le64(*at)};
    *at += 8 + out->len;
    ++*i;
    return true;
}

static slx_status key_missing(const slx_gguf *g, const char *key, const char *what, slx_err *err)
{
    return slx_fail(err, SLX_EINPUT, slx_gguf_path(g), 0, 0, "key '%s': not found, expected %s",
                    key, what);
}

static slx_status key_type(const slx_gguf *g, const char *key, const slx_gguf_value *v,
                           const char *what, slx_err *err)
{
    return slx_fail(err, SLX_EINPUT, slx_gguf_path(g), 0, 0, "key '%s': found type %s, expected %s",
                    key, slx_gguf_vtype_name(v->vtype), what);
}

slx_status slx_gguf_u32(const slx_gguf *g, const char *key, uint32_t *out, slx_err *err)
{
    const slx_gguf_value *v = slx_gguf_get(g, key);
    int64_t x = -1;
    if (!v) return key_missing(g, key, "an integer", err);
    if (v->vtype == SLX_V_ARR || slx_gguf_vtype_bytes(v->vtype) == 0 || v->vtype == SLX_V_BOOL ||
        v->vtype == SLX_V_F32 || v->vtype == SLX_V_F64)
        return key_type(g, key, v, "an integer", err);
    bool fits = slx_gguf_int_at(v, 0, &x);
    if (!fits || x < 0 || x > UINT32_MAX)
        return slx_fail(err, SLX_EINPUT, slx_gguf_path(g), 0, 0,
                        "key '%s': found %s%lld, expected 0 to 4294967295", key,
                        fits ? "" : "a value as large as ",
                        fits ? (long long)x : (long long)INT64_MAX);
    *out = (uint32_t)x;
    return SLX_OK;
}

slx_status slx_gguf_f32(const slx_gguf *g, const char *key, float *out, slx_err *err)
{
    const slx_gguf_value *v = slx_gguf_get(g, key);
    if (!v) return key_missing(g, key, "a floating-point number", err);
    if (v->vtype == SLX_V_F32) {
        *out = slx_le_f32(v->data);
    } else if (v->vtype == SLX_V_F64) {
        uint64_t u = slx_le64(v->data);
        double d;
        memcpy(&d, &u, 8);
        *out = d > 3.4028234663852886e38    ? __builtin_inff()
               : d < -3.4028234663852886e38 ? -__builtin_inff()
                                            : (float)d;
    } else {
        return key_type(g, key, v, "f32", err);
    }
    return SLX_OK;
}

slx_status slx_gguf_bool(const slx_gguf *g, const char *key, bool *out, slx_err *err)
{
    const slx_gguf_value *v = slx_gguf_get(g, key);
    if (!v) return key_missing(g, key, "a bool", err);
    if (v->vtype != SLX_V_BOOL) return key_type(g, key, v, "bool", err);
    *out = v->data[0];
    return SLX_OK;
}

bool slx_gguf_str(const slx_gguf *g, const char *key, slx_str *out)
{
    const slx_gguf_value *v = slx_gguf_get(g, key);
    if (!v || v->vtype != SLX_V_STR) return false;
    *out = (slx_str){(const char *)v->data + 8, (size_t)slx_le64(v->data)};
    return true;
}
