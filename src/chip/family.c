/* family.c - whose library a chip runs of which only figures are told: which file in families/ stands for it.
 *
 *   "nvidia-hopper"             the family of that name
 *   "NVIDIA Ada Lovelace"       the family whose own word, "ada", is in the name
 *   "sm_90", "MI300X"           the family whose file has the word in facts.also (up to three letters: the whole name)
 *   "amd-cdna5"                 of the maker's families, the one with units most like the chip's; the last, if no unit
 *                               is told
 *   anything else               generic
 *
 * A maker sells chips of one generation with large and with small units (B200, RTX PRO 6000), and the library's kernels
 * go by the unit. So a chip whose units are far from those of the family it names, and near those of another family of
 * its maker, takes that one's. Units are compared by FLOP a clock and memory bytes a clock.
 */
#include <ctype.h>
#include <string.h>

#include "chip/chip_int.h"

enum { NAMES = 64, WORD = 64 };

/* Distances are of logarithms: a factor e in one of two figures is 1. */
static const double far = 1, nearer = 0.5;

/* Small letters and digits alone. */
static void plain(char out[WORD], const char *name, size_t len)
{
    size_t n = 0;
    for (size_t i = 0; i < len && n + 1 < WORD; i++)
        if (isalnum((unsigned char)name[i])) out[n++] = (char)tolower((unsigned char)name[i]);
    out[n] = 0;
}

static bool same_maker(const char *family, const char *told)
{
    char maker[WORD];
    plain(maker, family, strcspn(family, "-"));
    return strstr(told, maker) != NULL;
}

static bool same_word(const char *family, const char *told)
{
    const char *dash = strchr(family, '-');
    char word[WORD];
    if (!dash) return false;
    plain(word, dash + 1, strlen(dash + 1));
    return (strlen(word) > 2 || same_maker(family, told)) && strstr(told, word); /* "xe" is in many names */
}

static double unit_distance(const slx_chip_figures *f, const slx_chip *fam)
{
    double flop = f->bf16_tflops / f->units / f->clock_ghz,
           of_flop = fam->part.bf16_tflops / fam->part.units / fam->part.clock_ghz;
    double mem = f->mem_tbs / f->units / f->clock_ghz,
           of_mem = fam->part.mem_tbs / fam->part.units / fam->part.clock_ghz;
    return hypot(log(flop / of_flop), log(mem / of_mem));
}

static bool tells_unit(const slx_chip_figures *f)
{
    return f->units > 0 && f->clock_ghz > 0 && f->bf16_tflops > 0 && f->mem_tbs > 0;
}

/* The maker's family with the nearest units. Files that do not load are passed over: the one that is taken in the end
 * is loaded again, and says why. */
static const char *nearest_of_maker(const char **names, int n, const char *told,
                                    const slx_chip_figures *f, double *distance)
{
    const char *best = NULL;
    *distance = INFINITY;
    for (int i = 0; i < n; i++) {
        slx_chip *fam;
        slx_err unwanted;
        if (!same_maker(names[i], told)) continue;
        if (!tells_unit(f)) {
            best = names[i]; /* names are sorted: the last generation comes last, as far as makers count them */
            continue;
        }
        if (slx_chip_load_family(&fam, names[i], &unwanted)) continue;
        double d = unit_distance(f, fam);
        if (d < *distance) best = names[i];
        *distance = fmin(*distance, d);
        slx_chip_free(fam);
    }
    return best;
}

/* "nvidia-hopper-plain" is another software on the chips of "nvidia-hopper". */
static bool other_software(const char **names, int n, const char *name)
{
    for (int i = 0; i < n; i++) {
        size_t len = strlen(names[i]);
        if (!strncmp(name, names[i], len) && name[len] == '-') return true;
    }
    return false;
}

/* Families that a chip may be of without being told so by their whole name, sorted. */
static int families(const char **all, int n, const char **out)
{
    int kept = 0;
    for (int i = 0; i < n; i++)
        if (!other_software(all, n, all[i]) && strcmp(all[i], "generic") != 0) out[kept++] = all[i];
    return kept;
}

/* Of the names, one whose own word is told; NULL if there is none. */
static const char *find_word(const char **names, int n, const char *told)
{
    for (int i = 0; i < n; i++)
        if (same_word(names[i], told)) return names[i];
    return NULL;
}

/* Whether one of the words is what is told, or, if it has more than three letters, in it. */
static bool told_by(const char *words, const char *told)
{
    for (const char *p = words; *p;) {
        char word[WORD];
        size_t len = strcspn(p, " ");
        plain(word, p, len);
        if (*word && (!strcmp(word, told) || (strlen(word) > 3 && strstr(told, word)))) return true;
        p += len;
        p += strspn(p, " ");
    }
    return false;
}

/* A family that has another word for itself which is told; NULL if there is none. */
static const char *find_other_word(const char **names, int n, const char *told)
{
    for (int i = 0; i < n; i++) {
        slx_chip *fam;
        slx_err unwanted;
        if (slx_chip_load_family(&fam, names[i], &unwanted)) continue;
        bool is = fam->also && told_by(fam->also, told);
        slx_chip_free(fam);
        if (is) return names[i];
    }
    return NULL;
}

static const char *find_whole(const char **names, int n, const char *told)
{
    char whole[WORD];
    for (int i = 0; i < n; i++) {
        plain(whole, names[i], strlen(names[i]));
        if (!strcmp(whole, told)) return names[i];
    }
    return NULL;
}

/* Whether units of the family `named` are far from the chip's, and the nearest at `distance`. */
static bool better_elsewhere(const slx_chip_figures *f, const slx_chip *named, double distance)
{
    double own = tells_unit(f) ? unit_distance(f, named) : 0;
    return own > far && distance < nearer * own;
}

slx_status slx_chip_choose_family(slx_chip **out, const slx_chip_figures *f, slx_err *err)
{
    slx_arena a;
    slx_err unwanted;
    const char *all[NAMES], *names[NAMES];
    char told[WORD];
    double distance;
    slx_arena_init(&a);
    int n_all = slx_find_names(&a, "families", (const char *const[]){".yaml", NULL}, all, NAMES),
        n = families(all, n_all, names);
    plain(told, f->family ? f->family : "", f->family ? strlen(f->family) : 0);
    const char *own = find_whole(all, n_all, told);
    bool settled = own && !find_whole(names, n, told); /* of other software, or generic */
    if (!own) own = find_word(names, n, told);
    if (!own && *told) own = find_other_word(names, n, told);
    const char *near = settled ? NULL : nearest_of_maker(names, n, own ? own : told, f, &distance);
    slx_status s = SLX_EINPUT;
    if (own) s = slx_chip_load_family(out, own, &unwanted);
    if (s == SLX_OK && near && near != own && better_elsewhere(f, *out, distance)) {
        slx_chip_free(*out);
        s = SLX_EINPUT;
    }
    if (s && near) s = slx_chip_load_family(out, near, &unwanted);
    if (s) s = slx_chip_load_family(out, "generic", err);
    slx_arena_deinit(&a);
    return s;
}
