/* Builds the tree of a document from libyaml's events.
 *
 * libyaml counts characters where we count bytes, so positions are worked out again from the
 * offsets of the lines. Recursion would be the attacker's: the tree is built with a pointer to
 * the open node, and is at most 32 deep.
 */
#include "lab/document_tree.h"

#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "sim/core/mem.h"

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
        size_t bytes = document_break_bytes(source, at);

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
        document_append(open, node);
        return;
    }
    if (parsing->pending_key) {
        node->key = parsing->pending_key;
        parsing->pending_key = NULL;
        document_append(open, node);
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
    struct node *node = document_new_node(parsing->document, NODE_VALUE, text, bytes);

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
    struct node *node = document_new_node(parsing->document, kind, "", 0);

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
    struct node *node = document_new_node(parsing->document, NODE_VALUE, "", 0);

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
