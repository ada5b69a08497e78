/* hash.c - XXH64 as published (github.com/Cyan4973/xxHash, doc/xxhash_spec.md), seed 0, streaming.
 *
 * Four lanes each take 8 of every 32 bytes; mem keeps the tail that does not fill a stripe:
 *
 *   | v0: 8 | v1: 8 | v2: 8 | v3: 8 |  <- stripe;   mem[0 .. memsize) = total % 32 bytes
 *
 * Invariant: the digest depends on the bytes alone, not on how they were cut into slx_hash_add
 * calls.
 */
#include "base/base.h"

#include <string.h>

#define P1 UINT64_C(0x9E3779B185EBCA87)
#define P2 UINT64_C(0xC2B2AE3D27D4EB4F)
#define P3 UINT64_C(0x165667B19E3779F9)
#define P4 UINT64_C(0x85EBCA77C2B2AE63)
#define P5 UINT64_C(0x27D4EB2F165667C5)

static uint64_t rotl(uint64_t x, int r)
{
    return x << r | x >> (64 - r);
}

/* Little-endian by definition of the hash; written so that a big-endian host agrees. */
static uint64_t read_u64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    v = __builtin_bswap64(v);
#endif
    return v;
}

static uint64_t read_u32(const uint8_t *p)
{
    return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24;
}

static uint64_t mix(uint64_t acc, uint64_t word)
{
    return rotl(acc + word * P2, 31) * P1;
}

static void stripe(uint64_t v[4], const uint8_t *p)
{
    for (int i = 0; i < 4; i++) v[i] = mix(v[i], read_u64(p + 8 * i));
}

void slx_hash_init(slx_hash *h)
{
    *h = (slx_hash){.v = {P1 + P2, P2, 0, 0 - P1}};
}

void slx_hash_add(slx_hash *h, const void *data, size_t n)
{
    const uint8_t *p = data;
    if (!n) return;
    h->total += n;
    if (h->memsize) {
        size_t take = 32 - h->memsize;
        if (take > n) take = n;
        memcpy(h->mem + h->memsize, p, take);
        h->memsize += (uint32_t)take;
        p += take;
        n -= take;
        if (h->memsize < 32) return;
        stripe(h->v, h->mem);
        h->memsize = 0;
    }
    for (; n >= 32; p += 32, n -= 32) stripe(h->v, p);
    if (n) memcpy(h->mem, p, n);
    h->memsize = (uint32_t)n;
}

uint64_t slx_hash_get(const slx_hash *h)
{
    uint64_t acc = P5;
    if (h->total >= 32) {
        acc = rotl(h->v[0], 1) + rotl(h->v[1], 7) + rotl(h->v[2], 12) + rotl(h->v[3], 18);
        for (int i = 0; i < 4; i++) acc = (acc ^ mix(0, h->v[i])) * P1 + P4;
    }
    acc += h->total;
    const uint8_t *p = h->mem, *end = p + h->memsize;
    for (; end - p >= 8; p += 8) acc = rotl(acc ^ mix(0, read_u64(p)), 27) * P1 + P4;
    if (end - p >= 4) {
        acc = rotl(acc ^ read_u32(p) * P1, 23) * P2 + P3;
        p += 4;
    }
    for (; p < end; p++) acc = rotl(acc ^ *p * P5, 11) * P1;
    acc = (acc ^ acc >> 33) * P2;
    acc = (acc ^ acc >> 29) * P3;
    return acc ^ acc >> 32;
}

uint64_t slx_hash_of(const void *p, size_t n)
{
    slx_hash h;
    slx_hash_init(&h);
    slx_hash_add(&h, p, n);
    return slx_hash_get(&h);
}
