/* chip_names.c - chips as people write them, "NVIDIA H100 80GB HBM3" or "h100_sxm", as names of files in chips/.
 *
 * A name is cut into words; who makes it, what holds it and which memory it has say nothing beyond the chip, and are
 * left out. What is left must be the letters of a chip's name, in order. A size of memory must be the chip's, so that
 * an A100 of 40 GB is not taken for one of 80; other words (PCIe, NVL) are other parts, and match nothing.
 */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "validate/query_int.h"

enum { NAME_MAX = 96, NAMES_MAX = 256 };

static bool listed(const char *word, const char *const *list)
{
    for (; *list; list++)
        if (!strcmp(word, *list)) return true;
    return false;
}

/* "80gb" as 80; 0 where it is no size. */
static double size_of(const char *word)
{
    char *end;
    double v = strtod(word, &end);
    return end > word && (!strcmp(end, "gb") || !strcmp(end, "gib")) ? v : 0;
}

/* The letters and digits of the words that matter; *gib is the size of memory that was said, else 0. */
static void letters(char out[NAME_MAX], const char *name, double *gib)
{
    static const char *const nothing[] = {
        "nvidia",      "cerebras", "tenstorrent", "microsoft", "meta",      "taalas",   "groq",
        "amd",         "intel",    "google",      "aws",       "amazon",    "cloud",    "instinct",
        "geforce",     "gpu",      "gpus",        "tensor",    "core",      "graphics", "arc",
        "accelerator", "server",   "edition",     "sxm",       "sxm2",      "sxm3",     "sxm4",
        "sxm5",        "sxm6",     "oam",         "dgx",       "hgx",       "hbm2",     "hbm2e",
        "hbm3",        "hbm3e",    "gddr6",       "gddr7",     "blackwell", "hopper",   "ampere",
        NULL};
    size_t n = 0;
    *gib = 0;
    for (const char *p = name; *p && n + 1 < NAME_MAX;) {
        char word[32];
        size_t k = 0;
        while (*p && !isalnum((unsigned char)*p)) p++;
        for (; isalnum((unsigned char)*p); p++)
            if (k + 1 < sizeof word) word[k++] = (char)tolower((unsigned char)*p);
        word[k] = 0;
        if (size_of(word) > 0)
            *gib = size_of(word);
        else if (!listed(word, nothing))
            n += (size_t)snprintf(out + n, NAME_MAX - n, "%s", word);
        if (n >= NAME_MAX) n = NAME_MAX - 1;
    }
    out[n] = 0;
}

/* Names that share no letters with the file's. */
static const char *known_as(const char *letters)
{
    static const char *const same[][2] = {
        {"trillium", "tpuv6e"}, {"tpuv6", "tpuv6e"},   {"ironwood", "tpuv7"},
        {"tpu7x", "tpuv7"},     {"prob60", "b60"},     {"trn1", "trainium1"},
        {"trn2", "trainium2"},  {"trn3", "trainium3"}, {"inf2", "inferentia2"}};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        if (!strcmp(letters, same[i][0])) return same[i][1];
    return letters;
}

static bool near(double said, double gib)
{
    return gib > 0 && fabs(said / gib - 1) < 0.1;
}

bool slx_chip_by_other_name(slx_chip **out, const char *name)
{
    const char *names[NAMES_MAX];
    char wanted[NAME_MAX], has[NAME_MAX];
    double gib, none;
    bool found = false;
    slx_arena a;
    slx_arena_init(&a);
    letters(wanted, name, &gib);
    int n = slx_find_names(&a, "chips", (const char *const[]){".yaml", NULL}, names, NAMES_MAX);
    for (int i = 0; i < n && !found && *wanted; i++) {
        letters(has, names[i], &none);
        if (strcmp(has, known_as(wanted)) != 0 || slx_chip_load_any(out, names[i], NULL) != SLX_OK)
            continue;
        found =
            !(gib > 0) || near(gib, (*out)->part.mem_gib) || near(gib, (*out)->part.mem_usable_gib);
        if (!found) slx_chip_free(*out);
    }
    slx_arena_deinit(&a);
    if (!found) *out = NULL;
    return found;
}
