/* engine.c - opening a served model, its page pool, and steps over any mix of sequences. */
#include "run/run_int.h"

#include <stdlib.h>
#include <string.h>

#include "verify/verify.h"

/* The shapes in a program's header are the model's: what the host reads and writes is sized by them. */
static slx_status check_shape(const slx_program_info *in, const slx_model *m, const char *path, slx_err *err)
{
    const slx_hparams *hp = &m->hp;
    const uint32_t chips = slx_program_chips(in);
    const struct {
        const char *name;
        uint32_t found, expected;
    } row[] = {{"n_layers", in->n_layers, hp->n_layers},
               {"d_model", in->d_model, hp->d_model},
               {"d_ff", in->d_ff, hp->d_ff},
               {"n_heads of all chips", in->n_heads * chips, hp->n_heads},
               {"n_kv_heads of all chips", in->n_kv_heads * chips, hp->n_kv_heads},
               {"head_dim", in->head_dim, hp->head_dim},
               {"n_rot", in->n_rot, hp->n_rot},
               {"vocab", in->vocab, hp->vocab}};
    for (size_t i = 0; i < sizeof row / sizeof *row; i++)
        if (row[i].found != row[i].expected)
            return slx_fail(err, SLX_EINPUT, path, 0, 0, "info: %s is %u, the model has %u", row[i].name,
                            row[i].found, row[i].expected);
    return SLX_OK;
}

/* Compiles, or reads and proves, the program. */
static slx_status get_program(slx_engine *e, const slx_engine_options *opt, slx_err *err)
{
    if (!opt->program_path) {
        slx_compile_options o = opt->compile;
        o.look_around = true;
        SLX_TRY(slx_compile(&e->prog, e->model, e->chip, &o, NULL, NULL, err));
        e->have_prog = true;
        return SLX_OK;
    }
    slx_program_init(&e->prog);
    e->have_prog = true;
    SLX_TRY(slx_program_read(&e->prog, opt->program_path, err));
    SLX_TRY(slx_verify(&e->prog, e->chip, opt->program_path, err));
    if (!e->prog.n_weights)
        return slx_fail(err, SLX_EINPUT, opt->program_path, 0, 0,
                        "found a program without weights, expected one compiled for %s", opt->model_path);
    if (e->prog.info.model_hash != e->model->hash)
        return slx_fail(err, SLX_EINPUT, opt->program_path, 0, 0,
                        "compiled for another model (%s), expected one compiled for %s",
                        e->prog.info.model_name, opt->model_path);
    return check_shape(&e->prog.info, e->model, opt->program_path, err);
}

/* Another chat template than the model's own; it lives as long as the model. */
static slx_status get_template(slx_model *m, const char *path, slx_err *err)
{
    slx_buf text = {0};
    slx_template *t;
    if (!path) return SLX_OK;
    SLX_TRY(slx_read_file(&text, path, err));
    slx_status st = slx_template_parse(&t, &m->arena, path, text.len ? text.ptr : "", text.len, err);
    slx_buf_free(&text);
    if (st == SLX_OK) m->chat = t;
    return st;
}

slx_status slx_engine_open(slx_engine **out, const slx_engine_options *opt, slx_err *err)
{
    double start = slx_now_s();
    slx_engine *e = slx_xcalloc(1, sizeof *e);
    e->kind = opt->kind;
    slx_status st = slx_chip_load(&e->chip, opt->chip ? opt->chip : "silex-1", err);
    if (st == SLX_OK) st = slx_model_open(&e->model, opt->model_path, err);
    if (st == SLX_OK) st = slx_model_need_values(e->model, err);
    if (st == SLX_OK) st = get_template(e->model, opt->template_path, err);
    if (st == SLX_OK) st = get_program(e, opt, err);
    slx_machine_options mo = {
        .kind = opt->kind, .threads = opt->threads, .kern = opt->kern, .unfused = opt->unfused};
    if (st == SLX_OK) st = slx_machine_open(&e->machine, &e->prog, e->chip, e->model, &mo, err);
    if (st != SLX_OK) {
        slx_engine_close(e);
        return st;
    }
    e->n_free = e->prog.info.desc.max_pages;
    e->free_pages = slx_xcalloc(e->n_free, sizeof *e->free_pages);
    e->page_users = slx_xcalloc(e->n_free, sizeof *e->page_users);
    for (uint32_t i = 0; i < e->n_free; i++) e->free_pages[i] = e->n_free - 1 - i;
    e->load_s = slx_now_s() - start;
    *out = e;
    return SLX_OK;
}

