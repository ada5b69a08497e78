/* server_int.h - what the parts of the server share: one exchange, its answers, and who hands it to whom.
 *
 * An exchange is one request and its response. It is held by the HTTP side from the first header to the end of the
 * connection's turn, and by the worker from srv_worker_submit to the end of its last answer; the last to let go frees
 * it. x->lock guards what both touch: out, done, suspended, gone.
 */
#ifndef SLX_SERVER_SERVER_INT_H
#define SLX_SERVER_SERVER_INT_H

#include <pthread.h>
#include <stdatomic.h>

#include <microhttpd.h>

#include "run/answer.h"
#include "run/chipclock.h"
#include "run/sched.h"
#include "run/tools.h"
#include "server/metrics.h"
#include "server/request.h"
#include "server/server.h"
#include "server/store.h"

typedef struct srv_exchange srv_exchange;
typedef struct srv_worker srv_worker;
typedef struct srv_ledger srv_ledger;
typedef struct srv_limits srv_limits;
typedef struct srv_arrivals srv_arrivals;
typedef struct srv_arrival srv_arrival;

typedef struct {
    const slx_server_options *opt;
    slx_engine *engine; /* only the worker calls it; its model and program are read by all */
    const slx_model *model;
    char model_name[128], chip_name[64], fingerprint[24];
    slx_chip_clock *clock; /* NULL = not asked for */
    double usd_per_s;      /* of the chip; negative = not known */
    slx_token_bytes *tokens; /* for grammars */
    slx_tool_form tool_form;
    int64_t tool_marker;
    uint32_t context; /* positions of one sequence */
    int64_t started;  /* seconds since 1970 */
    srv_worker *worker;
    srv_ledger *ledger;
    srv_limits *limits;
    srv_arrivals *arrivals;
    srv_store *store; /* NULL = no keys */
    srv_metrics *metrics;
    pthread_t opener;  /* the thread that starts and stops; listening and why_not are its own */
    bool listening;
    char why_not[256]; /* what libmicrohttpd said when it did not start */
    atomic_bool draining;
    atomic_uint exchanges; /* alive */
    atomic_uint answers;   /* waiting or running */
} srv_server;

/* One answer of an exchange: a job of the scheduler. */
typedef struct {
    srv_exchange *x;
    uint32_t index;
    slx_buf prompt; /* uint32_t ids */
    uint32_t max_new; /* tokens it may have: as asked for, or what context and quota leave */
    slx_answer answer;
    slx_buf text;         /* all of it so far */
    size_t sent;          /* bytes of text that a stream has given out; less than all while it may be a call */
    slx_grammar *grammar; /* NULL = free text */
    json_t *calls;        /* of tools, as chat completions have them; NULL = none */
    slx_tool_stream follow; /* calls are found while they are written (a grammar holds them to their form) */
    slx_buf arguments;      /* of the last call, which is open, so far */
    bool call_open, call_cut; /* cut: the answer ended in the middle of the last call */
    uint32_t calls_told;      /* that a stream has begun to give out */
    enum { SRV_NO_MESSAGE, SRV_MESSAGE_OPEN, SRV_MESSAGE_DONE } message; /* responses: the item of text in a stream */
    json_t *logprobs;     /* entries of tokens not yet sent (responses: of all); NULL = not wanted */
    slx_buf starts;       /* size_t: where in text each of them begins */
    size_t logprobs_sent; /* responses: entries that deltas have given out */
    uint32_t text_offset; /* completions: where the next token's text begins */
    slx_job *job;         /* NULL: not submitted, or ended */
    bool ended, stopped;  /* stopped: by a stop string */
    bool closed;          /* its last event is out */
    slx_end end;
    slx_job_usage usage;
    char fault[768];
    double last_token; /* when, for the latency between tokens */
} srv_choice;

struct srv_exchange {
    srv_server *s;
    atomic_int holders;
    pthread_mutex_t lock;
    /* HTTP */
    struct MHD_Connection *mhd;
    int fd;
    char id[32]; /* of the request: "req-..." */
    char reply_id[48];
    char method[8], path[96];
    srv_key who;
    bool known; /* who has been found */
    int kind;   /* http.c's route */
    slx_buf in, out;
    size_t out_at;
    bool too_large, suspended, done, gone, logged;
    int status; /* HTTP; 0 = not answered yet */
    double arrived;
    int64_t created;
    /* answers */
    srv_request req;
    srv_choice *choices;
    uint32_t n_choices, n_ended;
    uint64_t reserved_tokens; /* of the key's quota, while it runs */
    bool submitted, counted;
    slx_job_usage usage; /* of all its answers together */
    uint32_t sequence;   /* responses: number of the next event */
    srv_exchange *prev, *next; /* the worker's list */
};

srv_exchange *srv_exchange_new(srv_server *s);
void srv_exchange_drop(srv_exchange *x);
/* With x->lock held: lets a suspended connection go on. */
void srv_exchange_wake(srv_exchange *x);

/* ------------------------------------------------------------------ worker.c */

srv_worker *srv_worker_open(srv_server *s);
void srv_worker_stop(srv_worker *w); /* cancels what is left; nothing new is taken */
void srv_worker_free(srv_worker *w);
/* Choices with their prompts are ready. Takes a hold of x. */
void srv_worker_submit(srv_worker *w, srv_exchange *x);
/* The client is gone. */
void srv_worker_cancel(srv_worker *w, srv_exchange *x);
void srv_worker_stats(srv_worker *w, slx_sched_stats *out);

/* ------------------------------------------------------------------ reply.c: JSON into x->out, x->lock held */

