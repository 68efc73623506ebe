/* SPDX-License-Identifier: MIT */
/* Runs a fuzz target without a fuzzer: over files, their prefixes and a fixed set of mutations. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_FILE_SIZE  (1 << 20)
#define MAX_VARIATIONS 512 /* of each kind, of one file, so that a large one stays quick */
#define LARGE_FILE     16384
#define FEW_VARIATIONS 64 /* of a larger one: it is a whole store */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned long inputs;

/* A copy of exactly this size, so that AddressSanitizer sees a read past the end. */
static void run(const uint8_t *data, size_t size)
{
    uint8_t *copy = calloc(1, size > 0 ? size : 1);

    if (copy == NULL) {
        perror("malloc");
        exit(EXIT_FAILURE);
    }
    if (size > 0)
        memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
    inputs++;
}

static void run_with_variations(uint8_t *data, size_t size)
{
    size_t most = size > LARGE_FILE ? FEW_VARIATIONS : MAX_VARIATIONS;
    size_t step = size / most + 1;
    uint64_t random = 0x9e3779b97f4a7c15u; /* fixed: the same inputs each time */
    size_t i;

    run(data, size);
    for (i = 0; i < size; i += step)
        run(data, i);
    for (i = 0; size > 0 && i < most; i++) {
        uint8_t *byte;
        uint8_t was;

        random = random * 6364136223846793005u + 1442695040888963407u;
        byte = &data[(random >> 33) % size];
        was = *byte;
        *byte = i % 2 == 0 ? (uint8_t)(was ^ (1u << (random >> 61))) : (uint8_t)(random >> 25);
        run(data, size);
        *byte = was;
    }
}

static void run_file(const char *path)
{
    uint8_t *data = malloc(MAX_FILE_SIZE);
    FILE *file = fopen(path, "rb");

    if (data == NULL || file == NULL) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    run_with_variations(data, fread(data, 1, MAX_FILE_SIZE, file));
    fclose(file);
    free(data);
}

static void run_path(const char *path)
{
    struct dirent *entry;
    struct stat status;
    DIR *folder;

    if (stat(path, &status) != 0) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    if (!S_ISDIR(status.st_mode)) {
        run_file(path);
        return;
    }
    folder = opendir(path);
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        char inner[4096];

        snprintf(inner, sizeof(inner), "%s/%s", path, entry->d_name);
        if (entry->d_name[0] != '.')
            run_path(inner);
    }
    if (folder != NULL)
        closedir(folder);
}

/* prog [FILE or FOLDER]... */
int main(int argc, char **argv)
{
    int i;

    run((const uint8_t *)"", 0);
    for (i = 1; i < argc; i++)
        run_path(argv[i]);
    printf("%lu inputs\n", inputs);
    return EXIT_SUCCESS;
}