void slx_engine_close(slx_engine *e)
{
    if (!e) return;
    if (e->machine) slx_machine_close(e->machine);
    if (e->have_prog) slx_program_free(&e->prog);
    if (e->model) slx_model_close(e->model);
    if (e->chip) slx_chip_free(e->chip);
    free(e->free_pages);
    free(e->page_users);
    free(e);
}

const slx_model *slx_engine_model(const slx_engine *e)
{
    return e->model;
}
const slx_chip *slx_engine_chip(const slx_engine *e)
{
    return e->chip;
}
const slx_program *slx_engine_program(const slx_engine *e)
{
    return &e->prog;
}
slx_machine *slx_engine_machine(slx_engine *e)
{
    return e->machine;
}
uint32_t slx_engine_free_pages(const slx_engine *e)
{
    return e->n_free;
}

/* ------------------------------------------------------------------ pages */

static uint32_t take_page(slx_engine *e)
{
    uint32_t page = e->free_pages[--e->n_free];
    e->page_users[page] = 1;
    return page;
}

void slx_page_hold(slx_engine *e, uint32_t page)
{
    SLX_ASSERT(e->page_users[page]);
    e->page_users[page]++;
}

void slx_page_drop(slx_engine *e, uint32_t page)
{
    SLX_ASSERT(e->page_users[page]);
    if (!--e->page_users[page]) e->free_pages[e->n_free++] = page;
}

/* ------------------------------------------------------------------ sequences */

slx_seq *slx_seq_new(slx_engine *e)
{
    slx_seq *s = slx_xcalloc(1, sizeof *s);
    s->e = e;
    slx_hash_init(&s->hash);
    return s;
}

void slx_seq_free(slx_seq *s)
{
    if (!s) return;
    while (s->n_pages) slx_page_drop(s->e, s->pages[--s->n_pages]);
    free(s->pages);
    free(s);
}

uint32_t slx_seq_length(const slx_seq *s)
{
    return s->length;
}
uint64_t slx_seq_hash(const slx_seq *s)
{
    return slx_hash_get(&s->hash);
}

const uint32_t *slx_seq_pages(const slx_seq *s, uint32_t *n)
{
    *n = s->n_pages;
    return s->pages;
}

static uint32_t pages_for(uint32_t length)
{
    return (length + SLX_MAX_CHUNK - 1) / SLX_MAX_CHUNK;
}

static void reserve(slx_seq *s, uint32_t want)
{
    if (want <= s->cap_pages) return;
    s->cap_pages = want + 8;
    s->pages = slx_xrealloc(s->pages, s->cap_pages * sizeof *s->pages);
}

/* Gives a sequence the pages for its first `length` positions; the caller has checked that they are free. */
static void grow(slx_seq *s, uint32_t length)
{
    uint32_t want = pages_for(length);
    reserve(s, want);
    while (s->n_pages < want) s->pages[s->n_pages++] = take_page(s->e);
}

void slx_seq_adopt(slx_seq *s, const uint32_t *pages, uint32_t n)
{
    SLX_ASSERT(!s->n_pages && !s->length);
    reserve(s, n);
    for (uint32_t i = 0; i < n; i++) slx_page_hold(s->e, s->pages[i] = pages[i]);
    s->n_pages = n;
    s->length = n * SLX_MAX_CHUNK;
}

