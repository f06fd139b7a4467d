/* Records, in order, every call by which this process changes files under one folder. Loaded with LD_PRELOAD; Linux, glibc.
 *
 *   POWERCUT_TRACE    file that gets the trace, appended to; without it the recorder does nothing
 *   POWERCUT_ROOT     absolute path, without links, of the folder whose changes are recorded
 *   POWERCUT_DEAF     a folder whose fsync is neither carried out nor recorded: the mistake that a test must notice
 *
 * A write to descriptor MARK_FD is not a write but a mark in the trace: what the program says it has promised by now.
 *
 * Calls on the folder happen one at a time, so the trace has one order. A descriptor's file is asked of the kernel at each
 * call, never remembered: duplicated, inherited and unlinked descriptors need no care. What cannot be recorded is written down
 * as UNSUPPORTED and makes the replay fail; what nobody sees here (stdio, raw system calls) is found when the replayed folder is
 * compared with the real one. A trace that cannot be written ends the process. Record layout: tools/powercut/trace.py.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define MARK_FD 999
#define TRACE_FD 900                 /* at least: out of the way of descriptors that the program counts */
#define EPHEMERAL "-shm"             /* SQLite's shared memory: rebuilt at every start, never durable state */
#define MAX_PARTS 64                 /* of one writev; more is UNSUPPORTED */

enum op {
    ROOT = 'G', OPEN = 'O', TRUNCATE = 'T', WRITE = 'W', EXTEND = 'F', FSYNC = 'S', FDATASYNC = 'D', SYNC_RANGE = 'R',
    UNLINK = 'U', RMDIR = 'X', MKDIR = 'M', RENAME = 'N', LINK = 'L', MARK = 'A', MAPPED = 'E', UNSUPPORTED = '!',
};

struct head {
    uint32_t op, path_len, other_len, data_len;
    uint64_t inode, offset;
};

static pthread_mutex_t order = PTHREAD_MUTEX_INITIALIZER;
static int trace = -1;
static char root[PATH_MAX], deaf[PATH_MAX];

/* The real function behind the one we stand before. The double cast is how POSIX wants dlsym's result to be used. */
#define REAL(result, name, ...) \
    static result (*real)(__VA_ARGS__); \
    if (real == NULL) *(void **)&real = dlsym(RTLD_NEXT, #name)

static void die(const char *why) {
    fprintf(stderr, "powercut recorder: %s: %s\n", why, strerror(errno));
    abort();
}

static void put(enum op op, const char *path, const char *other, uint64_t inode, uint64_t offset, const void *data, size_t size) {
    if (size > UINT32_MAX) die("one write is too large");
    struct head head = {op, strlen(path), strlen(other), size, inode, offset};
    struct iovec parts[] = {{&head, sizeof head}, {(void *)path, head.path_len}, {(void *)other, head.other_len}, {(void *)data, size}};
    static ssize_t (*real)(int, const struct iovec *, int);
    if (real == NULL) *(void **)&real = dlsym(RTLD_NEXT, "writev");
    ssize_t whole = sizeof head + head.path_len + head.other_len + size;
    if (real(trace, parts, 4) != whole) die("the trace cannot be written");
}

static void refuse(const char *call, const char *path) { put(UNSUPPORTED, path, call, 0, 0, NULL, 0); }

__attribute__((constructor)) static void start(void) {
    const char *file = getenv("POWERCUT_TRACE"), *folder = getenv("POWERCUT_ROOT"), *not_heard = getenv("POWERCUT_DEAF");
    if (file == NULL || folder == NULL) return;
    if (strlen(folder) >= sizeof root || (not_heard != NULL && strlen(not_heard) >= sizeof deaf)) die("a path is too long");
    strcpy(root, folder);
    if (not_heard != NULL) strcpy(deaf, not_heard);
    REAL(int, open, const char *, int, ...);
    int fd = real(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    struct stat about;
    if (fd < 0 || stat(root, &about) != 0) die(fd < 0 ? file : root);
    trace = fcntl(fd, F_DUPFD_CLOEXEC, TRACE_FD);
    if (trace < 0) die("no descriptor is free");
    close(fd);
    put(ROOT, root, "", about.st_ino, 0, NULL, 0);
}

/* --- whose call is it --------------------------------------------------------------------------------------------- */

static int inside(const char *path) {
    size_t size = strlen(root);
    return strncmp(path, root, size) == 0 && (path[size] == '/' || path[size] == 0);
}

static int ends_with(const char *path, const char *end) {
    size_t size = strlen(path), tail = strlen(end);
    return size >= tail && strcmp(path + size - tail, end) == 0;
}

static int place_of_fd(int fd, char *into) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, into, PATH_MAX - 1);
    if (size < 0) return 0;
    into[size] = 0;
    return 1;
}

