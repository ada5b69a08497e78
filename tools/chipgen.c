/* chipgen.c - writes the reference page of chip files from the table of keys: chipgen DIR writes DIR/chip-format.md. */
#include <stdlib.h>
#include <string.h>

#include "chip/chip.h"

static const char top[] =
    "# Chip files: every key\n\n"
    "This page is made from `src/chip/chip_keys.def` by `make gen`; `silex chip --keys` prints the "
    "same list.\n"
    "How to write a file, and what its errors look like: [adding-a-chip.md](adding-a-chip.md).\n\n"
    "A file is one YAML mapping. `hbm.gib` below means key `gib` in section `hbm`. Numbers are "
    "decimal, without quotes,\n"
    "in the unit of their key. A key with a default may be left out, and so may a section whose "
    "keys all have one.\n"
    "Anchors, aliases, tags and a second document are refused. Some figures must agree:\n\n"
    "- `grid.enabled` is at most `x` times `y`.\n"
    "- `tile.spm_banks` banks share `spm_kib` evenly, in whole words of `bank_bytes_clk`.\n"
    "- `tile.acc_kib` holds 32 columns of `isa.max_m` rows, and of 4 rows at least.\n"
    "- `isa.formats` holds MXINT8 and F32. A rate above 0 needs its format (`w4a8` MXFP4, `q4s` "
    "Q4S, `q8s` Q8S,\n"
    "  `bf16` BF16), and MXFP4, Q4S and Q8S need their rate.\n"
    "- `hbm.channels` times `hbm.pch` is at most `hbm.bits`; `tras_ns` is at least `trcd_ns`; a "
    "refresh is shorter than the\n"
    "  time between two.\n"
    "- `rom.mib` and `rom.bytes_clk` are both 0 or both above; ports in `net` have a rate.\n"
    "- `runs: library` is a published chip: of its sections `process`, `package`, `part`, the "
    "numbers of its vendor's library\n"
    "  (`gemm` and what follows) and `sources` are there, and `family` names a file of `families/` "
    "that has the rest. A key of\n"
    "  `part` may be `null`, not published. Units in use are at most those drawn, a die fits the "
    "reticle, FP8 is at least\n"
    "  as fast as BF16 and FP4 as FP8 (0 = none), watts and transistors of a square millimetre are "
    "what silicon bears.\n\n"
    "The whole chip must agree with silicon, too, once all of its figures and every `--set` are known "
    "(`src/chip/physics.c` gives\n"
    "each bound its source). Refused:\n\n"
    "- a stack faster or larger than its `package.memory`; SRAM on the die faster than two bits a clock;\n"
    "- a supply outside 0.4 to 1.1 V, a clock above 5.5 GHz, a reticle above 858 mm2; SRAM or multiply-adds of a\n"
    "  size that `process.node` does not have; energies, PHYs and wiring of memories a factor of 5 from "
    "what others have;\n"
    "- a 4-bit weight that costs more than an 8-bit one, an adder more than a multiply-add, the scratchpad more than "
    "memory\n  outside the die;\n"
    "- more `noc.entries` than a stack has tiles; hops whose mesh is twice as large as the dies, or less than half a "
    "tile;\n"
    "- a die that fits no wafer; more than 3 W/mm2 without work; a rated power below what the chip leaks "
    "with its clocks "
    "stopped;\n"
    "- of a published chip: memories on the die of more transistors (6 a bit) or area than it has, links "
    "that draw half its\n"
    "  rated power, a rated power of less than half of what its peaks draw at least, INT8 slower than "
    "fp32, a price below\n"
    "  its bill of materials.\n\n"
    "A die over the reticle and a rated power below what full rate draws are worth a what-if: they get a "
    "warning, and such "
    "a die\n"
    "no yield and no price.\n\n"
    "The hash of a chip covers every number and format, not the name, process node, comments or "
    "sources, and not the\n"
    "order of keys.\n\n"
    "```\n";

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: chipgen DIR\n");
        return 2;
    }
    char path[1024], *text = NULL;
    size_t len = 0;
    snprintf(path, sizeof path, "%s/chip-format.md", argv[1]);
    FILE *f = open_memstream(&text, &len);
    if (!f) return 2;
    fputs(top, f);
    slx_chip_print_keys(f);
    fputs("```\n", f);
    if (fclose(f)) return 2;
    slx_err err;
    slx_status s = slx_write_file(path, text, len, &err);
    if (s) slx_err_print(&err, stderr);
    free(text);
    return slx_exit_code(s);
}
