/* lib.c - what the kernels of lib.h share: operand types, the norm that joins limits, the band. */
#include <string.h>
#include <strings.h>

#include "time/lib_int.h"

typedef struct {
    const char *name;
    double act_bytes, weight_bytes;
    slx_lib_format format;
    const char *stored;
} dtype;

static const dtype dtypes[] = {
#define X(id, name, a, w, format, stored) {name, a, w, format, stored},
    SLX_LIB_DTYPES(X)
#undef X
};

const char slx_lib_dtype_list[] =
#define X(id, name, a, w, format, stored) " " name
    SLX_LIB_DTYPES(X)
#undef X
    ;

/* Other words for them: as frameworks write them, and what published weights of such names are stored in. */
static const struct {
    const char *name;
    slx_lib_dtype is;
} other_names[] = {{"bfloat16", SLX_LIB_BF16}, {"half", SLX_LIB_FP16},     {"float16", SLX_LIB_FP16},
                   {"fp4", SLX_LIB_NVFP4},     {"w8a8", SLX_LIB_INT8},     {"w8a16", SLX_LIB_INT8_WO},
                   {"int4", SLX_LIB_INT4_WO},  {"w4a16", SLX_LIB_INT4_WO}, {"awq", SLX_LIB_INT4_WO},
                   {"gptq", SLX_LIB_INT4_WO}};

bool slx_lib_dtype_parse(const char *name, slx_lib_dtype *out)
{
    for (int i = 0; i < SLX_LIB_N_DTYPES; i++)
        if (!strcasecmp(name, dtypes[i].name)) return *out = (slx_lib_dtype)i, true;
    for (size_t i = 0; i < sizeof other_names / sizeof *other_names; i++)
        if (!strcasecmp(name, other_names[i].name)) return *out = other_names[i].is, true;
    return false;
}

const char *slx_lib_dtype_name(slx_lib_dtype d)
{
    return dtypes[d].name;
}

slx_lib_format slx_lib_dtype_format(slx_lib_dtype d)
{
    return dtypes[d].format;
}

const char *slx_lib_dtype_stored(slx_lib_dtype d)
{
    return dtypes[d].stored;
}

double slx_lib_act_bytes(slx_lib_dtype d)
{
    return dtypes[d].act_bytes;
}

double slx_lib_weight_bytes(slx_lib_dtype d)
{
    return dtypes[d].weight_bytes;
}

const char *slx_lib_unpublished(const slx_chip *c, slx_lib_dtype d)
{
    const struct {
        const char *key;
        double peak;
    } wide = {"part.bf16_tflops", c->part.bf16_tflops}, fp8 = {"part.fp8_tflops", c->part.fp8_tflops},
      int8 = {"part.int8_tops", c->part.int8_tops}, fp4 = {"part.fp4_tflops", c->part.fp4_tflops};
    if (!c->library) return NULL;
    if (!(c->part.mem_tbs > 0)) return "part.mem_tbs";
    slx_lib_format f = dtypes[d].format;
    __typeof__(wide) own = f == SLX_LIB_4                                ? fp4
                           : f == SLX_LIB_16 || f == SLX_LIB_WO          ? wide
                           : d == SLX_LIB_INT8                           ? int8
                                                                         : fp8;
    if (isnan(own.peak)) return own.key;
    return own.peak > 0 || wide.peak > 0 ? NULL : wide.key;
}

/* The chip's own peak in the format; 0 or NAN where it has none. */
static double own_tflops(const slx_chip *c, slx_lib_dtype d)
{
    switch (dtypes[d].format) {
    case SLX_LIB_4: return c->lib.fig.fp4_tflops;
    case SLX_LIB_8:
    case SLX_LIB_BLOCK: return d == SLX_LIB_INT8 ? c->lib.fig.int8_tops : c->lib.fig.fp8_tflops;
    default: return c->lib.fig.tflops;
    }
}

bool slx_lib_widens(const slx_chip *c, slx_lib_dtype d)
{
    return !(own_tflops(c, d) > 0);
}

bool slx_lib_format_untold(const slx_chip *c, slx_lib_dtype d)
{
    return isnan(own_tflops(c, d));
}

double slx_lib_tflops(const slx_chip *c, slx_lib_dtype d)
{
    return slx_lib_widens(c, d) ? c->lib.fig.tflops : own_tflops(c, d);
}

double slx_ceil_div(double a, double b)
{
    return ceil(a / b);
}

double slx_lib_norm(double a, double b, double c, double p)
{
    double most = fmax(a, fmax(b, c));
    if (!(most > 0) || p == 1) return a + b + c;
    return most * pow(pow(a / most, p) + pow(b / most, p) + pow(c / most, p), 1 / p);
}

slx_status slx_lib_wants_library(const slx_chip *c, slx_err *err)
{
    if (c->library) return SLX_OK;
    return slx_chip_fail_key(c, "runs", err,
                             "found program, expected a chip that runs a vendor's library: "
                             "programs are timed step by step");
}

void slx_lib_answer(slx_lib_time *out, const slx_chip *c, double us, int own)
{
    const double *band = c->lib.band[own][slx_lib_class(us)];
    out->seconds = us * 1e-6;
    out->low_s = out->seconds * band[0];
    out->high_s = out->seconds * band[1];
    out->measured = c->lib.own[own];
}
