/* The tables of a scenario file, and of its vocabulary. */
#include "lab/scenario_tables.h"

#include <stddef.h>

#include "sim/core/attributes.h"
#include "sim/core/time.h"

/* ---- Vocabulary ---- */

static const struct verb_row verbs[] = {
#define X(name, word, undo, parts, can_run, arguments, needs, lasts, about)                        \
    [name] = {word, undo, parts, can_run, arguments, needs, lasts, (undo) < (name), about},
    VERBS(X)
#undef X
};

const struct verb_row *verb_row(enum verb verb)
{
    return &verbs[verb];
}

static const struct measure_row measures[] = {
#define X(name, word, unit, of, time, can_run, about)                                              \
    [name] = {word, unit, of, time, can_run, about},
    MEASURES(X)
#undef X
};

const struct measure_row *measure_row(enum measure measure)
{
    return &measures[measure];
}

const struct word measure_words[] = {
#define X(name, word, unit, of, time, can_run, about) {word, name, about},
    MEASURES(X)
#undef X
        {NULL, 0, NULL}};

const struct word drop_words[] = {
#define X(name, word) {word, name, NULL},
    DROP_REASONS(X)
#undef X
        {NULL, 0, NULL}};

const struct word plant_words[] = {
#define X(rule, what) {#rule, PLANT_##rule, what},
    PLANTS(X)
#undef X
        {NULL, 0, NULL}};

const char *measure_unit_word(enum measure_unit unit)
{
    static const char *const words[] = {
#define X(name, word) [name] = (word),
        MEASURE_UNITS(X)
#undef X
    };

    return words[unit];
}

const char *load_pattern_word(enum load_pattern pattern)
{
    static const char *const words[] = {
#define X(name, word) [name] = (word),
        LOAD_PATTERNS(X)
#undef X
    };

    return words[pattern];
}

const char *bound_word(enum bound bound)
{
    static const char *const words[] = {
#define X(name, word) [name] = (word),
        BOUNDS(X)
#undef X
    };

    return words[bound];
}

/* ---- Loads ---- */

#define X(name, word) {word, name, NULL},
static const struct word patterns[] = {LOAD_PATTERNS(X){NULL, 0, NULL}};
#undef X

static const struct field load_fields[] = {
    {.key = "hosts",
     .type = FIELD_NAMES,
     NODE_MEMBER(struct load_file, hosts),
     .is_required = true,
     .about = "'all', or a list of hosts; each does this load by itself"},
    {.key = "disk",
     .type = FIELD_PART,
     NODE_MEMBER(struct load_file, disk),
     .is_required = true,
     .about = "'san1.vmstore'"},
    {.key = "reads",
     .type = FIELD_QUANTITY,
     .quantity = QUANTITY_SHARE,
     MEMBER(struct load_file, reads_ppm),
     .most = 1000000,
     .is_required = true,
     .about = "share of reads; the others are writes"},
    {.key = "size",
     .type = FIELD_QUANTITY,
     .quantity = QUANTITY_SIZE,
     MEMBER(struct load_file, io_bytes),
     .least = 512,
     .most = 16 << 20,
     .is_required = true,
     .about = "of one I/O: whole blocks of the disk"},
    {.key = "pattern",
     .type = FIELD_WORD,
     MEMBER(struct load_file, pattern),
     .words = patterns,
     .fallback = "random",
     .about = "where in the area the next I/O goes"},
    {.key = "area",
     .type = FIELD_QUANTITY,
     .quantity = QUANTITY_SIZE,
     MEMBER(struct load_file, area_bytes),
     .least = 512,
     .most = (int64_t)1 << 48,
     .fallback = "64 MiB",
     .about = "region of the disk that each host uses, one of its own"},
    {.key = "in-flight",
     .type = FIELD_COUNT,
     MEMBER(struct load_file, in_flight),
     .least = 1,
     .most = 4096,
     .about = "closed loop: so many I/Os at a time, per host"},
    {.key = "rate",
     .type = FIELD_QUANTITY,
     .quantity = QUANTITY_FREQUENCY,
     MEMBER(struct load_file, rate_per_s),
     .least = 1,
     .most = 10000000,
     .about = "open loop, per host; beside 'in-flight' a ceiling"},
    {.key = "queue",
     .type = FIELD_COUNT,
     MEMBER(struct load_file, queue_limit),
     .least = 1,
     .most = 1000000,
     .fallback = "65536",
     .about = "open loop: so many I/Os wait at most in a host"},
    {.key = "start",
     .type = FIELD_MOMENT,
     NODE_MEMBER(struct load_file, start),
     .fallback = "0 s",
     .about = "a time or a step"},
    {.key = "stop",
     .type = FIELD_MOMENT,
     NODE_MEMBER(struct load_file, stop),
     .fallback = "end",
     .about = "a time or a step"},
};
const struct record load_record = {
    .name = "load",
    .fields = load_fields,
    .field_count = ARRAY_SIZE(load_fields),
    .about = "I/O that hosts do on one disk.",
};

