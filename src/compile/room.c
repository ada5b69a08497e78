/* room.c - a model that does not fit: what would.
 *
 * Everything that is named was tried: planned as it would be compiled. Memory is not made larger than somebody could
 * build it: a die within its reticle, a stack of its kind.
 */
#include <math.h>
#include <string.h>

#include "chip/silicon.h"
#include "compile/plan.h"

static bool fits(const slx_model *m, const slx_chip *c, const slx_compile_options *o)
{
    slx_plan p;
    return slx_plan_make(&p, m, c, o, NULL) == SLX_OK;
}

/* ------------------------------------------------------------------ this chip */

static void try_chips_together(slx_buf *b, const slx_plan *p, slx_compile_options o)
{
    for (o.tp = 2 * p->chips; o.tp <= SLX_MAX_CHIPS; o.tp *= 2)
        if (fits(p->model, p->chip, &o)) {
            slx_buf_addf(b, "%s--tp %u", b->len ? ", " : "", o.tp);
            return;
        }
}

/* Of a chip that was changed: NULL, or what keeps anybody from building it. */
static const char *unbuildable(char why[240], const slx_chip *c)
{
    slx_err err = {0};
    slx_constants *k;
    slx_area a;
    if (slx_chip_check_physics(c, &err) != SLX_OK || slx_constants_load(&k, &err) != SLX_OK) {
        snprintf(why, 240, "%.230s", err.msg);
        return why;
    }
    slx_status st = slx_chip_get_area(&a, c, k, &err);
    slx_constants_free(k);
    if (st == SLX_OK && !(a.die.total.mid > c->process.reticle_mm2)) return NULL;
    snprintf(why, 240, "its die of %.0f mm2 is over the reticle of %g", a.die.total.mid, c->process.reticle_mm2);
    return why;
}

/* GiB of a stack: whole ones, or small blocks to four digits. */
static double round_up(double gib)
{
    return gib > 1 ? ceil(gib) : ceil(gib * 1e4) / 1e4;
}

/* The memory that was too small, as large as it needs to be; into *not where nobody can build that. */
static void try_larger_memory(slx_buf *b, slx_buf *not, const slx_plan *p, const slx_compile_options *o)
{
    slx_chip c = *p->chip; /* borrows everything but the figure */
    const double mib = 1048576, need_mib = (double)p->region[SLX_REGION_WEIGHTS].bytes / mib;
    bool rom = p->in_rom && need_mib > c.rom.mib;
    char why[240];
    if (rom)
        c.rom.mib = ceil(need_mib);
    else
        c.hbm.gib = round_up((double)p->hbm_end / mib / 1024 / c.hbm.stacks);
    if (!fits(p->model, &c, o)) return;
    const char *no = unbuildable(why, &c), *key = rom ? "rom.mib" : "hbm.gib";
    double to = rom ? c.rom.mib : c.hbm.gib, from = rom ? p->chip->rom.mib : p->chip->hbm.gib;
    if (no)
        slx_buf_addf(not, "; %s %g (now %g) would, too, but %.100s", key, to, from, no);
    else
        slx_buf_addf(b, "%s%s %g (now %g)", b->len ? ", " : "", key, to, from);
}

/* ------------------------------------------------------------------ other weights, other chips */

/* Storage types of fewer bits, of a model that is known by its shapes and may have any. */
static void try_fewer_bits(slx_buf *b, const slx_plan *p, const slx_compile_options *o)
{
    static const char *const types[] = {"Q8_0", "Q4_0", "MXFP4"}; /* from many bits to few */
    bool done = !p->model->shapes_only;
    for (size_t i = 0; i < sizeof types / sizeof *types && !done; i++) {
        slx_model *m;
        if (slx_model_open_as(&m, p->model->path, types[i], NULL) != SLX_OK) return;
        done = m->file_bytes < p->model->file_bytes && fits(m, p->chip, o);
        if (done) slx_buf_addf(b, "%s--weights %s", b->len ? ", " : "", types[i]);
        slx_model_close(m);
    }
}

static void try_other_chips(slx_buf *b, const slx_plan *p, const slx_compile_options *o)
{
    static const char *const suffix[] = {".yaml", NULL};
    enum { MOST = 256 };
    const char *names[MOST];
    slx_arena arena;
    slx_arena_init(&arena);
    int n = slx_find_names(&arena, "chips", suffix, names, MOST);
    for (int i = 0; i < n && i < MOST; i++) {
        slx_chip *c;
        if (slx_chip_load(&c, names[i], NULL) != SLX_OK) continue; /* published chips run no program */
        if (strcmp(c->name, p->chip->name) != 0 && fits(p->model, c, o))
            slx_buf_addf(b, "%s--chip %s", b->len ? ", " : "", c->name);
        slx_chip_free(c);
    }
    slx_arena_deinit(&arena);
}

void slx_plan_advise(const slx_plan *p, const slx_compile_options *opt, slx_err *err)
{
    slx_compile_options o = opt ? *opt : (slx_compile_options){0};
    slx_buf b = {0}, not = {0};
    if (!err) return;
    if (o.look_around) try_fewer_bits(&b, p, &o);
    try_chips_together(&b, p, o);
    try_larger_memory(&b, &not, p, &o);
    if (o.look_around) try_other_chips(&b, p, &o);
    size_t at = strlen(err->msg);
    snprintf(err->msg + at, sizeof err->msg - at, "%s%s%s", b.len ? "; would fit: " : "; nothing tried would fit",
             b.len ? b.ptr : "", not.len ? not.ptr : "");
    slx_buf_free(&b);
    slx_buf_free(&not);
}
