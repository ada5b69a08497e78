/* sched.c - see sched.h. */
#include "run/sched.h"

#include <stdlib.h>
#include <string.h>

#include "run/prefix.h"
#include "run/run_int.h"

typedef struct {
    uint64_t id;
    uint64_t turns; /* rows computed for it, in the common count */
    uint32_t waiting, running;
} user;

struct slx_job {
    slx_job *prev, *next; /* in the waiting list or the running list */
    slx_job_options opt;
    uint32_t user; /* index */
    uint32_t *tokens, n, cap, n_prompt;
    uint32_t fed; /* of this step: rows given to the engine */
    slx_seq *seq; /* NULL while waiting */
    double submitted, admitted, first;
    double chip_start, chip_share, chip_joules; /* clock at submission; this job's share so far */
    double chip_first, chip_last;               /* tokens, after submission */
    bool chip_unknown;
    uint32_t cached, preemptions;
};

typedef struct {
    slx_job *head, *tail;
    uint32_t n;
} list;

struct slx_sched {
    slx_engine *e;
    slx_prefix *cache; /* NULL = off */
    slx_sched_options opt;
    uint32_t slots, max_rows, pages,
        reserved;          /* reserved: pages of the pool that are not to be used */
    list waiting, running; /* running: in order of admission */
    user *users;
    uint32_t n_users, cap_users;
    slx_batch_entry *batch;
    slx_job **batch_job;
    slx_memo_seq *timed; /* [slots] of the step, for the chip clock */
    uint32_t *found;     /* pages of a prefix */
    float *scratch;
    double chip_clock;
    slx_sched_stats stats;
};

/* ------------------------------------------------------------------ lists, users */

static void push_tail(list *l, slx_job *j)
{
    j->prev = l->tail;
    j->next = NULL;
    *(l->tail ? &l->tail->next : &l->head) = j;
    l->tail = j;
    l->n++;
}

static void push_head(list *l, slx_job *j)
{
    j->prev = NULL;
    j->next = l->head;
    *(l->head ? &l->head->prev : &l->tail) = j;
    l->head = j;
    l->n++;
}

static void unlink_job(list *l, slx_job *j)
{
    *(j->prev ? &j->prev->next : &l->head) = j->next;
    *(j->next ? &j->next->prev : &l->tail) = j->prev;
    l->n--;
}

static bool active(const user *u)
{
    return u->waiting || u->running;
}

/* The user's row, made when new. A user without work takes the place of the least served who has some; rows of users
 * without work are used again. */
static uint32_t user_at(slx_sched *s, uint64_t id)
{
    uint32_t at = s->n_users, idle = s->n_users;
    uint64_t least = UINT64_MAX;
    for (uint32_t i = 0; i < s->n_users; i++) {
        if (s->users[i].id == id) at = i;
        if (!active(&s->users[i]))
            idle = i;
        else if (s->users[i].turns < least)
            least = s->users[i].turns;
    }
    if (at == s->n_users) {
        at = idle;
        if (at == s->cap_users) {
            s->cap_users = s->cap_users ? 2 * s->cap_users : 16;
            s->users = slx_xrealloc(s->users, s->cap_users * sizeof *s->users);
        }
        if (at == s->n_users) s->n_users++;
        s->users[at] = (user){.id = id};
    }
    user *u = &s->users[at];
    if (!active(u) && least != UINT64_MAX && u->turns < least) u->turns = least;
    return at;
}

/* ------------------------------------------------------------------ open, close */

slx_sched *slx_sched_open(slx_engine *e, const slx_sched_options *opt)
{
    const slx_desc_layout *d = &e->prog.info.desc;
    slx_sched *s = slx_xcalloc(1, sizeof *s);
    uint32_t slots = d->max_seqs < d->max_samples ? d->max_seqs : d->max_samples;
    s->e = e;
    s->opt = *opt;
    if (slots > d->max_rows) slots = d->max_rows;
    s->slots = opt->slots && opt->slots < slots ? opt->slots : slots;
    s->max_rows = d->max_rows;
    if (!s->opt.chunk) s->opt.chunk = 64;
    s->pages = opt->pages && opt->pages < e->n_free ? opt->pages : e->n_free;
    s->reserved = e->n_free - s->pages;
    if (!opt->no_prefix_cache) s->cache = slx_prefix_open(e);
    s->batch = slx_xcalloc(s->slots, sizeof *s->batch);
    s->batch_job = slx_xcalloc(s->slots, sizeof *s->batch_job);
    s->timed = slx_xcalloc(s->slots, sizeof *s->timed);
    s->found = slx_xcalloc(d->max_pages, sizeof *s->found);
    s->scratch = slx_xcalloc(e->prog.info.vocab_pad, sizeof *s->scratch);
    return s;
}

