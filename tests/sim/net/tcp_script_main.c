/* tcp_script FILE...: plays TCP scripts; 1 if one fails, and 3 if one cannot be read. */
#include "tests/sim/net/tcp_script_text.h"

#include <stdio.h>
#include <stdlib.h>

static char *read_file(const char *path)
{
    enum { MOST = 1 << 20 };
    FILE *file = fopen(path, "r");
    char *text = file ? calloc(1, MOST + 1) : NULL;

    if (text)
        text[fread(text, 1, MOST, file)] = '\0';
    if (file)
        fclose(file);
    return text;
}

int main(int argc, char **argv)
{
    int failed = 0;

    for (int i = 1; i < argc; i++) {
        char failure[1024];
        char *text = read_file(argv[i]);

        if (!text) {
            fprintf(stderr, "%s: cannot be read\n", argv[i]);
            return 3;
        }
        if (!tcp_script_run(argv[i], text, failure, sizeof(failure))) {
            fprintf(stderr, "%s\n\n", failure);
            failed++;
        }
        free(text);
    }
    printf("%d of %d scripts hold\n", argc - 1 - failed, argc - 1);
    return failed > 0 || argc < 2 ? 1 : 0;
}
