/* What a scenario file asks for: checked, resolved against its topology, ready to run.
 *
 * Loading gives one 'struct scenario' per variant (the cross product of 'vary'; one if there is
 * none), each complete with a topology of its own, so that a run needs nothing else. Nothing is
 * handed out before everything in every file and variant was checked.
 *
 * The tables of verbs, measures and events are here: each row says whether the program can
 * execute it yet. What it cannot is refused with that reason.
 */
#pragma once

#include "initiator/workload.h"
#include "lab/errors.h"
#include "lab/file_set.h"
#include "lab/topology.h"
#include "sim/core/net.h"
#include "sim/core/plant.h"
#include "sim/net/impair.h"
#include "sim/net/wire.h"

#include <stdbool.h>
#include <stdint.h>

/* ---- Time expressions ------------------------------------------------------------------- */

/* A moment of the run: '60 s', 'end', 'switch-1-dies + 10 s', 'first path-failed of hv1'. */
enum moment_base {
    MOMENT_START, /* the start of the run */
    MOMENT_STEP,  /* the moment of a step */
    MOMENT_END,   /* the end of the run */
    MOMENT_EVENT, /* the first event of a kind at a part: only while running is it known */
};

/* Events that a step can wait for. X-macro: name, word, parts that have it, meaning. */
#define SCENARIO_EVENTS(X)                                                                         \
    X(EVENT_PATH_FAILED, "path-failed", PART_BIT(PART_HOST) | PART_BIT(PART_PATH),                 \
      "a path left use")                                                                           \
    X(EVENT_PATH_USABLE, "path-usable", PART_BIT(PART_HOST) | PART_BIT(PART_PATH),                 \
      "a path came back into use")                                                                 \
    X(EVENT_IO_ERROR, "io-error", PART_BIT(PART_HOST), "the workload saw an error")

enum scenario_event {
#define X(name, word, parts, about) name,
    SCENARIO_EVENTS(X)
#undef X
};

struct moment {
    enum moment_base base;
    uint32_t step_index;       /* MOMENT_STEP */
    int64_t offset_ns;         /* added to the base; may be negative */
    enum scenario_event event; /* MOMENT_EVENT */
    struct part_ref part;      /* MOMENT_EVENT */
    int64_t at_ns;             /* the instant, if it is known before the run; else TIME_NEVER */
    struct source_pos pos;
};

/* ---- Steps ------------------------------------------------------------------------------ */

#define VERB_LINKS  PART_BIT(PART_CABLE)
#define VERB_PORTS  (PART_BIT(PART_NIC) | PART_BIT(PART_PORT))
#define VERB_SWITCH PART_BIT(PART_SWITCH)
#define VERB_BOXES  (VERB_SWITCH | PART_BIT(PART_HOST) | PART_BIT(PART_ARRAY))
#define VERB_ENDS   (PART_BIT(PART_HOST) | PART_BIT(PART_ARRAY))
#define VERB_ARRAY  PART_BIT(PART_ARRAY)
#define VERB_DISK   PART_BIT(PART_DISK)

/* Which arguments a verb has, and which of them it cannot do without. */
#define ARGS_LOSE                                                                                  \
    (ARG_BIT(ARG_RATE) | ARG_BIT(ARG_BURST) | ARG_BIT(ARG_EVERY) | ARG_BIT(ARG_LARGER_THAN) |      \
     ARG_BIT(ARG_DIRECTION))
#define ARGS_CORRUPT   (ARG_BIT(ARG_RATE) | ARG_BIT(ARG_SEEN_BY) | ARG_BIT(ARG_DIRECTION))
#define ARGS_DUPLICATE (ARG_BIT(ARG_RATE) | ARG_BIT(ARG_DIRECTION))
#define ARGS_REORDER   (ARG_BIT(ARG_RATE) | ARG_BIT(ARG_BY) | ARG_BIT(ARG_DIRECTION))
#define ARGS_DELAY     (ARG_BIT(ARG_BY) | ARG_BIT(ARG_JITTER) | ARG_BIT(ARG_DIRECTION))
#define ARGS_THROTTLE  (ARG_BIT(ARG_TO) | ARG_BIT(ARG_DIRECTION))
#define ARGS_PR        (ARG_BIT(ARG_BY) | ARG_BIT(ARG_TYPE) | ARG_BIT(ARG_KEY))

