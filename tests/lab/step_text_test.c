/* Steps typed as a line: what they mean, and what is told when they make no sense. */
#include "lab/step_text.h"

#include "lab/settings.h"
#include "sim/core/time.h"

#include "tests/lab/files.h"

struct typed {
    struct scenario_set *set;
    struct file_set texts;
    struct errors *errors;
    struct step step;
};

static bool type(struct typed *typed, const char *text)
{
    struct test_reader reader = test_reader_of(good_topology, good_scenario);

    *typed = (struct typed){.errors = mem_new(sizeof(*typed->errors))};
    errors_init(typed->errors);
    typed->set = scenario_load("s.yaml", NULL, 0, &reader.reader, typed->errors);
    assert_non_null(typed->set);
    file_set_init(&typed->texts, file_reader_disk());
    return step_read_text(typed->set->scenarios[0]->topology, text, &typed->texts, &typed->step,
                          typed->errors);
}

static void forget(struct typed *typed)
{
    step_fini(&typed->step);
    file_set_fini(&typed->texts);
    errors_fini(typed->errors);
    free(typed->errors);
    scenario_free(typed->set);
}

static struct row {
    const char *name; /* the line */
    const char *told;
} refused[] = {
    {"power-off: hv9", "typed:1:12: error: unknown part 'hv9'\n"
                       "    1 | power-off: hv9\n"
                       "      |            ^^^\n"
                       "      = help: did you mean 'hv1'?\n"},
    {"power-off switch-1", "typed:1:1: error: a step is a verb and its part\n"
                           "    1 | power-off switch-1\n"
                           "      | ^^^^^^^^^^^^^^^^^^\n"
                           "      = help: write 'power-off: switch-1'\n"},
    {"{}", "typed:1:1: error: a step lacks its verb\n"
           "    1 | {}\n"
           "      | ^\n"
           "      = help: say what happens: 'power-off: switch-1'\n"},
    {"at: 3 s", "typed:1:1: error: a typed step happens now, and has no 'at'\n"
                "    1 | at: 3 s\n"
                "      | ^^\n"
                "      = help: leave it out\n"},
    {"{power-off: switch-1, at: 3 s}",
     "typed:1:23: error: a typed step happens now, and has no 'at'\n"
     "    1 | {power-off: switch-1, at: 3 s}\n"
     "      |                       ^^\n"
     "      = help: leave it out\n"},
    {"{power-off: switch-1, reboot: switch-1}",
     "typed:1:23: error: a step has one verb: 'power-off' and 'reboot' are two\n"
     "    1 | {power-off: switch-1, reboot: switch-1}\n"
     "      |                       ^^^^^^\n"
     "      = help: make it two steps; they may have the same time\n"},
    {"{power-on: switch-1, for: 3 s}",
     "typed:1:22: error: 'power-on' cannot have 'for'\n"
     "    1 | {power-on: switch-1, for: 3 s}\n"
     "      |                      ^^^\n"
     "      = help: it undoes another step; 'for' belongs to that one\n"},
    {"flap: hv1-1", "typed:1:1: error: 'flap' lacks 'down'\n"
                    "    1 | flap: hv1-1\n"
                    "      | ^^^^\n"
                    "      = help: write 'flap: {part: ..., down: ...}'\n"},
    {"flap: {part: hv1-1, down: 1 s}", "typed:1:1: error: 'flap' lacks 'up'\n"
                                       "    1 | flap: {part: hv1-1, down: 1 s}\n"
                                       "      | ^^^^\n"
                                       "      = help: write 'flap: {part: ..., up: ...}'\n"},
    {"flap: {part: hv1-1, down: 0 s, up: 1 s}",
     "typed:1:27: error: 'down' must be 1 ns to 86400 s, not 0 s\n"
     "    1 | flap: {part: hv1-1, down: 0 s, up: 1 s}\n"
     "      |                           ^^^\n"
     "      = help: choose a value in that range\n"},
    {"corrupt: {part: hv1-1, rate: 1 %, seen-by: everybody}",
     "typed:1:44: error: unknown seen-by 'everybody'\n"
     "    1 | corrupt: {part: hv1-1, rate: 1 %, seen-by: everybody}\n"
     "      |                                            ^^^^^^^^^\n"
     "      = help: known here: fcs, checksum, nobody\n"},
    {"corrupt: hv1-1", "typed:1:1: error: 'corrupt' lacks 'rate'\n"
                       "    1 | corrupt: hv1-1\n"
                       "      | ^^^^^^^\n"
                       "      = help: write 'corrupt: {part: ..., rate: ...}'\n"},
    {"lose: {part: hv1-1, rate: 110 %}",
     "typed:1:27: error: 'rate' must be 1 ppm to 100 %, not 110 %\n"
     "    1 | lose: {part: hv1-1, rate: 110 %}\n"
     "      |                           ^^^^^\n"
     "      = help: choose a value in that range\n"},
    {"lose: {part: hv1-1, burst: 3}", "typed:1:21: error: 'burst' needs a 'rate'\n"
                                      "    1 | lose: {part: hv1-1, burst: 3}\n"
                                      "      |                     ^^^^^\n"
                                      "      = help: say how many frames get lost in all, 'rate: 1 "
                                      "%', or where bursts begin, 'every: 1000'\n"},
    {"lose: {part: hv1-1, rate: 80 %, burst: 3}",
     "typed:1:40: error: bursts of 3 cannot make up so many of the frames\n"
     "    1 | lose: {part: hv1-1, rate: 80 %, burst: 3}\n"
     "      |                                        ^\n"
     "      = help: between two bursts one frame must get through: at most burst / (burst + 1) of "
     "all\n"},
    {"lose: {part: hv1-1, every: 0}", "typed:1:28: error: 'every' must be 1 to 1000000000, not 0\n"
                                      "    1 | lose: {part: hv1-1, every: 0}\n"
                                      "      |                            ^\n"
                                      "      = help: choose a value in that range\n"},
    {"lose: san1.store", "typed:1:7: error: 'lose' does not fit 'san1.store', which is a disk\n"
                         "    1 | lose: san1.store\n"
                         "      |       ^^^^^^^^^^\n"
                         "      = help: it fits a switch port, a NIC or a cable\n"},
    {"delay: {part: hv1-1, by: 5}", "typed:1:26: error: 'by' needs a unit\n"
                                    "    1 | delay: {part: hv1-1, by: 5}\n"
                                    "      |                          ^\n"
                                    "      = help: write '5 s'\n"},
    {"delay: {part: hv1-1, jitter: 5 ms}", "typed:1:1: error: 'delay' lacks 'by'\n"
                                           "    1 | delay: {part: hv1-1, jitter: 5 ms}\n"
                                           "      | ^^^^^\n"
                                           "      = help: write 'delay: {part: ..., by: ...}'\n"},
    {"throttle: {part: hv1-1, to: fast}",
     "typed:1:29: error: 'to' must be a data rate, not 'fast'\n"
     "    1 | throttle: {part: hv1-1, to: fast}\n"
     "      |                             ^^^^\n"
     "      = help: write a number and a unit, like '10 Gbit/s'\n"},
    {"slow: {part: san1, by: 1 x}",
     "typed:1:24: error: '1 x' is no factor\n"
     "    1 | slow: {part: san1, by: 1 x}\n"
     "      |                        ^^^\n"
     "      = help: write how many times as long it takes, above 1 and at most 1000000: '10 x'\n"},
    {"slow: {part: san1, by: x}",
     "typed:1:24: error: 'x' is no factor\n"
     "    1 | slow: {part: san1, by: x}\n"
     "      |                        ^\n"
     "      = help: write how many times as long it takes, above 1 and at most 1000000: '10 x'\n"},
    {"slow: {part: san1, by: 10}",
     "typed:1:24: error: 'by' needs a unit\n"
     "    1 | slow: {part: san1, by: 10}\n"
     "      |                        ^^\n"
     "      = help: write '10 x' for so many times as long, or a time, like '5 ms', to add it\n"},
    {"slow: san1", "typed:1:1: error: 'slow' lacks 'by'\n"
                   "    1 | slow: san1\n"
                   "      | ^^^^\n"
                   "      = help: write 'slow: {part: ..., by: ...}'\n"},
    {"fail-media: {part: san1.own, area: 5-4}",
     "typed:1:36: error: '5-4' is no range of blocks of 'san1.own'\n"
     "    1 | fail-media: {part: san1.own, area: 5-4}\n"
     "      |                                    ^^^\n"
     "      = help: write first and last, like '2048-4095'; its blocks are 0 to 131071\n"},
    {"fail-media: {part: san1.own, area: 0-99999999}",
     "typed:1:36: error: '0-99999999' is no range of blocks of 'san1.own'\n"
     "    1 | fail-media: {part: san1.own, area: 0-99999999}\n"
     "      |                                    ^^^^^^^^^^\n"
     "      = help: write first and last, like '2048-4095'; its blocks are 0 to 131071\n"},
    {"fail-media: {part: san1.own, area: all}",
     "typed:1:36: error: 'all' is no range of blocks of 'san1.own'\n"
     "    1 | fail-media: {part: san1.own, area: all}\n"
     "      |                                    ^^^\n"
     "      = help: write first and last, like '2048-4095'; its blocks are 0 to 131071\n"},
    {"fail-media: {part: san1.own, area: 0-18446744073709551616}",
     "typed:1:36: error: '0-18446744073709551616' is no range of blocks of 'san1.own'\n"
     "    1 | fail-media: {part: san1.own, area: 0-18446744073709551616}\n"
     "      |                                    ^^^^^^^^^^^^^^^^^^^^^^\n"
     "      = help: write first and last, like '2048-4095'; its blocks are 0 to 131071\n"},
    {"fail-media: {part: san1.own, sense: no-sense}",
     "typed:1:37: error: unknown sense 'no-sense'\n"
     "    1 | fail-media: {part: san1.own, sense: no-sense}\n"
     "      |                                     ^^^^^^^^\n"
     "      = help: known here: medium-error, read-error, write-error\n"},
    {"drop-session: {part: san1, of: switch-1}",
     "typed:1:32: error: unknown host 'switch-1'\n"
     "    1 | drop-session: {part: san1, of: switch-1}\n"
     "      |                                ^^^^^^^^\n"
     "      = help: known here: hv1, kvm-1, kvm-2\n"},
    {"freeze: {part: hv1, direction: to-san1}",
     "typed:1:32: error: unknown direction 'to-san1'\n"
     "    1 | freeze: {part: hv1, direction: to-san1}\n"
     "      |                                ^^^^^^^\n"
     "      = help: write 'to-hv1', 'to-switch-1' or 'to-switch-2'\n"},
    {"freeze: {part: switch-1.7, direction: to-hv1}",
     "typed:1:39: error: a switch port has no 'direction'\n"
     "    1 | freeze: {part: switch-1.7, direction: to-hv1}\n"
     "      |                                       ^^^^^^\n"
     "      = help: leave it out, or name a cable, or a NIC or port with a cable\n"},
    {"change: switches.switch-1.mtu",
     "typed:1:1: error: 'change' lacks 'to'\n"
     "    1 | change: switches.switch-1.mtu\n"
     "      | ^^^^^^\n"
     "      = help: write 'change: {what: switches.switch-2.mtu, to: 1500}'\n"},
    {"change: {what: switches.switch-1.mtu}",
     "typed:1:1: error: 'change' lacks 'to'\n"
     "    1 | change: {what: switches.switch-1.mtu}\n"
     "      | ^^^^^^\n"
     "      = help: write 'change: {what: switches.switch-2.mtu, to: 1500}'\n"},
    {"change: {what: switches.switch-1.mtu, to: 9}",
     "typed:1:43: error: 'mtu' must be 576 to 16000, not 9\n"
     "    1 | change: {what: switches.switch-1.mtu, to: 9}\n"
     "      |                                           ^\n"
     "      = help: choose a value in that range\n"},
    {"change: {what: switches.switch-1.mtu, to: 1500 B}",
     "typed:1:43: error: 'mtu' must be a plain number, not '1500 B'\n"
     "    1 | change: {what: switches.switch-1.mtu, to: 1500 B}\n"
     "      |                                           ^^^^^^\n"
     "      = help: write digits only: this value has no unit\n"},
    {"change: {what: switches.switch-9.mtu, to: 1500}",
     "typed:1:16: error: 'switches.switch-9.mtu' names no switch of the topology\n"
     "    1 | change: {what: switches.switch-9.mtu, to: 1500}\n"
     "      |                ^^^^^^^^^^^^^^^^^^^^^\n"
     "      = help: '*' stands for all names at its place\n"},
    {"change: {what: switches.switch-1.ports, to: 48}",
     "typed:1:16: error: 'switches.switch-1.ports' cannot change while the SAN runs: it is read "
     "when the part is built or boots\n"
     "    1 | change: {what: switches.switch-1.ports, to: 48}\n"
     "      |                ^^^^^^^^^^^^^^^^^^^^^^^\n"
     "      = help: set it before the run with --set; of 'switches' these can change: mtu, "
     "port-buffer, forwarding-delay, mac-age, port-forwarding-delay, link-debounce, "
     "shared-buffer\n"},
    {"change: {what: switches.switch-1.colour, to: 1}",
     "typed:1:16: error: 'switches.switch-1.colour' is no setting of the topology\n"
     "    1 | change: {what: switches.switch-1.colour, to: 1}\n"
     "      |                ^^^^^^^^^^^^^^^^^^^^^^^^\n"
     "      = help: of 'switches' these can change while the SAN runs: mtu, port-buffer, "
     "forwarding-delay, mac-age, port-forwarding-delay, link-debounce, shared-buffer\n"},
    {"change: {what: hosts.hv1.path.hold, to: 7 s}",
     "typed:1:16: error: 'hosts.hv1.path.hold' cannot change while the SAN runs: it is read when "
     "the part is built or boots\n"
     "    1 | change: {what: hosts.hv1.path.hold, to: 7 s}\n"
     "      |                ^^^^^^^^^^^^^^^^^^^\n"
     "      = help: set it before the run with --set; of 'hosts' these can change: nics.*.mtu, "
     "sessions.*.chap.secret\n"},
    {"change: {what: hosts.hv1.sessions.1.chap.secret, to: another-secret}",
     "typed:1:16: error: 'hosts.hv1.sessions.1.chap.secret' names no path of the topology\n"
     "    1 | change: {what: hosts.hv1.sessions.1.chap.secret, to: another-secret}\n"
     "      |                ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^\n"
     "      = help: items of lists go by their numbers from 1, and must have a secret; '*' stands "
     "for all\n"},
    {"change: {what: disks.own.size, to: 1 GiB}",
     "typed:1:16: error: 'disks.own.size' is no setting of the topology\n"
     "    1 | change: {what: disks.own.size, to: 1 GiB}\n"
     "      |                ^^^^^^^^^^^^^^\n"
     "      = help: begin with 'switches', 'hosts', 'arrays' or 'cables': "
     "'switches.switch-2.mtu'\n"},
    {"change: {what: cables.hv1-1.speed, to: 10}",
     "typed:1:40: error: 'speed' needs a unit\n"
     "    1 | change: {what: cables.hv1-1.speed, to: 10}\n"
     "      |                                        ^^\n"
     "      = help: write '10 Gbit/s'\n"},
    {"change: {what: a.b.c.d.e.f.g.h.i.j, to: 10}",
     "typed:1:16: error: 'a.b.c.d.e.f.g.h.i.j' is no setting of the topology\n"
     "    1 | change: {what: a.b.c.d.e.f.g.h.i.j, to: 10}\n"
     "      |                ^^^^^^^^^^^^^^^^^^^\n"
     "      = help: begin with 'switches', 'hosts', 'arrays' or 'cables': "
     "'switches.switch-2.mtu'\n"},
};

