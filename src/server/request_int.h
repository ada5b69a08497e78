/* request_int.h - between request.c, request_values.c and messages.c. */
#ifndef SLX_SERVER_REQUEST_INT_H
#define SLX_SERVER_REQUEST_INT_H

#include "server/request.h"

/* r->vars, tools and tool_choice from the body's messages, or input and instructions. */
bool srv_get_messages(srv_request *r, srv_error *e);

/* One parameter of a body as it came; v is not null. */
typedef struct {
    const char *name;
    json_t *v;
    uint32_t vocab;
} srv_value;

/* request_values.c: one parameter into r; false with *e filled. */
bool srv_get_prompt(srv_request *r, const srv_value *p, srv_error *e);
bool srv_get_stop(srv_request *r, const srv_value *p, srv_error *e);
bool srv_get_bias(srv_request *r, const srv_value *p, srv_error *e);
bool srv_get_stream_options(srv_request *r, const srv_value *p, srv_error *e);
bool srv_get_logprobs(srv_request *r, const srv_value *p, srv_error *e);
bool srv_get_include(srv_request *r, const srv_value *p, srv_error *e);
bool srv_get_response_format(srv_request *r, const srv_value *p, srv_error *e);
bool srv_get_text(srv_request *r, const srv_value *p, srv_error *e);
bool srv_get_parallel(srv_request *r, const srv_value *p, srv_error *e);
bool srv_get_metadata(srv_request *r, const srv_value *p, srv_error *e);
bool srv_get_modalities(srv_request *r, const srv_value *p, srv_error *e);

#endif
