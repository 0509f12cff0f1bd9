/* Lets the N-th call of a kind fail, of those that touch files beneath a folder; preloaded into a process.

   arm(folder, kind, n, number, forever): from now on count the calls; the n-th returns -1 with this
   errno, and so do all later ones where `forever` is set. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static char armed_folder[PATH_MAX], armed_kind[16];
static int armed_n, armed_errno, armed_forever;
static atomic_int calls;

void arm(const char *folder, const char *kind, int n, int number, int forever) {
  snprintf(armed_folder, sizeof armed_folder, "%s", folder);
  snprintf(armed_kind, sizeof armed_kind, "%s", kind);
  armed_n = n; armed_errno = number; armed_forever = forever;
  atomic_store(&calls, 0);
}

static int beneath(const char *path) {
  return path && armed_folder[0] && strncmp(path, armed_folder, strlen(armed_folder)) == 0;
}

static int of_file(int descriptor) {
  char link[64], path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  ssize_t size = readlink(link, path, sizeof path - 1);
  if (size < 0) return 0;
  path[size] = 0;
  return beneath(path);
}

static int fails(const char *kind) {
  if (strcmp(kind, armed_kind)) return 0;
  int number = atomic_fetch_add(&calls, 1) + 1;
  if (number == armed_n || (armed_forever && number > armed_n && armed_n)) {
    errno = armed_errno;
    return 1;
  }
  return 0;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define ON_PATH(kind, path) if (beneath(path) && fails(kind)) return -1
#define ON_FILE(kind, fd) if (!strcmp(kind, armed_kind) && of_file(fd) && fails(kind)) return -1

#define OPEN(name) int name(const char *path, int flags, ...) { \
  va_list rest; va_start(rest, flags); mode_t mode = va_arg(rest, mode_t); va_end(rest); \
  if (flags & (O_WRONLY | O_RDWR | O_CREAT)) ON_PATH("open", path); \
  return REAL(name)(path, flags, mode); }
#define OPENAT(name) int name(int folder, const char *path, int flags, ...) { \
  va_list rest; va_start(rest, flags); mode_t mode = va_arg(rest, mode_t); va_end(rest); \
  if (flags & (O_WRONLY | O_RDWR | O_CREAT)) ON_PATH("open", path); \
  return REAL(name)(folder, path, flags, mode); }
OPEN(open) OPEN(open64) OPENAT(openat) OPENAT(openat64)

int mkdir(const char *path, mode_t mode) { ON_PATH("mkdir", path); return REAL(mkdir)(path, mode); }
int mkdirat(int f, const char *p, mode_t m) { ON_PATH("mkdir", p); return REAL(mkdirat)(f, p, m); }
int rename(const char *a, const char *b) { ON_PATH("rename", a); return REAL(rename)(a, b); }
int renameat(int f, const char *a, int g, const char *b) {
  ON_PATH("rename", a); return REAL(renameat)(f, a, g, b); }
int renameat2(int f, const char *a, int g, const char *b, unsigned flags) {
  ON_PATH("rename", a); return REAL(renameat2)(f, a, g, b, flags); }
int fsync(int fd) { ON_FILE("fsync", fd); return REAL(fsync)(fd); }
int fdatasync(int fd) { ON_FILE("fsync", fd); return REAL(fdatasync)(fd); }
ssize_t write(int fd, const void *data, size_t size) { ON_FILE("write", fd); return REAL(write)(fd, data, size); }
ssize_t pwrite(int fd, const void *d, size_t n, off_t at) { ON_FILE("write", fd); return REAL(pwrite)(fd, d, n, at); }
ssize_t pwrite64(int fd, const void *d, size_t n, off64_t at) { ON_FILE("write", fd); return REAL(pwrite64)(fd, d, n, at); }
ssize_t writev(int fd, const struct iovec *v, int n) { ON_FILE("write", fd); return REAL(writev)(fd, v, n); }
