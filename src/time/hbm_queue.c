/* hbm_queue.c - a pseudo-channel's queue of bursts and the commands it sends.
 *
 * First ready, first come: of the commands the banks allow, the earliest; of those possible in one
 * clock, the oldest burst's. A row stays open while a waiting burst wants it. Once `pass_max`
 * younger bursts were served before the oldest, it is next, whatever that costs. Bursts to one
 * place of which one writes keep their order.
 *
 * Every figure *_ok below is the first clock at which a command is allowed: each command moves
 * those of its bank, its group and all. Nothing is ever taken back.
 *
 * Refresh, bank by bank, in any order within a round. One that is due waits for a bank that
 * nothing in the queue wants and that was left just now (a stream comes back to it last) or not
 * used at all since its last turn; when half of `late` wait, for any that nothing wants; and is
 * forced on the bank with the fewest bursts just before `late` is reached. */
#include "time/hbm_queue.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ parameters */

static uint32_t clocks(double ns, double ghz)
{
    double n = ceil(ns * ghz - 1e-6);
    return n > 0 ? (uint32_t)fmin(n, 1e9) : 0;
}

slx_status slx_hbmq_params_get(slx_hbmq_params *p, const slx_chip *c, slx_err *err)
{
    double ghz = c->hbm.gbps_pin / 4;
    uint32_t bits = c->hbm.bits / (c->hbm.channels * c->hbm.pch);
    *p = (slx_hbmq_params){
        .clk_ghz = ghz,
        .bytes = bits * c->hbm.burst / 8,
        .banks = c->hbm.banks,
        .groups = c->hbm.bank_groups,
        .burst = c->hbm.burst / 4,
        .tcl = clocks(c->hbm.tcl_ns, ghz),
        .tcwl = clocks(c->hbm.tcwl_ns, ghz),
        .trcd = clocks(c->hbm.trcd_ns, ghz),
        .trp = clocks(c->hbm.trp_ns, ghz),
        .tras = clocks(c->hbm.tras_ns, ghz),
        .trtp = clocks(c->hbm.trtp_ns, ghz),
        .twr = clocks(c->hbm.twr_ns, ghz),
        .tccd_s = clocks(c->hbm.tccd_s_ns, ghz),
        .tccd_l = clocks(c->hbm.tccd_l_ns, ghz),
        .trrd_s = clocks(c->hbm.trrd_s_ns, ghz),
        .trrd_l = clocks(c->hbm.trrd_l_ns, ghz),
        .tfaw = clocks(c->hbm.tfaw_ns, ghz),
        .twtr_s = clocks(c->hbm.twtr_s_ns, ghz),
        .twtr_l = clocks(c->hbm.twtr_l_ns, ghz),
        .trfcpb = clocks(c->hbm.trfcpb_ns, ghz),
        .trefi = (uint64_t)floor(c->hbm.trefi_us * 1e3 * ghz + 1e-6),
        .late = c->hbm.refresh_late,
        .queue = c->hbm.queue,
        .pass_max = c->hbm.pass_max,
    };
    if (!p->bytes || p->bytes > c->hbm.row_bytes)
        return slx_chip_fail_key(c, "hbm.burst", err,
                                 "found %u transfers of %u bits, expected a whole number of bytes, "
                                 "no more than a row of %u", c->hbm.burst, bits, c->hbm.row_bytes);
    p->columns = c->hbm.row_bytes / p->bytes;
    p->trc = p->tras + p->trp;
    /* A burst has to leave the bus before the next, and data of both directions never meet. */
    if (p->tccd_s < p->burst) p->tccd_s = p->burst;
    if (p->tccd_l < p->tccd_s) p->tccd_l = p->tccd_s;
    if (p->trrd_l < p->trrd_s) p->trrd_l = p->trrd_s;
    if (p->twtr_l < p->twtr_s) p->twtr_l = p->twtr_s;
    uint32_t gap = p->burst + clocks(c->hbm.turn_ns, ghz) + p->tcl;
    p->trtw = gap > p->tcwl + p->tccd_s ? gap - p->tcwl : p->tccd_s;
    for (p->spread = 1; p->spread < p->groups && p->spread * p->tccd_s < p->tccd_l;) p->spread *= 2;
    uint64_t one = (uint64_t)p->trc + p->tcwl + p->burst + p->twr + p->tfaw;
    if (p->trefi && p->trefi / p->banks < one)
        return slx_chip_fail_key(c, "hbm.trefi_us", err,
                                 "found %g us for %u banks, expected at least %.4g: one refresh "
                                 "begins only when a bank's row is closed",
                                 c->hbm.trefi_us, p->banks, (double)one * p->banks / ghz / 1e3);
    return SLX_OK;
}