static void end_job(slx_sched *s, slx_job *j, slx_end end, const slx_err *why)
{
    double now = slx_now_s();
    slx_job_usage u = {.prompt_tokens = j->n_prompt,
                       .cached_tokens = j->cached,
                       .new_tokens = j->n - j->n_prompt,
                       .preemptions = j->preemptions,
                       .queue_s = (j->admitted > 0 ? j->admitted : now) - j->submitted,
                       .first_token_s = j->first > 0 ? j->first - j->submitted : 0,
                       .total_s = now - j->submitted,
                       .chip_first_s = j->chip_first,
                       .chip_last_s = j->chip_last,
                       .chip_share_s = j->chip_share,
                       .chip_j = j->chip_joules,
                       .chip_known = s->opt.clock && !j->chip_unknown};
    unlink_job(j->seq ? &s->running : &s->waiting, j);
    (*(j->seq ? &s->users[j->user].running : &s->users[j->user].waiting))--;
    slx_seq_free(j->seq);
    j->opt.on_end(j->opt.arg, end, &u, why);
    free(j->tokens);
    free(j);
}

void slx_sched_cancel(slx_sched *s, slx_job *j)
{
    end_job(s, j, SLX_END_CANCELLED, NULL);
}

void slx_sched_close(slx_sched *s)
{
    if (!s) return;
    while (s->running.head) slx_sched_cancel(s, s->running.head);
    while (s->waiting.head) slx_sched_cancel(s, s->waiting.head);
    slx_prefix_close(s->cache);
    free(s->users);
    free(s->batch);
    free(s->batch_job);
    free(s->timed);
    free(s->found);
    free(s->scratch);
    free(s);
}

uint32_t slx_sched_context(const slx_sched *s)
{
    uint64_t hold = (uint64_t)s->pages * SLX_MAX_CHUNK;
    return hold < s->e->prog.info.max_context ? (uint32_t)hold : s->e->prog.info.max_context;
}

/* ------------------------------------------------------------------ submit */

slx_status slx_sched_submit(slx_sched *s, const uint32_t *prompt, uint32_t n,
                            const slx_job_options *opt, slx_job **out, slx_err *err)
{
    uint32_t most = slx_sched_context(s);
    if (!n || n > most)
        return slx_fail(err, SLX_EINPUT, "prompt", 0, 0, "found %u tokens, expected 1 to %u", n,
                        most);
    for (uint32_t i = 0; i < n; i++)
        if (prompt[i] >= s->e->prog.info.vocab)
            return slx_fail(err, SLX_EINPUT, "prompt", 0, 0,
                            "found token %u, expected one below %u", prompt[i],
                            s->e->prog.info.vocab);
    slx_job *j = slx_xcalloc(1, sizeof *j);
    j->opt = *opt;
    j->cap = n + 64;
    j->tokens = slx_xmalloc(j->cap * sizeof *j->tokens);
    memcpy(j->tokens, prompt, n * sizeof *prompt);
    j->n = j->n_prompt = n;
    j->submitted = slx_now_s();
    j->chip_start = s->chip_clock;
    j->user = user_at(s, opt->user);
    s->users[j->user].waiting++;
    push_tail(&s->waiting, j);
    s->stats.jobs++;
    s->stats.prompt_tokens += n;
    if (out) *out = j;
    return SLX_OK;
}

/* ------------------------------------------------------------------ pages */

static uint32_t free_pages(const slx_sched *s)
{
    return s->e->n_free - s->reserved;
}

/* Makes n pages free at the cache's cost. */
static bool make_free(slx_sched *s, uint32_t n)
{
    while (free_pages(s) < n)
        if (!s->cache || !slx_prefix_evict(s->cache)) return false;
    return true;
}

static uint32_t pages_for(uint32_t positions)
{
    return (positions + SLX_MAX_CHUNK - 1) / SLX_MAX_CHUNK;
}

/* Entries of the step's page list: a page that several sequences share stands there for each of them, so the list can
 * be full while pages are free. Of running jobs, each with a page more (growing) or with the rows of the step. */
static uint64_t listed(const slx_sched *s, bool growing)
{
    uint64_t n = 0;
    for (const slx_job *j = s->running.head; j; j = j->next) {
        if (growing)
            n += j->seq->n_pages + 1;
        else if (j->fed)
            n += pages_for(slx_seq_length(j->seq) + j->fed);
    }
    return n;
}

