/* metrics.h - counters and distributions of the server, in Prometheus' text format and for the page.
 *
 * Names follow what dashboards of LLM servers look for (vLLM's, with silex: in front). Distributions are cumulative
 * buckets; percentiles come from the last answers, exactly.
 */
#ifndef SLX_SERVER_METRICS_H
#define SLX_SERVER_METRICS_H

#include <jansson.h>

#include "run/sched.h"

typedef struct srv_metrics srv_metrics;

typedef enum {
    SRV_TTFT,    /* request to first token, s */
    SRV_TPOT,    /* between tokens, s; one value a token */
    SRV_E2E,     /* request to last token, s */
    SRV_QUEUE,   /* request to admission, s */
    SRV_PROMPT,  /* tokens of a prompt */
    SRV_MADE,    /* tokens of an answer */
    SRV_N_DISTRIBUTIONS
} srv_distribution;

srv_metrics *srv_metrics_open(void);
void srv_metrics_close(srv_metrics *m);
void srv_metrics_observe(srv_metrics *m, srv_distribution d, double x);
void srv_metrics_token(srv_metrics *m); /* one was made */
/* An answer has ended. user: "" without keys. */
void srv_metrics_answer(srv_metrics *m, const char *user, slx_end end, const slx_job_usage *u);
void srv_metrics_response(srv_metrics *m, int status);
/* Appends the page /metrics shows. usd_per_s: of the chip; negative = not known. */
void srv_metrics_print(srv_metrics *m, const slx_sched_stats *s, double usd_per_s, const char *model, slx_buf *out);
/* p50, p90, p99 of the last answers and sums so far, for the live view. */
json_t *srv_metrics_json(srv_metrics *m, const slx_sched_stats *s, double usd_per_s);
/* Of answers that have ended since the start. only: the row of this user alone; NULL = the first 64 who asked, and the
 * others together. */
json_t *srv_metrics_users_json(srv_metrics *m, const char *only);
/* All of them together: {answers, tokens, energy_j}. */
json_t *srv_metrics_total_json(srv_metrics *m);

#endif