/* X-macro: name, word (a verb is fault.kind in the database), the verb that undoes it (itself: only
 * the end of its 'for:' does), parts that it fits, those of them for which the program can execute
 * it, arguments (of enum step_argument), those that must be given, does it last until it is undone
 * (or is it over in a moment)?, what happens. */
#define VERBS(X)                                                                                   \
    X(VERB_PULL, "pull", VERB_PLUG_IN, VERB_LINKS, VERB_LINKS, ARG_BIT(ARG_DIRECTION), 0, true,    \
      "both ends lose carrier, frames in flight are lost; one way: who notices is the cable's "    \
      "'one-way'")                                                                                 \
    X(VERB_PLUG_IN, "plug-in", VERB_PULL, VERB_LINKS, VERB_LINKS, 0, 0, false, "undoes 'pull'")    \
    X(VERB_DISABLE, "disable", VERB_ENABLE, VERB_PORTS, VERB_PORTS, 0, 0, true,                    \
      "administratively down")                                                                     \
    X(VERB_ENABLE, "enable", VERB_DISABLE, VERB_PORTS, VERB_PORTS, 0, 0, false,                    \
      "undoes 'disable'")                                                                          \
    X(VERB_POWER_OFF, "power-off", VERB_POWER_ON, VERB_BOXES, VERB_BOXES, 0, 0, true,              \
      "everything in it is gone; on return it boots")                                              \
    X(VERB_POWER_ON, "power-on", VERB_POWER_OFF, VERB_BOXES, VERB_BOXES, 0, 0, false,              \
      "undoes 'power-off'")                                                                        \
    X(VERB_REBOOT, "reboot", VERB_REBOOT, VERB_BOXES, VERB_BOXES, ARG_BIT(ARG_BOOT_TIME), 0,       \
      false, "power-off, then boot")                                                               \
    X(VERB_CRASH, "crash", VERB_RESTART, VERB_ENDS, VERB_ENDS, 0, 0, true,                         \
      "volatile state is lost at once, unflushed writes too; its links stay up, and nobody "       \
      "answers")                                                                                   \
    X(VERB_RESTART, "restart", VERB_CRASH, VERB_ENDS, VERB_ENDS, 0, 0, false,                      \
      "undoes 'crash': it boots")                                                                  \
    X(VERB_FREEZE, "freeze", VERB_THAW, VERB_PORTS | VERB_BOXES, VERB_PORTS | VERB_BOXES,          \
      ARG_BIT(ARG_DIRECTION), 0, true, "the link stays up, nothing passes")                        \
    X(VERB_THAW, "thaw", VERB_FREEZE, VERB_PORTS | VERB_BOXES, VERB_PORTS | VERB_BOXES, 0, 0,      \
      false, "undoes 'freeze'")                                                                    \
    X(VERB_BLOCK, "block", VERB_UNBLOCK, PART_BIT(PART_PORT), PART_BIT(PART_PORT), 0, 0, true,     \
      "a spanning tree blocks it: its link is up, and it neither takes frames nor sends them")     \
    X(VERB_UNBLOCK, "unblock", VERB_BLOCK, PART_BIT(PART_PORT), PART_BIT(PART_PORT), 0, 0, false,  \
      "undoes 'block'")                                                                            \
    X(VERB_FLOOD_PAUSE, "flood-pause", VERB_STOP_PAUSE, VERB_PORTS, VERB_PORTS, 0, 0, true,        \
      "broken, it asks its peer for silence without an end (802.3x); who honours PAUSE obeys")     \
    X(VERB_STOP_PAUSE, "stop-pause", VERB_FLOOD_PAUSE, VERB_PORTS, VERB_PORTS, 0, 0, false,        \
      "undoes 'flood-pause'")                                                                      \
    X(VERB_FLAP, "flap", VERB_FLAP, VERB_LINKS | VERB_PORTS, VERB_LINKS | VERB_PORTS,              \
      ARG_BIT(ARG_DOWN) | ARG_BIT(ARG_UP), ARG_BIT(ARG_DOWN) | ARG_BIT(ARG_UP), true,              \
      "down and up in turn")                                                                       \
    X(VERB_LOSE, "lose", VERB_LOSE, VERB_LINKS | VERB_PORTS, VERB_LINKS | VERB_PORTS, ARGS_LOSE,   \
      0, true, "frames vanish; all of them if nothing says which")                                 \
    X(VERB_CORRUPT, "corrupt", VERB_CORRUPT, VERB_LINKS | VERB_SWITCH, VERB_LINKS | VERB_SWITCH,   \
      ARGS_CORRUPT, ARG_BIT(ARG_RATE), true, "bits flip")                                          \
    X(VERB_DUPLICATE, "duplicate", VERB_DUPLICATE, VERB_LINKS | VERB_SWITCH,                       \
      VERB_LINKS | VERB_SWITCH, ARGS_DUPLICATE, ARG_BIT(ARG_RATE), true, "frames arrive twice")    \
    X(VERB_REORDER, "reorder", VERB_REORDER, VERB_LINKS | VERB_SWITCH, VERB_LINKS | VERB_SWITCH,   \
      ARGS_REORDER, ARG_BIT(ARG_RATE) | ARG_BIT(ARG_BY), true,                                     \
      "some frames come later by 'by', and are overtaken")                                         \
    X(VERB_DELAY, "delay", VERB_DELAY, VERB_LINKS | VERB_SWITCH, VERB_LINKS | VERB_SWITCH,         \
      ARGS_DELAY, ARG_BIT(ARG_BY), true, "adds delay, with jitter; the order stays")               \
    X(VERB_THROTTLE, "throttle", VERB_THROTTLE, VERB_LINKS | VERB_PORTS, VERB_LINKS | VERB_PORTS,  \
      ARGS_THROTTLE, ARG_BIT(ARG_TO), true, "a lower rate")                                        \
    X(VERB_CHANGE, "change", VERB_CHANGE, PART_BIT(PART_NONE), PART_BIT(PART_NONE),                \
      ARG_BIT(ARG_WHAT) | ARG_BIT(ARG_TO), ARG_BIT(ARG_WHAT) | ARG_BIT(ARG_TO), true,              \
      "a setting of the topology: {what: switches.switch-2.mtu, to: 1500}")                        \
    X(VERB_FLUSH, "flush", VERB_FLUSH, VERB_SWITCH, VERB_SWITCH, 0, 0, false,                      \
      "forgets its MAC table")                                                                     \
    X(VERB_SLOW, "slow", VERB_SLOW, VERB_ARRAY | VERB_DISK, VERB_ARRAY | VERB_DISK,                \
      ARG_BIT(ARG_BY), ARG_BIT(ARG_BY), true, "media slower, by a factor or a time")               \
    X(VERB_FAIL_MEDIA, "fail-media", VERB_FAIL_MEDIA, VERB_DISK, VERB_DISK,                        \
      ARG_BIT(ARG_AREA) | ARG_BIT(ARG_SENSE), 0, true,                                             \
      "reads or writes of a range end with sense data")                                            \
    X(VERB_DROP_SESSION, "drop-session", VERB_DROP_SESSION, VERB_ARRAY, VERB_ARRAY,                \
      ARG_BIT(ARG_OF), 0, false, "sessions are cut, of one host or of all")                        \
    X(VERB_ASK_LOGOUT, "ask-logout", VERB_ASK_LOGOUT, VERB_ARRAY, VERB_ARRAY, ARG_BIT(ARG_OF), 0,  \
      false, "asynchronous logout request, to one host or to all")                                 \
    X(VERB_TRANSITION, "transition", VERB_TRANSITION, VERB_ARRAY, VERB_ARRAY, ARG_BIT(ARG_TO),     \
      ARG_BIT(ARG_TO), true, "its target port groups take another ALUA state")                     \
    X(VERB_REDIRECT, "redirect", VERB_REDIRECT, VERB_ARRAY, VERB_ARRAY,                            \
      ARG_BIT(ARG_TO) | ARG_BIT(ARG_PERMANENT), ARG_BIT(ARG_TO), true,                             \
      "logins are sent to another portal: target moved temporarily, or permanently")               \
    X(VERB_TAKE_OVER, "take-over", VERB_TAKE_OVER, VERB_ARRAY, 0, ARG_BIT(ARG_TAKES), 0, true,     \
      "the partner controller takes the disks")                                                    \
    X(VERB_RESERVE, "reserve", VERB_RELEASE, VERB_DISK, 0, ARGS_PR, 0, true,                       \
      "persistent reservation by a host")                                                          \
    X(VERB_RELEASE, "release", VERB_RESERVE, VERB_DISK, 0, ARG_BIT(ARG_BY) | ARG_BIT(ARG_KEY), 0,  \
      false, "undoes 'reserve'")                                                                   \
    X(VERB_PREEMPT, "preempt", VERB_PREEMPT, VERB_DISK, 0, ARGS_PR, 0, false,                      \
      "persistent reservation taken from its holder")

