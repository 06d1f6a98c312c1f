/* What a bad cable or port does to frames, in layers: loses, delays, damages, doubles.
 *
 * Each direction of a link has one list. A fault adds a layer and its undo removes just that layer;
 * each layer draws from its own generator, seeded from its name, so that two faults at once do not
 * change each other's luck. Every layer sees every frame, from the oldest layer to the newest.
 */
#pragma once

#include "sim/core/random.h"

#include <stdbool.h>
#include <stdint.h>

enum impair_kind {
    IMPAIR_LOSE,
    IMPAIR_DELAY,
    IMPAIR_CORRUPT,
    IMPAIR_THROTTLE,
    IMPAIR_DUPLICATE,
    IMPAIR_REORDER,
};

/* Who can see that bits flipped. */
enum corrupt_seen_by {
    CORRUPT_SEEN_BY_FCS,      /* the next receiver: it drops the frame */
    CORRUPT_SEEN_BY_CHECKSUM, /* FCS repaired (damage inside a part): IPv4's and TCP's checksums */
    CORRUPT_SEEN_BY_NOBODY,   /* all checksums repaired: only iSCSI's digests, or the disk's user */
};

/* What a layer does. Members that a kind does not name do not matter. */
struct impair_config {
    enum impair_kind kind;
    /* LOSE, CORRUPT, DUPLICATE, REORDER: which frames; all conditions given must hold. */
    uint32_t rate_ppm;          /* so many in a million; 0 with 'every' 0: all of them */
    uint32_t every;             /* each so-manieth frame; 0: by rate */
    uint32_t larger_than_bytes; /* only frames above this, from destination address to payload */
    /* How long they come in a row: with 'every' so many each time; else so many on average, in
     * Gilbert's chain of a good state that spares frames and a bad one that strikes each
     * (E. N. Gilbert, 1960), whose share of time in the bad state is 'rate_ppm', at most
     * burst / (burst + 1) of all unless it is all. 0 and 1: each is chosen by itself. */
    uint32_t burst_frames;
    enum corrupt_seen_by seen_by;
    /* DELAY: each frame arrives later by 'delay_ns' and an even draw from 0 to 'jitter_ns'. The
     * order of frames stays. REORDER: those chosen come later by 'delay_ns', and are overtaken. */
    int64_t delay_ns;
    int64_t jitter_ns;
    /* THROTTLE: the rate is at most this. */
    int64_t rate_bits_per_s;
};

struct impair_layer;
struct impair {
    struct impair_layer *layers; /* owned, oldest first */
    uint32_t layers_added;       /* ever: part of each layer's name */
};

struct frame;

/* What happens to one frame. */
struct impair_verdict {
    bool is_lost;
    bool is_corrupt;
    uint32_t copies; /* more of it that arrive */
    int64_t late_ns; /* it is overtaken by what comes so much later */
    enum corrupt_seen_by seen_by;
    uint64_t chance; /* where the bit flips */
};

/* Can so many frames on average be struck in a row, at this rate? Above burst / (burst + 1) the
 * spared ones between two bursts would be less than one. */
bool impair_burst_fits(uint32_t rate_ppm, uint32_t burst_frames);

/* 'impair' begins as {0}. */
void impair_fini(struct impair *impair);

/* Adds a layer; the pointer names it for impair_remove(). 'owner' is the link's name. */
struct impair_layer *impair_add(struct impair *impair, const struct impair_config *config,
                                uint64_t run_seed, const char *owner);
void impair_remove(struct impair *impair, struct impair_layer *layer);

static inline bool impair_is_none(const struct impair *impair)
{
    return !impair->layers;
}
/* How much later one frame comes than the cable alone makes it. */
int64_t impair_delay_ns(struct impair *impair);
/* One more frame: what becomes of it? */
struct impair_verdict impair_judge(struct impair *impair, uint32_t frame_bytes);
/* Bits flip in '*frame' as the verdict says, which makes another of it. False: nothing could. */
bool impair_damage(const struct impair_verdict *verdict, struct frame **frame);
/* The rate that is left of 'rate_bits_per_s'. */
int64_t impair_rate(const struct impair *impair, int64_t rate_bits_per_s);
