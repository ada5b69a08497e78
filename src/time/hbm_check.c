/* hbm_check.c - is a list of memory commands one that the memory allows?
 *
 * Knows the parameters and when what was last done, and nothing of how commands are chosen. Every
 * rule is written as it stands in a data sheet: "from the last X to this Y at least T". The queue
 * works the other way round, with the first clock each command is allowed. */
#include "time/hbm_queue.h"

#include <stdlib.h>

/* Clock of an event + 1; 0 = there was none. */
typedef uint64_t stamp;

typedef struct {
    stamp act, pre, ref, rd, wr; /* last ones */
    uint64_t row;
    bool open;
    uint64_t refs;
} bank_log;

typedef struct {
    stamp act, rd, wr;
} group_log;

struct slx_hbmq_check {
    slx_hbmq_params p;
    bank_log *bank;
    group_log *group, all;
    stamp wakes[4]; /* last four ACT or REF, oldest at wakes[n_wakes % 4] */
    uint64_t n_wakes, refs;
    stamp last, last_row, last_col;
    uint64_t data_end;
    uint64_t commands, broken[SLX_N_HBMQ_RULES];
};

const char *slx_hbmq_rule_name(slx_hbmq_rule r)
{
    static const char *const names[] = {
#define X(n, t) t,
        SLX_HBMQ_RULES(X)
#undef X
    };
    SLX_ASSERT((unsigned)r < SLX_N_HBMQ_RULES);
    return names[r];
}

slx_hbmq_check *slx_hbmq_check_new(const slx_hbmq_params *p)
{
    slx_hbmq_check *k = slx_xcalloc(1, sizeof *k);
    k->p = *p;
    k->bank = slx_xcalloc(p->banks, sizeof *k->bank);
    k->group = slx_xcalloc(p->groups, sizeof *k->group);
    return k;
}

void slx_hbmq_check_free(slx_hbmq_check *k)
{
    if (!k) return;
    free(k->bank);
    free(k->group);
    free(k);
}

static void must(slx_hbmq_check *k, slx_hbmq_rule r, bool holds)
{
    k->broken[r] += !holds;
}

/* From the event at `from` to clock `at` no less than `least`. */
static void apart(slx_hbmq_check *k, slx_hbmq_rule r, stamp from, uint64_t at, uint64_t least)
{
    must(k, r, !from || at + 1 >= from + least);
}

/* All of ACT's distances to other ACT and REF; REF keeps the same. */
static void wake(slx_hbmq_check *k, const slx_hbmq_command *c)
{
    const slx_hbmq_params *p = &k->p;
    bank_log *b = &k->bank[c->bank];
    group_log *g = &k->group[c->bank % p->groups];
    must(k, SLX_HBMQ_RULE_STATE, !b->open);
    apart(k, SLX_HBMQ_RULE_RP, b->pre, c->at, p->trp);
    apart(k, SLX_HBMQ_RULE_RC, b->act, c->at, p->trc);
    apart(k, SLX_HBMQ_RULE_RFC, b->ref, c->at, p->trfcpb);
    apart(k, SLX_HBMQ_RULE_RRD_L, g->act, c->at, p->trrd_l);
    apart(k, SLX_HBMQ_RULE_RRD_S, k->all.act, c->at, p->trrd_s);
    apart(k, SLX_HBMQ_RULE_FAW, k->wakes[k->n_wakes % 4], c->at, p->tfaw);
    k->wakes[k->n_wakes++ % 4] = g->act = k->all.act = c->at + 1;
}

static void lateness(slx_hbmq_check *k, uint64_t at)
{
    if (!k->p.trefi) return;
    /* t banks / tREFI are due at clock t */
    must(k, SLX_HBMQ_RULE_REFI, at * k->p.banks / k->p.trefi <= k->refs + k->p.late);
}

static void refresh(slx_hbmq_check *k, const slx_hbmq_command *c)
{
    bank_log *b = &k->bank[c->bank];
    wake(k, c);
    must(k, SLX_HBMQ_RULE_ROUND, b->refs == k->refs / k->p.banks);
    b->refs++, k->refs++;
    b->ref = c->at + 1;
}

