/* SPDX-License-Identifier: MIT */
/* Where LMDB cannot work: mappings that are not shared, process numbers that mean somebody else. */
#include "lmdb.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/vfs.h>

/* From linux/magic.h and the sources of the file systems that are not in it. */
static const struct {
    uint32_t magic;
    const char *name;
} network[] = {
    { 0x00006969, "NFS" },    { 0x0000517b, "SMB" },   { 0xff534d42, "CIFS" },
    { 0xfe534d42, "SMB2" },   { 0x01021997, "9P" },    { 0x65735546, "FUSE" },
    { 0x00c36400, "Ceph" },   { 0x5346414f, "AFS" },   { 0x73757245, "Coda" },
    { 0x0bd00bd0, "Lustre" }, { 0x7461636f, "OCFS2" }, { 0x01161970, "GFS2" },
    { 0x786f4256, "vboxsf" },
};

int pdict__lmdb_check_file_system(const char *path)
{
    struct statfs facts;

    if (statfs(path, &facts) != 0)
        return pdict_fail(PDICT_IO, "lmdb: %s: %s", path, strerror(errno));
    for (size_t i = 0; i < sizeof(network) / sizeof(network[0]); i++) {
        if ((uint32_t)facts.f_type == network[i].magic)
            return pdict_fail(PDICT_UNSUPPORTED,
                              "lmdb: %s is on %s, where LMDB loses data when two machines use it; "
                              "move it to a local disk, or set force_network=on if only one does",
                              path, network[i].name);
    }
    return PDICT_OK;
}

/* Above every byte that LMDB or write.c locks. */
#define NAMESPACES_FROM (INT64_C(1) << 61)
#define NAMESPACES_TO   (NAMESPACES_FROM + (INT64_C(1) << 32))

static bool is_locked(int fd, off_t from, off_t to)
{
    struct flock lock = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = from, .l_len = to - from
    };

    return from < to && fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

static off_t own_byte(const struct stat *namespace)
{
    return NAMESPACES_FROM + (off_t)(namespace->st_ino & UINT32_MAX);
}

static int set_lock(int fd, short kind, off_t from, off_t to)
{
    struct flock lock = {
        .l_type = kind, .l_whence = SEEK_SET, .l_start = from, .l_len = to - from
    };

    return from < to ? fcntl(fd, F_OFD_SETLK, &lock) : 0;
}

static int fail_lock(const char *path, const char *who)
{
    if (errno == EAGAIN || errno == EACCES)
        return pdict_fail(PDICT_BUSY, "lmdb: %s is %s; try again when that has ended", path, who);
    return pdict_fail(PDICT_IO, "lmdb: %s cannot be locked: %s", path, strerror(errno));
}

/* LMDB takes a reader for dead when its process number means nobody, and then overwrites what it
 * reads. So everybody holds a lock on the byte of its own namespace, which the kernel gives back,
 * and looks whether there is one on another. */
int pdict__lmdb_check_namespace(const struct store *store)
{
    struct stat facts;
    off_t own;

    if (stat("/proc/self/ns/pid", &facts) != 0)
        return PDICT_OK; /* nothing is known, so nothing can be compared */
    own = own_byte(&facts);
    if (set_lock(store->fd, F_RDLCK, own, own + 1) != 0)
        return fail_lock(store->path, "being compacted by another process");
    if (is_locked(store->fd, NAMESPACES_FROM, own) || is_locked(store->fd, own + 1, NAMESPACES_TO))
        return pdict_fail(PDICT_UNSUPPORTED,
                          "lmdb: %s is open in another PID namespace (a container); let them share "
                          "one, or use another backend",
                          store->path);
    return PDICT_OK;
}

/* The bytes of all namespaces: nobody who has the file open is without a lock on one. */
int pdict__lmdb_lock_out(int fd, const char *path)
{
    struct stat facts;

    if (stat("/proc/self/ns/pid", &facts) != 0)
        return pdict_fail(PDICT_UNSUPPORTED,
                          "lmdb: without /proc nobody can tell whether another process has %s open",
                          path);
    if (set_lock(fd, F_WRLCK, NAMESPACES_FROM, NAMESPACES_TO) != 0)
        return fail_lock(path, "open in another process, and has to be open here alone");
    return PDICT_OK;
}

void pdict__lmdb_let_in(int fd)
{
    struct stat facts;
    off_t own = NAMESPACES_FROM;

    /* At no time without a lock of its own. */
    if (stat("/proc/self/ns/pid", &facts) == 0) {
        own = own_byte(&facts);
        set_lock(fd, F_RDLCK, own, own + 1);
    }
    set_lock(fd, F_UNLCK, NAMESPACES_FROM, own);
    set_lock(fd, F_UNLCK, own + 1, NAMESPACES_TO);
}
