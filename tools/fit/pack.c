/* pack.c - the copies of measured sets that the project carries: pack DATA OUT
 *
 * Of each file of sets.def, the heading and a sample of the test half, lines unchanged and in order: at most ROWS of
 * each set, chosen by a hash of the line, whole where the set is small. Rows of the fit half are not carried: numbers
 * cannot be judged on them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "validate/validate.h"

enum { ROWS = 1500 };

/* keep[line] of every line that some set takes. */
static slx_status choose(const slx_set *s, const char *dir, const char *const *line, bool *keep,
                         slx_err *err)
{
    slx_rows r;
    SLX_TRY(slx_rows_read(&r, s, dir, SLX_HALF_TEST, err));
    uint64_t one_in = (uint64_t)(r.n / ROWS + 1);
    for (int i = 0; i < r.n; i++) {
        const char *p = line[r.row[i].line];
        keep[r.row[i].line] |= slx_hash_of(p, strcspn(p, "\r\n")) % one_in == 0;
    }
    fprintf(stderr, "%-24s %6d rows of the test half, 1 in %d kept\n", s->name, r.n, (int)one_in);
    slx_rows_free(&r);
    return SLX_OK;
}

static slx_status pack(const char *file, const char *dir, const char *to, slx_err *err)
{
    char path[1024];
    slx_buf text = {0}, out = {0};
    snprintf(path, sizeof path, "%s/%s", dir, file);
    if (access(path, F_OK)) { /* sets of models and of kernels come from two folders */
        fprintf(stderr, "%s is not there: left out\n", path);
        return SLX_OK;
    }
    SLX_TRY(slx_read_file(&text, path, err));
    int n = 1;
    for (size_t i = 0; i < text.len; i++) n += text.ptr[i] == '\n';
    const char **line = slx_xcalloc((size_t)n + 2, sizeof *line);
    bool *keep = slx_xcalloc((size_t)n + 2, 1);
    const char *p = text.ptr;
    for (int i = 1; i <= n; i++) {
        line[i] = p;
        p = strchr(p, '\n') ? strchr(p, '\n') + 1 : text.ptr + text.len;
    }
    keep[1] = true;
    slx_status st = SLX_OK;
    for (int i = 0; i < slx_n_sets() && st == SLX_OK; i++)
        if (!strcmp(slx_set_at(i)->file, file)) st = choose(slx_set_at(i), dir, line, keep, err);
    for (int i = 1; i <= n; i++)
        if (keep[i] && *line[i]) {
            slx_buf_add(&out, line[i], strcspn(line[i], "\r\n"));
            slx_buf_addc(&out, '\n');
        }
    snprintf(path, sizeof path, "%s/%.*s", to, (int)(strchr(file, '/') - file), file);
    if (st == SLX_OK && mkdir(path, 0777) && errno != EEXIST)
        st = slx_fail(err, SLX_EIO, path, 0, 0, "%s", strerror(errno));
    snprintf(path, sizeof path, "%s/%s", to, file);
    if (st == SLX_OK) st = slx_write_file(path, out.ptr, out.len, err);
    free(line);
    free(keep);
    slx_buf_free(&text);
    slx_buf_free(&out);
    return st;
}

int main(int argc, char **argv)
{
    slx_err err;
    slx_status st = SLX_OK;
    if (argc != 3) {
        fprintf(stderr, "usage: pack DATA OUT\n");
        return 2;
    }
    for (int i = 0; i < slx_n_sets() && st == SLX_OK; i++) {
        bool seen = false;
        for (int k = 0; k < i; k++) seen |= !strcmp(slx_set_at(k)->file, slx_set_at(i)->file);
        if (!seen) st = pack(slx_set_at(i)->file, argv[1], argv[2], &err);
    }
    if (st) slx_err_print(&err, stderr);
    return slx_exit_code(st);
}
