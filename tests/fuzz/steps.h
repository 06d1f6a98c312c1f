/* What the stateful fuzzers eat: a setup and a list of steps, each a PDU of a peer with its fields
 * chosen, or an event around the connection.
 *
 *   setup 8 bytes | step: 40 bytes, its data | step | ...
 *
 * The numbers of a step are choices ("the CmdSN that is due", "the tag of the last R2T") rather
 * than values, so that a mutated list still makes sense to a connection that keeps count. The
 * mutator works on steps as well: it adds, drops, doubles and swaps whole ones, and changes fields
 * within them. Whatever bytes come are a list: nothing is refused.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/core/attributes.h"
#include "sim/core/bytes.h"

#define SETUP_BYTES    8u
#define STEP_BYTES     40u
#define MOST_STEPS     80u
#define MOST_STEP_DATA 2048u

/* A promise of the side under test, told when it is broken. */
#define check(promise) check_that((promise), #promise, __FILE__, __LINE__)

static inline void check_that(bool is_kept, const char *promise, const char *file, int line)
{
    if (is_kept)
        return;
    fprintf(stderr, "%s:%d: broken: %s\n", file, line, promise);
    abort();
}

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

struct step {
    uint8_t action;
    uint8_t lane;   /* which connection */
    uint8_t flags;  /* enum step_flag */
    uint8_t cmd_sn; /* choices, see the rig */
    uint8_t itt;
    uint8_t ttt;
    uint8_t lun;
    uint8_t length; /* of the data; and of what is expected */
    uint32_t a;
    uint32_t b;
    uint8_t cdb[16];
    uint8_t patch_at; /* byte of the header that becomes 'patch_to'; beyond it: none */
    uint8_t patch_to;
    uint8_t stat_sn;
    uint8_t split;  /* how the bytes are cut */
    uint8_t detail; /* function, reason, stages ... */
    uint8_t spare;
    uint16_t data_bytes;
    const uint8_t *data;
};

enum step_flag {
    STEP_IMMEDIATE = 1,
    STEP_FINAL = 2,
    STEP_READ = 4,  /* the R bit is not what the CDB wants */
    STEP_WRITE = 8, /* the W bit is not */
    STEP_BAD_HEADER_DIGEST = 16,
    STEP_BAD_DATA_DIGEST = 32,
    STEP_AHS = 64,
    STEP_SECOND = 128, /* C of texts; HEAD OF QUEUE of commands */
};

struct steps {
    uint8_t setup[SETUP_BYTES];
    struct step list[MOST_STEPS];
    size_t count;
};

static inline struct step step_decode(const uint8_t *p, size_t rest, size_t *ret_bytes)
{
    struct step step = {.action = p[0],
                        .lane = p[1],
                        .flags = p[2],
                        .cmd_sn = p[3],
                        .itt = p[4],
                        .ttt = p[5],
                        .lun = p[6],
                        .length = p[7],
                        .a = get_be32(p + 8),
                        .b = get_be32(p + 12),
                        .patch_at = p[32],
                        .patch_to = p[33],
                        .stat_sn = p[34],
                        .split = p[35],
                        .detail = p[36],
                        .spare = p[37],
                        .data_bytes = get_be16(p + 38),
                        .data = p + STEP_BYTES};

    memcpy(step.cdb, p + 16, sizeof(step.cdb));
    if (step.data_bytes > MOST_STEP_DATA)
        step.data_bytes = MOST_STEP_DATA;
    if (step.data_bytes > rest - STEP_BYTES)
        step.data_bytes = (uint16_t)(rest - STEP_BYTES);
    *ret_bytes = STEP_BYTES + step.data_bytes;
    return step;
}

static inline void steps_decode(const uint8_t *bytes, size_t size, struct steps *steps)
{
    size_t at = SETUP_BYTES;

    memset(steps->setup, 0, SETUP_BYTES);
    memcpy(steps->setup, bytes, size < SETUP_BYTES ? size : SETUP_BYTES);
    steps->count = 0;
    while (at + STEP_BYTES <= size && steps->count < MOST_STEPS) {
        size_t taken;

        steps->list[steps->count++] = step_decode(bytes + at, size - at, &taken);
        at += taken;
    }
}