enum verb {
#define X(name, word, undo, parts, can_run, arguments, needs, lasts, about) name,
    VERBS(X)
#undef X
        VERB_COUNT,
};

/* X-macro: name, key beside 'part' in the map form 'pull: {part: hv1-1, direction: to-switch-1}',
 * meaning. */
#define STEP_ARGUMENTS(X)                                                                          \
    X(ARG_DIRECTION, "direction",                                                                  \
      "'to-switch-1': only frames that go there; the box itself or a neighbour of it")             \
    X(ARG_BOOT_TIME, "boot-time", "time: instead of that of the topology")                         \
    X(ARG_DOWN, "down", "time: so long down")                                                      \
    X(ARG_UP, "up", "time: so long up, in turn")                                                   \
    X(ARG_RATE, "rate", "share of the frames: '1 %'")                                              \
    X(ARG_BURST, "burst",                                                                          \
      "so many frames in a row: with 'rate' on average (Gilbert's chain), with 'every' exactly")   \
    X(ARG_EVERY, "every", "each so-manieth frame")                                                 \
    X(ARG_LARGER_THAN, "larger-than", "size: frames above it, from Ethernet header to payload")    \
    X(ARG_SEEN_BY, "seen-by",                                                                      \
      "who can see the damage: 'fcs' (the next receiver; the default), 'checksum' (FCS repaired: " \
      "IPv4, TCP) or 'nobody' (all repaired: iSCSI's digests at best)")                            \
    X(ARG_BY, "by", "time; of 'slow' also a factor: '10 x'")                                       \
    X(ARG_JITTER, "jitter", "time: an even draw from 0 to this on top")                            \
    X(ARG_TO, "to",                                                                                \
      "of 'throttle' a data rate; of 'change' the value, as in the topology; of 'transition' an "  \
      "ALUA state: 'active-non-optimized', 'standby', 'unavailable', 'offline', 'transitioning'; " \
      "of 'redirect' a NIC of an array, or an address: '172.16.0.52:3260'")                        \
    X(ARG_PERMANENT, "permanent",                                                                  \
      "'true': hosts keep the new portal for their next logins; 'false', the default: they come "  \
      "back to the old one")                                                                       \
    X(ARG_WHAT, "what", "dotted path of the setting, '*' for all names: 'switches.switch-2.mtu'")  \
    X(ARG_AREA, "area", "blocks, first to last: '2048-4095'; default: all")                        \
    X(ARG_SENSE, "sense",                                                                          \
      "'medium-error' (reads 3/11/00, writes 3/0C/00; the default), 'read-error' or "              \
      "'write-error'")                                                                             \
    X(ARG_OF, "of", "a host; default: all")                                                        \
    X(ARG_TAKES, "takes", "time")                                                                  \
    X(ARG_TYPE, "type", "of the reservation")                                                      \
    X(ARG_KEY, "key", "of the reservation")

