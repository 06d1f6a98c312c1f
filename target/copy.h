/* EXTENDED COPY with list identifiers of 8 bits, LID1 (SPC-4, 5.16.7, 6.4 and 6.5): what a nexus
 * may still ask about its copies.
 *
 * An entry comes with the command, and goes when its status was read, when its identifier is used
 * again, or when too many newer ones came.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define COPY_MOST_KEPT 8u

enum copy_state { COPY_RUNNING, COPY_DONE, COPY_FAILED }; /* SPC-4, table 175 */

struct copy_entry {
    bool is_used;
    uint8_t list_id;
    enum copy_state state;
    uint16_t segments; /* done */
    uint64_t bytes;    /* written */
};

struct copy_list {
    struct copy_entry entries[COPY_MOST_KEPT];
    uint8_t next; /* the slot that is given up when none is free */
};
