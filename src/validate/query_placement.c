/* query_placement.c - where and in which formats a server of a question runs its model: n_chips, parallel, precision,
 * gemm_dtype, moe_dtype, engine.speculative.
 *
 *   tp             chips that share a layer          pp    stages           dp    replicas
 *   attention_dp   groups with copies of the attention, whose experts lie on all of their chips; dep, or dp beside
 *                  ep, is the same
 *   moe_ep, ep     parts of whole experts            moe_tp  chips that share each of them
 *   mode disagg    objects prefill and decode with these names and `workers`, replicas of each
 */
#include <math.h>
#include <string.h>
#include <strings.h>

#include "validate/query_int.h"

enum { MOST = 1024, MOST_REPLICAS = 1 << 28, NODE = 8 };

/* ------------------------------------------------------------------ formats */

/* NULL: no such format. Scales for blocks are those of 8 bits here: what tells them apart is the host's launch, which
 * passes as graphs hide. */
static const char *dtype_of(const char *precision)
{
    slx_lib_dtype d;
    if (!slx_lib_dtype_parse(precision, &d)) return NULL;
    return slx_lib_dtype_name(d == SLX_LIB_FP8_BLOCK ? SLX_LIB_FP8 : d);
}

/* A format that the name of published weights ends in: "nvidia/Llama-3.1-8B-Instruct-FP8". NULL: none. */
static const char *dtype_of_name(const char *model)
{
    const char *last = model ? strrchr(model, '-') : NULL;
    return last ? dtype_of(last + 1) : NULL;
}

/* As the field says; *out stays where it is absent or "". */
static bool format(slx_question *q, const char *field, const char **out)
{
    const char *text = NULL;
    if (!slx_field_text(q, q->o, field, false, &text)) return false;
    if (!text || !*text) return true;
    *out = dtype_of(text);
    return *out || slx_cannot(q, "%s %.40s is not modelled", field, text);
}

/* Products in gemm_dtype, else precision, else what the model's name says, else 16 bits; experts in moe_dtype, else
 * alike. gpt-oss is published with four bits in its experts alone (its model card). */
static bool formats(slx_question *q, slx_served *s)
{
    const char *whole = NULL, *products = NULL, *experts = NULL, *name = NULL;
    if (!slx_field_text(q, q->o, "model", false, &name) || !format(q, "precision", &whole) ||
        !format(q, "gemm_dtype", &products) || !format(q, "moe_dtype", &experts))
        return false;
    if (!whole) whole = dtype_of_name(name);
    s->on.dtype = products ? products : whole ? whole : "bf16";
    s->on.moe_dtype = experts ? experts : whole ? whole : s->on.dtype;
    if (!strcmp(s->on.model->type, "gpt_oss") && !strcmp(s->on.dtype, "nvfp4")) s->on.dtype = "bf16";
    return true;
}

/* ------------------------------------------------------------------ chips */

typedef struct {
    uint64_t tp, pp, dp, apart, dep, ep, moe_ep, moe_tp, workers;
} names;

static bool read_names(slx_question *q, const json_t *o, names *n)
{
    const struct {
        const char *name;
        uint64_t *to;
    } fields[] = {{"tp", &n->tp},           {"pp", &n->pp},         {"dp", &n->dp},
                  {"attention_dp", &n->apart}, {"dep", &n->dep},    {"ep", &n->ep},
                  {"moe_ep", &n->moe_ep},   {"moe_tp", &n->moe_tp}, {"workers", &n->workers}};
    *n = (names){.pp = 1, .dp = 1, .apart = 1, .dep = 1, .ep = 1, .moe_ep = 1, .moe_tp = 1, .workers = 1};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (!slx_field_count(q, o, fields[i].name, 1, false, fields[i].to)) return false;
        if (*fields[i].to > 1u << 20)
            return slx_cannot(q, "field %s: over 2^20", fields[i].name);
    }
    return true;
}

/* Reports of runs write tp or attention_dp as moe_tp times moe_ep, though both say the same chips: 64 beside 8 and 8 on
 * eight of them; or moe_ep as tp times attention_dp where each of them is what tp and moe_ep are: runs are reported in
 * both ways with the same times. Taken so where the product would pass the chips of one domain of fast links. */
static void undo_product(const slx_chip *c, names *n, uint64_t *chips)
{
    double domain = slx_chip_domain(c);
    uint64_t k = n->moe_ep, *said = n->apart > 1 ? &n->apart : &n->tp;
    if (n->tp > 1 && n->tp == n->apart && k == n->tp * n->apart && (double)k > domain) {
        n->moe_ep = n->tp, n->apart = 1;
        if (*chips == k) *chips = n->tp;
        return;
    }
    if (!(k > 1 && k == n->moe_tp && *said == k * k && (double)*said > domain)) return;
    *said = k, n->moe_tp = 1;
    if (*chips == k * k) *chips = k;
}