static uint32_t list_length(const slx_sched *s)
{
    return s->e->prog.info.desc.max_pages;
}

/* ------------------------------------------------------------------ admission */

/* Of the user who had the least: the first that waits. */
static slx_job *next_waiting(const slx_sched *s)
{
    slx_job *best = NULL;
    for (slx_job *j = s->waiting.head; j; j = j->next)
        if (!best || s->users[j->user].turns < s->users[best->user].turns) best = j;
    return best;
}

/* A job enters when the pages of its whole prompt and of one more token are there, beside a page for each that runs
 * and may soon need one, and as many entries of the page list. Alone it enters anyway. */
static bool admit(slx_sched *s, slx_job *j)
{
    uint32_t n = 0, want = pages_for(j->n + 1);
    slx_seq *seq = slx_seq_new(s->e);
    if (s->cache) n = slx_prefix_find(s->cache, j->tokens, j->n - 1, s->found);
    slx_seq_adopt(seq, s->found, n);
    if (want > s->pages) want = s->pages;
    bool fits = listed(s, true) + want <= list_length(s) && make_free(s, want - n + s->running.n);
    if (!fits && s->running.n) {
        slx_seq_free(seq);
        return false;
    }
    unlink_job(&s->waiting, j);
    push_tail(&s->running, j);
    j->seq = seq;
    s->users[j->user].waiting--;
    s->users[j->user].running++;
    if (!j->admitted) {
        j->admitted = slx_now_s();
        j->cached = n * SLX_MAX_CHUNK;
        s->stats.cached_tokens += j->cached;
    }
    return true;
}

/* Back to the front of the line; its tokens so far are its prompt now. */
static void preempt(slx_sched *s, slx_job *j)
{
    unlink_job(&s->running, j);
    slx_seq_free(j->seq);
    j->seq = NULL;
    j->preemptions++;
    s->stats.preemptions++;
    s->users[j->user].running--;
    s->users[j->user].waiting++;
    push_head(&s->waiting, j);
}

/* ------------------------------------------------------------------ one step */

static bool decodes(const slx_job *j)
{
    return slx_seq_length(j->seq) + 1 == j->n;
}

/* Pages that this step's rows of j need and it does not have. */
static uint32_t pages_needed(const slx_job *j, uint32_t rows)
{
    uint32_t want = pages_for(slx_seq_length(j->seq) + rows);
    return want > j->seq->n_pages ? want - j->seq->n_pages : 0;
}

/* Rows of every running job, in j->fed: tokens first, then prompts within the budget, who had least first. */
static uint32_t share_rows(slx_sched *s)
{
    uint32_t left = s->max_rows, decoding = 0;
    for (slx_job *j = s->running.head; j; j = j->next) {
        j->fed = decodes(j);
        decoding += j->fed;
    }
    left -= decoding;
    if (decoding && left > s->opt.chunk) left = s->opt.chunk;
    for (;;) {
        slx_job *best = NULL;
        for (slx_job *j = s->running.head; j; j = j->next)
            if (!j->fed && (!best || s->users[j->user].turns < s->users[best->user].turns))
                best = j;
        if (!best || !left) return decoding;
        uint32_t rest = best->n - slx_seq_length(best->seq);
        best->fed = rest < left ? rest : left;
        left -= best->fed;
    }
}

/* Preempts from the end until the pages of the step are there, and fit its list. The first admitted alone always fits:
 * submit refuses what does not, and the answer ends with the pages. */
static void find_pages(slx_sched *s)
{
    for (;;) {
        uint32_t want = 0;
        for (slx_job *j = s->running.head; j; j = j->next)
            want += j->fed ? pages_needed(j, j->fed) : 0;
        if (listed(s, false) <= list_length(s) && make_free(s, want)) return;
        SLX_ASSERT(s->running.n > 1);
        preempt(s, s->running.tail);
        share_rows(s);
    }
}

static void feed_cache(slx_sched *s, const slx_job *j, uint32_t before)
{
    uint32_t after = slx_seq_length(j->seq);
    for (uint32_t i = (before / SLX_MAX_CHUNK + 1) * SLX_MAX_CHUNK; i <= after; i += SLX_MAX_CHUNK)
        slx_prefix_add(s->cache, j->tokens, i, j->seq->pages[i / SLX_MAX_CHUNK - 1]);
}

