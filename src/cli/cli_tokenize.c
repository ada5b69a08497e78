/* cli_tokenize.c - silex tokenize: the ids of a text, one a line with the vocabulary's own text. */
#include "cli/cli.h"
#include "cli/json.h"
#include "model/model.h"

#include <stdlib.h>

typedef struct {
    const char *prompt, *file;
    bool special, raw, json;
} values;

#define AT(m) offsetof(values, m)
static const cli_option options[] = {
    {"prompt", 'p', CLI_TEXT, "TEXT", AT(prompt), 0, 0, NULL, "the text"},
    {"file", 'f', CLI_TEXT, "FILE", AT(file), 0, 0, NULL,
     "the text from a file; - is standard input"},
    {"special", 0, CLI_FLAG, NULL, AT(special), 0, 0, NULL,
     "control tokens written in the text become their ids"},
    {"raw", 0, CLI_FLAG, NULL, AT(raw), 0, 0, NULL,
     "the text as it is, which is what this verb does anyway"},
    {"json", 0, CLI_FLAG, NULL, AT(json), 0, 0, NULL, "one JSON object: tokens and pieces"},
    {0},
};
static const values defaults = {0};

static void print(const slx_tokenizer *t, const uint32_t *ids, size_t n, bool json)
{
    json_t *tokens = json_array(), *pieces = json_array();
    for (size_t i = 0; i < n; i++) {
        slx_str s = slx_tok_piece(t, ids[i]);
        json_t *piece = cli_json_str(s.ptr, s.len);
        /* as JSON: quoted, and no line break of the text breaks the list */
        if (!json) {
            char *quoted = json_dumps(piece, JSON_ENCODE_ANY);
            printf("%7u  %s\n", ids[i], quoted);
            free(quoted);
        }
        json_array_append_new(tokens, json_integer(ids[i]));
        json_array_append_new(pieces, piece);
    }
    if (json) {
        cli_json_print(json_pack("{s:o, s:o}", "tokens", tokens, "pieces", pieces));
    } else {
        json_decref(tokens);
        json_decref(pieces);
    }
}

static slx_status run(const void *p, cli_args args, slx_err *err)
{
    const values *v = p;
    slx_buf text, ids = {0};
    slx_model *m = NULL;
    SLX_TRY(cli_text_get(v->prompt, v->file, &text, err));
    slx_status st = slx_model_open_vocab(&m, args.v[0], err);
    if (st == SLX_OK) {
        st = slx_tokenize(m->tok, text.ptr, text.len, v->special, &ids, err);
        if (st == SLX_OK)
            print(m->tok, (const uint32_t *)(const void *)ids.ptr, ids.len / 4, v->json);
        slx_model_close(m);
    }
    slx_buf_free(&ids);
    slx_buf_free(&text);
    return st;
}

const cli_verb cli_verb_tokenize = {
    "tokenize",
    "MODEL",
    1,
    1,
    "token ids of a text; a file with only a vocabulary will do",
    "One line a token: its id and the vocabulary's own text. No begin-of-text token is added.\n",
    options,
    &defaults,
    sizeof defaults,
    run};
