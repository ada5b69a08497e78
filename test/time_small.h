/* time_small.h - small programs through the timing machine tile by tile: run this step and look. The chip is silex-mini
 * without refresh, so that
 *      64 bytes of a pseudo-channel take 4 clocks, an access 14 + 40, the start of a transfer 24, a hop 3
 *      tile 0 has 2 hops to the stack, its link takes 64 bytes a clock; CTL dispatches the first instruction at 1 + 4
 * Each call fails the test it is in, with the reason. Everything is static inline: include it after cmocka.h. */
#ifndef SLX_TEST_TIME_SMALL_H
#define SLX_TEST_TIME_SMALL_H

#include "chip/chip.h"
#include "isa/program.h"
#include "time/time.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SMALL_EVENTS = 4096 };

typedef struct {
    slx_chip *c;
    slx_time_result r;               /* of the latest run */
    slx_time_event e[SMALL_EVENTS];  /* its first, of all instructions that are not CTL's */
    uint32_t n;
} small;

/* Head of a program for `tiles` tiles, whose counters hold up to 15; takes tiles twice. */
static const char small_head[] = ".info chip_name=\"silex-mini\" n_tiles=%d spm_bytes=131072 "
                                 "acc_cells=4096 max_m=32 token_max=15\n"
                                 ".region name=\"w\" kind=weights base=0x1000000 bytes=0x1000000\n"
                                 ".region name=\"x\" kind=exchange base=0x2000000 bytes=0x1000000\n"
                                 ".group name=\"ALL\" first=0 count=%d\n";

static inline void assemble(slx_program *p, const char *text)
{
    slx_err err = {0};
    if (slx_asm(p, text, strlen(text), "test", &err) != SLX_OK) fail_msg("%d: %s: %s", err.line, err.msg, err.source);
}

/* Another chip in place of silex-mini. */
static inline void small_chip(small *s, const char *name)
{
    slx_err err = {0};
    slx_chip_free(s->c);
    if (slx_chip_load(&s->c, name, &err) != SLX_OK) fail_msg("%s", err.msg);
}

/* *state: a small; as cmocka wants it. */
static inline int small_setup(void **state)
{
    small *s = *state = slx_xcalloc(1, sizeof *s);
    small_chip(s, "silex-mini");
    s->c->hbm.trefi_us = 0;
    assert_int_equal(s->c->tile.dma_cycles, 24);
    assert_int_equal(s->c->hbm.trcd_ns + s->c->hbm.latency_ns, 54);
    return 0;
}

static inline int small_teardown(void **state)
{
    small *s = *state;
    slx_time_result_free(&s->r);
    slx_chip_free(s->c);
    free(s);
    return 0;
}

static inline void small_record(void *arg, const slx_time_event *e)
{
    small *s = arg;
    if (s->n < SMALL_EVENTS) s->e[s->n] = *e;
    s->n++;
}

/* The program `body` on so many tiles: into s->r and s->e. */
static inline void run(small *s, int tiles, const char *body)
{
    slx_err err = {0};
    slx_program p;
    char text[8192];
    int n = snprintf(text, sizeof text, small_head, tiles, tiles);
    snprintf(text + n, sizeof text - (size_t)n, "%s\nSYS.halt\n", body);
    assemble(&p, text);
    slx_time_result_free(&s->r);
    s->n = 0;
    slx_time_options opt = {.event = small_record, .event_arg = s};
    if (slx_time_step(&p, s->c, NULL, &opt, &s->r, &err) != SLX_OK) fail_msg("%s", err.msg);
    slx_program_free(&p);
}

/* The nth (from 0) instruction of that opcode on a tile. */
static inline const slx_time_event *find(const small *s, uint32_t tile, unsigned op, uint32_t nth)
{
    for (uint32_t i = 0; i < s->n && i < SMALL_EVENTS; i++)
        if (s->e[i].tile == tile && s->e[i].op == op && nth-- == 0) return &s->e[i];
    fail_msg("no event of opcode 0x%02x on tile %u", op, tile);
    return NULL;
}

static inline uint64_t start_of(const small *s, uint32_t tile, unsigned op, uint32_t nth)
{
    return find(s, tile, op, nth)->start;
}

static inline uint64_t finish_of(const small *s, uint32_t tile, unsigned op, uint32_t nth)
{
    return find(s, tile, op, nth)->finish;
}

#define SMALL_TEST(f) cmocka_unit_test_setup_teardown(f, small_setup, small_teardown)

#endif