/* The row of a job that has all its tokens behind it gives the next one. */
static void draw(slx_sched *s, slx_job *j, const float *logits)
{
    slx_drawn t;
    slx_err err = {0};
    if (slx_draw(s->e, logits, slx_seq_length(j->seq), &j->opt.draw, j->tokens + j->n_prompt,
                 j->n - j->n_prompt, s->scratch, &t, &err) != SLX_OK) {
        end_job(s, j, SLX_END_FAULT, &err);
        return;
    }
    if (!j->first) {
        j->first = slx_now_s();
        j->chip_first = s->chip_clock - j->chip_start;
    }
    if (t.end) {
        end_job(s, j, SLX_END_STOP, NULL);
        return;
    }
    if (j->n == j->cap) {
        j->cap *= 2;
        j->tokens = slx_xrealloc(j->tokens, j->cap * sizeof *j->tokens);
    }
    j->tokens[j->n++] = t.token;
    j->chip_last = s->chip_clock - j->chip_start;
    if (!j->opt.on_token(j->opt.arg, &t) || t.last)
        end_job(s, j, SLX_END_STOP, NULL);
    else if (j->n - j->n_prompt >= j->opt.max_new || slx_seq_length(j->seq) == slx_sched_context(s))
        end_job(s, j, SLX_END_LENGTH, NULL);
}

/* Time and energy on the chip of what the step held; shares by rows. */
static void tick(slx_sched *s, uint32_t n, uint32_t rows)
{
    double seconds = 0, joules = 0;
    bool known = s->opt.clock && s->opt.clock(s->opt.clock_arg, s->timed, n, &seconds, &joules);
    s->chip_clock += seconds;
    s->stats.chip_s += seconds;
    s->stats.chip_j += joules;
    for (uint32_t i = 0; i < n; i++) {
        slx_job *j = s->batch_job[i];
        j->chip_share += seconds * j->fed / rows;
        j->chip_joules += joules * j->fed / rows;
        j->chip_unknown |= !known;
    }
}

static void fault(slx_sched *s, uint32_t n, const slx_err *err)
{
    for (uint32_t i = 0; i < n; i++) end_job(s, s->batch_job[i], SLX_END_FAULT, err);
    if (s->cache) slx_prefix_clear(s->cache); /* values after a fault mean nothing */
}

bool slx_sched_step(slx_sched *s)
{
    double start = slx_now_s();
    while (s->running.n < s->slots && s->waiting.n)
        if (!admit(s, next_waiting(s))) break;
    if (!s->running.n) return false;
    share_rows(s);
    find_pages(s);

    uint32_t n = 0, rows = 0, prompt_rows = 0, longest = 0;
    for (slx_job *j = s->running.head; j; j = j->next) {
        if (!j->fed) continue;
        uint32_t at = slx_seq_length(j->seq);
        bool prompt = !decodes(j) || j->n == j->n_prompt;
        s->batch_job[n] = j;
        s->timed[n] = (slx_memo_seq){.rows = j->fed, .before = at, .samples = at + j->fed == j->n};
        s->batch[n++] = (slx_batch_entry){
            .seq = j->seq, .tokens = j->tokens + at, .n = j->fed, .n_logits = at + j->fed == j->n};
        rows += j->fed;
        if (at + j->fed > longest) longest = at + j->fed;
        s->users[j->user].turns += j->fed;
        if (prompt) prompt_rows += j->fed;
    }
    slx_err err = {0};
    double before = slx_now_s();
    slx_status st = slx_engine_step(s->e, s->batch, n, &err);
    double after = slx_now_s();
    s->stats.steps++;
    s->stats.rows += rows;
    s->stats.prompt_rows += prompt_rows;
    s->stats.last_sequences = n;
    s->stats.last_positions = longest;
    s->stats.step_s += after - before;
    tick(s, n, rows);
    if (st != SLX_OK) {
        fault(s, n, &err);
        return true;
    }
    for (uint32_t i = 0; i < n && s->cache; i++)
        feed_cache(s, s->batch_job[i], slx_seq_length(s->batch_job[i]->seq) - s->batch_job[i]->fed);
    for (uint32_t i = 0; i < n; i++)
        if (s->batch[i].n_logits) draw(s, s->batch_job[i], s->batch[i].logits);
    double end = slx_now_s();
    s->stats.draw_s += end - after;
    s->stats.own_s += end - after + (before - start);
    return true;
}

void slx_sched_get_stats(const slx_sched *s, slx_sched_stats *out)
{
    *out = s->stats;
    out->waiting = s->waiting.n;
    out->running = s->running.n;
    out->slots = s->slots;
    out->pages = s->pages;
    out->pages_cached = s->cache ? slx_prefix_idle(s->cache) : 0;
    out->pages_used = s->pages - free_pages(s) - out->pages_cached;
}
