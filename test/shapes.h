/* shapes.h - what tests of passes start from: a model's shape, a chip with a predictor, the kernels of a pass. Each fails the
 * test that calls it, with the reason. Everything is static inline: include it after cmocka.h, link libsilex. */
#ifndef SLX_TEST_SHAPES_H
#define SLX_TEST_SHAPES_H

#include "predict/predict_int.h"

#include <math.h>
#include <string.h>

/* A name of data/models. The caller's. */
static inline slx_shape *open_shape(const char *name)
{
    slx_shape *s;
    slx_err err = {0};
    if (slx_shape_open(&s, name, &err) != SLX_OK) fail_msg("%s: %s", name, err.msg);
    return s;
}

/* A config.json in memory. The caller's. */
static inline slx_shape *parse_shape(const char *text)
{
    slx_shape *s;
    slx_err err = {0};
    if (slx_shape_parse(&s, text, strlen(text), "test", &err) != SLX_OK) fail_msg("%s", err.msg);
    return s;
}

static inline void open_chip(slx_predictor **p, slx_chip **c, const char *name)
{
    slx_err err = {0};
    slx_predictor_open(p);
    if (slx_chip_load_any(c, name, &err) != SLX_OK) fail_msg("%s: %s", name, err.msg);
}

static inline slx_plan plan_of(const slx_shape *s, slx_forward f)
{
    slx_plan p;
    slx_err err = {0};
    f.model = s;
    if (slx_forward_check(&f, &err) != SLX_OK) fail_msg("%s", err.msg);
    slx_plan_pass(&p, &f, 0);
    return p;
}

/* The first kernel of that name. */
static inline const slx_kernel *kernel_of(const slx_plan *p, const char *name)
{
    for (int i = 0; i < p->n; i++)
        if (!strcmp(p->k[i].name, name)) return &p->k[i];
    fail_msg("no kernel '%s'", name);
    return NULL;
}

/* share: of the expected value. */
static inline void near_to(double found, double expected, double share)
{
    if (!(fabs(found - expected) <= share * fabs(expected))) fail_msg("found %.9g, expected %.9g", found, expected);
}

#endif
