/* Asymmetric access states of a target port group (SPC-4, 5.15.2.4), with their codes on the wire.
 */
#pragma once

/* X-macro: name, code, word in files. */
#define ALUA_STATES(X)                                                                             \
    X(ALUA_ACTIVE_OPTIMIZED, 0x0, "active-optimized")                                              \
    X(ALUA_ACTIVE_NON_OPTIMIZED, 0x1, "active-non-optimized")                                      \
    X(ALUA_STANDBY, 0x2, "standby")                                                                \
    X(ALUA_UNAVAILABLE, 0x3, "unavailable")                                                        \
    X(ALUA_OFFLINE, 0xe, "offline")                                                                \
    X(ALUA_TRANSITIONING, 0xf, "transitioning")

enum alua_state {
#define X(name, code, word) name = (code),
    ALUA_STATES(X)
#undef X
};

const char *alua_state_word(enum alua_state state);
