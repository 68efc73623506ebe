/* SPDX-License-Identifier: MIT */
/* Looks into an LMDB file with bounded reads: whose it is, and whether it may be mapped. */
#include "disk.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC        UINT32_C(0xBEEFC0DE)
#define DATA_VERSION 1
#define TRIES        10

_Static_assert(sizeof(size_t) == 8, "the layout of LMDB's files depends on the word size");
_Static_assert(sizeof(struct disk_tree) == 48 && sizeof(struct disk_meta) == 136,
               "these structures have no padding");

bool pdict__lmdb_probe(const void *head, size_t size)
{
    uint32_t magic, version;

    if (size < PAGE_HEAD + sizeof(magic) + sizeof(version))
        return false;
    memcpy(&magic, (const char *)head + PAGE_HEAD, sizeof(magic));
    memcpy(&version, (const char *)head + PAGE_HEAD + sizeof(magic), sizeof(version));
    return magic == MAGIC && version != 0 && page_flags(head) == PAGE_META;
}

int pdict__lmdb_page_damaged(const struct file *file, uint64_t number, const char *what)
{
    return pdict_fail(PDICT_DAMAGED,
                      "lmdb: %s is damaged (page %llu: %s); keep a copy and restore a backup",
                      file->path, (unsigned long long)number, what);
}

/* Reads until `size` or the end of the file; the rest stays zero. */
static int read_at(const struct file *file, uint64_t at, void *out, size_t size, size_t *got)
{
    ssize_t count;

    memset(out, 0, size);
    for (*got = 0; *got < size; *got += (size_t)count) {
        count = pread(file->fd, (char *)out + *got, size - *got, (off_t)(at + *got));
        if (count < 0 && errno == EINTR)
            count = 0;
        else if (count < 0)
            return pdict_fail(PDICT_IO, "lmdb: reading %s: %s; check the disk", file->path,
                              strerror(errno));
        else if (count == 0)
            break;
    }
    return PDICT_OK;
}

int pdict__lmdb_file_bytes(const struct file *file, uint64_t at, void *out, size_t size)
{
    size_t got;
    int status = read_at(file, at, out, size, &got);

    if (status == PDICT_OK && got < size)
        status = pdict__lmdb_page_damaged(file, at / file->page_size, "the file ends before it");
    return status;
}

int pdict__lmdb_file_page(const struct file *file, uint64_t number, unsigned char *page)
{
    uint64_t own_number;
    int status;

    if (number > file->meta.last_page)
        return pdict__lmdb_page_damaged(file, number, "beyond the last page");
    status = pdict__lmdb_file_bytes(file, number * file->page_size, page, file->page_size);
    if (status != PDICT_OK)
        return status;
    memcpy(&own_number, page, sizeof(own_number));
    if (own_number != number)
        return pdict__lmdb_page_damaged(file, number, "it bears another number");
    return PDICT_OK;
}

static int fail_foreign(const struct file *file)
{
    return pdict_fail(PDICT_NOT_A_STORE,
                      "lmdb: %s is not a pdict store; give the path of one, or of a new file",
                      file->path);
}

static int read_meta(const struct file *file, uint64_t at, struct disk_meta *meta)
{
    unsigned char head[PAGE_HEAD + sizeof(*meta)];
    size_t got;
    int status;

    if ((status = read_at(file, at, head, sizeof(head), &got)) != PDICT_OK)
        return status;
    if (!pdict__lmdb_probe(head, got))
        return at == 0 ? fail_foreign(file)
                       : pdict__lmdb_page_damaged(file, 1, "it is no meta page");
    memcpy(meta, head + PAGE_HEAD, sizeof(*meta));
    if (meta->version != DATA_VERSION)
        return pdict_fail(PDICT_NEWER_FORMAT,
                          "lmdb: %s is in LMDB's data format %u, this build reads %d; use a newer "
                          "build",
                          file->path, meta->version, DATA_VERSION);
    return PDICT_OK;
}

