/* SPDX-License-Identifier: MIT */
/* Takes the place of the system's file functions: every call is judged, done and recorded. */
#include "io_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MOST_FDS  1024
#define DIRECTORY UINT32_MAX /* in place of the number of a file */

struct descriptor {
    uint32_t file; /* 0: none of ours */
    bool is_synced;
};

static const char *watched;
static struct descriptor descriptors[MOST_FDS];

/* ---- files of ours ---- */

void io_watch(const char *directory)
{
    watched = directory;
}

/* The part of a path behind the watched directory, or NULL. */
static const char *inside(const char *path)
{
    size_t size;

    if (!watched || path[0] != '/')
        return NULL;
    size = strlen(watched);
    return strncmp(path, watched, size) == 0 && path[size] == '/' ? path + size + 1 : NULL;
}

static struct descriptor descriptor_of(int fd)
{
    static const struct descriptor none;

    return fd >= 0 && fd < MOST_FDS ? descriptors[fd] : none;
}

static bool is_ours(int fd)
{
    return descriptor_of(fd).file != 0;
}

/* ---- opening and closing ---- */

static void note_open(int fd, const char *name, int flags, bool is_new)
{
    uint32_t file = io_number_of(name);

    if (fd < 0 || fd >= MOST_FDS)
        return;
    if (file == 0)
        file = io_new_number(name);
    if (is_new)
        io_note_name(IO_CREATED, file, name);
    else if (flags & O_TRUNC)
        io_note((struct io_event){ .kind = IO_CUT, .file = file }, NULL, 0);
    descriptors[fd] = (struct descriptor){ file, (flags & O_DSYNC) != 0 };
}

