/* fuzz_program.c - can a program file hurt us? Read as it is, then with its size and hash made right, so that the
 * search is not stopped at the hash. What is accepted must write back to the same bytes and survive its text form. */
#include <stdlib.h>
#include <string.h>

#include "isa/program.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void once(const uint8_t *data, size_t size)
{
    slx_program p, q;
    slx_err err;
    if (slx_program_parse(&p, data, size, "fuzz.slx", &err)) return;
    slx_buf file = {0}, text = {0}, again = {0};
    slx_program_serialise(&p, &file);
    SLX_ASSERT(file.len == size && !memcmp(file.ptr, data, size));
    slx_disasm(&p, &text);
    if (slx_asm(&q, text.ptr, text.len, "fuzz.s", &err))
        SLX_BUG("%d: %s: %s", err.line, err.msg, err.source);
    slx_program_serialise(&q, &again);
    SLX_ASSERT(again.len == size && !memcmp(again.ptr, data, size));
    slx_program_free(&p);
    slx_program_free(&q);
    slx_buf_free(&file);
    slx_buf_free(&text);
    slx_buf_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    once(data, size);
    if (size < 64) return 0;
    uint8_t *fixed = slx_xmalloc(size);
    memcpy(fixed, data, size);
    uint64_t bytes = size, hash = slx_hash_of(fixed + 32, size - 32);
    memcpy(fixed + 16, &bytes, 8);
    memcpy(fixed + 24, &hash, 8);
    once(fixed, size);
    free(fixed);
    return 0;
}
