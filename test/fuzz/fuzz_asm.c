/* fuzz_asm.c - can assembly text hurt us? What is accepted must read back from its disassembly to the same program. */
#include <string.h>

#include "isa/program.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    slx_program p, q;
    slx_err err;
    if (slx_asm(&p, (const char *)data, size, "fuzz.s", &err)) {
        SLX_ASSERT(err.msg[0]);
        return 0;
    }
    slx_buf text = {0}, a = {0}, b = {0};
    slx_disasm(&p, &text);
    if (slx_asm(&q, text.ptr, text.len, "again.s", &err))
        SLX_BUG("%d: %s: %s", err.line, err.msg, err.source);
    slx_program_serialise(&p, &a);
    slx_program_serialise(&q, &b);
    SLX_ASSERT(a.len == b.len && !memcmp(a.ptr, b.ptr, a.len));
    slx_program_free(&p);
    slx_program_free(&q);
    slx_buf_free(&text);
    slx_buf_free(&a);
    slx_buf_free(&b);
    return 0;
}