enum step_argument {
#define X(name, word, about) name,
    STEP_ARGUMENTS(X)
#undef X
        ARG_COUNT,
};
#define ARG_BIT(argument) (1u << (argument))

#define DIRECTION_BOTH UINT32_MAX

struct setting; /* lab/settings.h */

/* The arguments that were given; those that need no verb yet that runs are kept as text. */
struct step_arguments {
    unsigned given;          /* mask of ARG_BIT() */
    uint32_t direction;      /* ARG_DIRECTION: frames towards which end of the cable (0 'from', 1
                                'to'); of a NIC or port: DIRECTION_OUT or DIRECTION_IN of it;
                                DIRECTION_BOTH: 'towards' counts, or all frames are meant */
    struct part_ref towards; /* ARG_DIRECTION of a switch, host or array: the box that frames go to,
                                itself or a neighbour; PART_NONE: not given */
    int64_t boot_time_ns;    /* ARG_BOOT_TIME */
    int64_t down_ns;         /* ARG_DOWN */
    int64_t up_ns;           /* ARG_UP */
    uint32_t rate_ppm;       /* ARG_RATE */
    uint32_t burst;          /* ARG_BURST: frames */
    uint32_t every;          /* ARG_EVERY: each n-th frame */
    int64_t larger_bytes;    /* ARG_LARGER_THAN */
    enum corrupt_seen_by seen_by;  /* ARG_SEEN_BY */
    int64_t by_ns;                 /* ARG_BY, a time */
    int64_t by_factor_ppm;         /* ARG_BY of 'slow', a factor; 0: it is a time */
    int64_t jitter_ns;             /* ARG_JITTER */
    int64_t to_bits_per_s;         /* ARG_TO of 'throttle' */
    int to_state;                  /* ARG_TO of 'transition': an enum alua_state */
    struct endpoint to_portal;     /* ARG_TO of 'redirect' */
    bool is_permanent;             /* ARG_PERMANENT */
    const struct setting *setting; /* ARG_WHAT */
    int64_t setting_value;         /* ARG_TO of 'change', in the base unit */
    uint64_t first_block;          /* ARG_AREA; all if it is not given */
    uint64_t last_block;
    bool fails_reads; /* ARG_SENSE */
    bool fails_writes;
    uint32_t of_host;      /* ARG_OF: index of a host; TOPOLOGY_NONE: all */
    char *text[ARG_COUNT]; /* as written, owned; NULL if not given */
};

