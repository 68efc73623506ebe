/* SPDX-License-Identifier: MIT */
/* A handle that has proven the secret of its map keeps it, whoever proves it after a change. */
#include "recode_fixture.h"

#include <sys/wait.h>
#include <unistd.h>

/* In another process, when it is told to. */
static int rekey_when_told(int go)
{
    char byte;
    pdict *d;
    int status;

    if (read(go, &byte, 1) != 1)
        return 1;
    d = recode_open("sqlite", NULL, true);
    status = pdict_rekey(d, NULL, NULL);
    pdict_close(d);
    return status == PDICT_OK ? 0 : 2;
}

static pid_t start(int *go)
{
    int ends[2];
    pid_t pid;

    CHECK_INT(pipe(ends), 0);
    fflush(NULL);
    if ((pid = fork()) == 0)
        _exit(rekey_when_told(ends[0]));
    CHECK(pid > 0);
    close(ends[0]);
    *go = ends[1];
    return pid;
}

TEST(proven, a_handle_keeps_its_map_when_another_one_is_opened_after_a_rekey)
{
    int go, status;
    pdict *d, *later;
    pid_t pid;

    need_codecs();
    recode_uri("sqlite", NULL);
    pid = start(&go);
    d = recode_open("sqlite", "raw,xchacha20", true);
    put(d, "key", "a value");
    CHECK_INT(write(go, "", 1), 1);
    CHECK_INT(waitpid(pid, &status, 0), pid);
    CHECK_INT(status, 0);
    close(go);

    later = recode_open("sqlite", NULL, true);
    check_value(later, "key", "a value");
    check_value(d, "key", "a value");
    put(d, "key", "another");
    check_value(later, "key", "another");
    pdict_close(later);
    pdict_close(d);
}
