/* request_int.h - between request.c and messages.c. */
#ifndef SLX_SERVER_REQUEST_INT_H
#define SLX_SERVER_REQUEST_INT_H

#include "server/request.h"

/* r->vars, tools and tool_choice from the body's messages, or input and instructions. */
bool srv_get_messages(srv_request *r, srv_error *e);

#endif