static inline void step_encode(const struct step *step, uint8_t *p)
{
    const uint8_t head[8] = {step->action, step->lane, step->flags, step->cmd_sn,
                             step->itt,    step->ttt,  step->lun,   step->length};
    const uint8_t tail[6] = {step->patch_at, step->patch_to, step->stat_sn,
                             step->split,    step->detail,   step->spare};

    memcpy(p, head, sizeof(head));
    put_be32(p + 8, step->a);
    put_be32(p + 12, step->b);
    memcpy(p + 16, step->cdb, sizeof(step->cdb));
    memcpy(p + 32, tail, sizeof(tail));
    put_be16(p + 38, step->data_bytes);
    if (step->data_bytes > 0)
        memcpy(p + STEP_BYTES, step->data, step->data_bytes);
}

/* As many steps as fit. 'bytes' must not be what the steps' data is borrowed from. */
static inline size_t steps_encode(const struct steps *steps, uint8_t *bytes, size_t max_bytes)
{
    size_t at = SETUP_BYTES;

    if (max_bytes < SETUP_BYTES)
        return 0;
    memcpy(bytes, steps->setup, SETUP_BYTES);
    for (size_t i = 0; i < steps->count; i++) {
        const struct step *step = &steps->list[i];

        if (step->data_bytes + STEP_BYTES > max_bytes - at)
            break;
        step_encode(step, bytes + at);
        at += STEP_BYTES + step->data_bytes;
    }
    return at;
}

/* ---- the mutator ---- */

struct dice {
    uint64_t state;
};

static inline uint32_t dice_roll(struct dice *dice, uint32_t sides)
{
    dice->state ^= dice->state << 13;
    dice->state ^= dice->state >> 7;
    dice->state ^= dice->state << 17;
    return (uint32_t)(dice->state >> 32) % sides;
}

static inline uint32_t dice_number(struct dice *dice)
{
    static const uint32_t numbers[] = {
        0,     1,      2,          3,          4,          7,          8,         255,
        256,   511,    512,        513,        1024,       4096,       8192,      65535,
        65536, 262144, 0x7fffffff, 0x80000000, 0xfffffe00, 0xfffffffe, 0xffffffff};

    if (dice_roll(dice, 4) == 0)
        return dice_roll(dice, UINT32_MAX) >> dice_roll(dice, 32);
    return numbers[dice_roll(dice, ARRAY_SIZE(numbers))];
}

/* What the fuzzer of one protocol knows. */
struct step_words {
    uint8_t command_action;
    uint8_t run_action;
    const uint8_t *usual; /* actions, the frequent ones repeated */
    size_t usual_count;
    const uint8_t (*cdbs)[16];
    size_t cdb_count;
    const char *const *texts; /* with their own lengths, because of NULs */
    const uint16_t *text_bytes;
    size_t text_count;
    /* Which of the texts goes with a CDB; text_count: none in particular. */
    size_t (*fitting_text)(const uint8_t *cdb, uint32_t roll);
};

static inline void pick_cdb(struct dice *dice, const struct step_words *words, struct step *step)
{
    if (words->cdb_count > 0)
        memcpy(step->cdb, words->cdbs[dice_roll(dice, (uint32_t)words->cdb_count)], 16);
}