static void is_refused(void **state)
{
    const struct row *row = *state;
    struct typed typed;

    assert_false(type(&typed, row->name));
    char *text = printed(typed.errors);

    if (getenv("PRINT_ERRORS"))
        printf("@@@%s@@@%s@@@\n", row->name, text);
    else
        assert_string_equal(text, row->told);
    free(text);
    forget(&typed);
}

static void means_what_it_says(void **state)
{
    struct typed typed;
    const struct step_arguments *a = &typed.step.arguments;
    (void)state;

    assert_true(type(&typed, "lose: {part: hv1-1, rate: 1 %, burst: 4, larger-than: 1 KiB, "
                             "direction: to-switch-1}"));
    assert_int_equal(typed.step.verb, VERB_LOSE);
    assert_false(typed.step.is_undo);
    assert_int_equal(typed.step.part.kind, PART_CABLE);
    assert_int_equal(a->rate_ppm, 10000);
    assert_int_equal(a->burst, 4);
    assert_int_equal(a->larger_bytes, 1024);
    assert_int_equal(a->direction, 1);
    forget(&typed);

    assert_true(type(&typed, "{corrupt: {part: switch-1, rate: 2 %, seen-by: nobody, direction: "
                             "to-san1}, name: gray, for: 3 s}"));
    assert_int_equal(a->seen_by, CORRUPT_SEEN_BY_NOBODY);
    assert_int_equal(a->towards.kind, PART_ARRAY);
    assert_string_equal(typed.step.name, "gray");
    assert_int_equal(typed.step.for_ns, SECONDS(3));
    forget(&typed);

    assert_true(type(&typed, "slow: {part: san1, by: 2.5x}"));
    assert_int_equal(a->by_factor_ppm, 2500000);
    assert_int_equal(a->by_ns, 0);
    forget(&typed);

    assert_true(type(&typed, "fail-media: {part: san1.own, area: 8-15, sense: read-error}"));
    assert_int_equal(a->first_block, 8);
    assert_int_equal(a->last_block, 15);
    assert_true(a->fails_reads);
    assert_false(a->fails_writes);
    forget(&typed);

    assert_true(type(&typed, "thaw: kvm-2"));
    assert_true(typed.step.is_undo);
    forget(&typed);
}

