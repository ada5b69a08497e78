/* validate.h - predictions against measurements, and predictions alone.
 *
 *   sets.def       the measured sets: file, kind, chip                slx_set *s = slx_set_at(i);
 *   rows.c         a set's file --> questions with measured values    slx_rows_read(&rows, s, dir, err)
 *   answer.c       a question --> value, low, high                    slx_kernel_answer(chip, &ask, &guess, err)
 *   score.c        errors of a set                                    slx_score_rows(&score, rows, chip)
 *   query.c        one JSON object a line in, one a line out          slx_queries_run(in, out, ...)
 *
 * Invariant: a question never carries its measured value, and every row of a file is answered, or counted with the
 * reason why not.
 *
 * Numbers of chips are fitted on one half of the rows and judged on the other. A row's half is a hash of its key: the
 * weights' shape of a GEMM, heads and batch of an attention, operation, chips and bytes of a collective. So a shape is never on
 * both sides with another number of rows.
 */
#ifndef SLX_VALIDATE_H
#define SLX_VALIDATE_H

#include "base/base.h"
#include "predict/predict.h"
#include "time/lib.h"

/* ------------------------------------------------------------------ questions about kernels */

typedef enum {
    SLX_ASK_GEMM,
    SLX_ASK_OP,
    SLX_ASK_ATTENTION,
    SLX_ASK_COLLECTIVE,
    SLX_ASK_LAYER,
    SLX_ASK_PASS,
    SLX_ASK_STATIC,
    SLX_ASK_SERVING
} slx_ask_kind;

typedef struct {
    slx_ask_kind kind;
    bool power;               /* of a GEMM or an attention: W; else the time, ms */
    slx_predictor *predictor; /* of the kinds from SLX_ASK_LAYER on */
    union {
        slx_lib_gemm_query gemm;
        slx_lib_op_query op;
        slx_lib_attention_query attention;
        slx_lib_collective_query collective;
        slx_layer_ask layer;
        slx_forward pass;
        slx_static_ask batch; /* SLX_ASK_STATIC: from start to end */
        struct {
            slx_serving_ask of;
            bool ttft; /* mean time to first token; else mean time per token */
        } serving;
    };
} slx_ask;

typedef struct {
    double value, low, high;
} slx_guess;

slx_status slx_ask_answer(const slx_chip *c, const slx_ask *a, slx_guess *out, slx_err *err);
/* "m 16, n 4096, k 4096" */
void slx_ask_print(char out[160], const slx_ask *a);

/* ------------------------------------------------------------------ measured sets */

typedef enum {
    SLX_FILE_GEMM,
    SLX_FILE_DECODE,
    SLX_FILE_PREFILL,
    SLX_FILE_COLLECTIVE,
    SLX_FILE_ROWS,
    SLX_FILE_ELEMENTS,
    SLX_FILE_LAYERS,
    SLX_FILE_PASSES,
    SLX_FILE_BATCHES,
    SLX_FILE_SERVINGS
} slx_file_kind;

typedef struct {
    const char *name, *file, *chip;
    slx_file_kind kind;
    const char *
        only; /* dtype of its rows, implementation of a collective, row operation, software of a model's rows; "" = all */
    bool power, fitted; /* fitted: numbers come from the other half of this file */
} slx_set;

int slx_n_sets(void);
const slx_set *slx_set_at(int i);
const slx_set *slx_set_find(const char *name); /* NULL if there is none */

typedef enum { SLX_HALF_FIT, SLX_HALF_TEST, SLX_HALF_BOTH } slx_half;

typedef struct {
    slx_ask ask;
    double measured; /* ms or W, as the question asks */
    uint64_t hash;   /* of its key */
    int line;
} slx_row;

typedef struct {
    slx_row *row; /* (n) */
    int n;
    slx_predictor
        *predictor; /* of rows about models, as are their shapes; NULL without such rows */
    struct slx_models *models;
} slx_rows;

slx_half slx_row_half(const slx_row *r);
/* dir: NULL = the copies shipped in data/measured. Refuses a line it does not understand. Free with slx_rows_free. */
slx_status slx_rows_read(slx_rows *out, const slx_set *s, const char *dir, slx_half half,
                         slx_err *err);
void slx_rows_free(slx_rows *r);

enum { SLX_SCORE_CLASSES = SLX_LIB_CLASSES, SLX_SCORE_WORST = 8 };

typedef struct {
    int rows, answered;
    char why[200];                  /* of the first row not answered */
    double mape, median, p90, bias; /* of predicted/measured - 1 */
    double inside;                  /* share of measurements between low and high */
    struct {
        double
            below; /* measured value under which a row falls in this class; INFINITY for the last */
        int rows;
        double mape, bias, inside;
    } by[SLX_SCORE_CLASSES]; /* ms: 5, 20, 100 us, 1, 10 ms; W: by the kernel's time */
    int n_worst;
    struct {
        int line;
        char what[160];
        double measured, predicted;
    } worst[SLX_SCORE_WORST];
} slx_score;

void slx_score_rows(slx_score *out, const slx_rows *rows, const slx_chip *c);

/* One value and its prediction. ms: of the kernel, for its class. */
typedef struct {
    double measured, ms;
    slx_guess g;
    int line;
    const slx_ask *ask; /* what was asked; NULL: id says it */
    const char *id;
} slx_scored;
/* The errors of n values, added to *out, whose rows (and why) are the caller's; sorts s. */
void slx_score_values(slx_score *out, slx_scored *s, int n);

/* Shapes of models by name, read once. */
typedef struct slx_models slx_models;
slx_models *slx_models_open(void);
void slx_models_close(slx_models *m); /* NULL is fine */
/* A name of data/models, or as publishers write it: "meta-llama/Llama-2-70b-hf". Borrowed. */
slx_status slx_models_find(slx_models *m, const char *name, const slx_shape **out, slx_err *err);

/* ------------------------------------------------------------------ questions in a file */

/* Answers every line of `in`. False when a line was malformed (it is answered all the same) or out could not be
 * written. */
bool slx_queries_run(FILE *in, FILE *out);
/* Questions that carry what was measured (a number `measured`, in the unit of the answer), answered without it and scored
 * by kind and ask, or by a text `set` where a line has one. A malformed line fails, with its number. The caller frees with
 * slx_judged_free. */
typedef struct {
    int n;
    struct slx_judged_set {
        char name[80];
        slx_score score;
    } *set;
} slx_judged;
slx_status slx_judge_run(slx_judged *out, FILE *in, const char *path, slx_err *err);
void slx_judged_free(slx_judged *j);
/* One line without its newline, appended to out with one. True when it was well formed. */
typedef struct slx_queries slx_queries;
slx_queries *slx_queries_open(void);
void slx_queries_close(slx_queries *q);
bool slx_queries_line(slx_queries *q, const char *line, size_t len, int number, slx_buf *out);

#endif
