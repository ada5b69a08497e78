/* query_int.h - one line of a file of questions while it is answered, shared by query.c and query_model.c. */
#ifndef SLX_VALIDATE_QUERY_INT_H
#define SLX_VALIDATE_QUERY_INT_H

#include <jansson.h>

#include "predict/predict.h"
#include "validate/validate.h"

typedef struct {
    json_t *o;  /* the question */
    int number; /* of its line */
    bool malformed;
    char why[700];    /* why there is no answer; "" = none yet */
    const char *unit; /* static */
    slx_guess guess;
    const slx_chip *chip;
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

/* Kinds about a model. True with q->guess and q->unit set. (query_model.c) */
bool slx_query_model(slx_question *q, slx_predictor *p, slx_models *models, const char *kind);
/* Kinds about text: q->value and q->unit set. (query_text.c) */
bool slx_query_tokenize(slx_question *q);
bool slx_query_template(slx_question *q);

#endif
