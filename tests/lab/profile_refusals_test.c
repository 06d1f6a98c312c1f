/* Each way in which a profile file can be wrong, and what its author is told. */
#include "tests/test.h"

#include "tests/lab/files.h"

struct change_row {
    const char *name;
    const char *find; /* of the shipped file, replaced by ... */
    const char *with;
    const char *expected;
};

static struct change_row refused[] = {
    {"a profile without a value", "  min-rto: 20 ms ", "  #",
     "profiles/windows-server-2022.yaml:18:1: error: section 'tcp' lacks 'min-rto'\n"
     "   18 | tcp:                            # template Datacenter: servers whose handshake took "
     "10 ms or les...\n"
     "      | ^^^\n"
     "      = help: add 'min-rto:' (smallest retransmission time-out)\n"},
    {"a profile with a word too many", "  min-rto: 20 ms ",
     "  min-rto: 20 ms\n"
     "  max-rot: 3 s",
     "profiles/windows-server-2022.yaml:22:3: error: unknown key 'max-rot'\n"
     "   22 |   max-rot: 3 s               # MinRto of template Datacenter (doc; Internet: 300 "
     "ms)\n"
     "      |   ^^^^^^^\n"
     "      = help: did you mean 'max-rto'?\n"},
    {"a profile with another name", "name: windows-server-2022", "name: windows-server-2019",
     "profiles/windows-server-2022.yaml:12:7: error: the profile is called 'windows-server-2019', "
     "its file 'windows-server-2022.yaml'\n"
     "   12 | name: windows-server-2019\n"
     "      |       ^^^^^^^^^^^^^^^^^^^\n"
     "      = help: give both the same name\n"},
    {"a profile of something else", "describes: host", "describes: switch",
     "profiles/windows-server-2022.yaml:13:12: error: 'describes' must be 'host', not 'switch'\n"
     "   13 | describes: switch\n"
     "      |            ^^^^^^\n"
     "      = help: is this the right kind of file?\n"},
    {"a section that is missing",
     "\n"
     "path:\n",
     "\n"
     "pth:\n",
     "profiles/windows-server-2022.yaml:10:1: error: the profile lacks 'path'\n"
     "   10 | kind: profile\n"
     "      | ^\n"
     "      = help: add 'path:' (timers per session)\n"
     "profiles/windows-server-2022.yaml:81:1: error: unknown key 'pth'\n"
     "   81 | pth:\n"
     "      | ^^^\n"
     "      = help: did you mean 'path'?\n"},
    {"time-outs that contradict each other", "  max-rto: 60 s ", "  max-rto: 10 ms ",
     "profiles/windows-server-2022.yaml:21:12: error: 'min-rto' is longer than 'max-rto'\n"
     "   21 |   min-rto: 20 ms                # MinRto of template Datacenter (doc; Internet: 300 "
     "ms)\n"
     "      |            ^^^^^\n"
     "      = help: make one of them fit the other\n"},
    {"seconds that are not whole", "  time-to-wait: 0 s ", "  time-to-wait: 500 ms ",
     "profiles/windows-server-2022.yaml:74:17: error: 'time-to-wait' must be whole seconds\n"
     "   74 |   time-to-wait: 500 ms             # DefaultTime2Wait (unconfirmed)\n"
     "      |                 ^^^^^^\n"
     "      = help: the standard's key has no finer unit\n"},
};

static void tells_what_is_wrong(void **state)
{
    const struct change_row *row = *state;
    struct test_reader reader = test_reader_of(good_topology, good_scenario);
    struct error err;
    char *shipped = NULL;
    size_t bytes = 0;

    assert_int_equal(file_reader_disk()->read(file_reader_disk(),
                                              SOURCE_DIR
                                              "/topologies/profiles/windows-server-2022.yaml",
                                              &shipped, &bytes, &err),
                     OK);
    char *profile = replaced(shipped, row->find, row->with);

    reader.profile = profile;
    expect_errors(&reader, NULL, 0, row->expected);
    free(profile);
    free(shipped);
}

int main(void)
{
    TEST_ROWS(refused, tells_what_is_wrong);
    return TEST_RUN("lab.profile_refusals");
}