/* The absolute form of `path`, its folder without links and dots; 0 when it lies elsewhere or its folder does not exist. */
static int place_of_path(int folder, const char *path, char *into) {
    char whole[2 * PATH_MAX], base[PATH_MAX];
    if (trace < 0 || path == NULL || strlen(path) >= PATH_MAX) return 0;
    if (path[0] == '/') strcpy(whole, path);
    else {
        if (folder == AT_FDCWD ? getcwd(base, sizeof base) == NULL : !place_of_fd(folder, base)) return 0;
        snprintf(whole, sizeof whole, "%s/%s", base, path);
    }
    size_t end = strlen(whole);
    while (end > 1 && whole[end - 1] == '/') whole[--end] = 0;
    char *name = strrchr(whole, '/');
    if (name == whole || strcmp(name, "/.") == 0 || strcmp(name, "/..") == 0) return realpath(whole, into) != NULL && inside(into);
    *name++ = 0;
    if (realpath(whole, base) == NULL || snprintf(into, PATH_MAX, "%s/%s", base, name) >= PATH_MAX) return 0;
    return inside(into);
}

struct target { char path[PATH_MAX]; uint64_t inode; int is_folder, ephemeral; };

/* What a descriptor stands for; 0 when it is not ours to record. */
static int target_of(int fd, struct target *found) {
    struct stat about;
    if (trace < 0 || fd < 0 || fstat(fd, &about) != 0 || !(S_ISREG(about.st_mode) || S_ISDIR(about.st_mode))) return 0;
    if (!place_of_fd(fd, found->path) || !inside(found->path)) return 0;
    char *gone = strstr(found->path, " (deleted)");
    if (gone != NULL) *gone = 0;
    found->inode = about.st_ino;
    found->is_folder = S_ISDIR(about.st_mode);
    found->ephemeral = ends_with(found->path, EPHEMERAL);
    return 1;
}

/* Run the real call and, when it succeeded on a file of ours, what is to be recorded; errno stays the call's own. */
#define RECORDED(type, fd, call, note) do { \
    struct target to; \
    pthread_mutex_lock(&order); \
    int ours = target_of(fd, &to); \
    type result = (call); \
    int kept = errno; \
    if (ours && result >= 0 && !to.ephemeral) { note; } \
    pthread_mutex_unlock(&order); \
    errno = kept; \
    return result; \
} while (0)

/* --- opening ------------------------------------------------------------------------------------------------------ */

static void note_open(int folder, const char *path, int flags, int fd) {
    char place[PATH_MAX];
    struct stat about;
    if ((flags & O_TMPFILE) == O_TMPFILE && place_of_path(folder, path, place)) refuse("O_TMPFILE", place);
    else if ((flags & (O_CREAT | O_TRUNC)) && place_of_path(folder, path, place) && !ends_with(place, EPHEMERAL)) {
        if (fstat(fd, &about) != 0) die("fstat");
        if (flags & O_CREAT) put(OPEN, place, "", about.st_ino, 0, NULL, 0);
        if (flags & O_TRUNC) put(TRUNCATE, place, "", about.st_ino, 0, NULL, 0);
    } else if ((flags & O_CREAT) && place_of_path(folder, path, place)) put(MAPPED, place, "", 0, 0, NULL, 0);
}

#define OPENED(folder, path, flags, call) do { \
    if (trace < 0) return (call); \
    pthread_mutex_lock(&order); \
    int fd = (call), kept = errno; \
    if (fd >= 0) note_open(folder, path, flags, fd); \
    pthread_mutex_unlock(&order); \
    errno = kept; \
    return fd; \
} while (0)

