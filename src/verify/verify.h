/* verify.h - proves a program legal for a chip before any machine runs it. Also run at load.
 *
 * Proved, per tile (r1 is a constant of the tile), over all run-time values that the LDS limits allow:
 *   structure  opcodes and formats of the chip, LOOP/BR/CALL nesting, targets, halting end, registers
 *   bounds     every SPM, ACC and HBM access inside its space and its region (intervals); read-only regions not written
 *   tokens     counters constant at every pc, LOOP bodies and BR arms return to one state, never below 0 or above the
 *              chip's maximum; one poster and one waiter a token
 *   barriers   the same BAR sequence on all tiles of a group; LOOP/BR round a BAR on constants and UNI values only
 */
#ifndef SLX_VERIFY_H
#define SLX_VERIFY_H

#include "chip/chip.h"
#include "isa/program.h"

/* Where and why the first violation was found. text holds the sentence and the disassembled instruction. */
slx_status slx_verify(const slx_program *p, const slx_chip *c, const char *file, slx_err *err);

#endif
