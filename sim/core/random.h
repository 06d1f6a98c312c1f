/* One generator of random numbers per component, seeded from (run seed, component name).
 *
 * Adding a component does not change what another one draws. The numbers are xoshiro256**
 * (Blackman and Vigna, 2018), seeded through splitmix64.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct random {
    uint64_t state[4];
};

void random_init(struct random *random, uint64_t run_seed, const char *component_name);

uint64_t random_next(struct random *random);

/* Evenly from 0 to 'bound' - 1; 'bound' is 1 or more. */
uint64_t random_below(struct random *random, uint64_t bound);

/* True 'ppm' times in a million (0 to 1,000,000). */
bool random_chance(struct random *random, uint32_t ppm);
