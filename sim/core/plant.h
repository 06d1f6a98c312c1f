/* Planted bugs: each breaks exactly one rule of reference/checks.md, to prove that the rule is
 * watched. They exist in builds with ISCSILAB_PLANTS only (the sanitizer and debug builds);
 * elsewhere plant_is_on() is false at compile time.
 */
#pragma once

#include <stdbool.h>

/* X-macro: the rule, and what the planted bug does. */
#define PLANTS(X)                                                                                  \
    X(D1, "the target drops every 1000th acknowledged write")                                      \
    X(D2, "reads through the second portal come from a stale cache")                               \
    X(D4, "each portal has a cache of its own")                                                    \
    X(D5, "the offset of an R2T is wrong by one burst")                                            \
    X(D6, "a write is copied only half way through a block")                                       \
    X(P1, "MaxCmdSN goes back")                                                                    \
    X(P2, "StatSN skips a number")                                                                 \
    X(P4, "a command is answered twice")                                                           \
    X(P6, "the target keeps a session whose connection is gone")                                   \
    X(P7, "TCP delivers a retransmitted segment twice")                                            \
    X(P8, "a switch loses a frame and counts nothing")                                             \
    X(L1, "the host gives up an I/O when its path fails")

enum plant {
    PLANT_NONE,
#define X(rule, what) PLANT_##rule,
    PLANTS(X)
#undef X
    /* SYNCHRONIZE CACHE is answered, and nothing was flushed. No scenario has it, as no load there
     * flushes; tests of the target do. */
    PLANT_D7,
};

/* The bug that a run was given; at most one. */
static inline bool plant_is_on(enum plant planted, enum plant bug)
{
#ifdef ISCSILAB_PLANTS
    return planted == bug;
#else
    (void)planted, (void)bug;
    return false;
#endif
}
