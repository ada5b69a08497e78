/* find.c - where a named data file (a chip, a case, an example) lies.
 *
 *   NAME as a path  -->  $SILEX_HOME/DIR  -->  source tree's DIR  -->  PREFIX/share/silex/DIR
 *
 * The first that exists is taken. A name with a slash is a path and nothing else.
 */
#include "base/base.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/base_int.h"

enum { PATH_BYTES = 1024, ROOTS = 3, LISTED = 12 };

static bool is_file(const char *path)
{
    struct stat st;
    return !stat(path, &st) && !S_ISDIR(st.st_mode);
}

/* ROOT/DIR/NAME, then with each suffix; true and the path in out when it is there. */
static bool try_root(char out[PATH_BYTES], const char *root, const char *dir, const char *name,
                     const char *const *suffixes)
{
    static const char *const none[] = {NULL};
    const char *suffix = "";
    for (const char *const *next = suffixes ? suffixes : none; suffix; suffix = *next++) {
        int n = snprintf(out, PATH_BYTES, "%s/%s/%s%s", root, dir, name, suffix);
        if (n > 0 && n < PATH_BYTES && is_file(out)) return true;
    }
    return false;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Names in ROOT/DIR that end in one of the suffixes, without it; all of them when there are no
 * suffixes. */
static void list_root(slx_arena *a, const char **names, int *n, int cap, const char *root,
                      const char *dir, const char *const *suffixes)
{
    char path[PATH_BYTES];
    int len = snprintf(path, sizeof path, "%s/%s", root, dir);
    DIR *d = len > 0 && len < PATH_BYTES ? opendir(path) : NULL;
    if (!d) return;
    for (const struct dirent *e; *n < cap && (e = readdir(d));) {
        if (e->d_name[0] == '.') continue;
        char *name = slx_strdup(a, e->d_name);
        bool wanted = !suffixes || !suffixes[0];
        for (int i = 0; suffixes && suffixes[i] && !wanted; i++) {
            size_t ln = strlen(name), ls = strlen(suffixes[i]);
            if (ln > ls && !strcmp(name + ln - ls, suffixes[i])) {
                name[ln - ls] = 0;
                wanted = true;
            }
        }
        for (int i = 0; i < *n && wanted; i++) wanted = strcmp(names[i], name) != 0;
        if (wanted) names[(*n)++] = name;
    }
    closedir(d);
}

static void get_roots(const char *roots[ROOTS])
{
    const char *home = getenv("SILEX_HOME");
    roots[0] = home && *home ? home : NULL;
    roots[1] = SLX_SOURCE_DIR;
    roots[2] = SLX_PREFIX "/share/silex";
}

int slx_find_names(slx_arena *a, const char *dir, const char *const *suffixes, const char **names,
                   int cap)
{
    const char *roots[ROOTS];
    int n = 0;
    get_roots(roots);
    for (int i = 0; i < ROOTS; i++)
        if (roots[i]) list_root(a, names, &n, cap, roots[i], dir, suffixes);
    qsort(names, (size_t)n, sizeof *names, by_name);
    return n;
}

static slx_status not_found(const char *dir, const char *name, const char *const *suffixes,
                            slx_err *err)
{
    slx_arena a;
    slx_arena_init(&a);
    const char *names[256];
    int n = slx_find_names(&a, dir, suffixes, names, 256);
    slx_buf hint = {0};
    const char *near = slx_nearest(name, names, n);
    if (near) slx_buf_addf(&hint, "; did you mean %s?", near);
    for (int i = 0; i < n && i < LISTED; i++)
        slx_buf_addf(&hint, "%s%s", i ? ", " : near ? " There are: " : "; there are: ", names[i]);
    if (n > LISTED) slx_buf_addf(&hint, " and %d more", n - LISTED);
    slx_status s = slx_fail(err, SLX_EINPUT, name, 0, 0, "no such file, and no such name in %s%s",
                            dir, hint.len ? hint.ptr : " (where nothing is)");
    slx_buf_free(&hint);
    slx_arena_deinit(&a);
    return s;
}

slx_status slx_find_file(char out[PATH_BYTES], const char *dir, const char *name,
                         const char *const *suffixes, slx_err *err)
{
    size_t len = strlen(name);
    if (!len || len >= PATH_BYTES)
        return slx_fail(err, SLX_EINPUT, name, 0, 0, "name of %zu bytes, expected 1 to %d", len,
                        PATH_BYTES - 1);
    if (is_file(name)) {
        memcpy(out, name, len + 1);
        return SLX_OK;
    }
    if (strchr(name, '/')) {
        struct stat st;
        bool folder = !stat(name, &st) && S_ISDIR(st.st_mode);
        return slx_fail(err, SLX_EINPUT, name, 0, 0, "%s", folder ? "is a folder, expected a file" : "no such file");
    }
    const char *roots[ROOTS];
    get_roots(roots);
    for (int i = 0; i < ROOTS; i++)
        if (roots[i] && try_root(out, roots[i], dir, name, suffixes)) return SLX_OK;
    return not_found(dir, name, suffixes, err);
}
