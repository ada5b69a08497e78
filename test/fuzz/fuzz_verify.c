/* fuzz_verify.c - can a program make the verifier crash or hang? The input is read as a program file (size and hash
 * made right), and as triples of bytes that change a legal program: instruction, byte in it, new value. */
#include <stdlib.h>
#include <string.h>

#include "verify/verify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char legal[] =
    ".info n_tiles=4 spm_bytes=0x10000 acc_cells=2048 max_m=32 token_max=15\n"
    ".region name=\"w\" kind=weights base=0x1000 bytes=0x10000\n"
    ".region name=\"desc\" kind=descriptor base=0x40000 bytes=0x1000\n"
    ".region name=\"x\" kind=exchange base=0x80000 bytes=0x10000\n"
    ".group name=\"ALL\" first=0 count=4\n"
    ".group name=\"MID\" first=1 count=2\n"
    "TOK t2, 2\nLD [0], [r3], 64, 1, 0, 0 post=t5\nLDS.u32 r4, [0], 31 UNI wait=t5\nLI r19, "
    "0x2000\nCALL 0\n"
    "LOOP r4, e, r5\n ALU.sub r19, 0x6000, r19\n ALU.mul r6, r5, 0x200\n ALU.add r6, r6, w\n"
    " LD [r19], [r6], 0x200, 1, 0, 0 wait=t2 post=t1\n"
    " LOOP 3, i, r7\n  ALU.min r8, r7, r4\n  BR.eq r8, r1, i\n  ALU.and r9, r8, 0xfe0\n  STS.u32 "
    "[0x8000], r9\n"
    "i: MM.q4s.mxint8 acc0, [0x8000], [0xc000], [r19], (r5,32), (1,1) INIT wait=t1 post=t2\n"
    "e: BAR ALL\nBR.eq r4, 9, h\nBAR ALL\nh: SYS.halt\n"
    "f: BR.eq r1, 0, g\nBR.eq r1, 3, g\nBAR MID\ng: RET\n.function f\n";

static slx_chip *chip(const char *name)
{
    slx_chip *c = NULL;
    slx_err err = {0};
    if (slx_chip_load(&c, name, &err) != SLX_OK) SLX_BUG("%s", err.msg);
    return c;
}

static void changed(const slx_chip *c, const uint8_t *data, size_t size)
{
    slx_program p;
    slx_err err = {0};
    if (slx_asm(&p, legal, sizeof legal - 1, "legal.s", &err)) SLX_BUG("%d: %s", err.line, err.msg);
    if (slx_verify(&p, c, "legal.s", &err)) SLX_BUG("%s", err.msg);
    for (size_t i = 0; i + 3 <= size && i < 3 * 16; i += 3) {
        uint8_t *word = (uint8_t *)p.insns[data[i] % p.n_insns].w;
        word[data[i + 1] % SLX_INSN_BYTES] = data[i + 2];
    }
    if (slx_verify(&p, c, "changed.s", &err)) SLX_ASSERT(err.msg[0]);
    slx_program_free(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static slx_chip *mini; /* read once; the process ends with it */
    if (!mini) mini = chip("silex-mini");
    slx_program p;
    slx_err err = {0};
    changed(mini, data, size);
    if (size < 64) return 0;
    uint8_t *fixed = slx_xmalloc(size);
    memcpy(fixed, data, size);
    uint64_t bytes = size, hash = slx_hash_of(fixed + 32, size - 32);
    memcpy(fixed + 16, &bytes, 8);
    memcpy(fixed + 24, &hash, 8);
    if (slx_program_parse(&p, fixed, size, "fuzz.slx", &err) == SLX_OK) {
        p.info.chip_hash = 0;
        p.info.chip_name[0] = 0;
        (void)slx_verify(&p, mini, "fuzz.slx", &err);
        slx_program_free(&p);
    }
    free(fixed);
    return 0;
}
