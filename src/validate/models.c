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

/* ------------------------------------------------------------------ names */

enum { NAME_MAX = 128, WORDS_MAX = 24 };

typedef struct {
    char text[NAME_MAX];
    const char *word[WORDS_MAX]; /* in text */
    int n;
} words;

/* "meta-llama/Meta-Llama-3-70B Instruct" as meta llama 3 70b instruct: without publisher, in small letters; "llama2" is
 * llama 2. */
static void split(words *w, const char *name)
{
    const char *last = strrchr(name, '/');
    size_t n = 0;
    char before = '-';
    *w = (words){0};
    for (const char *p = last ? last + 1 : name; *p && n + 2 < NAME_MAX; p++) {
        bool cut = *p == '-' || *p == '_' || *p == ' ' || *p == ':';
        bool number = isdigit((unsigned char)*p) && n >= 5 && !strncmp(w->text + n - 5, "llama", 5);
        if ((cut || number) && before) w->text[n++] = 0;
        if (!cut) {
            if ((n == 0 || !w->text[n - 1]) && w->n < WORDS_MAX) w->word[w->n++] = w->text + n;
            w->text[n++] = (char)tolower((unsigned char)*p);
        }
        before = cut ? 0 : *p;
    }
}

/* Words that say how a model was trained, stored or released, and change no shape. */
static bool says_nothing(const char *word)
{
    static const char *const known[] = {"hf",      "instruct", "chat",     "it",  "base",
                                        "dynamic", "preview",  "thinking", "meta", "kv"};
    slx_lib_dtype stored;
    if (slx_lib_dtype_parse(word, &stored)) return true;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(word, known[i])) return true;
    return false;
}

/* A version or a month that a publisher adds: v0.1, 2407; v2 behind other words (DeepSeek-V3 is a name). */
static bool is_release(const char *word, int place)
{
    const char *p = *word == 'v' ? word + 1 : word;
    size_t n = strlen(p);
    if (!n || strspn(p, "0123456789.") != n) return false;
    return *word == 'v' ? place > 2 || strchr(p, '.') : n == 4 && !strchr(p, '.');
}

/* The words joined by "-"; with `few` set, without releases. */
static void join(char out[NAME_MAX], const words *w, bool few)
{
    size_t n = 0;
    *out = 0;
    for (int i = 0; i < w->n; i++) {
        if (says_nothing(w->word[i]) || (few && i > 0 && is_release(w->word[i], i))) continue;
        n += (size_t)snprintf(out + n, NAME_MAX - n, "%s%s", n ? "-" : "", w->word[i]);
        if (n >= NAME_MAX) return;
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
                                          {"mixtral", "mixtral-8x7b"},
                                          {"minimax-m2.1", "minimax-m2"},
                                          {"minimax-m2.5", "minimax-m2"},
                                          {"kimi-k2.5", "kimi-k2"},
                                          {"llama-4-scout-17b-16e", "llama-4-scout"},
                                          {"llama-4-maverick-17b-128e", "llama-4-maverick"},
                                          {"deepseek-v2.5", "deepseek-v2"},
                                          {"deepseek-v3.1", "deepseek-v3"},
                                          {"deepseek-v3.2", "deepseek-v3"}, /* and which keys it reads: not told */
                                          {"deepseek-v3.2-exp", "deepseek-v3"},
                                          {"glm-4.6", "glm-4.5"},
                                          {"phi-3.5-mini", "phi-3-mini"},
                                          {"mistral-small-3.1-24b", "mistral-small-24b"},
                                          {"mistral-nemo", "mistral-nemo-12b"},
                                          {"c4ai-command-r-plus", "command-r-plus"},
                                          {"qwen2.5-vl-72b", "qwen2.5-72b"},
                                          {"qwen2.5-vl-7b", "qwen2.5-7b"},
                                          {"qwen3.6-35b-a3b", "qwen3.5-35b-a3b"},
                                          {"deepseek-r1-distill-llama-70b", "llama-3.3-70b"},
                                          {"deepseek-r1-distill-llama-8b", "llama-3.1-8b"},
                                          {"deepseek-r1-distill-qwen-32b", "qwen2.5-32b"},
                                          {"deepseek-r1-distill-qwen-14b", "qwen2.5-14b"},
                                          {"llama-3.1-nemotron-70b", "llama-3.1-70b"},
                                          {"qwq-32b", "qwen2.5-32b"},
                                          {"phi-3-mini-4k", "phi-3-mini"},
                                          {"phi-3-mini-128k", "phi-3-mini"},
                                          {"phi-3-medium-4k", "phi-3-medium"},
                                          {"phi-3-medium-128k", "phi-3-medium"},
                                          {"mistral-7b", "mistral-7b-v0.3"},
                                          {"mistral-large", "mistral-large-2407"},
                                          {"vicuna-7b", "llama-2-7b"},
                                          {"vicuna-13b", "llama-2-13b"}};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        if (!strcmp(name, same[i][0])) return same[i][1];
    return name;
}

/* By its name with releases, then without: mistral-7b-v0.1 has a file, mixtral-8x7b-v0.1 has not. */
static slx_status open_shape(slx_shape **out, const char *name, slx_err *err)
{
    char whole[NAME_MAX], few[NAME_MAX];
    words w;
    split(&w, name);
    join(whole, &w, false);
    join(few, &w, true);
    if (!*whole) return slx_fail(err, SLX_EINPUT, "model", 0, 0, "found no name");
    slx_status st = slx_shape_open(out, known_as(whole), err);
    if (st && strcmp(whole, few) != 0 && slx_shape_open(out, known_as(few), NULL) == SLX_OK)
        return SLX_OK;
    return st;
}

slx_status slx_models_find(slx_models *m, const char *name, const slx_shape **out, slx_err *err)
{
    slx_shape *s;
    for (int i = 0; i < m->n; i++)
        if (!strcmp(m->model[i].name, name)) return *out = m->model[i].shape, SLX_OK;
    SLX_TRY(open_shape(&s, name, err));
    m->model = slx_xrealloc(m->model, (size_t)(m->n + 1) * sizeof *m->model);
    m->model[m->n].name = slx_xmalloc(strlen(name) + 1);
    memcpy(m->model[m->n].name, name, strlen(name) + 1);
    m->model[m->n++].shape = s;
    return *out = s, SLX_OK;
}
