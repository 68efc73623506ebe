/* SPDX-License-Identifier: MIT */
/* Where a passphrase or key comes from: file, descriptor, command, environment, or a prompt. */
#include "tool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

/* Allocated once at this size: growing would leave copies behind that nobody wipes. */
enum {
    SECRET_MAX = 65536
};

void tool_secret_wipe(struct secret *secret)
{
    if (secret->bytes)
        explicit_bzero(secret->bytes, secret->capacity);
    free(secret->bytes);
    memset(secret, 0, sizeof *secret);
}

static void secret_new(struct secret *out, bool is_key)
{
    out->capacity = SECRET_MAX + 1;
    out->bytes = tool_alloc(NULL, out->capacity);
    out->size = 0;
    out->is_key = is_key;
}

/* The newline that editors and echo put behind a passphrase is not part of it. */
static void drop_newline(struct secret *secret)
{
    if (secret->size > 0 && secret->bytes[secret->size - 1] == '\n')
        secret->size--;
    if (secret->size > 0 && secret->bytes[secret->size - 1] == '\r')
        secret->size--;
}

/* Reads to the end; `what` and `name` say in errors where from. */
static int read_secret(int fd, const char *what, const char *name, struct secret *out)
{
    ssize_t got = 0;

    while (out->size < out->capacity &&
           (got = read(fd, out->bytes + out->size, out->capacity - out->size)) != 0) {
        if (got < 0 && errno != EINTR)
            return pdict_fail(PDICT_IO, "the %s %s cannot be read: %s", what, name,
                              strerror(errno));
        if (got > 0)
            out->size += (size_t)got;
    }
    if (out->size > SECRET_MAX)
        return pdict_fail(PDICT_TOO_BIG, "the %s %s gives more than 64 KiB, is it the right one?",
                          what, name);
    if (!out->is_key)
        drop_newline(out);
    if (out->size == 0)
        return pdict_fail(PDICT_NEED_KEY, "the %s %s is empty", what, name);
    return PDICT_OK;
}

static int check_permissions(const struct invocation *in, int fd, const char *path)
{
    struct stat facts;

    if (fstat(fd, &facts) != 0 || !S_ISREG(facts.st_mode) || !(facts.st_mode & 077))
        return PDICT_OK;
    if (in && tool_has(in, OPT_STRICT))
        return pdict_fail(PDICT_PERMISSION,
                          "%s can be read by others, run `chmod 600` on it or leave --strict out",
                          path);
    if (in)
        tool_warn(in, "warning: %s can be read by others, run `chmod 600` on it", path);
    return PDICT_OK;
}

static int from_file(const struct invocation *in, const char *path, bool is_key, struct secret *out)
{
    const char *what = is_key ? "key file" : "passphrase file";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int status;

    if (fd < 0)
        return pdict_fail(PDICT_NEED_KEY, "the %s %s cannot be opened: %s", what, path,
                          strerror(errno));
    secret_new(out, is_key);
    if ((status = check_permissions(in, fd, path)) == PDICT_OK)
        status = read_secret(fd, what, path, out);
    close(fd);
    return status;
}

static int from_fd(const char *option, const char *text, struct secret *out)
{
    char *end;
    long fd = strtol(text, &end, 10);

    if (*text < '0' || *text > '9' || *end || fd > 1 << 20)
        return pdict_fail(PDICT_INVAL, "--%s takes the number of an open descriptor", option);
    secret_new(out, false);
    return read_secret((int)fd, "file descriptor", text, out);
}

/* The command itself is not repeated in errors: it may hold what nobody should see. */
static int from_command(const char *option, const char *command, struct secret *out)
{
    FILE *pipe = popen(command, "r");
    int status;
    int result;

    if (!pipe)
        return pdict_fail(PDICT_IO, "--%s cannot be started: %s", option, strerror(errno));
    secret_new(out, false);
    status = read_secret(fileno(pipe), "output of option", option, out);
    result = pclose(pipe);
    if (result != 0)
        return pdict_fail(PDICT_NEED_KEY, "--%s failed with exit code %d", option,
                          WIFEXITED(result) ? WEXITSTATUS(result) : 128 + WTERMSIG(result));
    return status;
}

/* The options that name one secret: at most one of them may be given. */
struct sources {
    enum tool_option key_file, passphrase_file, fd, command;
};

