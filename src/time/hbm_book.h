/* hbm_book.h - bookings of pseudo-channels: hbm_book.c; what the other tiles of a class ask for: hbm_class.c. */
#ifndef SLX_TIME_HBM_BOOK_H
#define SLX_TIME_HBM_BOOK_H

#include "time/time_int.h"

/* What one transfer, or many at once, ask of the memory. */
typedef struct {
    slx_tm_mem *m;
    slx_tm_pch *pch;  /* what is booked: pch_free or pch_all */
    uint64_t at, end; /* ticks: requests come, last byte is there */
    slx_tm_pch *too;  /* booked as well, with an end of its own; NULL = nothing */
    uint64_t too_end;
    uint64_t units;   /* of one copy */
    uint32_t weight;  /* copies that read the very same units */
    bool write;
    bool loaded;      /* m->load is what the rows ask for already */
} slx_tm_booking;

/* `ticks` in each of the n pseudo-channels of a stack from `first`, number 0 behind the last: the latest of them. */
uint64_t slx_tm_book_stack(const slx_tm_mem *m, slx_tm_pch *t, uint64_t first, uint64_t n, uint64_t ticks, uint64_t at);
/* n granules, no more than there are pseudo-channels, the first in pseudo-channel `first`; `ticks` in each. */
void slx_tm_book_run(slx_tm_booking *b, uint64_t first, uint64_t n, uint64_t ticks);
/* The rows of r; idx: its indices. Sets b->units. */
void slx_tm_book_rows(slx_tm_booking *b, const slx_tm_rec *r, const uint32_t *idx);

/* What `others` more tiles of a class ask for. */
typedef struct {
    slx_tm_rec r;
    const uint32_t *idx;
    uint64_t lo, hi, units; /* r.delta: between these addresses, of one tile */
    uint32_t others, tile;  /* tile: that stands for them; UINT32_MAX: of a multicast */
    bool loaded;            /* as slx_tm_booking.loaded */
} slx_tm_crowd;

/* units: of one of them. */
slx_tm_crowd slx_tm_crowd_of(const slx_tm_rec *r, const uint32_t *idx, uint64_t units, uint32_t others, uint32_t tile);
/* All of them at once. */
void slx_tm_crowd_book(slx_tm_booking *b, const slx_tm_crowd *c);
/* In m->pch_free, spread over `late` ticks from tick `at` on: each part is booked when its time has come. */
void slx_tm_crowd_later(slx_tm_mem *m, const slx_tm_crowd *c, uint64_t at, uint64_t late);
/* Those whose time has come by tick `at`. */
void slx_tm_crowd_come(slx_tm_mem *m, uint64_t at);

#endif
