/* query_int.h - one line of a file of questions while it is answered, shared by query.c and query_model.c. */
#ifndef SLX_VALIDATE_QUERY_INT_H
#define SLX_VALIDATE_QUERY_INT_H

#include <jansson.h>

#include "predict/predict.h"
#include "validate/validate.h"

/* The last run of requests over time that was simulated: many questions ask several numbers of one run. */
typedef struct {
    char *key;                /* the question without id and ask; NULL = none yet */
    slx_traffic_cost cost[3]; /* with passes a little faster, as told, a little slower */
    double total_tok;         /* in and out */
    char framework[80];       /* the row of data/frameworks.csv; "" = none */
} slx_traffic_memo;

typedef struct {
    uint64_t hash;
    int line; /* 0 = a free place */
} slx_query_id;
typedef struct {
    slx_query_id *id; /* free() */
    size_t cap, n;
} slx_query_ids;
/* The line where the id stood first: this one, when it is new. (query_ids.c) */
int slx_query_ids_add(slx_query_ids *s, const char *id, int line);

typedef struct {
    json_t *o;  /* the question */
    int number; /* of its line */
    bool malformed;
    char why[700];    /* why there is no answer; "" = none yet */
    const char *unit; /* static */
    slx_guess guess;
    const slx_chip *chip;
    bool described;       /* the chip has no file: chip_spec */
    const char *timed_by; /* "program" or "library"; NULL = no kernel was timed */
    char software[200];   /* that the kernels are taken to run under; "" = not said */
    char note[300];       /* what was taken in place of what was asked; "" = nothing */
    slx_traffic_memo *memo;
    json_t *value; /* in place of guess, when the answer is no number */
    bool fails;    /* the answer is that it must fail: why goes under "error" */
} slx_question;

/* Fields of a question: each false after it has set q->why. A field that may be absent has `needed` false and leaves *out. */
bool slx_field_count(slx_question *q, const json_t *o, const char *name, int64_t least, bool needed,
                     uint64_t *out);
bool slx_field_real(slx_question *q, const json_t *o, const char *name, bool needed, double *out);
bool slx_field_text(slx_question *q, const json_t *o, const char *name, bool needed,
                    const char **out);
/* The index of the text among choices (ended by NULL). */
bool slx_field_choice(slx_question *q, const json_t *o, const char *name, bool needed,
                      const char *const *choices, int *out);
/* Well formed, and no answer to be had. Always false. */
bool slx_cannot(slx_question *q, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The thing asked for fails, and that is the answer. Always false. */
bool slx_fails(slx_question *q, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Not what the interface says. Always false. */
bool slx_malformed(slx_question *q, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool slx_field_dtype(slx_question *q, const char *name, bool needed, slx_lib_dtype *out);

/* The chip of a file in chips/ under another spelling of its name ("NVIDIA H100 80GB HBM3"); false when there is none.
 * *out is the caller's. (chip_names.c) */
bool slx_chip_by_other_name(slx_chip **out, const char *name);

/* Whether what an answer rests on is published, and the model fits: false after q->why is set. (query_told.c) */
bool slx_query_told_products(slx_question *q, const char *dtype); /* NULL = bf16; notes a format the chip has not */
bool slx_query_told_links(slx_question *q);
bool slx_query_told_power(slx_question *q);
bool slx_query_told_model(slx_question *q, const slx_shape *model);
bool slx_query_fits(slx_question *q, const slx_forward *f);
void slx_query_note(slx_question *q, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* framework: a row of data/frameworks.csv, NULL = none. software: versions ("" = not said). */
void slx_query_ran(slx_question *q, const char *framework, const char *software);

/* A server: asked for framework `asked`, timed by the row `used` of data/frameworks.csv (NULL or "" = neither). */
void slx_query_served_by(slx_question *q, slx_predictor *p, const char *asked, const char *used);

/* The shape that model_config or model says; NULL after it has set q->why. *own is set when the caller frees it. */
const slx_shape *slx_query_shape(slx_question *q, slx_models *models, slx_shape **own);
/* Seconds, or whatever unit says after scale, as the guess. */
bool slx_query_told(slx_question *q, slx_band s, double scale, const char *unit);
/* A server that is asked about: the fields of kind serving. 0 = not said. */
typedef struct {
    slx_placement on, reader; /* reader: of prompts, where readers > 0 */
    const char *load, *framework, *precision;
    uint64_t isl, osl, n, replicas, readers, max_seqs, max_step_tokens;
    double kv_tokens, tok_s_user; /* tok_s_user: of load interactivity */
    bool submitted;               /* of load mlperf, as which it then counts: tuned, of lengths that are not told */
} slx_served;
/* Of the whole system. (query_serving.c) */
double slx_served_chips(const slx_served *s);
/* Requests over time: loads rate, stages and trace. (query_traffic.c) */
bool slx_query_traffic(slx_question *q, slx_predictor *p, const slx_served *s, const char *ask);
/* Of load concurrency: a quantile of ttft, tpot or e2e over its mean, from requests played one by one. */
bool slx_query_spread(slx_question *q, slx_predictor *p, const slx_served *s, const char *what, double quantile,
                      double *over_mean);
/* The fields n_chips, parallel, precision, gemm_dtype, moe_dtype and engine.speculative: who runs what where.
 * (query_placement.c) */
bool slx_query_placement(slx_question *q, slx_served *s);
/* ttft_p90 as 0.9, ttft_mean as 0 with what the part before; false when it is neither. */
bool slx_query_quantile(const char *ask, char what[8], double *at);
/* Dollars for a million tokens, tokens a second and megawatt, watts of all servers, of `chips` chips; tok_s: in and out
 * together. True with q->guess and q->unit set. (query_cost.c) */
bool slx_query_usd(slx_question *q, double chips, slx_band tok_s);
bool slx_query_per_mw(slx_question *q, double chips, slx_band tok_s);
bool slx_query_system_power(slx_question *q, double chips, slx_band chip_w);
/* Load mlperf as max or interactivity, with its lengths where the question has none. False with q->why set.
 * (query_mlperf.c) */
bool slx_query_mlperf(slx_question *q, slx_served *s);
/* Kind serving. (query_serving.c) */
bool slx_query_serving(slx_question *q, slx_predictor *p, slx_models *models);
/* Kinds about a model. True with q->guess and q->unit set. (query_model.c) */
bool slx_query_model(slx_question *q, slx_predictor *p, slx_models *models, const char *kind);
/* Kinds about text: q->value and q->unit set. (query_text.c) */
bool slx_query_tokenize(slx_question *q);
bool slx_query_template(slx_question *q);

#endif
