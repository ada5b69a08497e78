/* server.h - a chip that answers users: HTTP with OpenAI's shapes in front of one engine.
 *
 *   HTTP threads (http.c)        engine thread (worker.c)             ledger thread (ledger.c)
 *   body --> request --> tokens --> queue --> scheduler --> tokens --> text, JSON (reply.c) --> out
 *                                              answer ends --> usage --> SQLite, then the last bytes go out
 *
 * The engine is used by its one thread alone. An answer ends for its client only when its usage is on disk.
 */
#ifndef SLX_SERVER_SERVER_H
#define SLX_SERVER_SERVER_H

#include "run/run.h"

typedef struct {
    const char *host; /* address to listen at */
    uint16_t port;    /* 0 = any free one */
    const char *cert, *key; /* PEM files; NULL = plain HTTP */
    const char *db;   /* keys and usage; NULL = nobody needs a key (only at a loopback address) */
    const char *model_name; /* what clients call the model; NULL = the file's name */
    uint32_t slots, chunk;  /* sequences at once, prompt rows of a step beside decoding; 0 = as the scheduler has it */
    uint32_t pages;         /* KV pages to use; 0 = all */
    uint32_t queue;         /* answers that may wait */
    uint32_t drain_s;       /* how long SIGTERM waits for answers under way */
    uint32_t timeout_s;     /* a connection without progress */
    bool no_prefix_cache, no_x_silex, quiet;
} slx_server_options;

/* Serves until SIGTERM or SIGINT, then finishes what it has begun. ready (may be NULL): called with the port once it
 * listens. Everything wrong with options, port, certificate or database is refused before that. Afterwards both signals
 * stay blocked. */
slx_status slx_server_run(slx_engine *e, const slx_server_options *opt, void (*ready)(void *arg, uint16_t port),
                          void *arg, slx_err *err);

#endif