struct step {
    char name[NAME_BYTES]; /* given, or 'step-3' */
    struct source_pos pos;
    struct moment when;
    int64_t for_ns; /* undone after so long; 0: never by itself */
    enum verb verb;
    bool is_undo;         /* the verb takes a layer away: 'plug-in', 'power-on', ... */
    struct part_ref part; /* 'change': what has the setting; PART_NONE: several of them */
    struct step_arguments arguments;
};

/* ---- Loads ------------------------------------------------------------------------------ */

/* One host's part of a load: a region of the disk of its own. */
struct load_host {
    uint32_t host_index;
    int64_t area_offset_bytes;
};

struct load {
    char name[NAME_BYTES];
    struct source_pos pos;
    struct load_host *hosts; /* 'host_count', owned */
    uint32_t host_count;
    uint32_t disk_index;
    uint32_t reads_ppm;
    uint32_t io_bytes; /* whole blocks of the disk */
    enum load_pattern pattern;
    int64_t area_bytes;   /* per host, a multiple of 'io_bytes' */
    uint32_t in_flight;   /* closed loop; 0: open loop */
    uint32_t rate_per_s;  /* per host; 0: no ceiling (closed loop only) */
    uint32_t queue_limit; /* open loop: I/O that wait at most in the host */
    struct moment start;
    struct moment stop;
};

/* ---- Expectations ----------------------------------------------------------------------- */

#define MEASURE_UNITS(X)                                                                           \
    X(UNIT_COUNT, "count")                                                                         \
    X(UNIT_NS, "ns")                                                                               \
    X(UNIT_PER_S, "per s")                                                                         \
    X(UNIT_BYTES_PER_S, "bytes per s")                                                             \
    X(UNIT_NAME, "name")                                                                           \
    X(UNIT_PPM, "ppm")

enum measure_unit {
#define X(name, word) name,
    MEASURE_UNITS(X)
#undef X
};

/* The times that a measure is taken over. */
enum measure_time {
    OVER_WINDOW, /* 'from' and 'until'; without them the whole run */
    AT_MOMENT,   /* 'when' */
    SINCE_STEP,  /* 'since' */
};

#define OF_HOST_DISK      (PART_BIT(PART_HOST) | PART_BIT(PART_DISK))
#define OF_HOST_DISK_PATH (OF_HOST_DISK | PART_BIT(PART_PATH))
#define OF_HOST_PATH      (PART_BIT(PART_HOST) | PART_BIT(PART_PATH))
#define OF_FABRIC                                                                                  \
    (PART_BIT(PART_SWITCH) | PART_BIT(PART_PORT) | PART_BIT(PART_NIC) | PART_BIT(PART_CABLE))