void slx_hbmq_place(const slx_hbmq_params *p, uint64_t n, slx_hbmq_command *out)
{
    uint32_t high = p->groups / p->spread, each = p->banks / p->groups;
    uint32_t group = (uint32_t)(n % p->spread);
    n /= p->spread;
    out->column = (uint32_t)(n % p->columns);
    n /= p->columns;
    group += (uint32_t)(n % high) * p->spread;
    n /= high;
    out->bank = (uint32_t)(n % each) * p->groups + group;
    out->row = n / each;
}

/* ------------------------------------------------------------------ state */

#define NEVER UINT64_MAX
enum { NONE = -1 };

typedef struct {
    uint64_t row; /* NEVER: closed */
    uint64_t act_ok, pre_ok, col_ok;
    uint64_t used; /* clock of the last RD or WR */
    uint64_t seen; /* scan that met an older burst of this bank */
    uint32_t hits, waiting; /* bursts in the queue: to the open row, to the bank */
    bool fresh, touched; /* refreshed in this round; activated since */
} bank_state;

typedef struct {
    uint64_t act_ok, rd_ok, wr_ok;
} limits;

typedef struct {
    uint64_t row, tag, come;
    uint64_t id, after; /* after: id + 1 of the burst to the same place this one may not pass; 0 = none */
    uint32_t bank, column, passed;
    bool write;
} entry;

struct slx_hbmq {
    slx_hbmq_params p;
    bank_state *bank;
    limits *group, all;
    uint64_t faw[4]; /* ring of the last four ACT and REF, + tFAW */
    uint32_t faw_at;
    uint64_t row_ok, col_ok; /* command buses */
    uint64_t now, ids, scans;
    entry *e; /* [n] oldest first */
    uint32_t n;
    uint64_t refreshed; /* REF so far */
    uint32_t left;      /* banks of this round */
    int32_t forced;     /* bank */
    void (*trace)(void *, const slx_hbmq_command *);
    void *arg;
    slx_hbmq_stats stats;
};

slx_hbmq *slx_hbmq_new(const slx_hbmq_params *p)
{
    slx_hbmq *q = slx_xcalloc(1, sizeof *q);
    q->p = *p;
    q->bank = slx_xcalloc(p->banks, sizeof *q->bank);
    q->group = slx_xcalloc(p->groups, sizeof *q->group);
    q->e = slx_xcalloc(p->queue, sizeof *q->e);
    for (uint32_t b = 0; b < p->banks; b++) q->bank[b].row = NEVER;
    q->left = p->banks;
    q->forced = NONE;
    return q;
}

void slx_hbmq_free(slx_hbmq *q)
{
    if (!q) return;
    free(q->bank);
    free(q->group);
    free(q->e);
    free(q);
}

void slx_hbmq_trace(slx_hbmq *q, void (*f)(void *arg, const slx_hbmq_command *c), void *arg)
{
    q->trace = f, q->arg = arg;
}

slx_hbmq_stats slx_hbmq_get_stats(const slx_hbmq *q)
{
    return q->stats;
}

/* ------------------------------------------------------------------ what commands do */

static inline void raise(uint64_t *ok, uint64_t at)
{
    if (*ok < at) *ok = at;
}

