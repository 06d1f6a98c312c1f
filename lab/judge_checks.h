/* What the pieces of the judge share: the checks, as they are built from a scenario
 * (judge_checks.c), fed while the run goes on (judge.c), and turned into verdicts
 * (judge_verdict.c).
 */
#pragma once

#include "lab/histogram.h"
#include "lab/judge.h"

#define UNSET (-1)

/* A span of the run and what was found in it. */
struct window {
    int64_t from_ns;
    int64_t until_ns;
    uint64_t ios; /* without errors */
    uint64_t bytes;
    uint64_t errors;
    int64_t longest_ns;          /* pause, I/O; UNSET: none */
    struct histogram *histogram; /* latency; owned */
    uint64_t counted_before;     /* frames dropped, logins and the like: at 'from', */
    uint64_t counted;            /* and in the window */
};

/* Since the step of the expectation, of one path of one host. */
struct path_watch {
    bool is_touched;
    bool was_in_use;      /* at the step */
    int64_t left_at_ns;   /* left use, for the first time */
    int64_t usable_at_ns; /* became usable again; or the step, if it was and is usable */
};

/* One verdict. */
struct check {
    const struct expectation *expectation;
    struct part_ref subject;  /* PART_NONE: all of them, or the run */
    bool is_about_nothing;    /* the SAN has no such part */
    struct window windows[2]; /* OVER_WINDOW; the other one is the base of a ratio */
    size_t window_count;
    int64_t moment_ns; /* AT_MOMENT, or the step of SINCE_STEP */
    int64_t at_moment; /* what was found then */
    int64_t detected_at_ns;
    bool is_rule_broken;        /* EXPECT_BREAKS */
    struct path_watch *watches; /* SINCE_STEP: by path of the topology; owned */
};

/* One path of one disk, now. */
struct use {
    bool is_in_use;
    bool is_usable;
};

/* The checks that the I/O of one host may matter to. */
struct check_list {
    struct check **checks; /* owned */
    size_t count;
};

struct judge {
    const struct scenario *scenario;
    const struct san_names *names;
    const struct open_ios *ios;
    struct judge_source *source;
    struct check *checks;
    size_t check_count;
    struct check_list *of_host; /* by host; owned */
    int64_t *moments;           /* instants to look at, rising; owned */
    size_t moment_count;
    size_t next_moment;
    struct use **uses; /* [path of the topology][disk of the host] */
};

/* Whom a check is about. */
bool check_is_about_host(const struct check *check, uint32_t host);
bool check_is_about_io(const struct judge *judge, const struct check *check,
                       const struct open_io *io);
bool check_is_about_broken(const struct judge *judge, const struct check *check,
                           const struct trace_broken *broken);

/* How many parts of a kind there are, and one of them; ports count through all switches. */
uint32_t judge_part_count(const struct topology *topology, enum part_kind kind);
struct part_ref judge_part(const struct topology *topology, enum part_kind kind, uint32_t index);

/* The run is over, all windows have ended: writes the row. True: the expectation is met. */
bool judge_verdict(const struct judge *judge, const struct check *check, struct rows *rows);