/* ---- Steps ---- */

static const struct field step_fields[] = {
    {.key = "at",
     .type = FIELD_MOMENT,
     NODE_MEMBER(struct step_file, at),
     .about = "a time: '60 s'"},
    {.key = "after",
     .type = FIELD_MOMENT,
     NODE_MEMBER(struct step_file, after),
     .about = "'STEP + TIME'"},
    {.key = "when",
     .type = FIELD_MOMENT,
     NODE_MEMBER(struct step_file, when),
     .about = "an event: 'first path-failed of hv1 + 2 s'; also path-usable, io-error"},
    {.key = "name",
     .type = FIELD_NAME,
     MEMBER(struct step_file, name),
     .about = "what time expressions call it"},
    {.key = "for",
     .type = FIELD_QUANTITY,
     .quantity = QUANTITY_SPAN,
     MEMBER(struct step_file, for_ns),
     .least = 1,
     .most = SECONDS(100000000),
     .about = "and undo it after so long"},
#define X(name, word, undo, parts, can_run, arguments, needs, lasts, help)                         \
    {.key = (word),                                                                                \
     .type = FIELD_NODE,                                                                           \
     NODE_MEMBER(struct step_file, verbs[name]),                                                   \
     .record = &argument_record,                                                                   \
     .about = (help)},
    VERBS(X)
#undef X
};
const struct record step_record = {
    .name = "step",
    .key_word = "step",
    .fields = step_fields,
    .field_count = ARRAY_SIZE(step_fields),
    .about = "A moment and one verb: 'power-off: switch-1', or with arguments 'pull: {part: "
             "hv1-1, direction: to-switch-1}'.",
};

static const struct field argument_fields[] = {{.key = "part",
                                                .type = FIELD_PART,
                                                NODE_MEMBER(struct argument_file, part),
                                                .about = "what it happens to"},
#define X(name, word, help)                                                                        \
    {.key = (word),                                                                                \
     .type = FIELD_NODE,                                                                           \
     NODE_MEMBER(struct argument_file, arguments[name]),                                           \
     .about = (help)},
                                               STEP_ARGUMENTS(X)
#undef X
};
const struct record argument_record = {
    .name = "verb",
    .key_word = "argument",
    .fields = argument_fields,
    .field_count = ARRAY_SIZE(argument_fields),
    .about = "A part and what else the verb needs to know.",
};

/* ---- Expectations ---- */

static const struct field window_fields[] = {
    {.key = "from",
     .type = FIELD_MOMENT,
     NODE_MEMBER(struct window_file, from),
     .is_required = true,
     .about = "a time or a step"},
    {.key = "until",
     .type = FIELD_MOMENT,
     NODE_MEMBER(struct window_file, until),
     .is_required = true,
     .about = "a time or a step"},
};
const struct record window_record = {
    .name = "window",
    .fields = window_fields,
    .field_count = ARRAY_SIZE(window_fields),
    .about = "A part of the run.",
};

static const struct field expectation_fields[] = {
    {.key = "name",
     .type = FIELD_TEXT,
     NODE_MEMBER(struct expectation_file, name),
     .is_required = true,
     .about = "a sentence that says what must hold"},
    {.key = "measure",
     .type = FIELD_VALUE,
     NODE_MEMBER(struct expectation_file, measure),
     .words = measure_words,
     .about = "what is measured"},
    {.key = "of",
     .type = FIELD_VALUE,
     NODE_MEMBER(struct expectation_file, of),
     .about = "a part, 'each host' (a verdict per host) or 'all hosts' (one on the sum)"},
    {.key = "percentile",
     .type = FIELD_VALUE,
     NODE_MEMBER(struct expectation_file, percentile),
     .about = "of 'latency': 99.9"},
    {.key = "reason",
     .type = FIELD_VALUE,
     NODE_MEMBER(struct expectation_file, reason),
     .words = drop_words,
     .about = "of 'frames-dropped': 'too-big'"},
    {.key = "from",
     .type = FIELD_MOMENT,
     NODE_MEMBER(struct expectation_file, from),
     .fallback = "0 s",
     .about = "begin of the window"},
    {.key = "until",
     .type = FIELD_MOMENT,
     NODE_MEMBER(struct expectation_file, until),
     .fallback = "end",
     .about = "end of the window"},
    {.key = "when",
     .type = FIELD_MOMENT,
     NODE_MEMBER(struct expectation_file, when),
     .about = "the moment, for measures of one"},
    {.key = "since",
     .type = FIELD_MOMENT,
     NODE_MEMBER(struct expectation_file, since),
     .about = "the step that a time counts from"},
    {.key = "compared-with",
     .type = FIELD_NODE,
     NODE_MEMBER(struct expectation_file, compared_with),
     .record = &window_record,
     .about = "{from, until}: the bound is a share of the same measure there"},
#define X(name, word)                                                                              \
    {.key = (word),                                                                                \
     .type = FIELD_VALUE,                                                                          \
     NODE_MEMBER(struct expectation_file, bounds[name]),                                           \
     .about = "the bound; exactly one"},
    BOUNDS(X)
#undef X
        {.key = "breaks",
         .type = FIELD_VALUE,
         NODE_MEMBER(struct expectation_file, breaks),
         .words = plant_words,
         .about = "a rule that this scenario exists to show broken: D3"},
    {.key = "finding",
     .type = FIELD_VALUE,
     NODE_MEMBER(struct expectation_file, finding),
     .about = "a finding of the audit: mtu-mismatch"},
};
const struct record expectation_record = {
    .name = "expectation",
    .fields = expectation_fields,
    .field_count = ARRAY_SIZE(expectation_fields),
    .about = "What must hold, besides data safety and the protocol, which are always checked.",
};

