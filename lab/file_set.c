/* The texts of all files that a run is made from. */
#include "lab/file_set.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "sim/core/mem.h"

static const struct source_pos nowhere = {.file = NULL};

static enum status cannot_read(const char *path, int reason, struct error *err)
{
    enum status status =
        error_set(err, ERR_INPUT, nowhere, "cannot read '%s': %s", path, strerror(reason));

    if (reason == ENOENT)
        error_help(err, "check the path; it counts from the current folder, or from the file that "
                        "names it");
    return status;
}

static enum status no_file(const char *path, struct error *err)
{
    enum status status = error_set(err, ERR_INPUT, nowhere,
                                   "'%s' is no regular file, but a pipe, socket or device", path);

    error_help(err, "write the text to a file and name that");
    return status;
}

static enum status read_disk(const struct file_reader *reader, const char *path, char **ret_text,
                             size_t *ret_bytes, struct error *err)
{
    struct stat about;
    (void)reader;

    /* Before it is opened: a pipe without a writer would wait for one for ever. */
    if (stat(path, &about) != 0)
        return cannot_read(path, errno, err);
    if (S_ISDIR(about.st_mode))
        return cannot_read(path, EISDIR, err);
    if (!S_ISREG(about.st_mode))
        return no_file(path, err);
    FILE *file = fopen(path, "rb");
    if (!file)
        return cannot_read(path, errno, err);

    char *text = mem_new(FILE_MOST_BYTES + 2);
    size_t bytes = fread(text, 1, FILE_MOST_BYTES + 1, file);
    int reason = ferror(file) ? errno : 0;
    fclose(file);
    if (reason != 0) {
        free(text);
        return cannot_read(path, reason, err);
    }
    *ret_text = mem_resize(text, bytes + 1, 1);
    *ret_bytes = bytes;
    return OK;
}

const struct file_reader *file_reader_disk(void)
{
    static const struct file_reader disk = {.read = read_disk};

    return &disk;
}

static enum status read_memory(const struct file_reader *reader, const char *path, char **ret_text,
                               size_t *ret_bytes, struct error *err)
{
    const struct memory_reader *memory = (const struct memory_reader *)reader;

    for (size_t i = 0; i < memory->file_count; i++) {
        const struct memory_file *file = &memory->files[i];
        if (strcmp(file->path, path) != 0)
            continue;

        size_t bytes = file->bytes > 0 ? file->bytes : strlen(file->text);
        char *text = mem_new(bytes + 1);
        memcpy(text, file->text, bytes);
        *ret_text = text;
        *ret_bytes = bytes;
        return OK;
    }
    return cannot_read(path, ENOENT, err);
}

void memory_reader_init(struct memory_reader *reader, const struct memory_file *files,
                        size_t file_count)
{
    *reader = (struct memory_reader){
        .reader = {.read = read_memory}, .files = files, .file_count = file_count};
}

void file_set_init(struct file_set *files, const struct file_reader *reader)
{
    *files = (struct file_set){.reader = reader ? reader : file_reader_disk()};
}

static void free_sources(struct source **sources, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(sources[i]->name);
        free(sources[i]->text);
        free(sources[i]);
    }
    free(sources);
}

void file_set_fini(struct file_set *files)
{
    free_sources(files->files, files->file_count);
    free_sources(files->kept, files->kept_count);
    file_set_init(files, files->reader);
}

/* Takes ownership of 'text'. */
static const struct source *append(struct source ***sources, size_t *count, const char *name,
                                   char *text, size_t bytes)
{
    struct source *source = mem_new(sizeof(*source));

    *source = (struct source){.name = mem_text(name), .text = text, .bytes = bytes};
    *sources = mem_resize(*sources, *count + 1, sizeof(struct source *));
    (*sources)[(*count)++] = source;
    return source;
}

enum status file_set_read(struct file_set *files, const char *path,
                          const struct source **ret_source, struct error *err)
{
    char *text = NULL;
    size_t bytes = 0;

    for (size_t i = 0; i < files->file_count; i++) {
        if (strcmp(files->files[i]->name, path) == 0) {
            *ret_source = files->files[i];
            return OK;
        }
    }

    enum status status = files->reader->read(files->reader, path, &text, &bytes, err);
    if (status != OK)
        return status;
    *ret_source = append(&files->files, &files->file_count, path, text, bytes);
    return OK;
}

const struct source *file_set_keep(struct file_set *files, const char *name, const char *text)
{
    return append(&files->kept, &files->kept_count, name, mem_text(text), strlen(text));
}

/* 'a/b/../c' is 'a/c', so that a file has one name whoever asks for it. */
static void tidy(char *path)
{
    char *up;

    while ((up = strstr(path, "/../")) != NULL && up != path) {
        char *folder = up;

        while (folder > path && folder[-1] != '/')
            folder--;
        if (strncmp(folder, "../", 3) == 0 || strncmp(folder, "./", 2) == 0)
            return;
        memmove(folder, up + 4, strlen(up + 4) + 1);
    }
}

char *path_beside(const char *from, const char *path)
{
    const char *slash = strrchr(from, '/');
    size_t folder_bytes = slash && path[0] != '/' ? (size_t)(slash - from) + 1 : 0;
    size_t bytes = folder_bytes + strlen(path) + 1;
    char *joined = mem_new(bytes);

    snprintf(joined, bytes, "%.*s%s", (int)folder_bytes, from, path);
    tidy(joined);
    return joined;
}
