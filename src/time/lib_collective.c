/* lib_collective.c - collectives of n chips of one node: the library picks the fastest of its protocols.
 *
 *   wire = (n-1)/n of the buffer, twice for an all-reduce;  steps = n-1, twice for an all-reduce;  bw = link, one way
 *   low latency  steps ll + wire/(bw e_ll)       middle  steps ll + mid + wire/(bw e_mid)
 *   plain        steps ll + start + wire/(bw e_simple), between two chips e_simple e_pair
 *   all-to-all   min(a2a + wire/(bw e_mid/2), 3 a2a + wire/(bw e_a2a))        send and receive: one step of the same
 *   T = t0 + the least
 * A framework's own all-reduce: one phase (every chip reads all) or two; large buffers go to NCCL; outside a graph the
 * host's launch is a floor and the buffer is copied.
 */
#include "time/lib_int.h"

typedef struct {
    double us;
    bool rate; /* the wire is the longest part */
} way;

static way shorter(way a, double latency, double wire)
{
    return latency + wire < a.us ? (way){latency + wire, wire > latency} : a;
}

static way nccl(const slx_lib *l, slx_lib_coll op, double n, double bytes)
{
    bool twice = op == SLX_LIB_ALL_REDUCE, pair = op == SLX_LIB_SEND_RECV;
    double share = pair ? 1 : (n - 1) / n * (twice ? 2 : 1),
           steps = pair ? 1 : (n - 1) * (twice ? 2 : 1);
    double wire = share * bytes / (l->fig.link_gbs * slx_per_gbs);
    double e_s = l->n.nccl.e_simple * (n == 2 ? l->n.nccl.e_pair : 1),
           ring = steps * l->n.nccl.ll_us;
    way w = {INFINITY, false};
    if (op == SLX_LIB_ALL_TO_ALL) {
        w = shorter(w, l->n.nccl.a2a_us, wire / (l->n.nccl.e_mid / 2));
        w = shorter(w, 3 * l->n.nccl.a2a_us, wire / l->n.nccl.e_a2a);
    } else {
        w = shorter(w, ring, wire / l->n.nccl.e_ll);
        w = shorter(w, ring + l->n.nccl.mid_us, wire / l->n.nccl.e_mid);
        w = shorter(w, ring + l->n.nccl.start_us, wire / e_s);
    }
    w.us += l->n.nccl.t0_us;
    return w;
}

static way own_all_reduce(const slx_lib *l, double n, double bytes, bool eager)
{
    double bw = l->fig.link_gbs * slx_per_gbs;
    bool large = bytes >= l->n.graph.most_mib * 1048576;
    way w = large ? nccl(l, SLX_LIB_ALL_REDUCE, n, bytes) : (way){INFINITY, false};
    if (!large) w = shorter(w, l->n.graph.t0_us, (n - 1) * bytes / (bw * l->n.graph.e_one));
    if (!large)
        w = shorter(w, l->n.graph.t0_us + l->n.graph.two_us,
                    2 * (n - 1) / n * bytes / (bw * l->n.graph.e_two));
    if (eager) {
        double copy = 2 * bytes / (l->fig.mem_tbs * slx_per_tbs * l->n.graph.e_copy);
        if (w.us + copy < l->n.graph.eager_us) return (way){l->n.graph.eager_us, false};
        w.us += copy;
    }
    return w;
}

slx_status slx_lib_collective(const slx_chip *c, const slx_lib_collective_query *q,
                              slx_lib_time *out, slx_err *err)
{
    SLX_TRY(slx_lib_wants_library(c, err));
    SLX_ASSERT(q->n_chips && q->bytes >= 0);
    const slx_lib *l = &c->lib;
    bool own = q->op == SLX_LIB_ALL_REDUCE && q->impl != SLX_LIB_NCCL;
    *out = (slx_lib_time){.bytes = q->bytes, .bound_by = "launch"};
    if (q->n_chips == 1) return SLX_OK; /* nothing to send */
    way w = own ? own_all_reduce(l, q->n_chips, q->bytes, q->impl == SLX_LIB_EAGER)
                : nccl(l, q->op, q->n_chips, q->bytes);
    out->bound_by = w.rate ? "link" : "latency";
    slx_lib_answer(out, c, w.us, own ? SLX_LIB_OWN_GRAPH : SLX_LIB_OWN_NCCL);
    return SLX_OK;
}
