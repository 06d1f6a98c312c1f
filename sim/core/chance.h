/* Where numbers come from that a peer must not guess: getrandom(2) in the live world
 * (sim/live/os_chance.h), the run's seed in the simulated one.
 */
#pragma once

#include <stddef.h>

struct chance {
    void (*fill)(struct chance *chance, void *ret_bytes, size_t bytes);
};
