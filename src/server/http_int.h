/* http_int.h - between http.c and the files that answer its routes: gate.c (may it come in?), begin.c (answers
 * that the engine makes) and small.c (what is known at once).
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

typedef enum {
    SRV_AT_HEALTH,
    SRV_AT_READY,
    SRV_AT_METRICS,
    SRV_AT_MODELS,
    SRV_AT_MODEL, /* /v1/models/NAME */
    SRV_AT_TOKENIZE,
    SRV_AT_DETOKENIZE,
    SRV_AT_LIVE,
    SRV_AT_CHAT,
    SRV_AT_COMPLETIONS,
    SRV_AT_RESPONSES,
    SRV_AT_PAGE
} srv_route;

enum {
    SRV_BODY_MAX = 10 << 20,
    SRV_BODY_READ = 64 << 20 /* read to its end and dropped, so that the client sees why it is refused */
};

/* gate.c: sets x->kind and who asks; false: *e says why not. version: "HTTP/1.1" .. */
bool srv_gate(srv_exchange *x, const char *url, const char *method, const char *version, srv_error *e);

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