/* ---- The scenario ---- */

static const struct field limits_fields[] = {
    {.key = "events",
     .type = FIELD_COUNT,
     MEMBER(struct limits_file, event_limit),
     .least = 1,
     .about = "of the simulation; past it there is no verdict"},
    {.key = "wall-clock",
     .type = FIELD_QUANTITY,
     .quantity = QUANTITY_SPAN,
     MEMBER(struct limits_file, wall_limit_ns),
     .least = MS(1),
     .about = "real time; past it there is no verdict"},
};
static const struct record limits_record = {
    .name = "section",
    .title = "section 'limits'",
    .fields = limits_fields,
    .field_count = ARRAY_SIZE(limits_fields),
    .about = "When to give a run up (exit code 5).",
};

static const struct field scenario_fields[] = {
    {.key = "kind",
     .type = FIELD_FIXED,
     .fallback = "scenario",
     .is_required = true,
     .about = "what kind of file this is"},
    {.key = "format",
     .type = FIELD_FIXED,
     .fallback = "1",
     .is_required = true,
     .about = "version of the format"},
    {.key = "name",
     .type = FIELD_NAME,
     MEMBER(struct scenario_file, name),
     .is_required = true,
     .about = "as results and reports call it"},
    {.key = "about",
     .type = FIELD_TEXT,
     NODE_MEMBER(struct scenario_file, about),
     .about = "one sentence: why somebody cares"},
    {.key = "topology",
     .type = FIELD_VALUE,
     NODE_MEMBER(struct scenario_file, topology),
     .is_required = true,
     .about = "path of the topology file, from this file"},
    {.key = "seed",
     .type = FIELD_COUNT,
     MEMBER(struct scenario_file, seed),
     .fallback = "1",
     .about = "of all that is left to chance"},
    {.key = "run-for",
     .type = FIELD_QUANTITY,
     .quantity = QUANTITY_SPAN,
     MEMBER(struct scenario_file, run_for_ns),
     .least = MS(1),
     .most = SECONDS(100000000),
     .is_required = true,
     .about = "simulated time"},
    {.key = "accept",
     .type = FIELD_NAMES,
     NODE_MEMBER(struct scenario_file, accepts),
     .about = "findings of the audit that do not stop the run"},
    {.key = "vary",
     .type = FIELD_NODE,
     NODE_MEMBER(struct scenario_file, vary),
     .about = "dotted paths and lists of values: one run for each combination"},
    {.key = "load",
     .type = FIELD_NAMED,
     NODE_MEMBER(struct scenario_file, loads),
     .record = &load_record,
     .about = "by name"},
    {.key = "steps",
     .type = FIELD_LIST,
     NODE_MEMBER(struct scenario_file, steps),
     .record = &step_record,
     .about = "what happens"},
    {.key = "expect",
     .type = FIELD_LIST,
     NODE_MEMBER(struct scenario_file, expectations),
     .record = &expectation_record,
     .about = "what must hold"},
    {.key = "limits",
     .type = FIELD_RECORD,
     MEMBER(struct scenario_file, limits),
     .record = &limits_record,
     .about = "when to give the run up"},
    {.key = "plant",
     .type = FIELD_VALUE,
     NODE_MEMBER(struct scenario_file, plant),
     .words = plant_words,
     .about = "a planted bug, named by the rule that it breaks; in test builds only"},
};
const struct record scenario_record = {
    .name = "scenario",
    .fields = scenario_fields,
    .field_count = ARRAY_SIZE(scenario_fields),
    .about = "A SAN under load, what breaks, and what must hold.",
};