static int from_options(const struct invocation *in, const struct sources *from, struct secret *out)
{
    const char *const *values = in->values;
    int given = !!values[from->key_file] + !!values[from->passphrase_file] + !!values[from->fd] +
                !!values[from->command];

    if (given > 1)
        return pdict_fail(
            PDICT_CONTRADICTION, "several secrets are given, keep one of --%s, --%s, --%s and --%s",
            tool_options[from->key_file].name, tool_options[from->passphrase_file].name,
            tool_options[from->fd].name, tool_options[from->command].name);
    if (values[from->key_file])
        return from_file(in, values[from->key_file], true, out);
    if (values[from->passphrase_file])
        return from_file(in, values[from->passphrase_file], false, out);
    if (values[from->fd])
        return from_fd(tool_options[from->fd].name, values[from->fd], out);
    if (values[from->command])
        return from_command(tool_options[from->command].name, values[from->command], out);
    return PDICT_OK;
}

/* What the command line says; PDICT_OK with bytes NULL when it says nothing. */
int tool_secret_given(const struct invocation *in, struct secret *out)
{
    static const struct sources sources = { OPT_KEY_FILE, OPT_PASSPHRASE_FILE, OPT_PASSPHRASE_FD,
                                            OPT_PASSPHRASE_COMMAND };

    return from_options(in, &sources, out);
}

static int read_line(int tty, struct secret *out)
{
    char byte;
    ssize_t got;

    out->size = 0;
    for (;;) {
        got = read(tty, &byte, 1);
        if (tool_interrupted())
            return pdict_fail(PDICT_CANCELLED, "interrupted");
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0 || byte == '\n')
            return PDICT_OK;
        if (out->size < SECRET_MAX)
            out->bytes[out->size++] = (unsigned char)byte;
    }
}

static int ask(int tty, const char *question, struct secret *out)
{
    struct termios before;
    struct termios silent;
    int status;

    secret_new(out, false);
    if (tcgetattr(tty, &before) != 0)
        return pdict_fail(PDICT_IO, "the terminal cannot be asked: %s", strerror(errno));
    silent = before;
    silent.c_lflag &= ~(tcflag_t)ECHO;
    /* First this, so that what answers the question is neither lost nor shown. */
    tcsetattr(tty, TCSAFLUSH, &silent);
    dprintf(tty, "%s: ", question);
    status = read_line(tty, out);
    tcsetattr(tty, TCSAFLUSH, &before);
    dprintf(tty, "\n");
    if (status == PDICT_OK && out->size == 0)
        status = pdict_fail(PDICT_NEED_KEY, "no passphrase was typed");
    return status;
}

static int ask_twice(int tty, struct secret *out)
{
    struct secret again = { 0 };
    int status;

    if ((status = ask(tty, "New passphrase", out)) != PDICT_OK)
        return status;
    status = ask(tty, "The same again", &again);
    if (status == PDICT_OK &&
        (again.size != out->size || memcmp(again.bytes, out->bytes, out->size) != 0))
        status = pdict_fail(PDICT_WRONG_KEY, "the two passphrases differ, nothing was made");
    tool_secret_wipe(&again);
    return status;
}

static int from_prompt(bool is_new, struct secret *out)
{
    int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    int status;

    if (tty < 0)
        return pdict_fail(PDICT_NEED_KEY,
                          "the map is encrypted and there is no terminal to ask on, give "
                          "--passphrase-file, --passphrase-fd, --passphrase-command or --key-file, "
                          "or set PDICT_PASSPHRASE_FILE");
    tool_interrupt_catch();
    status = is_new ? ask_twice(tty, out) : ask(tty, "Passphrase", out);
    close(tty);
    return status;
}

/* For a map that turned out to need a secret: the environment, then the terminal. */
int tool_secret_found(bool is_new, struct secret *out)
{
    const char *path = getenv("PDICT_PASSPHRASE_FILE");
    const char *passphrase = getenv("PDICT_PASSPHRASE");

    if (path && *path)
        return from_file(NULL, path, false, out);
    if (!passphrase || !*passphrase)
        return from_prompt(is_new, out);
    secret_new(out, false);
    out->size = strlen(passphrase);
    if (out->size > SECRET_MAX)
        return pdict_fail(PDICT_TOO_BIG, "PDICT_PASSPHRASE holds more than 64 KiB");
    memcpy(out->bytes, passphrase, out->size);
    return PDICT_OK;
}

/* The secret that a slot is to open with: from the command line, else typed twice. */
int tool_secret_new(const struct invocation *in, struct secret *out)
{
    static const struct sources sources = { OPT_NEW_KEY_FILE, OPT_NEW_PASSPHRASE_FILE,
                                            OPT_NEW_PASSPHRASE_FD, OPT_NEW_PASSPHRASE_COMMAND };
    int status = from_options(in, &sources, out);

    if (status != PDICT_OK || out->bytes)
        return status;
    status = from_prompt(true, out);
    if (status == PDICT_NEED_KEY && !out->bytes)
        return pdict_fail(PDICT_NEED_KEY,
                          "there is no terminal to ask for the new passphrase on, give "
                          "--new-passphrase-file, --new-passphrase-fd, --new-passphrase-command or "
                          "--new-key-file");
    return status;
}