int pdict__lmdb_file_load(struct file *file)
{
    struct disk_meta first, second;
    struct stat facts;
    bool is_second;
    int status;

    if ((status = read_meta(file, 0, &first)) != PDICT_OK)
        return status;
    file->page_size = first.free.pad;
    if (file->page_size < 256 || file->page_size > 65536 ||
        (file->page_size & (file->page_size - 1)) != 0)
        return pdict__lmdb_page_damaged(file, 0, "it states an impossible page size");
    if ((status = read_meta(file, file->page_size, &second)) != PDICT_OK)
        return status;
    is_second = second.txn_id > first.txn_id;
    file->meta = is_second ? second : first;
    /* After the metas: what a meta speaks of was written before it. */
    if (fstat(file->fd, &facts) != 0)
        return pdict_fail(PDICT_IO, "lmdb: %s: %s", file->path, strerror(errno));
    file->size = (uint64_t)facts.st_size;
    /* LMDB takes the page whose turn the newest commit is, whatever else stands in it. */
    if (file->meta.txn_id % 2 != is_second || file->meta.free.pad != file->page_size ||
        file->meta.last_page < 1 || file->meta.last_page > (UINT64_C(1) << 47) / file->page_size)
        return pdict__lmdb_page_damaged(file, is_second, "its numbers cannot be true");
    return PDICT_OK;
}

static uint16_t get_u16(const unsigned char *at)
{
    uint16_t number;

    memcpy(&number, at, sizeof(number));
    return number;
}

bool pdict__lmdb_page_count(const struct file *file, const unsigned char *page, size_t *count)
{
    size_t lower = get_u16(page + 12), upper = get_u16(page + 14);

    if (lower < PAGE_HEAD || lower > upper || upper > file->page_size || lower % 2 != 0)
        return false;
    *count = (lower - PAGE_HEAD) / 2;
    return true;
}

size_t pdict__lmdb_page_room(const struct file *file, const unsigned char *page)
{
    return file->page_size - get_u16(page + 14);
}

bool pdict__lmdb_page_node(const struct file *file, const unsigned char *page, size_t at,
                           struct node *node)
{
    size_t offset = get_u16(page + PAGE_HEAD + 2 * at), left, key_size;
    uint64_t low, high;

    if (offset < get_u16(page + 14) || offset % 2 != 0 || offset + NODE_HEAD > file->page_size)
        return false;
    left = file->page_size - offset - NODE_HEAD;
    page += offset;
    low = get_u16(page);
    high = get_u16(page + 2);
    node->flags = get_u16(page + 4);
    key_size = get_u16(page + 6);
    if (key_size > left)
        return false;
    node->key = (pdict_slice){ .data = page + NODE_HEAD, .size = key_size };
    node->child = low | high << 16 | (uint64_t)node->flags << 32;
    node->data_size = low | high << 16;
    node->data = page + NODE_HEAD + key_size;
    return true;
}

static bool is_here(const struct node *node, const struct file *file, const unsigned char *page)
{
    uint64_t left = file->page_size - (size_t)(node->data - page);

    return (node->flags & (NODE_OVERFLOW | NODE_TREE)) == 0 && node->data_size <= left;
}

/* Our main database is one leaf page: the four tables and the record that says so. */
static int find_format(const struct file *file, const unsigned char *page, uint32_t *version)
{
    struct node node;
    size_t count;

    if (page_flags(page) != PAGE_LEAF)
        return fail_foreign(file);
    if (!pdict__lmdb_page_count(file, page, &count))
        return pdict__lmdb_page_damaged(file, file->meta.main.root, "its header cannot be true");
    for (size_t i = 0; i < count; i++) {
        if (!pdict__lmdb_page_node(file, page, i, &node))
            return pdict__lmdb_page_damaged(file, file->meta.main.root, "a node leaves it");
        if (node.key.size != strlen(FORMAT_KEY) ||
            memcmp(node.key.data, FORMAT_KEY, node.key.size) != 0)
            continue;
        if (!is_here(&node, file, page) || node.data_size != 4)
            break;
        *version = get_be32(node.data);
        return PDICT_OK;
    }
    return fail_foreign(file);
}

