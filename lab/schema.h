/* The format of our files as tables: one row per key. The checker, the JSON Schema and the
 * reference page are all made from them.
 *
 * A record describes a map with known keys, and says where each value goes in a struct. What needs
 * more than its own row to be understood (maps by name, lists, time expressions, names of parts)
 * is handed on as its node.
 */
#pragma once

#include "lab/document.h"
#include "lab/quantity.h"
#include "lab/schema_value.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum field_type {
    FIELD_FIXED,    /* exactly the text of 'fallback' */
    FIELD_NAME,     /* char[NAME_BYTES]: lower case, digits, dashes */
    FIELD_TEXT,     /* const struct node *: a sentence */
    FIELD_IQN,      /* char[IQN_BYTES]: an iSCSI name (RFC 7143, 4.2.7) */
    FIELD_COUNT,    /* integer of any width: a plain number */
    FIELD_QUANTITY, /* integer of any width: a number with a unit of 'quantity' */
    FIELD_SECONDS,  /* integer: a time span of whole seconds */
    FIELD_BOOL,     /* bool: true or false */
    FIELD_WORD,     /* enum: one of 'words' */
    FIELD_ADDRESS,  /* struct cidr: '172.16.0.53/24' */
    FIELD_MAC,      /* struct mac_addr: '02:00:00:00:00:01' */
    FIELD_RECORD,   /* a struct of its own inside: map of 'record' */
    /* Handed on as 'const struct node *', NULL if missing: */
    FIELD_NAMED,  /* a map from names to maps of 'record' */
    FIELD_LIST,   /* a list of maps of 'record' */
    FIELD_NAMES,  /* a name, or a list of names */
    FIELD_PART,   /* the name of a part of the topology */
    FIELD_MOMENT, /* a time expression */
    FIELD_VALUE,  /* a value that whoever reads it understands */
    FIELD_VALUES, /* such a value, or a list of them */
    FIELD_NODE,   /* whatever it is */
};

struct record;

struct field {
    const char *key;
    enum field_type type;
    size_t offset; /* in the struct of the record */
    size_t width;  /* of the member, if it is an integer or a bool */
    bool is_required;
    bool is_overlay; /* RECORD: changes what is there; no defaults, nothing required */
    int64_t least;   /* COUNT, QUANTITY, SECONDS; in the base unit */
    int64_t most;    /* 0: as the member's width allows */
    enum quantity quantity;
    const char *fallback;        /* the default, as one would write it; NULL: zeroes */
    const struct word *words;    /* WORD */
    const struct record *record; /* RECORD, NAMED, LIST */
    const char *about;           /* one line for the reference page */
};

struct record {
    const char *name;     /* what one of it is called: "switch" */
    const char *title;    /* of its part of the reference page; NULL: its name */
    const char *key_word; /* what its keys are called in "unknown key 'x'"; NULL: "key" */
    const char *names;    /* regular expression of the names of such maps; NULL: as of parts */
    const struct field *fields;
    size_t field_count;
    const char *about;
};

#define MEMBER(owner, member)                                                                      \
    .offset = offsetof(owner, member), .width = sizeof(((owner *)NULL)->member)

/* Of what is handed on as a node. */
#define NODE_MEMBER(owner, member) .offset = offsetof(owner, member)

/* Reads 'map' into the struct at 'out', which holds zeroes. Every fault goes to 'errors', and its
 * field keeps its default. */
void schema_read(const struct record *record, const struct node *map, void *out,
                 struct errors *errors);

/* The same over what 'out' holds: only the keys that are there count. */
void schema_overlay(const struct record *record, const struct node *map, void *out,
                    struct errors *errors);

/* What the record is if the map is missing. */
void schema_fill(const struct record *record, void *out);

/* NULL: there is none. */
const struct field *schema_field(const struct record *record, const char *key);