/* Everything a step could be refused for, before anything changes. */
static slx_status check_batch(slx_engine *e, const slx_batch_entry *b, uint32_t n, slx_err *err)
{
    const slx_program_info *in = &e->prog.info;
    uint64_t rows = 0, samples = 0, pages = 0;
    const char *name = in->model_name;
    e->batch++;
    for (uint32_t i = 0; i < n; i++) {
        if (b[i].seq->batch == e->batch)
            return slx_fail(err, SLX_EINPUT, name, 0, 0, "found a sequence twice in one step");
        b[i].seq->batch = e->batch;
        if (!b[i].n || b[i].n_logits > b[i].n)
            return slx_fail(err, SLX_EINPUT, name, 0, 0,
                            "found %u new tokens and %u logit rows of a sequence", b[i].n, b[i].n_logits);
        uint64_t length = (uint64_t)b[i].seq->length + b[i].n;
        if (length > in->max_context)
            return slx_fail(err, SLX_EINPUT, name, 0, 0,
                            "found a sequence of %llu positions, expected at most %u",
                            (unsigned long long)length, in->max_context);
        for (uint32_t k = 0; k < b[i].n; k++)
            if (b[i].tokens[k] >= in->vocab)
                return slx_fail(err, SLX_EINPUT, name, 0, 0, "found token %u, expected one below %u",
                                b[i].tokens[k], in->vocab);
        uint32_t want = pages_for((uint32_t)length);
        pages += want > b[i].seq->n_pages ? want - b[i].seq->n_pages : 0;
        rows += b[i].n;
        samples += b[i].n_logits;
    }
    if (rows > in->desc.max_rows || samples > in->desc.max_samples || n > in->desc.max_seqs)
        return slx_fail(
            err, SLX_EINPUT, name, 0, 0,
            "found a step of %llu rows, %llu logit rows, %u sequences; the program takes %u, %u, %u",
            (unsigned long long)rows, (unsigned long long)samples, n, in->desc.max_rows, in->desc.max_samples,
            in->desc.max_seqs);
    if (pages > e->n_free)
        return slx_fail(err, SLX_EINPUT, name, 0, 0, "found a step that needs %llu KV pages, %u are free",
                        (unsigned long long)pages, e->n_free);
    return SLX_OK;
}

slx_status slx_engine_step(slx_engine *e, slx_batch_entry *batch, uint32_t n, slx_err *err)
{
    SLX_TRY(check_batch(e, batch, n, err));
    slx_step_seq *seqs = slx_xcalloc(n ? n : 1, sizeof *seqs);
    for (uint32_t i = 0; i < n; i++) {
        slx_seq *s = batch[i].seq;
        grow(s, s->length + batch[i].n);
        seqs[i] = (slx_step_seq){.tokens = batch[i].tokens,
                                 .n = batch[i].n,
                                 .pos0 = s->length,
                                 .n_samples = batch[i].n_logits,
                                 .pages = s->pages,
                                 .n_pages = s->n_pages};
    }
    slx_fault fault;
    slx_status st = slx_step_build(&e->prog.info, slx_machine_desc(e->machine), seqs, n, err);
    if (st == SLX_OK) st = slx_machine_step(e->machine, &fault, err);
    free(seqs);
    if (st != SLX_OK) return st;
    uint32_t slot = 0;
    for (uint32_t i = 0; i < n; i++) {
        batch[i].seq->length += batch[i].n;
        batch[i].logits = batch[i].n_logits ? slx_machine_logits(e->machine, slot) : NULL;
        for (uint32_t k = 0; k < batch[i].n_logits; k++)
            slx_hash_add(&batch[i].seq->hash, slx_machine_logits(e->machine, slot++),
                         e->prog.info.vocab * sizeof(float));
    }
    return SLX_OK;
}

slx_status slx_seq_prefill(slx_seq *s, const uint32_t *tokens, uint32_t n, uint32_t chunk,
                           const float **logits, slx_err *err)
{
    uint32_t most = s->e->prog.info.desc.max_rows;
    slx_progress bar;
    slx_status st = SLX_OK;
    if (!chunk || chunk > most) chunk = most;
    if (!n) return slx_fail(err, SLX_EINPUT, "prompt", 0, 0, "found no token, expected at least one");
    slx_progress_start(&bar, "prompt");
    for (uint32_t i = 0; i < n && st == SLX_OK; i += chunk) {
        uint32_t rows = n - i < chunk ? n - i : chunk;
        slx_batch_entry b = {.seq = s, .tokens = tokens + i, .n = rows, .n_logits = i + rows == n};
        if (slx_interrupted())
            st = slx_fail(err, SLX_EINTERRUPTED, "prompt", 0, 0, "interrupted");
        else
            st = slx_engine_step(s->e, &b, 1, err);
        *logits = b.logits;
        slx_progress_at(&bar, (double)(i + rows) / n);
    }
    slx_progress_end(&bar);
    return st;
}