/* Experts on more chips than the attention: it has copies there, though nobody says so. */
static void infer_copies(names *n, uint64_t *chips)
{
    uint64_t of_experts = n->moe_tp * n->moe_ep;
    if (!n->tp || n->apart > 1 || n->dep > 1 || n->dp > 1 || of_experts <= n->tp || of_experts % n->tp) return;
    n->apart = of_experts / n->tp;
    if (*chips && *chips < of_experts * n->pp) *chips = of_experts * n->pp;
}

/* Latent attention has one key for all heads: chips that share its heads hold every key each. On more chips of one
 * domain of fast links than a node has it is served in copies, experts on chips of their own (arXiv 2412.19437, 3.4),
 * and written as the number of chips. */
static void wide_latent(const slx_chip *c, const slx_shape *s, names *n)
{
    bool wide = n->tp > NODE && (double)n->tp <= c->part.domain;
    if (!wide || !s->kv_rank || !s->n_experts || n->apart > 1 || n->dep > 1 || n->dp > 1) return;
    n->apart = n->tp, n->tp = 1;
    n->moe_ep = n->apart, n->moe_tp = 1;
}

/* chips: those there are, 0 = not told. *replicas of what is written to `on`. */
static bool place(slx_question *q, names n, uint64_t chips, slx_placement *on, uint64_t *replicas)
{
    bool moe = on->model->n_experts > 0;
    undo_product(q->chip, &n, &chips);
    wide_latent(q->chip, on->model, &n);
    if (moe) infer_copies(&n, &chips);
    if (n.ep > n.moe_ep) n.moe_ep = n.ep;
    uint64_t copies = n.apart > n.dep ? n.apart : n.dep;
    if (moe && n.dp > 1 && n.moe_ep > 1 && copies == 1) copies = n.dp, n.dp = 1;
    if (!n.tp) n.tp = copies > 1 || !chips ? 1 : chips / n.dp / n.pp;
    if (!n.tp) n.tp = 1;
    if (chips && n.tp * copies * n.pp > chips && copies > 1) copies = chips / n.tp / n.pp > 0 ? chips / n.tp / n.pp : 1;
    if (chips && n.tp * copies * n.pp > chips) n.tp = chips / copies / n.pp > 0 ? chips / copies / n.pp : 1;
    uint64_t group = n.tp * copies, used = group * n.pp;
    if (n.dep > 1 && n.moe_ep == 1) n.moe_ep = group;
    if (n.moe_ep == 1 && n.moe_tp > 1 && group > n.moe_tp && group % n.moe_tp == 0) n.moe_ep = group / n.moe_tp;
    while (n.moe_ep > 1 && (n.moe_ep > on->model->n_experts || group % n.moe_ep)) n.moe_ep--;
    if (group > MOST || n.pp > MOST) return slx_cannot(q, "tp times attention_dp, or pp, over %d", MOST);
    on->tp = (uint32_t)n.tp, on->pp = (uint32_t)n.pp, on->attention_dp = (uint32_t)copies;
    on->moe_ep = moe ? (uint32_t)n.moe_ep : 1;
    *replicas = n.dp > 1 ? n.dp : chips > used ? chips / used : 1;
    return true;
}

/* chips: of the whole system, 0 = not told: replicas to answer then fill what the readers leave. */
static bool apart(slx_question *q, const json_t *o, uint64_t chips, slx_served *s)
{
    const json_t *readers = json_object_get(o, "prefill"), *answer = json_object_get(o, "decode");
    names n;
    uint64_t unused;
    if (!json_is_object(readers) || !json_is_object(answer))
        return slx_malformed(q, "field parallel: found no prefill or no decode, expected an object of each");
    s->reader = s->on;
    if (!read_names(q, readers, &n)) return false;
    s->readers = n.workers * n.dp, n.dp = 1;
    if (!place(q, n, 0, &s->reader, &unused) || !read_names(q, answer, &n)) return false;
    bool told = json_object_get(answer, "workers") != NULL;
    s->replicas = n.workers * n.dp, n.dp = 1;
    if (!place(q, n, 0, &s->on, &unused)) return false;
    if (s->readers > MOST_REPLICAS || s->replicas > MOST_REPLICAS)
        return slx_cannot(q, "workers times dp over %d", MOST_REPLICAS);
    double left = (double)chips - slx_placed_chips(&s->reader) * (double)s->readers;
    double more = floor(left / slx_placed_chips(&s->on));
    if (!told && more > (double)s->replicas) s->replicas = (uint64_t)more;
    return true;
}

