/* A YAML text as a thin tree, from libyaml's events.
 *
 * libyaml counts characters where we count bytes, so positions are worked out again from the
 * offsets of the lines. Recursion would be the attacker's: the tree is built with a pointer to
 * the open node, and is at most 32 deep.
 */
#include "lab/document.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "sim/core/mem.h"

#define BLOCK_NODES 256u

struct document_block {
    struct document_block *next;
    size_t node_count;
    struct node nodes[BLOCK_NODES];
    char *texts[BLOCK_NODES]; /* owned: what the nodes' 'text' points to */
};

/* ---- The tree ---- */

static struct node *new_node(struct document *document, enum node_kind kind, const char *text,
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

static void append(struct node *parent, struct node *child)
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
    struct node *map = new_node(document, NODE_MAP, "", 0);

    copy_place(map, place);
    return map;
}

/* Recursion: at most as deep as the text that 'from' was parsed from. */
struct node *document_copy(struct document *document, const struct node *from)
{
    struct node *node = new_node(document, from->kind, from->text, strlen(from->text));

    copy_place(node, from);
    node->is_quoted = from->is_quoted;
    node->is_bad = from->is_bad;
    for (const struct node *child = from->first; child; child = child->next) {
        struct node *copy = document_copy(document, child);

        if (child->key)
            copy->key = document_copy(document, child->key);
        append(node, copy);
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
    value->key = new_node(document, NODE_VALUE, key, strlen(key));
    copy_place(value->key, place);
    append(map, value);
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
static size_t break_bytes(const struct source *source, size_t at)
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

    while (end < source->bytes && break_bytes(source, end) == 0)
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

/* ---- Parsing ---- */

struct parsing {
    struct document *document;
    struct errors *errors;
    const struct source *source;
    uint32_t *line_starts; /* offsets of the lines, as libyaml counts them; owned */
    size_t line_count;
    struct {
        size_t line, column, offset; /* columns in characters: where offset_of() was last */
    } cursor;
    struct node *open;        /* the map or list whose children come now */
    struct node *pending_key; /* of 'open', if a map: its value comes next */
    size_t depth;
    bool is_over; /* nothing more can be made of it */
};

/* The text ends with a 0, so looking one or two bytes ahead stays inside. */
static void find_lines(struct parsing *parsing)
{
    const struct source *source = parsing->source;
    size_t room = 64;

    parsing->line_starts = mem_array(room, sizeof(uint32_t));
    parsing->line_count = 1;
    for (size_t at = 0; at < source->bytes;) {
        size_t bytes = break_bytes(source, at);

        at += bytes > 0 ? bytes : 1;
        if (bytes == 0)
            continue;
        if (parsing->line_count == room) {
            room *= 2;
            parsing->line_starts = mem_resize(parsing->line_starts, room, sizeof(uint32_t));
        }
        parsing->line_starts[parsing->line_count++] = (uint32_t)at;
    }
}

static bool continues_character(const struct source *source, size_t at)
{
    return at < source->bytes && ((unsigned char)source->text[at] & 0xc0) == 0x80;
}

/* Walks from where it was last: marks come almost in order, and a line may be a megabyte long. */
static uint32_t offset_of(struct parsing *parsing, yaml_mark_t mark)
{
    const struct source *source = parsing->source;
    size_t line = mark.line < parsing->line_count ? mark.line : parsing->line_count - 1;
    size_t column = 0, at = parsing->line_starts[line];

    if (line == parsing->cursor.line && mark.column >= parsing->cursor.column / 2) {
        column = parsing->cursor.column;
        at = parsing->cursor.offset;
    }
    for (; column < mark.column && at < source->bytes; column++) {
        at++;
        while (continues_character(source, at))
            at++;
    }
    for (; column > mark.column; column--) {
        at--;
        while (continues_character(source, at))
            at--;
    }
    parsing->cursor.line = line;
    parsing->cursor.column = column;
    parsing->cursor.offset = at;
    return (uint32_t)at;
}

static void place(struct parsing *parsing, struct node *node, yaml_mark_t start, yaml_mark_t end)
{
    size_t line = start.line < parsing->line_count ? start.line : parsing->line_count - 1;

    node->start = offset_of(parsing, start);
    node->end = offset_of(parsing, end);
    node->line = (uint32_t)line + 1;
    node->column = node->start - parsing->line_starts[line] + 1;
}

/* An error at a mark rather than at a node of the tree. */
static struct node node_at(struct parsing *parsing, yaml_mark_t start, yaml_mark_t end)
{
    struct node node = {.kind = NODE_VALUE, .source = parsing->source, .text = ""};

    place(parsing, &node, start, end);
    return node;
}

static void refuse_anchor_and_tag(struct parsing *parsing, const yaml_event_t *event,
                                  const yaml_char_t *anchor, const yaml_char_t *tag)
{
    struct node at = node_at(parsing, event->start_mark, event->end_mark);

    if (anchor)
        error_help(node_part_error(parsing->errors, &at, 0, 1,
                                   "anchors ('&%.40s') are not used here", (const char *)anchor),
                   "write the value out where it is needed");
    if (tag)
        error_help(node_part_error(parsing->errors, &at, 0, 1, "tags ('%.60s') are not used here",
                                   (const char *)tag),
                   "leave it out: the format knows the type of each value");
}

/* Puts a complete or just opened node where it belongs. */
static void take_node(struct parsing *parsing, struct node *node)
{
    struct node *open = parsing->open;

    if (!open) {
        parsing->document->root = node;
        return;
    }
    if (open->kind == NODE_LIST) {
        append(open, node);
        return;
    }
    if (parsing->pending_key) {
        node->key = parsing->pending_key;
        parsing->pending_key = NULL;
        append(open, node);
        return;
    }
    if (node->kind != NODE_VALUE) {
        error_help(node_error(parsing->errors, node, "a key must be a plain word"),
                   "write 'name: ...'");
        node->text = "";
        node->is_bad = true;
    } else if (strcmp(node->text, "<<") == 0 && !node->is_quoted) {
        error_help(node_error(parsing->errors, node, "merge keys ('<<') are not used here"),
                   "write the values out where they are needed");
        node->is_bad = true;
    }
    parsing->pending_key = node;
}

static void take_value(struct parsing *parsing, const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value;
    size_t bytes = event->data.scalar.length;
    struct node *node = new_node(parsing->document, NODE_VALUE, text, bytes);

    place(parsing, node, event->start_mark, event->end_mark);
    node->is_quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    refuse_anchor_and_tag(parsing, event, event->data.scalar.anchor, event->data.scalar.tag);
    if (strlen(node->text) != bytes) { /* "\0" in double quotes */
        error_help(node_error(parsing->errors, node, "a value may not contain a NUL character"),
                   "leave out the '\\0'");
        node->is_bad = true;
    }
    take_node(parsing, node);
}

static void open_node(struct parsing *parsing, enum node_kind kind, const yaml_event_t *event)
{
    struct node *node = new_node(parsing->document, kind, "", 0);

    place(parsing, node, event->start_mark, event->end_mark);
    if (parsing->depth == DOCUMENT_MOST_DEPTH) {
        error_help(
            node_error(parsing->errors, node, "nested deeper than %u levels", DOCUMENT_MOST_DEPTH),
            "no file of iscsilab needs that: look for a stray bracket");
        parsing->is_over = true;
        return;
    }
    if (kind == NODE_MAP)
        refuse_anchor_and_tag(parsing, event, event->data.mapping_start.anchor,
                              event->data.mapping_start.tag);
    else
        refuse_anchor_and_tag(parsing, event, event->data.sequence_start.anchor,
                              event->data.sequence_start.tag);

    bool is_key = parsing->open && parsing->open->kind == NODE_MAP && !parsing->pending_key;
    take_node(parsing, node);
    if (is_key) { /* refused: its children go with it, and it is the key again when it closes */
        node->parent = parsing->open;
        parsing->pending_key = NULL;
    }
    parsing->open = node;
    parsing->depth++;
}

static int by_key_then_place(const void *a, const void *b)
{
    const struct node *x = *(struct node *const *)a;
    const struct node *y = *(struct node *const *)b;
    int order = strcmp(x->key->text, y->key->text);

    if (order != 0)
        return order;
    return (x->key->start > y->key->start) - (x->key->start < y->key->start);
}

/* Sorted, so that a hostile map of 100,000 keys costs no more than a file of that size should. */
static void refuse_duplicates(struct parsing *parsing, const struct node *map)
{
    if (map->child_count < 2)
        return;

    struct node **children = mem_array(map->child_count, sizeof(struct node *));
    size_t count = 0;

    for (struct node *child = map->first; child; child = child->next)
        if (!child->key->is_bad)
            children[count++] = child;
    qsort(children, count, sizeof(struct node *), by_key_then_place);
    for (size_t i = 1; i < count; i++) {
        if (strcmp(children[i - 1]->key->text, children[i]->key->text) != 0)
            continue;
        error_help(node_key_error(parsing->errors, children[i], "'%.60s' is here twice",
                                  children[i]->key->text),
                   "it is first in line %u; keep one of them", children[i - 1]->key->line);
    }
    free(children);
}

static void close_node(struct parsing *parsing, const yaml_event_t *event)
{
    struct node *closed = parsing->open;

    /* Of a block the event's end is where the next thing begins; nobody underlines that far. */
    closed->end = offset_of(parsing, event->end_mark);
    if (closed->kind == NODE_MAP)
        refuse_duplicates(parsing, closed);
    parsing->open = closed->parent;
    parsing->depth--;
    if (closed->is_bad && parsing->open && parsing->open->kind == NODE_MAP)
        parsing->pending_key = closed;
}

static void take_alias(struct parsing *parsing, const yaml_event_t *event)
{
    struct node *node = new_node(parsing->document, NODE_VALUE, "", 0);

    place(parsing, node, event->start_mark, event->end_mark);
    error_help(node_error(parsing->errors, node, "aliases ('*%.40s') are not used here",
                          (const char *)event->data.alias.anchor),
               "write the value out where it is needed");
    node->is_bad = true;
    take_node(parsing, node);
}

static void begin_document(struct parsing *parsing, const yaml_event_t *event)
{
    struct node at = node_at(parsing, event->start_mark, event->end_mark);

    if (parsing->document->root) {
        error_help(node_part_error(parsing->errors, &at, 0, 3, "a second document begins here"),
                   "keep one document per file");
        parsing->is_over = true;
    } else if (event->data.document_start.tag_directives.start !=
               event->data.document_start.tag_directives.end) {
        error_help(node_error(parsing->errors, &at, "tag directives ('%%TAG') are not used here"),
                   "leave the line out");
    }
}

static void take_event(struct parsing *parsing, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        begin_document(parsing, event);
        break;
    case YAML_ALIAS_EVENT:
        take_alias(parsing, event);
        break;
    case YAML_SCALAR_EVENT:
        take_value(parsing, event);
        break;
    case YAML_SEQUENCE_START_EVENT:
        open_node(parsing, NODE_LIST, event);
        break;
    case YAML_MAPPING_START_EVENT:
        open_node(parsing, NODE_MAP, event);
        break;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        close_node(parsing, event);
        break;
    case YAML_STREAM_END_EVENT:
        parsing->is_over = true;
        break;
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        break;
    }
}

/* libyaml's own words; they are precise, if terse. */
static void report_yaml(struct parsing *parsing, const yaml_parser_t *parser)
{
    const char *problem = parser->problem ? parser->problem : "it cannot be read";
    yaml_mark_t mark = parser->problem_mark;

    if (parser->error == YAML_READER_ERROR) {
        mark = (yaml_mark_t){.line = 0};
        while (mark.line + 1 < parsing->line_count &&
               parsing->line_starts[mark.line + 1] <= parser->problem_offset)
            mark.line++;
    }

    struct node at = node_at(parsing, mark, mark);
    if (parser->error == YAML_READER_ERROR && parser->problem_offset >= at.start &&
        parser->problem_offset <= parsing->source->bytes) {
        at.column += (uint32_t)parser->problem_offset - at.start;
        at.start = (uint32_t)parser->problem_offset;
    }

    struct error *error = node_part_error(parsing->errors, &at, 0, 1, "no YAML: %s", problem);
    if (parser->error == YAML_READER_ERROR)
        error_help(error, "save the file as UTF-8 text without control characters");
    else if (strstr(problem, "character that cannot start any token"))
        error_help(error, "indent with spaces, not tabs; put quotes around text that begins with "
                          "@, ` or %%");
    else if (parser->context)
        error_help(error, "%s from line %zu; check indentation, brackets and quotes above",
                   parser->context, parser->context_mark.line + 1);
    else
        error_help(error, "check indentation, brackets and quotes here and above");
}

static bool is_too_long(const struct source *source, struct errors *errors)
{
    if (source->bytes <= FILE_MOST_BYTES)
        return false;
    error_help(errors_add(errors, (struct text_span){.pos = {.file = source->name}}, NULL, 0,
                          "the file is longer than 1 MiB"),
               "split it, or use 'count' for hosts that are alike");
    return true;
}

struct document *document_parse(const struct source *source, struct errors *errors)
{
    struct document *document = mem_new(sizeof(*document));
    struct parsing parsing = {.document = document, .errors = errors, .source = source};
    yaml_parser_t parser;
    yaml_event_t event;
    size_t errors_before = errors->error_count;

    document->source = source;
    if (is_too_long(source, errors))
        return document;
    if (!yaml_parser_initialize(&parser))
        mem_resize(NULL, SIZE_MAX, SIZE_MAX); /* ends the run: no memory */
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)source->text, source->bytes);
    find_lines(&parsing);

    while (!parsing.is_over) {
        if (!yaml_parser_parse(&parser, &event)) {
            report_yaml(&parsing, &parser);
            document->root = NULL;
            break;
        }
        take_event(&parsing, &event);
        yaml_event_delete(&event);
    }
    if (parsing.open) /* it ended in the middle: what is there is no whole */
        document->root = NULL;
    else if (!document->root && errors->error_count == errors_before)
        error_help(
            errors_add(errors,
                       (struct text_span){.pos = {.file = source->name, .line = 1, .column = 1}},
                       NULL, 0, "the file is empty"),
            "begin with 'kind: scenario', 'kind: topology' or 'kind: profile'");
    yaml_parser_delete(&parser);
    free(parsing.line_starts);
    return document;
}
