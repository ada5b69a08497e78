/* file.c - whole files: mapped, read, written.
 *
 * Invariant of slx_write_file: at any moment the path holds either what was there before or all of
 * the new content; the content goes to a temporary name in the same folder and is renamed over the
 * path at the end.
 */
#include "base/base.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base_int.h"

const char *slx_not_regular(unsigned st_mode)
{
    if (S_ISREG(st_mode)) return NULL;
    return S_ISDIR(st_mode) ? "is a folder, expected a file" : "is not a regular file";
}

slx_status slx_map_open(slx_map *m, const char *path, slx_err *err)
{
    *m = (slx_map){0};
    if (strlen(path) >= sizeof m->path)
        return slx_fail(err, SLX_EINPUT, path, 0, 0, "path of %zu bytes, expected fewer than %zu",
                        strlen(path), sizeof m->path);
    /* not blocking: a pipe without a writer is refused below */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return slx_fail(err, SLX_EIO, path, 0, 0, "cannot open: %s", strerror(errno));
    struct stat st;
    if (fstat(fd, &st)) {
        int e = errno;
        close(fd);
        return slx_fail(err, SLX_EIO, path, 0, 0, "cannot read: %s", strerror(e));
    }
    const char *why = slx_not_regular(st.st_mode);
    if (why) {
        close(fd);
        return slx_fail(err, SLX_EINPUT, path, 0, 0, "%s", why);
    }
    if (st.st_size > 0) {
        void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        int e = errno;
        close(fd);
        if (p == MAP_FAILED)
            return slx_fail(err, SLX_EIO, path, 0, 0, "cannot map: %s", strerror(e));
        m->ptr = p;
        m->size = (size_t)st.st_size;
    } else {
        close(fd);
    }
    memcpy(m->path, path, strlen(path) + 1);
    return SLX_OK;
}

void slx_map_close(slx_map *m)
{
    if (m->ptr) munmap((void *)(uintptr_t)m->ptr, m->size);
    *m = (slx_map){0};
}

void slx_map_release(const slx_map *m, const void *ptr, size_t n)
{
    const uint8_t *p = ptr;
    if (!m->ptr || !n) return;
    SLX_ASSERT(p >= m->ptr && p + n <= m->ptr + m->size);
    /* Whole pages inside the range only: a page on its edge also holds what a neighbour still
     * reads. */
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t beg = ((uintptr_t)p + page - 1) & ~(page - 1);
    uintptr_t end = (uintptr_t)(p + n);
    if (p + n < m->ptr + m->size) end &= ~(page - 1); /* the file's last page ends with the file */
    if (beg < end) madvise((void *)beg, end - beg, MADV_DONTNEED);
}

static slx_status read_all(slx_buf *out, int fd, const char *name, slx_err *err)
{
    char chunk[1 << 16];
    slx_buf_add(out, "", 0); /* an empty file gives "", not NULL */
    for (;;) {
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n > 0) {
            slx_buf_add(out, chunk, (size_t)n);
        } else if (n == 0) {
            return SLX_OK;
        } else if (errno != EINTR || slx_interrupted()) {
            int e = errno;
            if (e == EINTR)
                return slx_fail(err, SLX_EINTERRUPTED, name, 0, 0, "interrupted while reading");
            if (e == EISDIR)
                return slx_fail(err, SLX_EINPUT, name, 0, 0, "is a folder, expected a file");
            return slx_fail(err, SLX_EIO, name, 0, 0, "cannot read: %s", strerror(e));
        }
    }
}

slx_status slx_read_file(slx_buf *out, const char *path, slx_err *err)
{
    *out = (slx_buf){0};
    bool std = !strcmp(path, "-");
    const char *name = std ? "standard input" : path;
    int fd = std ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return slx_fail(err, SLX_EIO, name, 0, 0, "cannot open: %s", strerror(errno));
    slx_status s = read_all(out, fd, name, err);
    if (!std) close(fd);
    if (s) slx_buf_free(out);
    return s;
}

/* 0 or errno. */
static int write_all(int fd, const char *p, size_t n)
{
    while (n) {
        ssize_t w = write(fd, p, n);
        if (w < 0) {
            if (errno == EINTR) continue;
            return errno;
        }
        p += w;
        n -= (size_t)w;
    }
    return 0;
}

/* A pipe, a terminal or /dev/null: written in place, since a rename would put a file where the
 * device was. */
static int write_in_place(const char *path, const void *p, size_t n)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return errno;
    int e = write_all(fd, p, n);
    if (close(fd) && !e) e = errno;
    return e;
}

/* path is not a symbolic link. mode: of the new file, before the umask. */
static int write_and_rename(const char *path, unsigned mode, const void *p, size_t n)
{
    const char *slash = strrchr(path, '/');
    size_t dir_len = slash ? (size_t)(slash - path) + 1 : 0;
    slx_buf tmp = {0};
    int fd = -1;
    /* own counter instead of mkstemp: it keeps the umask in force */
    for (unsigned i = 0; i < 100 && fd < 0; i++) {
        tmp.len = 0;
        slx_buf_add(&tmp, path, dir_len);
        slx_buf_addf(&tmp, ".slx-%ld-%u.tmp", (long)getpid(), i);
        fd = open(tmp.ptr, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
        if (fd < 0 && errno != EEXIST) break;
    }
    if (fd < 0) {
        int e = errno;
        slx_buf_free(&tmp);
        return e;
    }
    int e = write_all(fd, p, n);
    if (close(fd) && !e) e = errno;
    if (!e && rename(tmp.ptr, path)) e = errno;
    if (e) unlink(tmp.ptr);
    slx_buf_free(&tmp);
    return e;
}

slx_status slx_write_file(const char *path, const void *p, size_t n, slx_err *err)
{
    if (!strcmp(path, "-")) {
        int e = fflush(stdout) ? errno : write_all(STDOUT_FILENO, p, n);
        return e ? slx_fail(err, SLX_EIO, "standard output", 0, 0, "cannot write: %s", strerror(e))
                 : SLX_OK;
    }
    struct stat st;
    int e;
    if (stat(path, &st)) {
        e = write_and_rename(path, 0666, p, n);
    } else if (S_ISDIR(st.st_mode)) {
        return slx_fail(err, SLX_EINPUT, path, 0, 0, "is a folder, expected a file to write");
    } else if (!S_ISREG(st.st_mode)) {
        e = write_in_place(path, p, n);
    } else {
        char *real = realpath(path, NULL); /* replace what a link points to, not the link */
        e = real ? write_and_rename(real, st.st_mode & 0777, p, n) : errno;
        free(real);
    }
    return e ? slx_fail(err, SLX_EIO, path, 0, 0, "cannot write: %s", strerror(e)) : SLX_OK;
}
