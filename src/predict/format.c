/* format.c - number formats by their size: each chip in the one it has, so that chips compare at the same bits. */
#include "predict/predict_int.h"

slx_formats slx_predict_formats(const slx_chip *c, const slx_shape *model, int weight_bits,
                                int kv_bits)
{
    slx_formats f = {.kv_dtype = "int8"};
    bool fp8 = c->part.fp8_tflops > 0;
    if (weight_bits == 16)
        f.dtype = "bf16";
    else if (weight_bits == 4)
        f.dtype = c->library && c->part.fp4_tflops > 0 ? "nvfp4" : "int4_wo";
    else
        f.dtype = !c->library ? "int8" : fp8 ? "fp8" : c->part.int8_tops > 0 ? "int8" : "int8_wo";
    if (kv_bits == 16)
        f.kv_dtype = "bf16";
    else if (fp8 && c->library)
        f.kv_dtype = "fp8";
    f.weights = f.dtype;
    f.kv_cache = f.kv_dtype;
    f.weight_bits = 8 * slx_dtype_bytes(f.dtype, true);
    if (c->library) return f;
    f.weight_bits = model->config ? 8 * slx_programs_weight_bytes(c, model, f.dtype) : NAN;
    /* what the compiler stores for a program; the KV cache is MXINT8 on every chip of ours */
    f.weights = !model->config                                   ? "as in the file"
                : weight_bits == 4 && c->isa.formats[SLX_CF_Q4S] ? "Q4_0"
                : weight_bits == 8 && c->isa.formats[SLX_CF_Q8S] ? "Q8_0"
                                                                 : "MXINT8";
    f.kv_cache = "MXINT8";
    return f;
}