static inline uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* ACT and REF wake a row's worth of cells each, and share what limits that. */
static void activated(slx_hbmq *q, uint32_t b, uint64_t t)
{
    q->group[b % q->p.groups].act_ok = t + q->p.trrd_l;
    q->all.act_ok = t + q->p.trrd_s;
    q->faw[q->faw_at] = t + q->p.tfaw;
    q->faw_at = (q->faw_at + 1) % 4;
}

static uint64_t act_at(const slx_hbmq *q, uint32_t b)
{
    uint64_t t = later(q->bank[b].act_ok, q->group[b % q->p.groups].act_ok);
    t = later(t, later(q->all.act_ok, q->faw[q->faw_at]));
    return later(t, later(q->row_ok, q->now));
}

static uint64_t pre_at(const slx_hbmq *q, uint32_t b)
{
    return later(q->bank[b].pre_ok, later(q->row_ok, q->now));
}

static uint64_t col_at(const slx_hbmq *q, const entry *e)
{
    const limits *g = &q->group[e->bank % q->p.groups];
    uint64_t t = e->write ? later(g->wr_ok, q->all.wr_ok) : later(g->rd_ok, q->all.rd_ok);
    return later(later(t, q->bank[e->bank].col_ok), later(q->col_ok, q->now));
}

static void tell(slx_hbmq *q, slx_hbmq_op op, uint64_t t, uint32_t b, uint64_t row, uint32_t column,
                 uint64_t tag)
{
    q->now = t;
    if (op == SLX_HBMQ_RD || op == SLX_HBMQ_WR)
        q->col_ok = t + 1;
    else
        q->row_ok = t + 1;
    q->stats.commands[op]++;
    if (!q->trace) return;
    slx_hbmq_command c = {.at = t, .row = row, .tag = tag, .bank = b, .column = column, .op = op};
    q->trace(q->arg, &c);
}

static void do_act(slx_hbmq *q, uint64_t t, uint32_t b, uint64_t row)
{
    bank_state *k = &q->bank[b];
    k->row = row, k->touched = true;
    k->col_ok = t + q->p.trcd;
    k->pre_ok = t + q->p.tras;
    k->act_ok = t + q->p.trc;
    k->hits = 0;
    for (uint32_t i = 0; i < q->n; i++) k->hits += q->e[i].bank == b && q->e[i].row == row;
    activated(q, b, t);
    tell(q, SLX_HBMQ_ACT, t, b, row, 0, 0);
}

static void do_pre(slx_hbmq *q, uint64_t t, uint32_t b)
{
    q->bank[b].row = NEVER, q->bank[b].hits = 0;
    raise(&q->bank[b].act_ok, t + q->p.trp);
    tell(q, SLX_HBMQ_PRE, t, b, 0, 0, 0);
}

static void do_ref(slx_hbmq *q, uint64_t t, uint32_t b)
{
    bank_state *k = &q->bank[b];
    k->act_ok = t + q->p.trfcpb;
    k->fresh = true, k->touched = false;
    if (!--q->left) {
        for (uint32_t i = 0; i < q->p.banks; i++) q->bank[i].fresh = false;
        q->left = q->p.banks;
    }
    q->refreshed++;
    if (q->forced == (int32_t)b) {
        q->stats.forced += k->waiting > 0;
        q->forced = NONE;
    }
    activated(q, b, t);
    tell(q, SLX_HBMQ_REF, t, b, 0, 0, 0);
}