/* ------------------------------------------------------------------ drafts */

/* Likelihood that a draft is right when those before it were. Heads that models bring: 0.85 to 0.9 for the first
 * draft of DeepSeek-V3 (arXiv 2412.19437, 5.4.3), less for the next ones; models trained beside: what 1, 3 and 7 drafts
 * of EAGLE3 gain gpt-oss-120b on an H200 (github.com/GloriaXimingLu/inferencex-profiling); texts looked up in the
 * prompt: assumed. */
static const double right_head = 0.75, right_beside = 0.5, right_ngram = 0.3;

static bool drafts(slx_question *q, const json_t *engine, slx_served *s)
{
    const json_t *guess = json_is_object(engine) ? json_object_get(engine, "speculative") : NULL;
    const char *method = NULL;
    uint64_t n = 0;
    if (!guess || json_is_null(guess) || json_is_false(guess)) return true;
    if (!json_is_object(guess)) return slx_malformed(q, "field speculative: expected an object with method and tokens");
    if (!slx_field_text(q, guess, "method", false, &method) || !slx_field_count(q, guess, "tokens", 1, true, &n))
        return false;
    if (n > 64) return slx_cannot(q, "more than 64 drafts a step");
    s->on.drafts = (uint32_t)n;
    if (!method) method = "";
    bool beside = strcasestr(method, "eagle") || strcasestr(method, "draft") || strcasestr(method, "medusa");
    s->on.accept = strcasestr(method, "ngram") ? right_ngram : beside ? right_beside : right_head;
    return true;
}

/* ------------------------------------------------------------------ the whole */

/* Chips that hold the model's weights in that share of their memory: 1, 2, 4 or 8. */
static uint64_t fewest(const slx_chip *c, const slx_placement *on, double share)
{
    for (uint32_t tp = 1; tp < NODE; tp *= 2) {
        slx_forward f = {.model = on->model, .decode = true, .tp = tp, .dtype = on->dtype, .moe_dtype = on->moe_dtype};
        slx_predict_memory m;
        if (slx_predict_fits(c, &f, &m, NULL) != SLX_OK || isnan(m.usable) || m.weights < share * m.usable) return tp;
    }
    return NODE;
}

/* How a model lies on chips where nobody says it. Their number not told: on the fewest that hold it. For most tokens a
 * second: replicas of as many as leave half of their memory to keys and values, latent attention in copies. Else all
 * chips of a node share the layers, and further nodes are replicas. */
static names usual(const slx_question *q, const slx_served *s, uint64_t *chips)
{
    names n = {.pp = 1, .dp = 1, .apart = 1, .dep = 1, .ep = 1, .moe_ep = 1, .moe_tp = 1, .workers = 1};
    bool most = !strcmp(s->load, "max") || !strcmp(s->load, "mlperf");
    if (!*chips) *chips = fewest(q->chip, &s->on, 1);
    uint64_t group = most ? fewest(q->chip, &s->on, 0.5) : NODE;
    while (group > 1 && group > *chips) group /= 2;
    if (most && s->on.model->kv_rank && s->on.model->n_experts)
        n.tp = 1, n.apart = n.moe_ep = group;
    else if (most || *chips > NODE)
        n.tp = group;
    return n;
}

bool slx_query_placement(slx_question *q, slx_served *s)
{
    const json_t *o = json_object_get(q->o, "parallel");
    const char *mode = NULL;
    uint64_t chips = 0;
    names n;
    s->replicas = 1;
    if (!slx_field_count(q, q->o, "n_chips", 1, false, &chips) || !formats(q, s) ||
        !drafts(q, json_object_get(q->o, "engine"), s))
        return false;
    if (chips > MOST_REPLICAS) return slx_cannot(q, "more than 2^28 chips");
    if (o && !json_is_null(o) && !json_is_object(o)) return slx_malformed(q, "field parallel: expected an object");
    if (!json_is_object(o)) o = NULL;
    if (o && !slx_field_text(q, o, "mode", false, &mode)) return false;
    if (mode && !strcmp(mode, "disagg")) return apart(q, o, chips, s);
    if (mode && strcmp(mode, "agg") != 0)
        return slx_malformed(q, "field mode: found '%.40s', expected agg or disagg", mode);
    if (!o)
        n = usual(q, s, &chips);
    else if (!read_names(q, o, &n))
        return false;
    return place(q, n, chips, &s->on, &s->replicas);
}
