/* http_int.h - between http.c and the files that answer its routes: begin.c (answers that the engine makes) and small.c
 * (what is known at once).
 */
#ifndef SLX_SERVER_HTTP_INT_H
#define SLX_SERVER_HTTP_INT_H

#include "server/server_int.h"

/* Headers that every response has. */
void srv_add_headers(struct MHD_Response *r, const srv_exchange *x, const char *type);
/* x->out with x->status; one more header, or NULL. */
enum MHD_Result srv_send_out(srv_exchange *x, const char *type, const char *header, const char *value);
enum MHD_Result srv_send_json(srv_exchange *x, json_t *j); /* 200; drops j */
enum MHD_Result srv_send_error(srv_exchange *x, const srv_error *e);
enum MHD_Result srv_send_error_after(srv_exchange *x, const srv_error *e, double retry_s); /* 0 = without Retry-After */

/* begin.c */
bool srv_lists_model(const char *models, const char *name); /* a key's list, "" = all */
bool srv_check_model(const srv_exchange *x, const char *name, srv_error *e);
enum MHD_Result srv_begin_answer(srv_exchange *x, srv_api api);

/* small.c */
enum MHD_Result srv_models(srv_exchange *x);
enum MHD_Result srv_model(srv_exchange *x);
enum MHD_Result srv_tokenize(srv_exchange *x);
enum MHD_Result srv_detokenize(srv_exchange *x);
enum MHD_Result srv_ready(srv_exchange *x);
enum MHD_Result srv_metrics_page(srv_exchange *x);
enum MHD_Result srv_page(srv_exchange *x);

#endif
