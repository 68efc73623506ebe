/* SPDX-License-Identifier: MIT */
/* A service of several processes with several threads each: one map, opened before the fork. */
#include <inttypes.h>
#include <pdict/pdict.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define N_WORKERS  3
#define N_THREADS  2
#define N_REQUESTS 400
#define N_PAGES    20

static pdict *pages;

/* [log] */
/* Called on any thread; a line holds no key, no value and no secret. */
static void log_line(void *ctx, int level, const char *component, int status, const char *message)
{
    (void)level;
    fprintf(ctx, "%s: %s: %s\n", component, pdict_status_name(status), message);
}
/* [log] */

/* [open] */
static int open_pages(const char *uri)
{
    pdict_options options = PDICT_OPTIONS_INIT;

    options.logger = (pdict_logger){ .fn = log_line, .ctx = stderr, .level = PDICT_LOG_WARN };
    return pdict_open(uri, &options, &pages);
}
/* [open] */

/* [compute] */
/* What is dear, such as a query of another service. Of all who miss a page one comes here. */
static int render(void *ctx, const pdict_view *old, pdict_computed *out)
{
    (void)old;
    out->value = pdict_str(ctx);
    return pdict_add(pages, pdict_str("rendered"), 1, NULL, NULL);
}

static int serve(const char *name)
{
    pdict_compute_options how = PDICT_COMPUTE_OPTIONS_INIT;
    char content[64];
    pdict_view view;
    int status;

    snprintf(content, sizeof(content), "the content of %s", name);
    how.ttl_ms = 3600 * 1000;
    status = pdict_get_or_compute(pages, pdict_str(name), render, content, &how, &view);
    /* Here view.data and view.size are sent: they stay as they are until the release. */
    pdict_view_release(&view);
    return status;
}
/* [compute] */

static void *serve_all(void *failed)
{
    for (int i = 0; i < N_REQUESTS; i++) {
        char name[32];

        snprintf(name, sizeof(name), "page-%d", i * 7 % N_PAGES);
        if (serve(name) != PDICT_OK) {
            fprintf(stderr, "workers: %s\n", pdict_error_text());
            *(int *)failed = 1;
        }
    }
    return NULL;
}

/* [worker] */
/* The map of the parent is used on; threads are begun after the fork. */
static _Noreturn void work(void)
{
    pthread_t threads[N_THREADS];
    int failed[N_THREADS] = { 0 }, any = 0;

    for (int i = 0; i < N_THREADS; i++)
        pthread_create(&threads[i], NULL, serve_all, &failed[i]);
    for (int i = 0; i < N_THREADS; i++) {
        pthread_join(threads[i], NULL);
        any |= failed[i];
    }
    pdict_close(pages);
    exit(any);
}
/* [worker] */

static int run_workers(void)
{
    int failed = 0, status;

    for (int i = 0; i < N_WORKERS; i++) {
        pid_t pid = fork();

        if (pid == 0)
            work();
        failed |= pid < 0;
    }
    while (wait(&status) > 0)
        failed |= !WIFEXITED(status) || WEXITSTATUS(status) != 0;
    return failed;
}

int main(int argc, char **argv)
{
    int64_t before = 0, after = 0;
    int failed;

    if (open_pages(argc > 1 ? argv[1] : "sqlite:pages.db?codecs=zstd:3&max_bytes=64MiB") !=
        PDICT_OK)
        return fprintf(stderr, "workers: %s\n", pdict_error_text()), EXIT_FAILURE;
    pdict_add(pages, pdict_str("rendered"), 0, NULL, &before);
    failed = run_workers();
    pdict_add(pages, pdict_str("rendered"), 0, NULL, &after);
    printf("%d requests, %" PRId64 " pages rendered\n", N_WORKERS * N_THREADS * N_REQUESTS,
           after - before);
    pdict_close(pages);
    return failed || after - before > N_PAGES ? EXIT_FAILURE : EXIT_SUCCESS;
}
