/* Bytes out of a seeded generator. */
#include "sim/core/seeded_chance.h"

#include "sim/core/attributes.h"

/* A draw is eight bytes, the lowest first; what is left of the last one is thrown away. */
static void fill(struct chance *chance, void *ret_bytes, size_t bytes)
{
    struct seeded_chance *seeded = CONTAINER_OF(chance, struct seeded_chance, chance);
    uint8_t *to = ret_bytes;
    uint64_t draw = 0;

    for (size_t i = 0; i < bytes; i++) {
        draw = i % 8 == 0 ? random_next(&seeded->random) : draw >> 8;
        to[i] = (uint8_t)draw;
    }
}

void seeded_chance_init(struct seeded_chance *chance, uint64_t run_seed, const char *component_name)
{
    *chance = (struct seeded_chance){.chance = {.fill = fill}};
    random_init(&chance->random, run_seed, component_name);
}
