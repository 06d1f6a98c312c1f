/* What was measured, and whether it is within its bound. */
#include "lab/judge_checks.h"

#include "sim/core/time.h"

#include <inttypes.h>
#include <stdio.h>

/* The last of the touched paths; UNSET if one never did it, or if there is none. */
static int64_t last_of_paths(const struct judge *j, const struct check *check, bool usable)
{
    int64_t last_ns = UNSET;

    for (uint32_t p = 0; p < j->scenario->topology->path_count; p++) {
        const struct path_watch *watch = &check->watches[p];
        int64_t at_ns = usable ? watch->usable_at_ns : watch->left_at_ns;

        if (!watch->is_touched || (!usable && !watch->was_in_use))
            continue;
        if (at_ns == UNSET)
            return UNSET;
        last_ns = time_max(last_ns, at_ns - check->moment_ns);
    }
    return last_ns;
}

static int64_t per_second(uint64_t sum, const struct window *window, int64_t end_ns)
{
    int64_t span_ns = time_min(window->until_ns, end_ns) - window->from_ns;

    return span_ns > 0
               ? (int64_t)((__extension__(unsigned __int128) sum) * 1000000000u / (uint64_t)span_ns)
               : UNSET;
}

/* In one window, in the measure's unit; UNSET: no samples. */
static int64_t measured_in(const struct judge *j, const struct check *check,
                           const struct window *window)
{
    const struct expectation *e = check->expectation;
    int64_t end_ns = j->scenario->run_for_ns;

    switch (e->measure) {
    case MEASURE_IO_ERRORS:
        return window->ios + window->errors > 0 ? (int64_t)window->errors : UNSET;
    case MEASURE_LONGEST_PAUSE:
    case MEASURE_LONGEST_IO:
        return window->longest_ns;
    case MEASURE_LATENCY:
        return window->histogram->count > 0
                   ? histogram_percentile_ns(window->histogram, e->percentile_ppm)
                   : UNSET;
    case MEASURE_IOPS:
        return per_second(window->ios, window, end_ns);
    case MEASURE_THROUGHPUT:
        return per_second(window->bytes, window, end_ns);
    case MEASURE_FRAMES_DROPPED:
    case MEASURE_LOGINS:
    case MEASURE_RETRANSMISSIONS:
    case MEASURE_RESETS:
        return (int64_t)window->counted;
    default: /* those of moments and steps, and those that the loader refuses so far */
        return UNSET;
    }
}

static int64_t measured_since_step(const struct judge *j, const struct check *check)
{
    switch (check->expectation->measure) {
    case MEASURE_DETECTED_AFTER:
        return check->detected_at_ns == UNSET ? UNSET : check->detected_at_ns - check->moment_ns;
    case MEASURE_PATH_FAILED_AFTER:
        return last_of_paths(j, check, false);
    case MEASURE_PATH_USABLE_AFTER:
        return last_of_paths(j, check, true);
    default:
        return UNSET;
    }
}

/* What is compared with the bound; UNSET: no samples, or nothing to compare with. */
static int64_t measured(const struct judge *j, const struct check *check)
{
    if (check->is_about_nothing)
        return UNSET;
    if (check->watches)
        return measured_since_step(j, check);
    if (check->window_count == 0)
        return check->at_moment;

    int64_t value = measured_in(j, check, &check->windows[0]);
    if (!check->expectation->is_ratio || value == UNSET)
        return value;
    int64_t base = measured_in(j, check, &check->windows[1]);
    return base > 0 ? (int64_t)((__extension__(__int128) value) * 1000000 / base) : UNSET;
}

static bool is_met(const struct expectation *e, int64_t value)
{
    switch (e->bound) {
    case BOUND_AT_MOST:
        return value <= e->bound_value;
    case BOUND_AT_LEAST:
        return value >= e->bound_value;
    case BOUND_EXACTLY:
        return value == e->bound_value;
    case BOUND_IS:
    case BOUND_NO_WORSE:
        break;
    }
    return false;
}

static const char *subject_name(const struct judge *j, const struct check *check, char *buffer)
{
    if (check->subject.kind != PART_NONE)
        return topology_part_name(j->scenario->topology, check->subject, buffer);
    if (check->expectation->of.kind == SCOPE_RUN)
        return "run";
    snprintf(buffer, PART_NAME_BYTES, "all %s%s", part_kind_word(check->expectation->of.part_kind),
             check->expectation->of.part_kind == PART_SWITCH ? "es" : "s");
    return buffer;
}

static bool judge_measure(const struct judge *j, const struct check *check, struct rows *rows)
{
    const struct expectation *e = check->expectation;
    const struct measure_row *measure = measure_row(e->measure);
    int64_t value = measured(j, check);
    bool is_good = value != UNSET && is_met(e, value);
    char subject[PART_NAME_BYTES];
    char bound[128];
    char number[32] = "";

    snprintf(bound, sizeof(bound), "%s %s", bound_word(e->bound), e->bound_text);
    if (value != UNSET)
        snprintf(number, sizeof(number), "%" PRId64, value);
    rows_put(rows, TABLE_EXPECTATION,
             (struct value[]){V_TEXT(e->name), V_TEXT(subject_name(j, check, subject)),
                              V_TEXT(measure->word), V_TEXT(bound), V_TEXT(number),
                              V_TEXT(e->is_ratio ? "ppm" : measure_unit_word(measure->unit)),
                              V_TEXT(value == UNSET ? "no samples"
                                     : is_good      ? "met"
                                                    : "not met")});
    return is_good;
}

static bool judge_rule(const struct judge *j, const struct check *check, struct rows *rows)
{
    const struct expectation *e = check->expectation;
    bool is_good = check->is_rule_broken;
    char subject[PART_NAME_BYTES];
    char bound[128];

    snprintf(bound, sizeof(bound), "breaks %s", e->breaks);
    rows_put(rows, TABLE_EXPECTATION,
             (struct value[]){V_TEXT(e->name), V_TEXT(subject_name(j, check, subject)),
                              V_TEXT("breaks"), V_TEXT(bound), V_TEXT(is_good ? "broken" : "kept"),
                              V_TEXT("rule"), V_TEXT(is_good ? "met" : "not met")});
    return is_good;
}

bool judge_verdict(const struct judge *j, const struct check *check, struct rows *rows)
{
    return check->expectation->kind == EXPECT_MEASURE ? judge_measure(j, check, rows)
                                                      : judge_rule(j, check, rows);
}
