/* The states of one path of a multipath disk: the words of the trace, the database and the plots.
 *
 *   CONNECTING --arrived--> PENDING --admitted--> ACTIVE <--policy--> STANDBY
 *                              ^                    |  ^                |  ^
 *                              |                    v  |                v  |
 *                              |                    HELD (session lost, may be back in time)
 *                              |                     |
 *                              '------ FAILED <------'----> REMOVED (no longer the same disk)
 *
 * A path is *in use* while the multipath disk may choose it: so it leaves use when it fails, not
 * when its session is lost; that gap is what LinkDownTime and recovery_tmo cost. It is *usable*
 * while a command sent on it goes out to the target at once.
 */
#pragma once

#include <assert.h>
#include <stdbool.h>

/* X-macro: enumerator, word, in use, usable.
 *   CONNECTING  never logged in so far
 *   PENDING     logged in; the host's return rule has not admitted it yet
 *   ACTIVE      the policy sends I/O here
 *   STANDBY     in reserve: no I/O while another one is active
 *   HELD        session lost; the layer below holds its commands
 *   FAILED      given up: its I/O went elsewhere
 *   REMOVED     answers as another disk now, or was taken away
 */
#define PATH_STATES(X)                                                                             \
    X(PATH_STATE_CONNECTING, "connecting", false, false)                                           \
    X(PATH_STATE_PENDING, "pending", false, false)                                                 \
    X(PATH_STATE_ACTIVE, "active", true, true)                                                     \
    X(PATH_STATE_STANDBY, "standby", true, true)                                                   \
    X(PATH_STATE_HELD, "held", true, false)                                                        \
    X(PATH_STATE_FAILED, "failed", false, false)                                                   \
    X(PATH_STATE_REMOVED, "removed", false, false)

enum path_state {
#define X(name, word, in_use, usable) name,
    PATH_STATES(X)
#undef X
};

static inline const char *path_state_word(enum path_state state)
{
    static const char *const words[] = {
#define X(name, word, in_use, usable) word,
        PATH_STATES(X)
#undef X
    };
    assert((unsigned)state < sizeof(words) / sizeof(words[0]));
    return words[state];
}

static inline bool path_state_is_in_use(enum path_state state)
{
    static const bool answers[] = {
#define X(name, word, in_use, usable) in_use,
        PATH_STATES(X)
#undef X
    };
    assert((unsigned)state < sizeof(answers) / sizeof(answers[0]));
    return answers[state];
}

static inline bool path_state_is_usable(enum path_state state)
{
    static const bool answers[] = {
#define X(name, word, in_use, usable) usable,
        PATH_STATES(X)
#undef X
    };
    assert((unsigned)state < sizeof(answers) / sizeof(answers[0]));
    return answers[state];
}
