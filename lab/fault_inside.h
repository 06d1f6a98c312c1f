/* What the modules of faults share: a layer, and what it holds of the world. */
#pragma once

#include "lab/fault.h"
#include "lab/world.h"
#include "sim/core/attributes.h"
#include "target/media.h"

#include <stddef.h>

struct faults {
    struct world *world;       /* NULL: there is one array alone */
    struct fault_array *alone; /* NULL: there is a world */
    uint32_t alone_index;
    const struct topology *topology;
    struct clock *clock;
    struct fault_layer *layers; /* owned, oldest first */
};

/* A direction of a port: frames that leave by it, or that arrive at it. */
struct place {
    struct port *port;
    enum direction direction;
};

/* One layer of bad luck in the fabric. */
struct bad_luck {
    struct link *link; /* one of these three has it */
    struct port *port;
    struct sw *sw;
    struct impair_layer *layer;
};

struct fault_layer {
    struct fault_layer *prev;
    struct fault_layer *next;
    struct faults *faults;
    const struct step *step;
    /* Impairments. */
    struct bad_luck *bad_luck; /* owned */
    size_t bad_luck_count;
    /* Flapping. */
    struct timer timer;
    bool is_down;
    /* Media: one of each kind per disk that is touched. */
    struct media_slow *slow;       /* owned */
    struct media_failure *failure; /* owned */
};

/* A layer begins and ends in the functions of its verb; NULL for 'end': it is over in a moment. */
typedef void fault_fn(struct fault_layer *layer);
struct fault_verb {
    fault_fn *begin;
    fault_fn *end;
};

/* Those of the fabric, and those of what hangs on it. */
extern const struct fault_verb fault_verbs_fabric[VERB_COUNT];
extern const struct fault_verb fault_verbs_boxes[VERB_COUNT];

/* All places that a step is about: the ports of its part in the directions that it names; owned by
 * the caller. */
size_t fault_places(const struct faults *faults, const struct step *step,
                    struct place **ret_places);