static void do_col(slx_hbmq *q, uint64_t t, uint32_t i)
{
    const slx_hbmq_params *p = &q->p;
    entry e = q->e[i];
    bank_state *k = &q->bank[e.bank];
    limits *g = &q->group[e.bank % p->groups];
    uint64_t end = t + (e.write ? p->tcwl : p->tcl) + p->burst;
    if (e.write) {
        raise(&k->pre_ok, end + p->twr);
        raise(&g->rd_ok, end + p->twtr_l);
        raise(&q->all.rd_ok, end + p->twtr_s);
        raise(&q->all.wr_ok, t + p->tccd_s);
        raise(&g->wr_ok, t + p->tccd_l);
    } else {
        raise(&k->pre_ok, t + p->trtp);
        raise(&g->rd_ok, t + p->tccd_l);
        raise(&q->all.rd_ok, t + p->tccd_s);
        raise(&g->wr_ok, t + p->tccd_l);
        raise(&q->all.wr_ok, t + p->trtw);
    }
    k->used = t, k->hits--, k->waiting--;
    for (uint32_t j = 0; j < i; j++)
        if (++q->e[j].passed > q->stats.passed_max) q->stats.passed_max = q->e[j].passed;
    for (uint32_t j = i + 1; j < q->n; j++)
        if (q->e[j].after == e.id + 1) q->e[j].after = 0;
    memmove(q->e + i, q->e + i + 1, (--q->n - i) * sizeof *q->e);
    raise(&q->stats.end, end);
    q->stats.wait_sum += end - e.come;
    raise(&q->stats.wait_max, end - e.come);
    tell(q, e.write ? SLX_HBMQ_WR : SLX_HBMQ_RD, t, e.bank, e.row, e.column, e.tag);
}

/* ------------------------------------------------------------------ what comes next */

typedef struct {
    uint64_t at; /* NEVER: none */
    slx_hbmq_op op;
    uint32_t bank, i;
} choice;

/* Refreshes due by clock t, and the clock at which n are. */
static uint64_t due(const slx_hbmq *q, uint64_t t)
{
    return q->p.trefi ? t * q->p.banks / q->p.trefi : 0;
}

static uint64_t due_at(const slx_hbmq *q, uint64_t n)
{
    return q->p.trefi ? (n * q->p.trefi + q->p.banks - 1) / q->p.banks : NEVER;
}

static int32_t refresh_bank(slx_hbmq *q, uint64_t debt)
{
    if (q->forced != NONE) return q->forced;
    int32_t best = NONE;
    bool hard = debt + 1 >= q->p.late, any = debt * 2 >= q->p.late;
    for (uint32_t b = 0; b < q->p.banks; b++) {
        const bank_state *k = &q->bank[b], *o = &q->bank[best == NONE ? b : (uint32_t)best];
        if (k->fresh) continue;
        bool idle = !k->waiting && (any || !k->touched || q->now - k->used <= q->p.trfcpb);
        if (!idle && !hard) continue;
        if (best == NONE || k->waiting < o->waiting ||
            (k->waiting == o->waiting && (!k->touched || (o->touched && k->used > o->used))))
            best = (int32_t)b;
    }
    if (hard) q->forced = best;
    return best;
}

static choice next_refresh(slx_hbmq *q)
{
    choice c = {.at = NEVER};
    uint64_t n = due(q, q->now);
    if (n <= q->refreshed) return c;
    int32_t b = refresh_bank(q, n - q->refreshed);
    if (b == NONE) return c;
    c.bank = (uint32_t)b;
    bool open = q->bank[b].row != NEVER;
    c.op = open ? SLX_HBMQ_PRE : SLX_HBMQ_REF;
    c.at = open ? pre_at(q, c.bank) : act_at(q, c.bank);
    return c;
}

/* Best row and column command of the queue. */
static void next_of_queue(slx_hbmq *q, choice *row, choice *col)
{
    bool must = q->n && q->e[0].passed >= q->p.pass_max;
    uint64_t scan = ++q->scans;
    for (uint32_t i = 0; i < q->n && (row->at > q->now || col->at > q->now); i++) {
        const entry *e = &q->e[i];
        bank_state *k = &q->bank[e->bank];
        bool older = k->seen == scan;
        k->seen = scan;
        if (q->forced == (int32_t)e->bank) continue;
        if (k->row == e->row) {
            if (e->after || (must && i)) continue;
            uint64_t t = col_at(q, e);
            if (t < col->at) *col = (choice){t, SLX_HBMQ_RD, e->bank, i};
        } else if (!older) {
            bool open = k->row != NEVER;
            if (open && k->hits && !(must && !i)) continue;
            uint64_t t = open ? pre_at(q, e->bank) : act_at(q, e->bank);
            if (t < row->at) *row = (choice){t, open ? SLX_HBMQ_PRE : SLX_HBMQ_ACT, e->bank, i};
        }
    }
}

