/* models.c - shapes of models by name, as questions and measured rows name them. */
#include "validate/validate.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    char *name;
    slx_shape *shape;
} named;

struct slx_models {
    named *model;
    int n;
};

slx_models *slx_models_open(void)
{
    return slx_xcalloc(1, sizeof(slx_models));
}

void slx_models_close(slx_models *m)
{
    if (!m) return;
    for (int i = 0; i < m->n; i++) {
        free(m->model[i].name);
        slx_shape_free(m->model[i].shape);
    }
    free(m->model);
    free(m);
}

/* "meta-llama/Llama-2-70b-hf" as "llama-2-70b": without publisher, in small letters, without what says how it was
 * trained or stored. */
static void plain_name(char out[128], const char *name)
{
    static const char *const ends[] = {"-hf",    "-instruct", "-chat", "-it",   "-fp8",
                                       "-nvfp4", "-fp4",      "-bf16", "-2507", "-base"};
    const char *last = strrchr(name, '/');
    size_t n = 0;
    for (const char *p = last ? last + 1 : name; *p && n < 127; p++)
        out[n++] = (char)tolower((unsigned char)*p);
    out[n] = 0;
    if (!strncmp(out, "meta-llama-", 11)) memmove(out, out + 5, n - 4), n -= 5;
    if (!strncmp(out, "llama", 5) && isdigit((unsigned char)out[5]) && n < 127)
        memmove(out + 6, out + 5, n - 4), out[5] = '-', n++;
    for (bool cut = true; cut;) {
        cut = false;
        for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
            size_t k = strlen(ends[i]);
            if (n > k && !strcmp(out + n - k, ends[i])) out[n -= k] = 0, cut = true;
        }
    }
}

/* Other names of the same shapes. */
static const char *known_as(const char *name)
{
    static const char *const same[][2] = {{"gpt-2", "gpt2"},
                                          {"gpt-2-xl", "gpt2-xl"},
                                          {"gpt3", "gpt3-175b"},
                                          {"gpt-3", "gpt3-175b"},
                                          {"gpt-3-175b", "gpt3-175b"},
                                          {"bloom", "bloom-176b"},
                                          {"mixtral-8x7b-v0.1", "mixtral-8x7b"},
                                          {"mixtral-8x22b-v0.1", "mixtral-8x22b"},
                                          {"llama-4-scout-17b-16e", "llama-4-scout"},
                                          {"llama-4-maverick-17b-128e", "llama-4-maverick"},
                                          {"deepseek-v3-0324", "deepseek-v3"},
                                          {"deepseek-v3.1", "deepseek-v3"},
                                          {"deepseek-r1-0528", "deepseek-r1"}};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        if (!strcmp(name, same[i][0])) return same[i][1];
    return name;
}

slx_status slx_models_find(slx_models *m, const char *name, const slx_shape **out, slx_err *err)
{
    char plain[128];
    slx_shape *s;
    for (int i = 0; i < m->n; i++)
        if (!strcmp(m->model[i].name, name)) return *out = m->model[i].shape, SLX_OK;
    plain_name(plain, name);
    if (!*plain) return slx_fail(err, SLX_EINPUT, "model", 0, 0, "found no name");
    SLX_TRY(slx_shape_open(&s, known_as(plain), err));
    m->model = slx_xrealloc(m->model, (size_t)(m->n + 1) * sizeof *m->model);
    m->model[m->n].name = slx_xmalloc(strlen(name) + 1);
    memcpy(m->model[m->n].name, name, strlen(name) + 1);
    m->model[m->n++].shape = s;
    return *out = s, SLX_OK;
}