/* Mostly one that a good peer would send. */
static inline struct step new_step(struct dice *dice, const struct step_words *words)
{
    struct step step = {.action = words->usual[dice_roll(dice, (uint32_t)words->usual_count)],
                        .lane = dice_roll(dice, 4) ? 0 : (uint8_t)dice_roll(dice, 4),
                        .flags = STEP_FINAL,
                        .patch_at = 255,
                        .detail = (uint8_t)dice_roll(dice, 32)};

    pick_cdb(dice, words, &step);
    if (dice_roll(dice, 8) == 0)
        step.flags ^= (uint8_t)(1u << dice_roll(dice, 8));
    if (dice_roll(dice, 4) == 0)
        step.lun = (uint8_t)dice_roll(dice, 8);
    if (dice_roll(dice, 2)) /* all data at once, or any choice */
        step.length = dice_roll(dice, 2) ? 8 : (uint8_t)dice_roll(dice, 64);
    if (dice_roll(dice, 4) == 0)
        step.a = dice_number(dice);
    if (dice_roll(dice, 4) == 0)
        step.b = dice_number(dice);
    if (words->text_count > 0) {
        size_t which = words->fitting_text(step.cdb, dice_roll(dice, UINT32_MAX));

        if (dice_roll(dice, 8) == 0 || (which == words->text_count && dice_roll(dice, 2)))
            which = dice_roll(dice, (uint32_t)words->text_count);
        if (which == words->text_count)
            return step;
        step.data = (const uint8_t *)words->texts[which];
        step.data_bytes = words->text_bytes[which];
    }
    return step;
}

static inline void insert_step(struct steps *steps, size_t at, struct step step)
{
    if (steps->count == MOST_STEPS)
        return;
    memmove(&steps->list[at + 1], &steps->list[at], (steps->count - at) * sizeof(step));
    steps->list[at] = step;
    steps->count++;
}

/* Some commands that stand together in the table, as good peers send them: a story. */
static inline void insert_story(struct dice *dice, const struct step_words *words,
                                struct steps *steps, size_t at)
{
    uint32_t first = dice_roll(dice, (uint32_t)words->cdb_count);
    uint8_t lane = (uint8_t)dice_roll(dice, 2);

    for (uint32_t i = first; i < words->cdb_count && i < first + 6; i++) {
        struct step step = {
            .lane = lane, .flags = STEP_FINAL, .patch_at = 255, .length = 8, .detail = 5};
        size_t which = words->fitting_text(words->cdbs[i], dice_roll(dice, UINT32_MAX));

        step.action = words->command_action;
        memcpy(step.cdb, words->cdbs[i], sizeof(step.cdb));
        if (which < words->text_count) {
            step.data = (const uint8_t *)words->texts[which];
            step.data_bytes = words->text_bytes[which];
        }
        insert_step(steps, at++, step);
        if (dice_roll(dice, 2)) {
            step = (struct step){.action = words->run_action, .detail = 5, .patch_at = 255};
            insert_step(steps, at++, step);
        }
    }
}

static inline void change_number(struct dice *dice, uint32_t *number)
{
    switch (dice_roll(dice, 4)) {
    case 0:
        *number = dice_number(dice);
        break;
    case 1:
        *number += dice_roll(dice, 9) - 4;
        break;
    case 2:
        *number ^= 1u << dice_roll(dice, 32);
        break;
    default:
        *number += dice_roll(dice, 2) ? 512 : (uint32_t)-512;
    }
}

static inline void change_field(struct dice *dice, const struct step_words *words,
                                struct step *step)
{
    uint8_t *const choices[] = {&step->cmd_sn,  &step->itt,    &step->ttt,
                                &step->lun,     &step->length, &step->lane,
                                &step->stat_sn, &step->detail, &step->split};

    switch (dice_roll(dice, 9)) {
    case 0:
        step->action = words->usual[dice_roll(dice, (uint32_t)words->usual_count)];
        break;
    case 1:
        step->flags ^= (uint8_t)(1u << dice_roll(dice, 8));
        break;
    case 2:
        change_number(dice, &step->a);
        break;
    case 3:
        change_number(dice, &step->b);
        break;
    case 4:
        pick_cdb(dice, words, step);
        break;
    case 5:
        step->cdb[dice_roll(dice, 16)] =
            dice_roll(dice, 2) ? (uint8_t)dice_number(dice) : (uint8_t)dice_roll(dice, 256);
        break;
    case 6:
        step->patch_at = (uint8_t)dice_roll(dice, 56);
        step->patch_to = (uint8_t)dice_roll(dice, 256);
        break;
    default:
        *choices[dice_roll(dice, ARRAY_SIZE(choices))] = (uint8_t)dice_roll(dice, 32);
    }
}

