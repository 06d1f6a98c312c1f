/* One generator of random numbers per component. */
#include "sim/core/random.h"

#include "sim/core/hash.h"

#include <assert.h>
#include <string.h>

static uint64_t splitmix64(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

void random_init(struct random *random, uint64_t run_seed, const char *component_name)
{
    uint64_t seed = run_seed ^ hash64(component_name, strlen(component_name), run_seed);

    for (int i = 0; i < 4; i++)
        random->state[i] = splitmix64(&seed);
}

static uint64_t rotate_left(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

uint64_t random_next(struct random *random)
{
    uint64_t *s = random->state;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

uint64_t random_below(struct random *random, uint64_t bound)
{
    uint64_t draw;

    assert(bound > 0);
    uint64_t limit =
        UINT64_MAX - UINT64_MAX % bound; /* a multiple of 'bound', so no value is favoured */
    do
        draw = random_next(random);
    while (draw >= limit);
    return draw % bound;
}

bool random_chance(struct random *random, uint32_t ppm)
{
    assert(ppm <= 1000000);
    return ppm > 0 && random_below(random, 1000000) < ppm;
}
