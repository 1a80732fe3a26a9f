/* Lets the n-th change below a folder fail: LD_PRELOAD it.

FAIL_UNDER  the folder
FAIL_AT     n, counted from 1; 0: none
FAIL_ERRNO  the error; ENOSPC is that of every write from then on, others come once
FAIL_COUNT  a file that gets the number of changes, added up over processes
*/
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_int changes;

static int is_under(const char *path) {
    const char *under = getenv("FAIL_UNDER");
    return under && path && strncmp(path, under, strlen(under)) == 0;
}

static int fails(int takes_room) {
    int at = atoi(getenv("FAIL_AT") ? getenv("FAIL_AT") : "0");
    int error = atoi(getenv("FAIL_ERRNO") ? getenv("FAIL_ERRNO") : "5");
    int number = ++changes;
    if (at && (number == at || (number > at && error == ENOSPC && takes_room))) {
        errno = error;
        return 1;
    }
    return 0;
}

static int fails_at(int descriptor, int takes_room) {
    char link[64], path[4096];
    int saved = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    errno = saved;
    if (length <= 0)
        return 0;
    path[length] = 0;
    return is_under(path) && fails(takes_room);
}

__attribute__((destructor)) static void tell(void) {
    const char *name = getenv("FAIL_COUNT");
    if (name && changes) {
        FILE *file = fopen(name, "a");
        if (file) {
            fprintf(file, "%d\n", (int)changes);
            fclose(file);
        }
    }
}

#define REAL(name) static __typeof__(name) *real; if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

ssize_t write(int d, const void *b, size_t n) { REAL(write); return fails_at(d, 1) ? -1 : real(d, b, n); }
ssize_t pwrite64(int d, const void *b, size_t n, off64_t o) { REAL(pwrite64); return fails_at(d, 1) ? -1 : real(d, b, n, o); }
ssize_t writev(int d, const struct iovec *v, int n) { REAL(writev); return fails_at(d, 1) ? -1 : real(d, v, n); }
int fsync(int d) { REAL(fsync); return fails_at(d, 0) ? -1 : real(d); }
int mkdir(const char *p, mode_t m) { REAL(mkdir); return is_under(p) && fails(1) ? -1 : real(p, m); }
int rename(const char *a, const char *b) { REAL(rename); return is_under(b) && fails(1) ? -1 : real(a, b); }

static int opened(int (*real)(const char *, int, ...), const char *path, int flags, mode_t mode) {
    if ((flags & O_CREAT) && is_under(path) && fails(1))
        return -1;
    return real(path, flags, mode);
}

#define OPEN(name) int name(const char *path, int flags, ...) { REAL(name); mode_t mode = 0; \
    if (flags & (O_CREAT | __O_TMPFILE)) { va_list more; va_start(more, flags); mode = va_arg(more, mode_t); va_end(more); } \
    return opened((int (*)(const char *, int, ...))real, path, flags, mode); }
OPEN(open)
OPEN(open64)