#define MODE(flags) mode_t mode = 0; \
    if (((flags) & O_CREAT) || ((flags) & O_TMPFILE) == O_TMPFILE) { va_list rest; va_start(rest, flags); mode = va_arg(rest, mode_t); va_end(rest); }

#define OPEN_AS(name) int name(const char *path, int flags, ...) { \
    REAL(int, name, const char *, int, ...); MODE(flags) \
    OPENED(AT_FDCWD, path, flags, real(path, flags, mode)); }
#define OPENAT_AS(name) int name(int folder, const char *path, int flags, ...) { \
    REAL(int, name, int, const char *, int, ...); MODE(flags) \
    OPENED(folder, path, flags, real(folder, path, flags, mode)); }
#define CREAT_AS(name) int name(const char *path, mode_t mode) { \
    REAL(int, name, const char *, mode_t); \
    OPENED(AT_FDCWD, path, O_CREAT | O_TRUNC, real(path, mode)); }
OPEN_AS(open) OPEN_AS(open64) OPENAT_AS(openat) OPENAT_AS(openat64) CREAT_AS(creat) CREAT_AS(creat64)

/* --- content ------------------------------------------------------------------------------------------------------ */

static uint64_t written_at(int fd, ssize_t size) {
    off_t after = lseek(fd, 0, SEEK_CUR);  /* right for O_APPEND too */
    if (after < 0) die("lseek");
    return after - size;
}

ssize_t write(int fd, const void *data, size_t size) {
    REAL(ssize_t, write, int, const void *, size_t);
    if (fd == MARK_FD && trace >= 0) {
        pthread_mutex_lock(&order);
        put(MARK, "", "", 0, 0, data, size);
        pthread_mutex_unlock(&order);
        return size;
    }
    RECORDED(ssize_t, fd, real(fd, data, size), put(WRITE, to.path, "", to.inode, written_at(fd, result), data, result));
}

static void note_parts(struct target *to, const struct iovec *parts, int count, ssize_t size, uint64_t offset) {
    if (count > MAX_PARTS) refuse("a writev of many parts", to->path);
    for (int i = 0; i < count && size > 0; i++) {
        size_t part = (size_t)size < parts[i].iov_len ? (size_t)size : parts[i].iov_len;
        put(WRITE, to->path, "", to->inode, offset, parts[i].iov_base, part);
        offset += part;
        size -= part;
    }
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    REAL(ssize_t, writev, int, const struct iovec *, int);
    RECORDED(ssize_t, fd, real(fd, parts, count), note_parts(&to, parts, count, result, written_at(fd, result)));
}

#define PWRITE_AS(name) ssize_t name(int fd, const void *data, size_t size, off64_t offset) { \
    REAL(ssize_t, name, int, const void *, size_t, off64_t); \
    RECORDED(ssize_t, fd, real(fd, data, size, offset), put(WRITE, to.path, "", to.inode, offset, data, result)); }
PWRITE_AS(pwrite) PWRITE_AS(pwrite64)

#define PWRITEV_AS(name) ssize_t name(int fd, const struct iovec *parts, int count, off64_t offset) { \
    REAL(ssize_t, name, int, const struct iovec *, int, off64_t); \
    RECORDED(ssize_t, fd, real(fd, parts, count, offset), note_parts(&to, parts, count, result, offset)); }
PWRITEV_AS(pwritev) PWRITEV_AS(pwritev64)

#define PWRITEV2_AS(name) ssize_t name(int fd, const struct iovec *parts, int count, off64_t offset, int flags) { \
    REAL(ssize_t, name, int, const struct iovec *, int, off64_t, int); \
    RECORDED(ssize_t, fd, real(fd, parts, count, offset, flags), \
             note_parts(&to, parts, count, result, offset < 0 ? written_at(fd, result) : (uint64_t)offset)); }
PWRITEV2_AS(pwritev2) PWRITEV2_AS(pwritev64v2)

#define FTRUNCATE_AS(name) int name(int fd, off64_t size) { \
    REAL(int, name, int, off64_t); \
    RECORDED(int, fd, real(fd, size), put(TRUNCATE, to.path, "", to.inode, size, NULL, 0)); }
FTRUNCATE_AS(ftruncate) FTRUNCATE_AS(ftruncate64)

