/* arrival.c - how long a request may take to arrive. libmicrohttpd closes a connection on which nothing moves; one that
 * brings a byte now and then it would keep for ever. Here each has ARRIVE_S for its headers, then for every PIECE bytes
 * of its body, or what the body has less. A thread shuts what is late; libmicrohttpd then closes it as it does when a
 * client leaves.
 */
#include "server/server_int.h"

#include <stdlib.h>
#include <sys/socket.h>

enum { ARRIVE_S = 20, PIECE = 10000 };

struct srv_arrival {
    int fd;
    double due_s; /* 0 = nothing is awaited */
    size_t bytes; /* of the body, since due_s was set */
    srv_arrival *before, *after;
};

struct srv_arrivals {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t thread;
    srv_arrival *first;
    double arrive_s, idle_s;
    bool quit;
};

static void shut_late(srv_arrivals *l)
{
    double now = slx_now_s();
    for (srv_arrival *a = l->first; a; a = a->after)
        if (a->due_s && a->due_s < now) {
            shutdown(a->fd, SHUT_RDWR);
            a->due_s = 0;
        }
}

static void *run(void *arg)
{
    srv_arrivals *l = arg;
    pthread_mutex_lock(&l->lock);
    while (!l->quit) {
        struct timespec t;
        clock_gettime(CLOCK_REALTIME, &t);
        t.tv_sec++;
        pthread_cond_timedwait(&l->wake, &l->lock, &t);
        shut_late(l);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

srv_arrivals *srv_arrivals_open(uint32_t timeout_s)
{
    srv_arrivals *l = slx_xcalloc(1, sizeof *l);
    l->idle_s = timeout_s;
    l->arrive_s = timeout_s < ARRIVE_S ? timeout_s : ARRIVE_S;
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->wake, NULL);
    if (pthread_create(&l->thread, NULL, run, l))
        SLX_BUG("cannot start the thread that watches arrivals");
    return l;
}

void srv_arrivals_close(srv_arrivals *l)
{
    if (!l) return;
    pthread_mutex_lock(&l->lock);
    l->quit = true;
    pthread_cond_signal(&l->wake);
    pthread_mutex_unlock(&l->lock);
    pthread_join(l->thread, NULL);
    pthread_mutex_destroy(&l->lock);
    pthread_cond_destroy(&l->wake);
    free(l);
}

srv_arrival *srv_arrival_new(srv_arrivals *l, int fd)
{
    srv_arrival *a = slx_xcalloc(1, sizeof *a);
    *a = (srv_arrival){.fd = fd, .due_s = slx_now_s() + l->arrive_s};
    pthread_mutex_lock(&l->lock);
    a->after = l->first;
    if (l->first) l->first->before = a;
    l->first = a;
    pthread_mutex_unlock(&l->lock);
    return a;
}

void srv_arrival_free(srv_arrivals *l, srv_arrival *a)
{
    pthread_mutex_lock(&l->lock);
    if (a->after) a->after->before = a->before;
    *(a->before ? &a->before->after : &l->first) = a->after;
    pthread_mutex_unlock(&l->lock);
    free(a);
}

static void await(srv_arrivals *l, srv_arrival *a, double due_s)
{
    pthread_mutex_lock(&l->lock);
    a->due_s = due_s;
    a->bytes = 0;
    pthread_mutex_unlock(&l->lock);
}

void srv_arrival_headers(srv_arrivals *l, srv_arrival *a)
{
    await(l, a, slx_now_s() + l->arrive_s);
}

void srv_arrival_body(srv_arrivals *l, srv_arrival *a, size_t bytes)
{
    a->bytes += bytes; /* the thread does not look at it */
    if (a->bytes >= PIECE) await(l, a, slx_now_s() + l->arrive_s);
}

void srv_arrival_whole(srv_arrivals *l, srv_arrival *a)
{
    await(l, a, 0);
}

void srv_arrival_next(srv_arrivals *l, srv_arrival *a)
{
    await(l, a, slx_now_s() + l->idle_s + l->arrive_s);
}