static int read_format(const struct file *file, enum file_kind *kind)
{
    unsigned char page[65536];
    uint32_t version = 0;
    int status;

    *kind = FILE_BLANK;
    if (file->meta.main.root == NO_PAGE)
        return PDICT_OK;
    *kind = FILE_STORE;
    if ((status = pdict__lmdb_file_page(file, file->meta.main.root, page)) != PDICT_OK)
        return status;
    if ((status = find_format(file, page, &version)) != PDICT_OK)
        return status;
    if (version > FORMAT_VERSION)
        return pdict_fail(PDICT_NEWER_FORMAT,
                          "lmdb: %s is a store of format %u, this build reads up to %d; use a "
                          "newer build",
                          file->path, version, FORMAT_VERSION);
    return version != 0 ? PDICT_OK
                        : pdict__lmdb_page_damaged(file, file->meta.main.root,
                                                   "it states an impossible format");
}

/* A page that was taken and given back within one transaction is never written, so a file may end
 * before its last page. Only a walk can tell that from one that was cut. */
static bool is_short(const struct file *file)
{
    return file->size / file->page_size <= file->meta.last_page;
}

static int examine(struct file *file, const pdict_allocator *allocator, bool is_full,
                   enum file_kind *kind)
{
    int status;

    if ((status = pdict__lmdb_file_load(file)) != PDICT_OK)
        return status;
    if ((status = read_format(file, kind)) != PDICT_OK)
        return status;
    if (*kind == FILE_STORE && (is_full || is_short(file)))
        status = pdict__lmdb_preflight(allocator, file);
    return status;
}

static int open_file(const pdict_backend_args *args, int *fd)
{
    bool is_read_only = (args->flags & PDICT_BACKEND_READ_ONLY) != 0;
    int reason;

    *fd = open(args->path, (is_read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
    if (*fd >= 0)
        return PDICT_OK;
    reason = errno;
    if (!is_read_only && (reason == EACCES || reason == EPERM || reason == EROFS)) {
        *fd = open(args->path, O_RDONLY | O_CLOEXEC);
        if (*fd >= 0) {
            close(*fd);
            return pdict_fail(PDICT_READ_ONLY, "lmdb: %s cannot be written; open it with mode=ro",
                              args->path);
        }
    }
    return pdict_fail(reason == EACCES || reason == EPERM ? PDICT_PERMISSION : PDICT_IO,
                      "lmdb: %s cannot be opened: %s; check the path and its permissions",
                      args->path, strerror(reason));
}

/* What was seen while somebody committed may be a mixture; without a commit it is the truth. */
static bool has_moved(struct file *file)
{
    uint64_t txn_id = file->meta.txn_id;

    return pdict__lmdb_file_load(file) == PDICT_OK && file->meta.txn_id != txn_id;
}

int pdict__lmdb_identify(const pdict_backend_args *args, bool is_full, enum file_kind *kind,
                         uint64_t *used_bytes)
{
    struct file file = { .path = args->path };
    struct stat facts;
    int status;

    if ((status = open_file(args, &file.fd)) != PDICT_OK)
        return status;
    *kind = FILE_EMPTY;
    if (fstat(file.fd, &facts) != 0) {
        status = pdict_fail(PDICT_IO, "lmdb: %s: %s", args->path, strerror(errno));
    } else if (facts.st_size > 0 && !pdict__lmdb_is_unborn(file.fd)) {
        int tries = 0;

        do
            status = examine(&file, &args->allocator, is_full, kind);
        while (status != PDICT_OK && ++tries < TRIES && has_moved(&file));
    }
    *used_bytes = *kind == FILE_EMPTY ? 0 : (file.meta.last_page + 1) * file.page_size;
    /* Core opens a file once in a process, so LMDB has no lock here that this would drop. */
    close(file.fd);
    return status;
}
