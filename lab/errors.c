/* What is wrong with somebody's files. */
#include "lab/errors.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "lab/excerpt.h"
#include "sim/core/mem.h"

void errors_init(struct errors *errors)
{
    *errors = (struct errors){.entry_count = 0};
}

void errors_fini(struct errors *errors)
{
    for (size_t i = 0; i < errors->entry_count; i++) {
        free(errors->entries[i].file);
        free(errors->entries[i].line);
    }
    errors_init(errors);
}

bool errors_has_room(const struct errors *errors)
{
    return errors->entry_count < ERRORS_MOST;
}

/* NUL bytes never get here: the parser refuses them before it knows lines. */
static char *keep_line(const char *line, size_t bytes)
{
    char *copy = mem_new(bytes + 1);

    memcpy(copy, line, bytes);
    return copy;
}

static bool is_repeated(const struct errors *errors, const struct error *error)
{
    for (size_t i = 0; i < errors->entry_count; i++) {
        const struct error *other = &errors->entries[i].error;

        if (error->pos.file && other->pos.file && other->pos.line == error->pos.line &&
            other->pos.column == error->pos.column && strcmp(other->text, error->text) == 0 &&
            strcmp(other->pos.file, error->pos.file) == 0)
            return true;
    }
    return false;
}

PRINTF_LIKE(6, 0)
static struct error *add(struct errors *errors, bool is_warning, struct text_span span,
                         const char *line, size_t line_bytes, const char *format, va_list values)
{
    *(is_warning ? &errors->warning_count : &errors->error_count) += 1;

    struct error *error = &errors->unshown;

    *error = (struct error){.pos = span.pos, .end_column = span.end_column};
    vsnprintf(error->text, sizeof(error->text), format, values);
    if (is_repeated(errors, error)) {
        errors->repeat_count++;
        return error;
    }
    if (!errors_has_room(errors))
        return error;

    struct error_entry *entry = &errors->entries[errors->entry_count++];
    *entry = (struct error_entry){.error = *error, .is_warning = is_warning};
    if (span.pos.file)
        entry->file = mem_text(span.pos.file);
    if (line)
        entry->line = keep_line(line, line_bytes);
    entry->error.pos.file = entry->file;
    return &entry->error;
}

struct error *errors_add(struct errors *errors, struct text_span span, const char *line,
                         size_t line_bytes, const char *format, ...)
{
    va_list values;

    va_start(values, format);
    struct error *error = add(errors, false, span, line, line_bytes, format, values);
    va_end(values);
    return error;
}

struct error *errors_warn(struct errors *errors, struct text_span span, const char *line,
                          size_t line_bytes, const char *format, ...)
{
    va_list values;

    va_start(values, format);
    struct error *error = add(errors, true, span, line, line_bytes, format, values);
    va_end(values);
    return error;
}

/* By file, line and column; what has no file comes first. */
static int by_place(const struct error_entry *a, const struct error_entry *b)
{
    int by_file = strcmp(a->file ? a->file : "", b->file ? b->file : "");

    if (by_file != 0)
        return by_file;
    if (a->error.pos.line != b->error.pos.line)
        return a->error.pos.line < b->error.pos.line ? -1 : 1;
    return (a->error.pos.column > b->error.pos.column) -
           (a->error.pos.column < b->error.pos.column);
}

/* Stable, so that two errors at one place stay in the order of finding. */
static void sort(struct errors *errors)
{
    for (size_t i = 1; i < errors->entry_count; i++) {
        struct error_entry moving = errors->entries[i];
        size_t to = i;

        for (; to > 0 && by_place(&errors->entries[to - 1], &moving) > 0; to--)
            errors->entries[to] = errors->entries[to - 1];
        errors->entries[to] = moving;
    }
}

static void print_entry(const struct error_entry *entry, FILE *to)
{
    const struct error *error = &entry->error;

    if (entry->file && error->pos.line > 0)
        fprintf(to, "%s:%d:%d: ", entry->file, error->pos.line, error->pos.column);
    else if (entry->file)
        fprintf(to, "%s: ", entry->file);
    fprintf(to, "%s: %s\n", entry->is_warning ? "warning" : "error", error->text);
    if (entry->line && error->pos.line > 0)
        excerpt_print(to, error->pos.line, entry->line, strlen(entry->line), error->pos.column,
                      error->end_column);
    if (error->help[0])
        fprintf(to, "      = help: %s\n", error->help);
}

void errors_print(struct errors *errors, FILE *to)
{
    sort(errors);
    for (size_t i = 0; i < errors->entry_count; i++)
        print_entry(&errors->entries[i], to);

    size_t found = errors->error_count + errors->warning_count - errors->repeat_count;
    if (found > errors->entry_count)
        fprintf(to, "and %zu more\n", found - errors->entry_count);
}