static void column(slx_hbmq_check *k, const slx_hbmq_command *c)
{
    const slx_hbmq_params *p = &k->p;
    bank_log *b = &k->bank[c->bank];
    group_log *g = &k->group[c->bank % p->groups];
    bool write = c->op == SLX_HBMQ_WR;
    must(k, SLX_HBMQ_RULE_STATE, b->open);
    must(k, SLX_HBMQ_RULE_ROW, b->row == c->row && c->column < p->columns);
    apart(k, SLX_HBMQ_RULE_RCD, b->act, c->at, p->trcd);
    stamp same = write ? k->all.wr : k->all.rd, in_group = write ? g->wr : g->rd,
          other = write ? g->rd : g->wr;
    apart(k, SLX_HBMQ_RULE_CCD_S, same, c->at, p->tccd_s);
    apart(k, SLX_HBMQ_RULE_CCD_L, in_group > other ? in_group : other, c->at, p->tccd_l);
    if (write) {
        apart(k, SLX_HBMQ_RULE_RTW, k->all.rd, c->at, p->trtw);
    } else {
        apart(k, SLX_HBMQ_RULE_WTR_S, k->all.wr, c->at, (uint64_t)p->tcwl + p->burst + p->twtr_s);
        apart(k, SLX_HBMQ_RULE_WTR_L, g->wr, c->at, (uint64_t)p->tcwl + p->burst + p->twtr_l);
    }
    uint64_t data = c->at + (write ? p->tcwl : p->tcl);
    must(k, SLX_HBMQ_RULE_DATA, data >= k->data_end);
    k->data_end = data + p->burst;
    if (write)
        b->wr = g->wr = k->all.wr = c->at + 1;
    else
        b->rd = g->rd = k->all.rd = c->at + 1;
}

void slx_hbmq_check_command(void *check, const slx_hbmq_command *c)
{
    slx_hbmq_check *k = check;
    k->commands++;
    if (c->bank >= k->p.banks) {
        must(k, SLX_HBMQ_RULE_ROW, false);
        return;
    }
    bank_log *b = &k->bank[c->bank];
    must(k, SLX_HBMQ_RULE_ORDER, c->at + 1 >= k->last);
    bool col = c->op == SLX_HBMQ_RD || c->op == SLX_HBMQ_WR;
    stamp *bus = col ? &k->last_col : &k->last_row;
    must(k, SLX_HBMQ_RULE_BUS, *bus != c->at + 1);
    *bus = k->last = c->at + 1;
    lateness(k, c->at);
    if (col) {
        column(k, c);
    } else if (c->op == SLX_HBMQ_ACT) {
        wake(k, c);
        b->open = true, b->row = c->row, b->act = c->at + 1;
        b->rd = b->wr = 0;
    } else if (c->op == SLX_HBMQ_REF) {
        refresh(k, c);
    } else {
        must(k, SLX_HBMQ_RULE_STATE, b->open);
        apart(k, SLX_HBMQ_RULE_RAS, b->act, c->at, k->p.tras);
        apart(k, SLX_HBMQ_RULE_RTP, b->rd, c->at, k->p.trtp);
        apart(k, SLX_HBMQ_RULE_TWR, b->wr, c->at, (uint64_t)k->p.tcwl + k->p.burst + k->p.twr);
        b->open = false, b->pre = c->at + 1;
    }
}

void slx_hbmq_check_end(slx_hbmq_check *k, uint64_t at)
{
    lateness(k, at);
}

uint64_t slx_hbmq_check_broken(const slx_hbmq_check *k, slx_hbmq_rule r)
{
    if (r < SLX_N_HBMQ_RULES) return k->broken[r];
    uint64_t n = 0;
    for (int i = 0; i < SLX_N_HBMQ_RULES; i++) n += k->broken[i];
    return n;
}

uint64_t slx_hbmq_check_commands(const slx_hbmq_check *k)
{
    return k->commands;
}
