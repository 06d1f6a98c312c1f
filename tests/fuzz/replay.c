/* The seeds of a fuzzer as a test: each file once, in any build, without libFuzzer. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

/* Nothing is mutated here. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size)
{
    (void)data, (void)max_size;
    return size;
}

static void replay(const char *path)
{
    static uint8_t content[1 << 17];
    uint8_t *exact;
    FILE *file = fopen(path, "rb");
    size_t bytes;

    if (!file) {
        fprintf(stderr, "error: cannot read '%s'\n", path);
        exit(7);
    }
    bytes = fread(content, 1, sizeof(content), file);
    fclose(file);
    exact = malloc(bytes + !bytes); /* so that a sanitizer sees its end */
    if (!exact)
        exit(7);
    for (size_t i = 0; i < bytes; i++)
        exact[i] = content[i];
    (void)LLVMFuzzerTestOneInput(exact, bytes);
    free(exact);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        replay(argv[i]);
    printf("%d seeds replayed\n", argc - 1);
    return argc > 1 ? 0 : 1;
}
