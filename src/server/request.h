/* request.h - a body of JSON as what it asks for. Nothing is ignored: a parameter either means something here, or is
 * refused by its name with OpenAI's error object.
 */
#ifndef SLX_SERVER_REQUEST_H
#define SLX_SERVER_REQUEST_H

#include <jansson.h>

#include "run/answer.h"
#include "run/draw.h"

enum { SRV_MAX_CHOICES = 64 };

typedef enum { SRV_CHAT = 1, SRV_COMPLETIONS = 2, SRV_RESPONSES = 4 } srv_api;

/* What OpenAI's error object says, and the HTTP status beside it. */
typedef struct {
    int status;
    const char *type; /* "invalid_request_error" .. */
    const char *code; /* NULL = null */
    char param[96];   /* "" = null */
    char message[640];
} srv_error;

typedef enum { SRV_FORMAT_TEXT, SRV_FORMAT_JSON, SRV_FORMAT_SCHEMA } srv_format;
typedef enum { SRV_TOOLS_NONE, SRV_TOOLS_AUTO, SRV_TOOLS_REQUIRED } srv_tool_choice;

typedef struct {
    srv_api api;
    json_t *body; /* owns every string below */
    const char *model; /* NULL = not said */
    /* chat and responses: the template's variables; completions: NULL */
    json_t *vars;
    /* completions: texts or lists of tokens */
    json_t *prompts; /* array */
    bool stream, include_usage;
    uint32_t n, max_new; /* max_new 0 = to the end of the context */
    uint32_t min_new;    /* no end-of-generation token before so many */
    uint32_t best_of;    /* 0 or n */
    bool ignore_eos;
    slx_sampling sampling;
    bool seeded;
    float frequency, presence;
    slx_logit_bias *bias;
    uint32_t n_bias;
    slx_str stops[SLX_MAX_STOPS];
    uint32_t n_stops;
    bool logprobs;
    uint32_t n_top;
    srv_format format;
    json_t *schema;       /* of SRV_FORMAT_SCHEMA; borrowed */
    const char *schema_name;
    json_t *tools;        /* array of {"type":"function","function":{..}}; NULL = none; borrowed from vars */
    json_t *functions;    /* the same with what templates do not read: {"function":{.., "strict"}} */
    bool strict;          /* one of them is */
    srv_tool_choice tool_choice;
    const char *tool_name; /* REQUIRED: this one; NULL = any */
    bool one_call, many_calls; /* parallel_tool_calls is false, is true; neither: not said */
} srv_request;

/* false: *e says why; r is freed. vocab: tokens a logit_bias may name. */
bool srv_request_parse(srv_request *r, srv_api api, const char *body, size_t len, uint32_t vocab, srv_error *e);
void srv_request_free(srv_request *r);

/* Fills e; returns false. param may be NULL. */
bool srv_refuse(srv_error *e, int status, const char *type, const char *code, const char *param, const char *fmt, ...)
    __attribute__((format(printf, 6, 7)));
bool srv_invalid(srv_error *e, const char *param, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* No parameter of this name; returns false. */
bool srv_unknown(srv_error *e, const char *name);
bool srv_given(const json_t *body, const char *name); /* it is there, and not null */
/* Every member of the object v that is not null has one of the names of `known`, which ends with NULL; what is no object
 * has none. The error says `place`. */
bool srv_only_keys(const json_t *v, const char *const *known, const char *param, const char *place, srv_error *e);

/* Body to an object; false with the place where it stops being JSON. */
bool srv_json_object(json_t **out, const char *body, size_t len, srv_error *e);

#endif
