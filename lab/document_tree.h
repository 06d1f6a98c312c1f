/* How a document's tree grows: for its parser alone. */
#pragma once

#include "lab/document.h"

/* A node without a place, owned by the document. */
struct node *document_new_node(struct document *document, enum node_kind kind, const char *text,
                               size_t text_bytes);

/* Makes 'child' the last child of 'parent'. */
void document_append(struct node *parent, struct node *child);

/* Bytes of the line break at 'at' (those of YAML 1.1, 5.4), or 0. */
size_t document_break_bytes(const struct source *source, size_t at);