/* One command no later than `until`; false when there is none. */
static bool step(slx_hbmq *q, uint64_t until)
{
    for (;;) {
        choice row = next_refresh(q), col = {.at = NEVER};
        next_of_queue(q, &row, &col);
        const choice *c = row.at <= col.at ? &row : &col;
        uint64_t wake = due_at(q, due(q, q->now) + 1);
        if (wake <= until && wake < c->at) {
            q->now = wake; /* another refresh is due: choose again */
            continue;
        }
        if (c->at > until || c->at == NEVER) return false;
        if (c->op == SLX_HBMQ_ACT)
            do_act(q, c->at, c->bank, q->e[c->i].row);
        else if (c->op == SLX_HBMQ_PRE)
            do_pre(q, c->at, c->bank);
        else if (c->op == SLX_HBMQ_REF)
            do_ref(q, c->at, c->bank);
        else
            do_col(q, c->at, c->i);
        return true;
    }
}

void slx_hbmq_push(slx_hbmq *q, uint64_t n, bool write, uint64_t tag, uint64_t at)
{
    while (q->n == q->p.queue) SLX_ASSERT(step(q, NEVER));
    if (at > q->now) {
        while (step(q, at - 1)) continue;
        q->now = at;
    }
    slx_hbmq_command c;
    slx_hbmq_place(&q->p, n, &c);
    entry *e = &q->e[q->n];
    *e = (entry){.row = c.row, .tag = tag, .come = q->now, .id = q->ids++, .bank = c.bank,
                 .column = c.column, .write = write};
    for (uint32_t i = 0; i < q->n; i++) {
        const entry *o = &q->e[i];
        if (o->bank == e->bank && o->row == e->row && o->column == e->column && (o->write || write))
            e->after = o->id + 1;
    }
    bank_state *k = &q->bank[c.bank];
    k->waiting++;
    k->hits += k->row == c.row;
    q->n++;
}

uint64_t slx_hbmq_drain(slx_hbmq *q)
{
    while (q->n) SLX_ASSERT(step(q, NEVER));
    return q->stats.end;
}

/* ------------------------------------------------------------------ all of them */

slx_status slx_hbmq_memory_init(slx_hbmq_memory *m, const slx_chip *c, slx_err *err)
{
    *m = (slx_hbmq_memory){0};
    SLX_TRY(slx_hbmq_params_get(&m->p, c, err));
    m->all = (uint64_t)c->hbm.stacks * c->hbm.channels * c->hbm.pch;
    while ((UINT32_C(1) << m->shift) < c->hbm.interleave_bytes) m->shift++;
    m->q = slx_xcalloc(m->all, sizeof(slx_hbmq *));
    for (uint64_t i = 0; i < m->all; i++) m->q[i] = slx_hbmq_new(&m->p);
    return SLX_OK;
}

void slx_hbmq_memory_deinit(slx_hbmq_memory *m)
{
    for (uint64_t i = 0; m->q && i < m->all; i++) slx_hbmq_free(m->q[i]);
    free(m->q);
}

void slx_hbmq_memory_access(slx_hbmq_memory *m, uint64_t addr, uint64_t bytes, bool write, uint64_t at)
{
    for (uint64_t end = addr + bytes, next; addr < end; addr = next) {
        uint64_t g = addr >> m->shift, in = addr & ((UINT64_C(1) << m->shift) - 1);
        next = (g + 1) << m->shift;
        if (next > end) next = end;
        uint64_t own = (g / m->all << m->shift) + in; /* address inside the pseudo-channel */
        for (uint64_t n = own / m->p.bytes; n <= (own + (next - addr) - 1) / m->p.bytes; n++)
            slx_hbmq_push(m->q[g % m->all], n, write, 0, at);
    }
}

uint64_t slx_hbmq_memory_drain(slx_hbmq_memory *m)
{
    uint64_t end = 0;
    for (uint64_t i = 0; i < m->all; i++) raise(&end, slx_hbmq_drain(m->q[i]));
    return end;
}