void srv_reply_begin(srv_exchange *x);
/* What c->text has that the client may see now; gathered log probabilities go with it. */
void srv_reply_delta(srv_choice *c);
/* A chunk of a stream around a delta (chat) or text (completions), which it takes. */
json_t *srv_reply_choice(srv_choice *c, json_t *body, const char *finish);
json_t *srv_logprobs_new(const srv_request *r); /* NULL when not wanted */
void srv_reply_logprob(srv_choice *c, const slx_drawn *t, size_t start); /* of a token whose text begins at start */
void srv_reply_cut_logprobs(srv_choice *c); /* a stop string ended the text: entries that begin behind it go */
size_t srv_logprobs_begun(const srv_choice *c, size_t end); /* how many of the gathered ones begin before text[end] */
void srv_reply_end_choice(srv_choice *c); /* every one but the last */
void srv_reply_finish(srv_exchange *x);   /* the last answer has ended and its usage is kept */
void srv_reply_error(srv_exchange *x, const srv_error *e); /* the whole body; sets x->status */
json_t *srv_error_json(const srv_error *e);
json_t *srv_usage_json(const srv_exchange *x);
json_t *srv_x_silex_json(const srv_exchange *x);
double srv_usd(const srv_exchange *x); /* negative = not known */
void srv_reply_json(srv_exchange *x, json_t *j); /* the text of j; drops it */
/* One SSE event; event may be NULL. Drops j. */
void srv_reply_event(srv_exchange *x, const char *event, json_t *j);
const char *srv_finish_reason(const srv_choice *c);

/* reply_calls.c */
void srv_reply_calls(srv_choice *c);      /* the end of c's text: finds the calls in it */
void srv_reply_send_calls(srv_choice *c); /* those that have not gone out yet */
void srv_reply_follow(srv_choice *c);     /* what has come of calls, where they can be followed; a stream gives it out */

/* reply_responses.c: the same steps of /v1/responses */
void srv_responses_begin(srv_exchange *x);
void srv_responses_delta(srv_choice *c, const char *text, size_t len);
void srv_responses_call(srv_choice *c, uint32_t i);      /* call i begins */
void srv_responses_arguments(srv_choice *c, uint32_t i, const char *text, size_t len);
void srv_responses_call_done(srv_choice *c, uint32_t i); /* its arguments are in c->calls */
void srv_responses_finish(srv_exchange *x);

/* ------------------------------------------------------------------ http.c */

struct MHD_Daemon *srv_http_open(srv_server *s, uint16_t *port, slx_err *err);
void srv_http_stop_accepting(struct MHD_Daemon *d);
void srv_http_close(struct MHD_Daemon *d);

/* ------------------------------------------------------------------ live.c */

/* What the page shows of chip and server now. Users: all of them to an administrator's key (or without keys), to others
 * their own row. */
json_t *srv_live_json(srv_server *s, const srv_key *who);

/* ------------------------------------------------------------------ ledger.c */

srv_ledger *srv_ledger_open(srv_server *s);
void srv_ledger_stop(srv_ledger *l); /* writes what is left */
void srv_ledger_free(srv_ledger *l);
/* The last answer of x has ended: its usage is written, then srv_reply_finish runs and the worker's hold is dropped. */
void srv_ledger_finish(srv_ledger *l, srv_exchange *x);
bool srv_ledger_healthy(srv_ledger *l, char *why, size_t n); /* false: usage cannot be written now */

/* ------------------------------------------------------------------ limits.c */

srv_limits *srv_limits_open(void);
void srv_limits_close(srv_limits *l);
/* Requests a minute of a key. On false *retry_s: when to come back. */
bool srv_limits_request(srv_limits *l, const srv_key *k, double *retry_s);
/* Holds as much of today's quota (k->day_tokens, not 0) as is left beside the *spent tokens of the store and those that
 * others hold, between least and most: *held; 0 when the least does not fit. One lock is held over both, so that with
 * usage written before its hold is released nobody gets more than the quota. An error is the store's. */
slx_status srv_limits_reserve(srv_limits *l, srv_store *store, const srv_key *k, uint64_t least, uint64_t most,
                              uint64_t *spent, uint64_t *held, slx_err *err);
/* 0 tokens: nothing was held. */
void srv_limits_release(srv_limits *l, const srv_key *k, uint64_t tokens);

/* -------------------------------------------------------------- arrival.c */

/* Connections whose requests are still to arrive; starts a thread. timeout_s: what a connection may idle. */
srv_arrivals *srv_arrivals_open(uint32_t timeout_s);
void srv_arrivals_close(srv_arrivals *l); /* once every connection is freed; NULL is fine */
/* A connection at its socket, awaiting headers; freed before the socket is closed. */
srv_arrival *srv_arrival_new(srv_arrivals *l, int fd);
void srv_arrival_free(srv_arrivals *l, srv_arrival *a);
void srv_arrival_headers(srv_arrivals *l, srv_arrival *a);            /* they are whole: now the body */
void srv_arrival_body(srv_arrivals *l, srv_arrival *a, size_t bytes); /* so much more of it came */
void srv_arrival_whole(srv_arrivals *l, srv_arrival *a);              /* nothing more is awaited */
void srv_arrival_next(srv_arrivals *l, srv_arrival *a);               /* answered: another request may come */

/* ------------------------------------------------------------------ log.c */

/* One line of JSON on stderr: time, level, event, and what the format of json_pack says. */
void srv_log(const char *level, const char *event, const char *fmt, ...);
void srv_log_exchange(const srv_exchange *x, const char *end);

void srv_random_hex(char *out, size_t bytes); /* 2 * bytes digits and NUL */

#endif
