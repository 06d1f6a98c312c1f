/* The tree of a document, and errors at its nodes. */
#include "lab/document_tree.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "sim/core/mem.h"

#define BLOCK_NODES 256u

struct document_block {
    struct document_block *next;
    size_t node_count;
    struct node nodes[BLOCK_NODES];
    char *texts[BLOCK_NODES]; /* owned: what the nodes' 'text' points to */
};

/* ---- The tree ---- */

struct node *document_new_node(struct document *document, enum node_kind kind, const char *text,
                               size_t text_bytes)
{
    struct document_block *block = document->blocks;

    if (!block || block->node_count == BLOCK_NODES) {
        block = mem_new(sizeof(*block));
        block->next = document->blocks;
        document->blocks = block;
    }

    struct node *node = &block->nodes[block->node_count];
    char *copy = NULL;

    if (text_bytes > 0) {
        copy = mem_new(text_bytes + 1);
        memcpy(copy, text, text_bytes);
    }
    block->texts[block->node_count++] = copy;
    *node = (struct node){.kind = kind, .source = document->source, .text = copy ? copy : ""};
    return node;
}

void document_free(struct document *document)
{
    if (!document)
        return;
    while (document->blocks) {
        struct document_block *block = document->blocks;

        document->blocks = block->next;
        for (size_t i = 0; i < block->node_count; i++)
            free(block->texts[i]);
        free(block);
    }
    free(document);
}

void document_append(struct node *parent, struct node *child)
{
    child->parent = parent;
    child->next = NULL;
    if (parent->last)
        parent->last->next = child;
    else
        parent->first = child;
    parent->last = child;
    parent->child_count++;
}

struct node *node_get(const struct node *map, const char *key)
{
    if (map->kind != NODE_MAP)
        return NULL;
    for (struct node *child = map->first; child; child = child->next)
        if (strcmp(child->key->text, key) == 0)
            return child;
    return NULL;
}

static void copy_place(struct node *node, const struct node *place)
{
    node->source = place->source;
    node->start = place->start;
    node->end = place->end;
    node->line = place->line;
    node->column = place->column;
}

struct node *document_new_map(struct document *document, const struct node *place)
{
    struct node *map = document_new_node(document, NODE_MAP, "", 0);

    copy_place(map, place);
    return map;
}

/* Recursion: at most as deep as the text that 'from' was parsed from. */
struct node *document_copy(struct document *document, const struct node *from)
{
    struct node *node = document_new_node(document, from->kind, from->text, strlen(from->text));

    copy_place(node, from);
    node->is_quoted = from->is_quoted;
    node->is_bad = from->is_bad;
    for (const struct node *child = from->first; child; child = child->next) {
        struct node *copy = document_copy(document, child);

        if (child->key)
            copy->key = document_copy(document, child->key);
        document_append(node, copy);
    }
    return node;
}

void document_set(struct document *document, struct node *map, const char *key, struct node *value,
                  const struct node *place)
{
    struct node *before = NULL;

    for (struct node *child = map->first; child; before = child, child = child->next) {
        if (strcmp(child->key->text, key) != 0)
            continue;
        value->key = child->key;
        value->parent = map;
        value->next = child->next;
        if (before)
            before->next = value;
        else
            map->first = value;
        if (map->last == child)
            map->last = value;
        return;
    }
    value->key = document_new_node(document, NODE_VALUE, key, strlen(key));
    copy_place(value->key, place);
    document_append(map, value);
}

const char *node_kind_word(enum node_kind kind)
{
    switch (kind) {
    case NODE_VALUE:
        return "a value";
    case NODE_MAP:
        return "a map";
    case NODE_LIST:
        return "a list";
    }
    return "";
}

/* ---- Errors at nodes ---- */

struct source_pos node_pos(const struct node *node)
{
    return (struct source_pos){
        .file = node->source->name, .line = (int)node->line, .column = (int)node->column};
}

/* Bytes of the line break at 'at', or 0: those of YAML 1.1 (5.4). */
size_t document_break_bytes(const struct source *source, size_t at)
{
    const unsigned char *p = (const unsigned char *)source->text + at;

    if (p[0] == '\r')
        return p[1] == '\n' ? 2 : 1;
    if (p[0] == '\n')
        return 1;
    if (p[0] == 0xc2 && p[1] == 0x85)
        return 2;
    if (p[0] == 0xe2 && p[1] == 0x80 && (p[2] == 0xa8 || p[2] == 0xa9))
        return 3;
    return 0;
}

/* The line that a node begins in. */
static const char *line_of(const struct node *node, size_t *ret_bytes)
{
    const struct source *source = node->source;
    size_t begin = node->start - (node->column - 1);
    size_t end = begin;

    while (end < source->bytes && document_break_bytes(source, end) == 0)
        end++;
    *ret_bytes = end - begin;
    return source->text + begin;
}

/* The bytes of a node on its first line; a map or list shows its first character only. */
static size_t shown_bytes(const struct node *node, size_t line_bytes)
{
    size_t before = node->column - 1;
    size_t rest = line_bytes > before ? line_bytes - before : 1;
    size_t bytes = node->end > node->start ? node->end - node->start : 1;

    if (node->kind != NODE_VALUE)
        return 1;
    return bytes < rest ? bytes : rest;
}

/* 'bytes' 0: the whole node. */
PRINTF_LIKE(6, 0)
static struct error *report(struct errors *errors, bool is_warning, const struct node *node,
                            size_t offset, size_t bytes, const char *format, va_list values)
{
    char text[sizeof(((struct error *)NULL)->text)];
    struct text_span span = {.pos = node_pos(node)};
    const char *line = NULL;
    size_t line_bytes = 0;

    if (errors_has_room(errors)) { /* else nobody will see it, and a line may be long */
        line = line_of(node, &line_bytes);
        if (bytes == 0)
            bytes = shown_bytes(node, line_bytes);
        span.pos.column += (int)offset;
        span.end_column = span.pos.column + (int)bytes;
    }
    vsnprintf(text, sizeof(text), format, values);
    return is_warning ? errors_warn(errors, span, line, line_bytes, "%s", text)
                      : errors_add(errors, span, line, line_bytes, "%s", text);
}

struct error *node_error(struct errors *errors, const struct node *node, const char *format, ...)
{
    va_list values;

    va_start(values, format);
    struct error *error = report(errors, false, node, 0, 0, format, values);
    va_end(values);
    return error;
}

struct error *node_key_error(struct errors *errors, const struct node *node, const char *format,
                             ...)
{
    va_list values;
    const struct node *at = node->key ? node->key : node;

    va_start(values, format);
    struct error *error = report(errors, false, at, 0, 0, format, values);
    va_end(values);
    return error;
}

struct error *node_part_error(struct errors *errors, const struct node *node, size_t offset,
                              size_t bytes, const char *format, ...)
{
    va_list values;
    size_t text_bytes = strlen(node->text);
    bool is_plain = !node->is_quoted && node->end - node->start == text_bytes &&
                    offset + bytes <= text_bytes && bytes > 0;

    va_start(values, format);
    struct error *error =
        report(errors, false, node, is_plain ? offset : 0, is_plain ? bytes : 0, format, values);
    va_end(values);
    return error;
}

struct error *node_warning(struct errors *errors, const struct node *node, const char *format, ...)
{
    va_list values;

    va_start(values, format);
    struct error *error = report(errors, true, node, 0, 0, format, values);
    va_end(values);
    return error;
}