static void note_room(struct target *to, int mode, off64_t offset, off64_t size) {
    if (mode == 0) put(EXTEND, to->path, "", to->inode, offset + size, NULL, 0);
    else if (mode != FALLOC_FL_KEEP_SIZE) refuse("fallocate with this mode", to->path);
}

#define FALLOCATE_AS(name) int name(int fd, int mode, off64_t offset, off64_t size) { \
    REAL(int, name, int, int, off64_t, off64_t); \
    RECORDED(int, fd, real(fd, mode, offset, size), note_room(&to, mode, offset, size)); }
FALLOCATE_AS(fallocate) FALLOCATE_AS(fallocate64)

/* posix_fallocate returns the error instead of setting errno. */
static int posix_room(int fd, off64_t offset, off64_t size) {
    REAL(int, posix_fallocate, int, off64_t, off64_t);
    RECORDED(int, fd, -real(fd, offset, size), note_room(&to, 0, offset, size));
}
int posix_fallocate(int fd, off_t offset, off_t size) { return -posix_room(fd, offset, size); }
int posix_fallocate64(int fd, off64_t offset, off64_t size) { return -posix_room(fd, offset, size); }

/* --- promises of the kernel --------------------------------------------------------------------------------------- */

#define SYNC_AS(name, op) int name(int fd) { \
    REAL(int, name, int); \
    struct target asked; \
    if (deaf[0] != 0 && target_of(fd, &asked) && strcmp(asked.path, deaf) == 0) return 0; \
    RECORDED(int, fd, real(fd), put(op, to.path, "", to.inode, 0, NULL, 0)); }
SYNC_AS(fsync, FSYNC) SYNC_AS(fdatasync, FDATASYNC)

int sync_file_range(int fd, off64_t offset, off64_t size, unsigned int flags) {
    REAL(int, sync_file_range, int, off64_t, off64_t, unsigned int);
    RECORDED(int, fd, real(fd, offset, size, flags), put(SYNC_RANGE, to.path, "", to.inode, 0, NULL, 0));
}

/* --- names -------------------------------------------------------------------------------------------------------- */

/* One path and its folder; `note` runs when the call succeeded and the path is ours. */
#define NAMED(folder, path, call, note) do { \
    char place[PATH_MAX]; \
    if (!place_of_path(folder, path, place)) return (call); \
    pthread_mutex_lock(&order); \
    int result = (call), kept = errno; \
    if (result == 0 && !ends_with(place, EPHEMERAL)) { note; } \
    pthread_mutex_unlock(&order); \
    errno = kept; \
    return result; \
} while (0)

static void note_name(enum op op, const char *place) {
    struct stat about = {0};
    if (op == MKDIR && stat(place, &about) != 0) die("stat");
    put(op, place, "", about.st_ino, 0, NULL, 0);
}

int unlink(const char *path) {
    REAL(int, unlink, const char *);
    NAMED(AT_FDCWD, path, real(path), note_name(UNLINK, place));
}
int unlinkat(int folder, const char *path, int flags) {
    REAL(int, unlinkat, int, const char *, int);
    NAMED(folder, path, real(folder, path, flags), note_name(flags & AT_REMOVEDIR ? RMDIR : UNLINK, place));
}
int rmdir(const char *path) {
    REAL(int, rmdir, const char *);
    NAMED(AT_FDCWD, path, real(path), note_name(RMDIR, place));
}
int mkdir(const char *path, mode_t mode) {
    REAL(int, mkdir, const char *, mode_t);
    NAMED(AT_FDCWD, path, real(path, mode), note_name(MKDIR, place));
}
int mkdirat(int folder, const char *path, mode_t mode) {
    REAL(int, mkdirat, int, const char *, mode_t);
    NAMED(folder, path, real(folder, path, mode), note_name(MKDIR, place));
}

