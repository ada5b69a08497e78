/* values.c - stored codes back to fp32 (VCVT to f32): what a row of blocks means. */
#include "func/func_int.h"

#include <string.h>

bool slx_block_values(unsigned fmt, const uint8_t *codes, const uint8_t *scales, const uint8_t *m,
                      uint32_t cols, float *out)
{
    bool ok = true;
    for (uint32_t c = 0; c < cols; c++) {
        uint32_t b = c / 32;
        float v;
        uint16_t d = 0, off = 0;
        int8_t block[32];
        if (fmt != SLX_FMT_mxint8 && fmt != SLX_FMT_mxfp4) memcpy(&d, scales + 2 * b, 2);
        switch (fmt) {
        case SLX_FMT_mxint8: v = slx_mxint8_value((int8_t)codes[c], scales[b]); break;
        case SLX_FMT_mxfp4: {
            uint8_t scale = slx_mxfp4_block(codes + 16 * (size_t)b, scales[b], block);
            v = slx_mxint8_value(block[c % 32], scale);
            break;
        }
        case SLX_FMT_q8s: v = slx_fp16_to_f32(d) * (float)(int8_t)codes[c]; break;
        default: {
            uint8_t byte = codes[c / 2];
            int code = c & 1 ? byte >> 4 : byte & 15;
            v = slx_fp16_to_f32(d) * (float)(m ? code : code - 8);
            if (m) {
                memcpy(&off, m + 2 * b, 2);
                v = v + slx_fp16_to_f32(off);
            }
        }
        }
        ok = ok && slx_f32_finite(v);
        out[c] = v;
    }
    return ok;
}