/* X-macro: name, word (expectation.measure), unit, of what parts, over what time, can be measured
 * yet, meaning. */
#define MEASURES(X)                                                                                \
    X(MEASURE_IO_ERRORS, "io-errors", UNIT_COUNT, OF_HOST_DISK, OVER_WINDOW, true,                 \
      "reads and writes that the workload saw fail")                                               \
    X(MEASURE_LONGEST_PAUSE, "longest-pause", UNIT_NS, OF_HOST_DISK, OVER_WINDOW, true,            \
      "the longest time with I/O outstanding and no completion")                                   \
    X(MEASURE_LONGEST_IO, "longest-io", UNIT_NS, OF_HOST_DISK, OVER_WINDOW, true,                  \
      "the longest that any I/O was outstanding")                                                  \
    X(MEASURE_LATENCY, "latency", UNIT_NS, OF_HOST_DISK_PATH, OVER_WINDOW, true,                   \
      "planned start (open loop) or submission to completion, at a 'percentile'")                  \
    X(MEASURE_IOPS, "iops", UNIT_PER_S, OF_HOST_DISK_PATH, OVER_WINDOW, true,                      \
      "completions in the window")                                                                 \
    X(MEASURE_THROUGHPUT, "throughput", UNIT_BYTES_PER_S, OF_HOST_DISK_PATH, OVER_WINDOW, true,    \
      "bytes of completions in the window")                                                        \
    X(MEASURE_PATHS_USABLE, "paths-usable", UNIT_COUNT, OF_HOST_DISK, AT_MOMENT, true,             \
      "usable paths at a moment")                                                                  \
    X(MEASURE_DETECTED_AFTER, "detected-after", UNIT_NS, OF_HOST_PATH, SINCE_STEP, true,           \
      "to the first sign of trouble that the host acts on")                                        \
    X(MEASURE_PATH_FAILED_AFTER, "path-failed-after", UNIT_NS, OF_HOST_PATH, SINCE_STEP, true,     \
      "to the last touched path leaving use")                                                      \
    X(MEASURE_PATH_USABLE_AFTER, "path-usable-after", UNIT_NS, OF_HOST_PATH, SINCE_STEP, true,     \
      "to the last touched path being usable again")                                               \
    X(MEASURE_SESSIONS, "sessions", UNIT_COUNT, OF_HOST_PATH, AT_MOMENT, true,                     \
      "sessions in full feature phase")                                                            \
    X(MEASURE_LOGINS, "logins", UNIT_COUNT, OF_HOST_PATH, OVER_WINDOW, true,                       \
      "logins that succeeded")                                                                     \
    X(MEASURE_RETRANSMISSIONS, "retransmissions", UNIT_COUNT, OF_HOST_PATH, OVER_WINDOW, true,     \
      "TCP segments sent again, by either end")                                                    \
    X(MEASURE_RESETS, "resets", UNIT_COUNT, OF_HOST_PATH, OVER_WINDOW, true,                       \
      "TCP connections that a reset ended, at either end")                                         \
    X(MEASURE_FRAMES_DROPPED, "frames-dropped", UNIT_COUNT, OF_FABRIC, OVER_WINDOW, true,          \
      "frames dropped, for one 'reason' or for all")                                               \
    X(MEASURE_REGISTRATIONS, "registrations", UNIT_COUNT, PART_BIT(PART_DISK), AT_MOMENT, false,   \
      "persistent reservation keys registered")                                                    \
    X(MEASURE_RESERVATION_HOLDER, "reservation-holder", UNIT_NAME, PART_BIT(PART_DISK), AT_MOMENT, \
      false, "the host that holds the persistent reservation")

enum measure {
#define X(name, word, unit, of, time, can_run, about) name,
    MEASURES(X)
#undef X
        MEASURE_COUNT,
};

enum expectation_kind { EXPECT_MEASURE, EXPECT_BREAKS, EXPECT_FINDING };

#define BOUNDS(X)                                                                                  \
    X(BOUND_AT_MOST, "at-most")                                                                    \
    X(BOUND_AT_LEAST, "at-least")                                                                  \
    X(BOUND_EXACTLY, "exactly")                                                                    \
    X(BOUND_IS, "is")                                                                              \
    X(BOUND_NO_WORSE, "no-worse-than-baseline")