/* Two paths. One inside and one outside cannot be told by this trace. */
#define JOINED(op, name, from, path, to, other, call) do { \
    char place[PATH_MAX], second[PATH_MAX]; \
    int first_ours = place_of_path(from, path, place), second_ours = place_of_path(to, other, second); \
    if (!first_ours && !second_ours) return (call); \
    pthread_mutex_lock(&order); \
    int result = (call), kept = errno; \
    if (result == 0 && first_ours && second_ours) put(op, place, second, 0, 0, NULL, 0); \
    else if (result == 0) refuse(name " across the folder's edge", first_ours ? place : second); \
    pthread_mutex_unlock(&order); \
    errno = kept; \
    return result; \
} while (0)

int rename(const char *path, const char *other) {
    REAL(int, rename, const char *, const char *);
    JOINED(RENAME, "rename", AT_FDCWD, path, AT_FDCWD, other, real(path, other));
}
int renameat(int from, const char *path, int to, const char *other) {
    REAL(int, renameat, int, const char *, int, const char *);
    JOINED(RENAME, "rename", from, path, to, other, real(from, path, to, other));
}
int renameat2(int from, const char *path, int to, const char *other, unsigned int flags) {
    REAL(int, renameat2, int, const char *, int, const char *, unsigned int);
    if (flags & ~(unsigned int)RENAME_NOREPLACE)
        JOINED(UNSUPPORTED, "rename", from, path, to, other, real(from, path, to, other, flags));
    JOINED(RENAME, "rename", from, path, to, other, real(from, path, to, other, flags));
}
int link(const char *path, const char *other) {
    REAL(int, link, const char *, const char *);
    JOINED(LINK, "link", AT_FDCWD, path, AT_FDCWD, other, real(path, other));
}
int linkat(int from, const char *path, int to, const char *other, int flags) {
    REAL(int, linkat, int, const char *, int, const char *, int);
    JOINED(LINK, "link", from, path, to, other, real(from, path, to, other, flags));
}
int symlink(const char *target, const char *path) {
    REAL(int, symlink, const char *, const char *);
    NAMED(AT_FDCWD, path, real(target, path), refuse("symlink", place));
}
int symlinkat(const char *target, int folder, const char *path) {
    REAL(int, symlinkat, const char *, int, const char *);
    NAMED(folder, path, real(target, folder, path), refuse("symlink", place));
}

/* --- ways round all of the above ---------------------------------------------------------------------------------- */

static void note_mapping(int fd, int protection, int flags) {
    struct target to;
    if (!(protection & PROT_WRITE) || (flags & MAP_TYPE) == MAP_PRIVATE || !target_of(fd, &to)) return;
    pthread_mutex_lock(&order);
    if (to.ephemeral) put(MAPPED, to.path, "", to.inode, 0, NULL, 0);
    else refuse("a writable shared mapping", to.path);
    pthread_mutex_unlock(&order);
}

#define MMAP_AS(name) void *name(void *at, size_t size, int protection, int flags, int fd, off64_t offset) { \
    REAL(void *, name, void *, size_t, int, int, int, off64_t); \
    void *result = real(at, size, protection, flags, fd, offset); \
    int kept = errno; \
    if (result != MAP_FAILED && fd >= 0) note_mapping(fd, protection, flags); \
    errno = kept; \
    return result; }
MMAP_AS(mmap) MMAP_AS(mmap64)

#define TRUNCATE_AS(name) int name(const char *path, off64_t size) { \
    REAL(int, name, const char *, off64_t); \
    NAMED(AT_FDCWD, path, real(path, size), refuse("truncate by path", place)); }
TRUNCATE_AS(truncate) TRUNCATE_AS(truncate64)

#define COPY_AS(name, to_fd, kinds, arguments) ssize_t name kinds { \
    static ssize_t (*real) kinds; \
    if (real == NULL) *(void **)&real = dlsym(RTLD_NEXT, #name); \
    RECORDED(ssize_t, to_fd, real arguments, refuse(#name, to.path)); }
COPY_AS(sendfile, out, (int out, int in, off_t *offset, size_t size), (out, in, offset, size))
COPY_AS(sendfile64, out, (int out, int in, off64_t *offset, size_t size), (out, in, offset, size))
COPY_AS(copy_file_range, out, (int in, off64_t *from, int out, off64_t *to_, size_t size, unsigned int flags), (in, from, out, to_, size, flags))
COPY_AS(splice, out, (int in, off64_t *from, int out, off64_t *to_, size_t size, unsigned int flags), (in, from, out, to_, size, flags))