static int open_inside(const char *path, const char *name, int flags, mode_t mode)
{
    bool is_new;
    int fd;

    if (io_refuses(IO_OPEN))
        return -1;
    io_lock();
    is_new = (flags & O_CREAT) && access(path, F_OK) != 0;
    fd = (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
    note_open(fd, name, flags, is_new);
    io_unlock();
    return fd;
}

static int open_any(const char *path, int flags, mode_t mode)
{
    const char *name = inside(path);
    int fd;

    if (name)
        return open_inside(path, name, flags, mode);
    fd = (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
    if (fd >= 0 && fd < MOST_FDS && watched && strcmp(path, watched) == 0)
        descriptors[fd].file = DIRECTORY;
    return fd;
}

static mode_t mode_of(int flags, va_list arguments)
{
    return flags & (O_CREAT | __O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
}

int open(const char *path, int flags, ...)
{
    va_list arguments;
    mode_t mode;

    va_start(arguments, flags);
    mode = mode_of(flags, arguments);
    va_end(arguments);
    return open_any(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    va_list arguments;
    mode_t mode;

    va_start(arguments, flags);
    mode = mode_of(flags, arguments);
    va_end(arguments);
    return open_any(path, flags, mode);
}

int close(int fd)
{
    if (is_ours(fd))
        descriptors[fd].file = 0;
    return (int)syscall(SYS_close, fd);
}

/* ---- reading ---- */

static size_t allowed(enum io_action action, size_t size)
{
    return action == IO_SHORT && size > 1 ? size / 2 : size;
}

static ssize_t read_at(int fd, void *out, size_t size, int64_t offset)
{
    enum io_action action = is_ours(fd) ? io_judge(IO_READ) : IO_PASS;

    if (action == IO_FAIL)
        return -1;
    size = allowed(action, size);
    return offset < 0 ? syscall(SYS_read, fd, out, size)
                      : syscall(SYS_pread64, fd, out, size, offset);
}

ssize_t read(int fd, void *out, size_t size)
{
    return read_at(fd, out, size, -1);
}

ssize_t pread(int fd, void *out, size_t size, off_t offset)
{
    return read_at(fd, out, size, offset);
}

ssize_t pread64(int fd, void *out, size_t size, off64_t offset)
{
    return read_at(fd, out, size, offset);
}

/* ---- writing ---- */

static ssize_t write_and_note(int fd, const void *bytes, size_t size, int64_t offset)
{
    struct descriptor descriptor;
    ssize_t done;

    io_lock();
    descriptor = descriptor_of(fd);
    if (offset < 0)
        offset = syscall(SYS_lseek, fd, 0, SEEK_CUR);
    done = syscall(SYS_pwrite64, fd, bytes, size, offset);
    if (done > 0) {
        const struct iovec part = { (void *)bytes, (size_t)done };

        io_note((struct io_event){ .kind = IO_WRITTEN,
                                   .file = descriptor.file,
                                   .offset = (uint64_t)offset,
                                   .is_synced = descriptor.is_synced },
                &part, 1);
    }
    io_unlock();
    return done;
}

static ssize_t write_inside(int fd, const void *bytes, size_t size, int64_t offset)
{
    enum io_action action = io_judge(IO_WRITE);
    ssize_t done;

    if (action == IO_FAIL)
        return -1;
    if (action == IO_KILL_HALF) {
        write_and_note(fd, bytes, size / 2, offset);
        io_end_by(SIGKILL);
    }
    done = write_and_note(fd, bytes, allowed(action, size), offset);
    if (done > 0 && offset < 0)
        syscall(SYS_lseek, fd, done, SEEK_CUR);
    return done;
}

ssize_t write(int fd, const void *bytes, size_t size)
{
    return is_ours(fd) ? write_inside(fd, bytes, size, -1) : syscall(SYS_write, fd, bytes, size);
}

ssize_t pwrite(int fd, const void *bytes, size_t size, off_t offset)
{
    return is_ours(fd) ? write_inside(fd, bytes, size, offset)
                       : syscall(SYS_pwrite64, fd, bytes, size, offset);
}

ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t offset)
{
    return pwrite(fd, bytes, size, offset);
}

static ssize_t write_parts(int fd, const struct iovec *parts, int count, int64_t offset)
{
    unsigned char *bytes, *to;
    size_t size = 0;
    ssize_t done;

    for (int i = 0; i < count; i++)
        size += parts[i].iov_len;
    to = bytes = mmap(NULL, size + 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (bytes == MAP_FAILED)
        abort();
    for (int i = 0; i < count; i++) {
        memcpy(to, parts[i].iov_base, parts[i].iov_len);
        to += parts[i].iov_len;
    }
    done = write_inside(fd, bytes, size, offset);
    munmap(bytes, size + 1);
    return done;
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    return is_ours(fd) ? write_parts(fd, parts, count, -1) : syscall(SYS_writev, fd, parts, count);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
    return is_ours(fd) ? write_parts(fd, parts, count, offset)
                       : syscall(SYS_pwritev, fd, parts, count, offset, 0);
}

/* ---- length, durability ---- */

static int cut(int fd, off_t size)
{
    int result;

    if (!is_ours(fd))
        return (int)syscall(SYS_ftruncate, fd, size);
    if (io_refuses(IO_TRUNCATE))
        return -1;
    io_lock();
    result = (int)syscall(SYS_ftruncate, fd, size);
    if (result == 0)
        io_note((struct io_event){ .kind = IO_CUT,
                                   .file = descriptor_of(fd).file,
                                   .offset = (uint64_t)size },
                NULL, 0);
    io_unlock();
    return result;
}

int ftruncate(int fd, off_t size)
{
    return cut(fd, size);
}

int ftruncate64(int fd, off64_t size)
{
    return cut(fd, size);
}

/* Of a file that is shorter, as the library uses it: then it is made longer. */
int posix_fallocate(int fd, off_t from, off_t size)
{
    int result = 0;

    if (is_ours(fd) && io_refuses(IO_TRUNCATE))
        return errno;
    io_lock();
    if (syscall(SYS_fallocate, fd, 0, from, size) != 0)
        result = errno;
    else if (is_ours(fd))
        io_note((struct io_event){ .kind = IO_CUT,
                                   .file = descriptor_of(fd).file,
                                   .offset = (uint64_t)(from + size) },
                NULL, 0);
    io_unlock();
    return result;
}

/* The disk itself is not asked: what would survive is worked out from the record. */
static int sync_file(int fd, long call)
{
    uint32_t file = descriptor_of(fd).file;

    if (file == 0)
        return (int)syscall(call, fd);
    if (io_refuses(file == DIRECTORY ? IO_SYNC_DIRECTORY : IO_SYNC))
        return -1;
    io_lock();
    io_note((struct io_event){ .kind = file == DIRECTORY ? IO_DIRECTORY_SYNCED : IO_SYNCED,
                               .file = file },
            NULL, 0);
    io_unlock();
    return 0;
}

int fsync(int fd)
{
    return sync_file(fd, SYS_fsync);
}

int fdatasync(int fd)
{
    return sync_file(fd, SYS_fdatasync);
}

/* ---- names ---- */

static int rename_any(const char *from, const char *to, unsigned flags)
{
    const char *old_name = inside(from), *new_name = inside(to);
    uint32_t file;
    int result;

    if (!old_name || !new_name)
        return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, flags);
    if (io_refuses(IO_RENAME))
        return -1;
    io_lock();
    result = (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, flags);
    if (result == 0 && (file = io_number_of(old_name)) != 0) {
        const struct iovec parts[] = { { (void *)old_name, strlen(old_name) + 1 },
                                       { (void *)new_name, strlen(new_name) + 1 } };

        io_note((struct io_event){ .kind = IO_RENAMED, .file = file }, parts, 2);
        io_forget_name(io_number_of(new_name));
        io_set_name(file, new_name);
    }
    io_unlock();
    return result;
}

int rename(const char *from, const char *to)
{
    return rename_any(from, to, 0);
}

/* Only with both paths absolute, as the library uses it. */
int renameat2(int from_directory, const char *from, int to_directory, const char *to,
              unsigned flags)
{
    (void)from_directory;
    (void)to_directory;
    return rename_any(from, to, flags);
}

static int unlink_inside(int directory, const char *path, const char *name, int flags)
{
    int result;

    if (io_refuses(IO_UNLINK))
        return -1;
    io_lock();
    result = (int)syscall(SYS_unlinkat, directory, path, flags);
    if (result == 0) {
        uint32_t file = io_number_of(name);

        io_note_name(IO_UNLINKED, file, name);
        io_forget_name(file);
    }
    io_unlock();
    return result;
}

int unlink(const char *path)
{
    const char *name = inside(path);

    return name ? unlink_inside(AT_FDCWD, path, name, 0)
                : (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

/* A name beside a descriptor is one in the watched directory, if that is what it stands for. */
int unlinkat(int directory, const char *path, int flags)
{
    char link[64], target[PATH_MAX];
    ssize_t size;

    snprintf(link, sizeof(link), "/proc/self/fd/%d", directory);
    size = readlink(link, target, sizeof(target) - 1);
    target[size > 0 ? size : 0] = '\0';
    return watched && flags == 0 && strcmp(target, watched) == 0
               ? unlink_inside(directory, path, path, flags)
               : (int)syscall(SYS_unlinkat, directory, path, flags);
}