enum bound {
#define X(name, word) name,
    BOUNDS(X)
#undef X
};

enum scope_kind {
    SCOPE_ONE,  /* 'of: hv1' */
    SCOPE_EACH, /* 'of: each host': a verdict per host */
    SCOPE_ALL,  /* 'of: all hosts': one verdict on the sum */
    SCOPE_RUN,  /* no 'of': the run (breaks, finding) */
};

struct expectation_scope {
    enum scope_kind kind;
    struct part_ref part;     /* SCOPE_ONE */
    enum part_kind part_kind; /* EACH, ALL: of what */
};

struct expectation {
    char *name; /* a sentence, owned */
    struct source_pos pos;
    enum expectation_kind kind;
    struct expectation_scope of;
    /* EXPECT_MEASURE */
    enum measure measure;
    uint32_t percentile_ppm; /* latency: 99.9 is 999,000 */
    enum drop_reason reason; /* frames-dropped; DROP_REASON_COUNT: for any */
    bool has_window;
    struct moment from;  /* OVER_WINDOW; the whole run unless 'has_window' */
    struct moment until; /* OVER_WINDOW */
    struct moment when;  /* AT_MOMENT */
    uint32_t since_step; /* SINCE_STEP */
    enum bound bound;
    int64_t bound_value; /* in the measure's unit; PPM if 'is_ratio' */
    char *bound_text;    /* as written, owned */
    char *is_name;       /* BOUND_IS, owned */
    bool is_ratio;       /* compared with the same measure over another window */
    struct moment compared_from;
    struct moment compared_until;
    /* EXPECT_BREAKS: "D3"; EXPECT_FINDING: "mtu-mismatch"; owned */
    char *breaks;
    char *finding;
};

/* ---- The scenario ----------------------------------------------------------------------- */

struct scenario {
    char name[NAME_BYTES];
    char *about;    /* owned */
    char *variant;  /* owned: "hosts.*.multipath.policy=round-robin"; "" without 'vary' */
    char **choices; /* owned, as each: what --set takes for the same, one per axis of 'vary' */
    size_t choice_count;
    char *overrides; /* owned: what --set and --seed asked for, one per line; "" if nothing */
    uint64_t seed;
    int64_t run_for_ns;
    uint64_t event_limit;      /* 0: none */
    int64_t wall_limit_ns;     /* 0: none */
    struct topology *topology; /* owned */
    struct load *loads;
    struct step *steps; /* in the order of the file */
    struct expectation *expectations;
    char **accepts; /* names of findings of the audit */
    uint32_t load_count;
    uint32_t step_count;
    uint32_t expectation_count;
    uint32_t accept_count;
    enum plant plant; /* PLANT_NONE; set only in builds with ISCSILAB_PLANTS */
};

/* All variants of one scenario file, and the texts that they were made from. */
struct scenario_set {
    struct scenario **scenarios; /* 'scenario_count', 1 or more, owned */
    size_t scenario_count;
    struct file_set files; /* scenario first, then topology, then profiles in order of use */
};

/* Loads the file at 'path', its topology and profiles, with 'overrides'
 * ("switches.switch-2.mtu=1500", as given to --set) applied to scenario or topology before anything
 * is checked. NULL if 'errors' grew by an error. 'reader' NULL: the file system. */
struct scenario_set *scenario_load(const char *path, const char *const *overrides,
                                   size_t override_count, const struct file_reader *reader,
                                   struct errors *errors);

/* 'set' may be NULL. */
void scenario_free(struct scenario_set *set);

/* The tables. */
struct verb_row {
    const char *word;
    enum verb undo;
    unsigned parts;
    unsigned can_run;
    unsigned arguments;
    unsigned needs; /* of the arguments */
    bool lasts;     /* until it is undone; else it is over in a moment */
    bool is_undo;   /* the later of a pair: 'plug-in' */
    const char *about;
};
struct measure_row {
    const char *word;
    enum measure_unit unit;
    unsigned of;
    enum measure_time time;
    bool can_run;
    const char *about;
};
const struct verb_row *verb_row(enum verb verb);
const struct measure_row *measure_row(enum measure measure);
const char *measure_unit_word(enum measure_unit unit);
const char *load_pattern_word(enum load_pattern pattern);
const char *bound_word(enum bound bound);
