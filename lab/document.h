/* A YAML text as a thin tree: kind, text, and where it stands.
 *
 * A small YAML: UTF-8, one document of at most 1 MiB, at most 32 deep; no anchors, aliases, tags
 * or merge keys, keys are plain words, and none comes twice. Values stay text: a table types them,
 * never YAML's guessing. All that is wrong is reported in one go.
 */
#pragma once

#include "lab/errors.h"
#include "lab/file_set.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DOCUMENT_MOST_DEPTH 32u

enum node_kind { NODE_VALUE, NODE_MAP, NODE_LIST };

struct node {
    enum node_kind kind;
    const struct source *source;
    const char *text;      /* VALUE: as it stands there, unescaped; else "" */
    bool is_quoted;        /* VALUE: in quotes or a block */
    bool is_bad;           /* it was refused: nobody needs to complain again */
    uint32_t start, end;   /* offsets in the source */
    uint32_t line, column; /* of 'start', from 1; the column in bytes */
    struct node *key;      /* of a map's value: its key, a VALUE */
    struct node *parent;
    struct node *first, *last; /* children, in the order of the text */
    struct node *next;
    uint32_t child_count;
};

struct document {
    const struct source *source; /* borrowed from the file set */
    struct node *root;           /* owned, as all nodes; NULL only if there were errors */
    struct document_block *blocks;
};

/* Parses 'source', which must outlive the document. The result is never NULL: if the text is no
 * YAML at all its root is, and 'errors' grew. */
struct document *document_parse(const struct source *source, struct errors *errors);

/* 'document' may be NULL. */
void document_free(struct document *document);

/* The value of 'key' in a map; NULL: there is none. */
struct node *node_get(const struct node *map, const char *key);

/* New nodes, owned by 'document'. */
struct node *document_new_map(struct document *document, const struct node *place);
/* A deep copy of 'from', which may belong to another document; positions stay those of 'from'. */
struct node *document_copy(struct document *document, const struct node *from);
/* Sets 'key' of 'map' to 'value': replaces or appends. 'place' is where the key is said to be. */
void document_set(struct document *document, struct node *map, const char *key, struct node *value,
                  const struct node *place);

/* "a map", "a list", "a value". */
const char *node_kind_word(enum node_kind kind);

struct source_pos node_pos(const struct node *node);

/* An error at a node; at the key of a map's value; at a part of a value's text: bytes 'offset' to
 * 'offset' + 'bytes' of it, if it was written plainly. The result takes the help. */
PRINTF_LIKE(3, 4)
struct error *node_error(struct errors *errors, const struct node *node, const char *format, ...);
PRINTF_LIKE(3, 4)
struct error *node_key_error(struct errors *errors, const struct node *node, const char *format,
                             ...);
PRINTF_LIKE(5, 6)
struct error *node_part_error(struct errors *errors, const struct node *node, size_t offset,
                              size_t bytes, const char *format, ...);
PRINTF_LIKE(3, 4)
struct error *node_warning(struct errors *errors, const struct node *node, const char *format, ...);