/* Into 'room', which lives until the steps are encoded. */
static inline void change_data(struct dice *dice, const struct step_words *words, struct step *step,
                               uint8_t room[MOST_STEP_DATA])
{
    size_t bytes = step->data_bytes;

    if (bytes > 0)
        memcpy(room, step->data, bytes);
    if (dice_roll(dice, 3) == 0 && words->text_count > 0) { /* one more, or another in its place */
        uint32_t which = dice_roll(dice, (uint32_t)words->text_count);

        if (dice_roll(dice, 2) || bytes + words->text_bytes[which] > MOST_STEP_DATA)
            bytes = 0;
        memcpy(room + bytes, words->texts[which], words->text_bytes[which]);
        bytes += words->text_bytes[which];
    } else {
        bytes = LLVMFuzzerMutate(room, bytes, MOST_STEP_DATA);
    }
    step->data = room;
    step->data_bytes = (uint16_t)bytes;
}

static inline void mutate_once(struct dice *dice, const struct step_words *words,
                               struct steps *steps, uint8_t room[MOST_STEP_DATA])
{
    uint32_t count = (uint32_t)steps->count;
    uint32_t at = dice_roll(dice, count + 1);
    uint32_t what = count > 0 ? dice_roll(dice, 16) : 0;

    if (at == count && what > 3 && what < 15)
        at = count - 1;
    if (what == 0 && words->cdb_count > 0 && dice_roll(dice, 2)) {
        insert_story(dice, words, steps, at);
    } else if (what < 4) {
        insert_step(steps, at, new_step(dice, words));
    } else if (what == 4) {
        memmove(&steps->list[at], &steps->list[at + 1], (count - at - 1) * sizeof(struct step));
        steps->count--;
    } else if (what == 5) {
        insert_step(steps, dice_roll(dice, count + 1), steps->list[at]);
    } else if (what == 6) {
        uint32_t other = dice_roll(dice, count);
        struct step step = steps->list[at];

        steps->list[at] = steps->list[other];
        steps->list[other] = step;
    } else if (what < 9) {
        change_data(dice, words, &steps->list[at], room);
    } else if (what < 15) {
        change_field(dice, words, &steps->list[at]);
    } else {
        steps->setup[dice_roll(dice, SETUP_BYTES)] = (uint8_t)dice_roll(dice, 256);
    }
}

static inline size_t steps_mutate(const struct step_words *words, uint8_t *data, size_t size,
                                  size_t max_size, unsigned int seed)
{
    static uint8_t from[1 << 17];
    static uint8_t rooms[4][MOST_STEP_DATA];
    static struct steps steps;
    struct dice dice = {(uint64_t)seed * 0x9e3779b97f4a7c15u + 0x2545f4914f6cdd1du};

    dice.state += dice.state == 0;
    if (dice_roll(&dice, 32) == 0 || size > sizeof(from))
        return LLVMFuzzerMutate(data, size, max_size);
    memcpy(from, data, size);
    steps_decode(from, size, &steps);
    for (uint32_t i = 0, times = 1 + dice_roll(&dice, 4); i < times; i++)
        mutate_once(&dice, words, &steps, rooms[i]);
    return steps_encode(&steps, data, max_size);
}

/* The beginning of one list and the end of another. */
static inline size_t steps_cross(const uint8_t *a, size_t a_bytes, const uint8_t *b, size_t b_bytes,
                                 uint8_t *out, size_t max_bytes, unsigned int seed)
{
    static struct steps first;
    static struct steps second;
    struct dice dice = {(uint64_t)seed * 0x9e3779b97f4a7c15u + 1};

    steps_decode(a, a_bytes, &first);
    steps_decode(b, b_bytes, &second);
    first.count = dice_roll(&dice, (uint32_t)first.count + 1);
    for (size_t i = dice_roll(&dice, (uint32_t)second.count + 1); i < second.count; i++)
        insert_step(&first, first.count, second.list[i]);
    return steps_encode(&first, out, max_bytes);
}
