/* Layers of bad luck on a link. A layer is drawn for every frame that meets its other conditions,
 * whatever the layers before it decided, so that adding one leaves the draws of the others alone.
 */
#include "sim/net/impair.h"

#include "sim/core/mem.h"
#include "sim/core/time.h"
#include "sim/net/frame_codec.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define ALL_PPM 1000000u

struct impair_layer {
    struct impair_layer *next;
    struct impair_config config;
    struct random random;
    uint64_t met;        /* frames that were large enough */
    uint32_t burst_left; /* with 'every': more frames to strike in a row */
    bool is_bad;         /* the chain's state, for bursts by rate */
};

bool impair_burst_fits(uint32_t rate_ppm, uint32_t burst_frames)
{
    return burst_frames <= 1 || rate_ppm == ALL_PPM ||
           rate_ppm <= (uint64_t)burst_frames * (ALL_PPM - rate_ppm);
}

void impair_fini(struct impair *impair)
{
    while (impair->layers)
        impair_remove(impair, impair->layers);
}

struct impair_layer *impair_add(struct impair *impair, const struct impair_config *config,
                                uint64_t run_seed, const char *owner)
{
    assert(config->rate_ppm <= ALL_PPM);
    assert(config->delay_ns >= 0);
    assert(config->jitter_ns >= 0);
    assert(impair_burst_fits(config->rate_ppm, config->burst_frames));
    if (config->kind == IMPAIR_THROTTLE)
        assert(config->rate_bits_per_s > 0);
    struct impair_layer *layer = mem_new(sizeof(*layer));
    struct impair_layer **end = &impair->layers;
    char name[160];

    snprintf(name, sizeof(name), "%s impairment %u", owner, ++impair->layers_added);
    *layer = (struct impair_layer){.config = *config};
    random_init(&layer->random, run_seed, name);
    while (*end)
        end = &(*end)->next;
    *end = layer;
    return layer;
}

void impair_remove(struct impair *impair, struct impair_layer *layer)
{
    struct impair_layer **place = &impair->layers;

    while (*place != layer) {
        assert(*place);
        place = &(*place)->next;
    }
    *place = layer->next;
    free(layer);
}

int64_t impair_delay_ns(struct impair *impair)
{
    int64_t delay_ns = 0;

    for (struct impair_layer *layer = impair->layers; layer; layer = layer->next) {
        if (layer->config.kind != IMPAIR_DELAY)
            continue;
        delay_ns += layer->config.delay_ns;
        if (layer->config.jitter_ns > 0)
            delay_ns +=
                (int64_t)random_below(&layer->random, (uint64_t)layer->config.jitter_ns + 1);
    }
    return delay_ns;
}

/* One step of the chain. It leaves the bad state with 1 / burst, so that a stay there takes 'burst'
 * frames on average, and enters it with rate / (burst x (1 - rate)), so that the share of time in
 * it is the rate. Both are drawn as whole numbers. */
static bool is_bad_now(struct impair_layer *layer)
{
    const struct impair_config *config = &layer->config;
    uint64_t spared_ppm = ALL_PPM - config->rate_ppm;

    if (spared_ppm == 0)
        return true;
    if (layer->is_bad)
        layer->is_bad = random_below(&layer->random, config->burst_frames) != 0;
    else
        layer->is_bad =
            random_below(&layer->random, config->burst_frames * spared_ppm) < config->rate_ppm;
    return layer->is_bad;
}

static bool is_struck(struct impair_layer *layer, uint32_t frame_bytes)
{
    const struct impair_config *config = &layer->config;

    if (frame_bytes <= config->larger_than_bytes)
        return false;
    layer->met++;
    if (config->every == 0 && config->rate_ppm > 0 && config->burst_frames > 1)
        return is_bad_now(layer);
    if (layer->burst_left > 0) {
        layer->burst_left--;
        return true;
    }
    if (config->every > 0 && layer->met % config->every != 0)
        return false;
    if (config->rate_ppm > 0 && !random_chance(&layer->random, config->rate_ppm))
        return false;
    layer->burst_left = config->burst_frames > 1 ? config->burst_frames - 1 : 0;
    return true;
}

/* Of two kinds of damage the one that fewer can see hides behind the one that more can see. */
static void add_damage(struct impair_verdict *verdict, struct impair_layer *layer)
{
    uint64_t chance = random_next(&layer->random);

    if (verdict->is_corrupt && verdict->seen_by <= layer->config.seen_by)
        return;
    verdict->is_corrupt = true;
    verdict->seen_by = layer->config.seen_by;
    verdict->chance = chance;
}

struct impair_verdict impair_judge(struct impair *impair, uint32_t frame_bytes)
{
    struct impair_verdict verdict = {0};

    for (struct impair_layer *layer = impair->layers; layer; layer = layer->next) {
        switch (layer->config.kind) {
        case IMPAIR_LOSE:
            if (is_struck(layer, frame_bytes))
                verdict.is_lost = true;
            break;
        case IMPAIR_CORRUPT:
            if (is_struck(layer, frame_bytes))
                add_damage(&verdict, layer);
            break;
        case IMPAIR_DUPLICATE:
            verdict.copies += is_struck(layer, frame_bytes);
            break;
        case IMPAIR_REORDER:
            if (is_struck(layer, frame_bytes))
                verdict.late_ns = time_after(verdict.late_ns, layer->config.delay_ns);
            break;
        case IMPAIR_DELAY:
        case IMPAIR_THROTTLE:
            break;
        }
    }
    return verdict;
}

bool impair_damage(const struct impair_verdict *verdict, struct frame **frame)
{
    struct frame *damaged =
        frame_damage(*frame, verdict->chance, verdict->seen_by == CORRUPT_SEEN_BY_NOBODY);

    if (!damaged)
        return false;
    damaged->is_fcs_bad = (*frame)->is_fcs_bad || verdict->seen_by == CORRUPT_SEEN_BY_FCS;
    frame_unref(*frame);
    *frame = damaged;
    return true;
}

int64_t impair_rate(const struct impair *impair, int64_t rate_bits_per_s)
{
    for (const struct impair_layer *layer = impair->layers; layer; layer = layer->next)
        if (layer->config.kind == IMPAIR_THROTTLE &&
            layer->config.rate_bits_per_s < rate_bits_per_s)
            rate_bits_per_s = layer->config.rate_bits_per_s;
    return rate_bits_per_s;
}
