/* lib.c - what the kernels of lib.h share: operand types, the norm that joins limits, the band. */
#include <string.h>

#include "time/lib_int.h"

typedef struct {
    const char *name;
    double act_bytes, weight_bytes;
    slx_lib_format format;
} dtype;

static const dtype dtypes[] = {
#define X(id, name, a, w, format) {name, a, w, format},
    SLX_LIB_DTYPES(X)
#undef X
};

bool slx_lib_dtype_parse(const char *name, slx_lib_dtype *out)
{
    static const struct {
        const char *name;
        slx_lib_dtype is;
    } others[] = {{"bfloat16", SLX_LIB_BF16}, {"half", SLX_LIB_FP16}, {"float16", SLX_LIB_FP16}};
    for (int i = 0; i < SLX_LIB_N_DTYPES; i++)
        if (!strcmp(name, dtypes[i].name)) {
            *out = (slx_lib_dtype)i;
            return true;
        }
    for (int i = 0; i < 3; i++)
        if (!strcmp(name, others[i].name)) {
            *out = others[i].is;
            return true;
        }
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

double slx_lib_act_bytes(slx_lib_dtype d)
{
    return dtypes[d].act_bytes;
}

double slx_lib_weight_bytes(slx_lib_dtype d)
{
    return dtypes[d].weight_bytes;
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
