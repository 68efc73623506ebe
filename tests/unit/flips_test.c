/* SPDX-License-Identifier: MIT */
/* Every byte of a small store damaged in turn: nothing wrong is read, and what is lost is found. */
#include "upkeep_fixture.h"

#include <sys/wait.h>

#include "base/base.h"

#define KEYS  12
#define LARGE 5 /* the key whose value is too large for a page */

static const char *value_of(int number)
{
    static char value[9000];

    memset(value, 'a' + number, sizeof(value));
    value[number == LARGE ? 8999 : 20 + number] = '\0';
    return value;
}

static const char *key_of(int number)
{
    static char key[32];

    snprintf(key, sizeof(key), "the key %d", number);
    return key;
}

/* A store of one map. */
struct subject {
    char uri[600];
    char path[512];
    const char *codecs;
    bool is_sealed;
};

/* A get may fail or find nothing, but never answer with other bytes. */
static bool is_whole(pdict *d, int number)
{
    const char *value = value_of(number);
    pdict_view view;
    bool is_there = pdict_get(d, pdict_str(key_of(number)), &view) == PDICT_OK;

    if (is_there)
        CHECK_BYTES(view.data, view.size, value, strlen(value));
    pdict_view_release(&view);
    return is_there;
}

/* What is lost must be found: by its key, or because something larger is. */
static void check_lost(const struct findings *all, int number, size_t at, unsigned mask)
{
    char name[64];

    snprintf(name, sizeof(name), " main %s\n", key_of(number));
    if (strstr(all->text, name) || strstr(all->text, " main \n") || strstr(all->text, " - \n"))
        return;
    FAIL("byte %zu, mask %#x: %s is lost, and all that is found is:\n%s", at, mask, key_of(number),
         all->text);
}

static void verify(const struct subject *subject, struct findings *findings)
{
    pdict_options options = test_options(false);
    pdict_verify_options how = PDICT_VERIFY_OPTIONS_INIT;
    pdict_store *store;

    *findings = (struct findings){ .left = 1000 };
    how.finding = note;
    how.finding_ctx = findings;
    if (subject->is_sealed)
        how.key = test_key;
    CHECK_OK(pdict_store_open(subject->uri, &options, &store));
    CHECK_OK(pdict_verify(store, &how, NULL));
    pdict_store_close(store);
}

static void check_damaged(const struct subject *subject, size_t at, unsigned mask)
{
    static struct findings findings;
    pdict_options options = test_options(subject->is_sealed);
    bool lost[KEYS];
    pdict *d;

    /* A store that cannot be opened has been found out. */
    if (pdict_open(subject->uri, &options, &d) != PDICT_OK)
        return;
    for (int i = 0; i < KEYS; i++)
        lost[i] = !is_whole(d, i);
    verify(subject, &findings);
    pdict_close(d);
    for (int i = 0; i < KEYS; i++) {
        if (lost[i])
            check_lost(&findings, i, at, mask);
    }
}

static char *make(const struct subject *subject, size_t *size)
{
    pdict *d;

    unlink(subject->path);
    d = map_open(subject->uri, "main", subject->codecs, subject->is_sealed);
    for (int i = 0; i < KEYS; i++)
        CHECK_OK(pdict_put(d, pdict_str(key_of(i)), pdict_str(value_of(i)), NULL));
    pdict_close(d);
    return test_file(subject->path, size);
}

static void try_mask(const struct subject *subject, char *bytes, size_t size, size_t at,
                     unsigned mask)
{
    char path[600];

    bytes[at] = (char)(bytes[at] ^ (int)mask);
    test_write_file(subject->path, bytes, size);
    check_damaged(subject, at, mask);
    bytes[at] = (char)(bytes[at] ^ (int)mask);
    snprintf(path, sizeof(path), "%s-wal", subject->path);
    unlink(path);
    snprintf(path, sizeof(path), "%s-shm", subject->path);
    unlink(path);
}

/* Which bytes, and whether with each mask. */
struct sample {
    size_t from, step;
    bool is_every;
};

/* Every byte with each mask takes long: PDICT_EVERY_BYTE=1/1 asks for it, 1/20 to 20/20 for a
 * twentieth each. */
static struct sample sample_of(size_t few)
{
    struct sample sample = { .step = TEST_IS_SLOW ? 8 * few + 3 : few };
    const char *part = getenv("PDICT_EVERY_BYTE");

    if (!part)
        return sample;
    CHECK(sscanf(part, "%zu/%zu", &sample.from, &sample.step) == 2);
    CHECK(sample.from >= 1 && sample.from <= sample.step);
    sample.from--;
    sample.is_every = true;
    return sample;
}

static void check_bytes(const struct subject *subject, size_t few)
{
    struct sample sample = sample_of(few);
    size_t size, tried = 0;
    char *bytes = make(subject, &size);

    for (size_t at = sample.from; at < size; at += sample.step) {
        const unsigned masks[] = { 1u << at % 8, 0x0F, 0xFF };

        for (size_t i = 0; i < 3; i++) {
            if (sample.is_every || at / sample.step % 3 == i) {
                try_mask(subject, bytes, size, at, masks[i]);
                tried++;
            }
        }
    }
    fprintf(stderr, "%s: %zu bytes, damaged %zu times\n", subject->codecs, size, tried);
}

/* Whether each codec that is named is in this build, levels aside. */
static bool are_built(const char *codecs)
{
    char names[64], *rest = names, *name;

    snprintf(names, sizeof(names), "%s", codecs);
    while ((name = strsep(&rest, ","))) {
        name[strcspn(name, ":")] = '\0';
        if (!pdict__codec_find(name))
            return false;
    }
    return true;
}

static void check_pipelines(const char *backend, const char *more, size_t few)
{
    static const char *const pipelines[] = { "raw", "raw,zstd:3", "raw,xchacha20",
                                             "raw,zlib:6,xchacha20" };

    for (size_t i = 0; i < sizeof(pipelines) / sizeof(pipelines[0]); i++) {
        struct subject subject = { .codecs = pipelines[i] };

        if (!are_built(pipelines[i]))
            continue;
        subject.is_sealed = strstr(pipelines[i], "xchacha20") != NULL;
        snprintf(subject.path, sizeof(subject.path), "%s", test_path("a.%s", backend));
        snprintf(subject.uri, sizeof(subject.uri), "%s:%s%s", backend, subject.path, more);
        check_bytes(&subject, few);
    }
}

TEST(flips, of_a_flipped_byte_nothing_wrong_is_read_and_everything_lost_is_found)
{
    need_sqlite();
    check_pipelines("sqlite", "", 241);
}

/* The file is mapped, so what goes wrong may take the process with it; the preflight prevents it. */
TEST(flips, the_same_holds_for_lmdb_behind_its_preflight)
{
    int status;
    pid_t pid;

    if (!has_backend("lmdb"))
        SKIP("this build has no lmdb backend");
    fflush(NULL);
    if ((pid = fork()) == 0) {
        check_pipelines("lmdb", "?preflight=on", 113);
        _exit(0);
    }
    CHECK_INT(waitpid(pid, &status, 0), pid);
    CHECK_INT(status, 0);
}
