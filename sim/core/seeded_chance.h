/* The chance of the simulated world: nobody in the run can guess it, and the same seed gives it
 * again, on every build.
 */
#pragma once

#include "sim/core/chance.h"
#include "sim/core/random.h"

#include <stdint.h>

struct seeded_chance {
    struct chance chance; /* what a core is given */
    struct random random;
};

/* A generator of its own for the component of that name: see random_init(). */
void seeded_chance_init(struct seeded_chance *chance, uint64_t run_seed,
                        const char *component_name);
