/* replay.c - runs a fuzz entry without a fuzzer: on every seed, on each seed cut short, and with bits flipped.
 *
 * Linked with one test/fuzz/fuzz_NAME.c, whose seeds are in test/fuzz/seeds/NAME. Prints TAP. The changes are the same
 * on every run and few enough for `make check`; `make fuzz` is the real search. Built with SAN=1 it also sees reads
 * outside the input, since each input lies in an allocation of exactly its size.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CHANGES = 200, HANG_S = 20 };
static const double BUDGET_S = 0.2; /* of changed inputs a seed */

static void once(const void *p, size_t n)
{
    uint8_t *copy = slx_xmalloc(n);
    if (n) memcpy(copy, p, n);
    alarm(HANG_S); /* ends the process: a hang is a failure */
    LLVMFuzzerTestOneInput(copy, n);
    alarm(0);
    free(copy);
}

static void changed(const slx_buf *seed)
{
    slx_rng r = {seed->len};
    double start_s = slx_now_s();
    for (int i = 0; i < CHANGES && seed->len && slx_now_s() - start_s < BUDGET_S; i++) {
        slx_buf b = {0};
        slx_buf_add(&b, seed->ptr, seed->len);
        if (i % 2) {
            once(b.ptr, slx_rng_below(&r, (uint32_t)b.len));
        } else {
            for (uint32_t k = 1 + slx_rng_below(&r, 4); k; k--)
                b.ptr[slx_rng_below(&r, (uint32_t)b.len)] ^= (char)(1 << slx_rng_below(&r, 8));
            once(b.ptr, b.len);
        }
        slx_buf_free(&b);
    }
}

int main(int argc, char **argv)
{
    const char *name = strrchr(argv[0], '/');
    name = name ? name + 1 : argv[0];
    if (!strncmp(name, "replay_", 7)) name += 7;
    char dir[512];
    snprintf(dir, sizeof dir, "test/fuzz/seeds/%s", name);
    once("", 0);
    printf("ok 1 - %s: empty input\n", name);
    int n = 1;
    DIR *d = opendir(argc > 1 ? argv[1] : dir);
    for (const struct dirent *e; d && (e = readdir(d));) {
        if (e->d_name[0] == '.') continue;
        char path[1024];
        snprintf(path, sizeof path, "%s/%s", argc > 1 ? argv[1] : dir, e->d_name);
        slx_buf seed;
        slx_err err;
        if (slx_read_file(&seed, path, &err)) {
            slx_err_print(&err, stderr);
            return 1;
        }
        once(seed.ptr, seed.len);
        changed(&seed);
        slx_buf_free(&seed);
        printf("ok %d - %s: %s\n", ++n, name, e->d_name);
        fflush(stdout);
    }
    if (d) closedir(d);
    printf("1..%d\n", n);
    return 0;
}
