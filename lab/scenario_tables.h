/* The tables of a scenario file, and what its maps are read into before names are resolved. */
#pragma once

#include "lab/moment.h"
#include "lab/scenario.h"
#include "lab/schema.h"

struct limits_file {
    uint64_t event_limit;
    int64_t wall_limit_ns;
};

struct scenario_file {
    char name[NAME_BYTES];
    const struct node *about;
    const struct node *topology;
    uint64_t seed;
    int64_t run_for_ns;
    const struct node *accepts;
    const struct node *vary;
    const struct node *loads;
    const struct node *steps;
    const struct node *expectations;
    const struct node *plant;
    struct limits_file limits;
};

struct load_file {
    const struct node *hosts;
    const struct node *disk;
    uint32_t reads_ppm;
    uint32_t io_bytes;
    enum load_pattern pattern;
    int64_t area_bytes;
    uint32_t in_flight;
    uint32_t rate_per_s;
    uint32_t queue_limit;
    const struct node *start;
    const struct node *stop;
};

struct step_file {
    const struct node *at;
    const struct node *after;
    const struct node *when;
    char name[NAME_BYTES];
    int64_t for_ns;
    const struct node *verbs[VERB_COUNT];
};

struct argument_file {
    const struct node *part;
    const struct node *arguments[ARG_COUNT];
};

struct window_file {
    const struct node *from;
    const struct node *until;
};

struct expectation_file {
    const struct node *name;
    const struct node *measure;
    const struct node *of;
    const struct node *percentile;
    const struct node *reason;
    const struct node *from;
    const struct node *until;
    const struct node *when;
    const struct node *since;
    const struct node *compared_with;
    const struct node *bounds[BOUND_NO_WORSE + 1];
    const struct node *breaks;
    const struct node *finding;
};

extern const struct record scenario_record;
extern const struct record load_record;
extern const struct record step_record;
extern const struct record argument_record;
extern const struct record expectation_record;
extern const struct record window_record;

extern const struct word measure_words[];
extern const struct word drop_words[];  /* enum drop_reason */
extern const struct word plant_words[]; /* enum plant: rules that are watched */

/* The parts of a scenario, each from its map (NULL: nothing is asked for). They add what is wrong
 * to 'errors' and are to be called in this order. */
void scenario_read_steps(struct scenario *scenario, const struct node *steps,
                         struct errors *errors);
void scenario_read_loads(struct scenario *scenario, const struct node *loads,
                         struct errors *errors);
void scenario_read_expectations(struct scenario *scenario, const struct node *expectations,
                                struct errors *errors);

/* Refuses a moment outside of the run. True: it is inside, or not known before the run. */
bool scenario_check_inside(const struct scenario *scenario, const struct node *node,
                           const char *what, int64_t at_ns, struct errors *errors);
/* Is the moment known before the run? It is not, if it counts from a step that waits. */
bool scenario_check_known(const struct scenario *scenario, const struct node *node, const char *key,
                          const struct moment *moment, struct errors *errors);

/* "unknown host 'hv3'", with all names of these kinds of parts to choose from. */
void scenario_unknown_part(const struct topology *topology, const struct node *node,
                           const char *what, unsigned kinds, struct errors *errors);
