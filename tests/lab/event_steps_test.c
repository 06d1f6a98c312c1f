/* Steps that wait for an event: which event counts, and what follows from it. */
#include "lab/event_steps.h"
#include "sim/core/time.h"
#include "tests/test.h"

#define STEPS_MOST 4

static struct topology_path paths[] = {
    {.host_index = 0, .index_in_host = 0},
    {.host_index = 0, .index_in_host = 1},
    {.host_index = 1, .index_in_host = 0},
};
static struct topology topology = {.paths = paths, .path_count = 3};

struct story {
    struct event_steps_user user;
    struct step steps[STEPS_MOST];
    struct scenario scenario;
    struct event_steps *waiting;
    int64_t known_ns[STEPS_MOST];
};

static void on_known(struct event_steps_user *user, uint32_t step_index, int64_t at_ns)
{
    struct story *story = (struct story *)(void *)user;

    assert_int_equal(story->known_ns[step_index], TIME_NEVER);
    story->known_ns[step_index] = at_ns;
}

/* Step 0 waits for 'event' at 'part' and 2 s; step 1 comes 3 s after it; step 2 has a time. */
static void begin(struct story *story, enum scenario_event event, struct part_ref part)
{
    *story = (struct story){.user = {on_known}};
    story->steps[0].when = (struct moment){.base = MOMENT_EVENT,
                                           .event = event,
                                           .part = part,
                                           .offset_ns = SECONDS(2),
                                           .at_ns = TIME_NEVER};
    story->steps[1].when =
        (struct moment){.base = MOMENT_STEP, .offset_ns = SECONDS(3), .at_ns = TIME_NEVER};
    story->steps[2].when = (struct moment){.base = MOMENT_START, .at_ns = SECONDS(60)};
    story->scenario =
        (struct scenario){.topology = &topology, .steps = story->steps, .step_count = 3};
    for (size_t i = 0; i < STEPS_MOST; i++)
        story->known_ns[i] = TIME_NEVER;
    story->waiting = event_steps_new(&story->scenario, &story->user);
    assert_non_null(story->waiting);
}

static void path(struct story *story, int64_t at_ns, uint32_t host, uint32_t index,
                 const char *old_state, const char *new_state)
{
    struct trace_path change = {.host = host,
                                .path = index,
                                .old_state = old_state,
                                .new_state = new_state,
                                .reason = "test"};

    event_steps_path(story->waiting, at_ns, &change);
}

static void the_first_failure_counts_and_those_after_it_follow(void **state)
{
    struct story story;

    (void)state;
    begin(&story, EVENT_PATH_FAILED, (struct part_ref){.kind = PART_HOST, .index = 0});
    path(&story, SECONDS(5), 1, 0, "active", "failed"); /* another host's */
    path(&story, SECONDS(6), 0, 1, "active", "held");   /* still in use */
    assert_int_equal(story.known_ns[0], TIME_NEVER);
    path(&story, SECONDS(9), 0, 1, "held", "failed");
    assert_int_equal(story.known_ns[0], SECONDS(11));
    assert_int_equal(story.known_ns[1], SECONDS(14));
    assert_int_equal(story.known_ns[2], TIME_NEVER); /* it had its time */
    path(&story, SECONDS(20), 0, 0, "active", "failed");
    assert_int_equal(story.known_ns[0], SECONDS(11));
    event_steps_free(story.waiting);
}

static void a_path_is_not_its_neighbour(void **state)
{
    struct story story;

    (void)state;
    begin(&story, EVENT_PATH_FAILED, (struct part_ref){.kind = PART_PATH, .index = 1});
    path(&story, SECONDS(5), 0, 0, "active", "failed");
    path(&story, SECONDS(6), 1, 0, "active", "failed");
    assert_int_equal(story.known_ns[0], TIME_NEVER);
    path(&story, SECONDS(7), 0, 1, "standby", "failed");
    assert_int_equal(story.known_ns[0], SECONDS(9));
    event_steps_free(story.waiting);
}

static void the_first_login_is_no_return(void **state)
{
    struct story story;

    (void)state;
    begin(&story, EVENT_PATH_USABLE, (struct part_ref){.kind = PART_HOST, .index = 0});
    path(&story, SECONDS(1), 0, 0, "pending", "active");
    path(&story, SECONDS(5), 0, 0, "held", "active"); /* it never left use */
    path(&story, SECONDS(6), 0, 1, "active", "failed");
    path(&story, SECONDS(7), 0, 1, "failed", "pending");
    assert_int_equal(story.known_ns[0], TIME_NEVER);
    path(&story, SECONDS(8), 0, 1, "pending", "active");
    assert_int_equal(story.known_ns[0], SECONDS(10));
    event_steps_free(story.waiting);
}

static void an_error_is_the_hosts_own(void **state)
{
    struct story story;

    (void)state;
    begin(&story, EVENT_IO_ERROR, (struct part_ref){.kind = PART_HOST, .index = 1});
    event_steps_io_error(story.waiting, SECONDS(5), 0);
    assert_int_equal(story.known_ns[0], TIME_NEVER);
    event_steps_io_error(story.waiting, SECONDS(6), 1);
    assert_int_equal(story.known_ns[0], SECONDS(8));
    event_steps_free(story.waiting);
}

static void nobody_waits_where_all_times_are_known(void **state)
{
    struct story story;

    (void)state;
    begin(&story, EVENT_IO_ERROR, (struct part_ref){.kind = PART_HOST, .index = 1});
    event_steps_free(story.waiting);
    story.steps[0].when.at_ns = SECONDS(1);
    story.steps[1].when.at_ns = SECONDS(4);
    assert_null(event_steps_new(&story.scenario, &story.user));
    event_steps_io_error(NULL, SECONDS(6), 1);
}

int main(void)
{
    TEST(the_first_failure_counts_and_those_after_it_follow);
    TEST(a_path_is_not_its_neighbour);
    TEST(the_first_login_is_no_return);
    TEST(an_error_is_the_hosts_own);
    TEST(nobody_waits_where_all_times_are_known);
    return TEST_RUN("lab.event_steps");
}