static void a_setting_of_several_parts_is_a_part_of_none(void **state)
{
    struct typed typed;
    const struct topology *t;
    (void)state;

    assert_true(type(&typed, "change: {what: hosts.kvm.nics.*.mtu, to: 1500}"));
    t = typed.set->scenarios[0]->topology;
    assert_int_equal(typed.step.part.kind, PART_NONE);
    assert_int_equal(typed.step.arguments.setting_value, 1500);
    for (uint32_t i = 0; i < t->nic_count; i++)
        assert_int_equal(
            setting_covers(typed.step.arguments.setting, t, typed.step.arguments.text[ARG_WHAT], i),
            strncmp(t->nics[i].full_name, "kvm", 3) == 0);
    forget(&typed);

    assert_true(type(&typed, "change: {what: switches.switch-2.mtu, to: 1500}"));
    assert_int_equal(typed.step.part.kind, PART_SWITCH);
    assert_int_equal(typed.step.part.index, 1);
    forget(&typed);
}

static struct written {
    const char *name; /* the line */
    const char *text; /* as it is told again */
} written[] = {
    {"power-off: switch-1", "power-off: switch-1"},
    {"power-off: {part: switch-1}", "power-off: switch-1"},
    {"  { lose : {rate: 1%,part: 'hv1-1'}, for: 3 s } # so", "lose: {part: hv1-1, rate: 1%}"},
    {"lose: {part: switch-1.8, every: 4, burst: 2, direction: to-san1}",
     "lose: {part: switch-1.8, direction: to-san1, burst: 2, every: 4}"},
    {"change: {what: switches.*.mtu, to: 1500}", "change: {what: switches.*.mtu, to: 1500}"},
    {"slow: {part: san1.store, by: 2 x}", "slow: {part: san1.store, by: 2 x}"},
    {"drop-session: {part: san1, of: hv1}", "drop-session: {part: san1, of: hv1}"},
};

/* And reads as the same step, wherever it is cut. */
static void is_told_as_it_was_typed(void **state)
{
    const struct written *row = *state;
    struct typed typed;
    struct typed again;
    char text[128];
    char cut[16];

    assert_true(type(&typed, row->name));
    const struct topology *topology = typed.set->scenarios[0]->topology;

    step_write_text(topology, &typed.step, text, sizeof(text));
    assert_string_equal(text, row->text);
    assert_true(type(&again, text));
    assert_int_equal(again.step.verb, typed.step.verb);
    assert_int_equal(again.step.part.index, typed.step.part.index);
    assert_int_equal(again.step.arguments.given, typed.step.arguments.given);
    step_write_text(topology, &typed.step, cut, sizeof(cut));
    assert_int_equal(strlen(cut), sizeof(cut) - 1);
    assert_memory_equal(cut, row->text, sizeof(cut) - 1);
    forget(&again);
    forget(&typed);
}

int main(void)
{
    TEST_ROWS(refused, is_refused);
    TEST(means_what_it_says);
    TEST(a_setting_of_several_parts_is_a_part_of_none);
    TEST_ROWS(written, is_told_as_it_was_typed);
    return TEST_RUN("lab.step_text");
}
