/* The typed values of our files: each reader turns a node's text into a value, or tells what is
 * wrong with it and what would be right. 'key' names the value in messages.
 */
#pragma once

#include "lab/document.h"
#include "lab/quantity.h"
#include "sim/net/mac_addr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cidr {
    uint32_t address; /* host byte order */
    uint32_t prefix_bits;
};

struct word {
    const char *word; /* NULL ends a list of them */
    int value;
    const char *about; /* or NULL */
};

/* Is the key of 'node' (a child of a map by name) fit as a name of ours? */
bool schema_check_name(const struct node *name, const char *what, struct errors *errors);

/* Errors that several readers need; each says false. */
bool schema_need_kind(const struct node *node, enum node_kind kind, const char *whose,
                      struct errors *errors);
struct name_list {
    const char *const *names;
    size_t count;
};
/* Help with a wrong name: the nearest of 'known', else all; and the usual error that needs it,
 * "unknown host 'hv3'". */
void schema_help_known(struct error *error, const char *wrong, struct name_list known,
                       const char *what);
void schema_unknown(const struct node *node, const char *what, const char *name,
                    struct name_list known, struct errors *errors);

/* Typed values of a node, for those who read nodes. 'key' names it in messages. False: told. */
bool schema_read_quantity(const struct node *node, const char *key, enum quantity quantity,
                          int64_t least, int64_t most, int64_t *ret_value, struct errors *errors);
bool schema_read_count(const struct node *node, const char *key, unsigned decimals, int64_t least,
                       int64_t most, int64_t *ret_value, struct errors *errors);
bool schema_read_word(const struct node *node, const char *key, const struct word *words,
                      int *ret_value, struct errors *errors);

/* Is 'node' a value with something in it? Else told. */
bool schema_has_value(const struct node *node, const char *key, struct errors *errors);

/* true or false, as 1 or 0. */
bool schema_read_bool(const struct node *node, const char *key, int64_t *ret_value,
                      struct errors *errors);
/* An address that a NIC can have, with the prefix of its subnet. */
bool schema_read_address(const struct node *node, const char *key, struct cidr *ret,
                         struct errors *errors);
bool schema_read_mac(const struct node *node, const char *key, struct mac_addr *ret,
                     struct errors *errors);
/* An iSCSI name into IQN_BYTES at 'ret'. */
bool schema_read_iqn(const struct node *node, const char *key, char *ret, struct errors *errors);

/* The word for a value; NULL: there is none. */
const char *word_of(const struct word *words, int value);
