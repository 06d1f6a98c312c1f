/* Teams and groups in a topology file: what is refused or warned of, and which parts a path uses.
 */
#include "lab/topology.h"

#include "tests/test.h"

#include "sim/core/mem.h"
#include "tests/lab/files.h"

#include <stdio.h>
#include <stdlib.h>

/* hv1 with two NICs, one at each of two switches or both at the first; an array at switch-2. */
static const char frame_of_file[] = "kind: topology\nformat: 1\nname: teams\n"
                                    "switches:\n"
                                    "  switch-1: {ports: 8%s}\n"
                                    "  switch-2: {ports: 8%s}\n"
                                    "hosts:\n"
                                    "  hv1:\n"
                                    "    profile: windows-server-2022\n"
                                    "    nics: {nic1: {}, nic2: {%s}, team1: {%s}}\n"
                                    "    sessions: [{from: team1, to: san1.port-a}]\n"
                                    "arrays:\n"
                                    "  san1:\n"
                                    "    profile: array-generic\n"
                                    "    target: iqn.2026-01.com.example:san1\n"
                                    "    nics: {port-a: {address: 10.0.0.101/24%s}}\n"
                                    "    disks: {store: {size: 1 GiB}}\n"
                                    "cables:\n"
                                    "  first: {from: hv1.nic1, to: switch-1.1}\n"
                                    "  second: {from: hv1.nic2, to: switch-%s}\n"
                                    "  san: {from: san1.port-a, to: switch-2.8}\n"
                                    "%s";

#define ADDRESS "address: 10.0.0.1/24, "
#define BACKUP  ADDRESS "team: {members: [nic1, nic2], mode: active-backup}"
#define LACP    ADDRESS "team: {members: [nic1, nic2], mode: lacp}"
#define STATIC  ADDRESS "team: {members: [nic1, nic2], mode: static}"
#define GROUP   ", groups: {po1: {ports: [1, 2], mode: lacp}}"
#define ALWAYS  ", groups: {po1: {ports: [1, 2], mode: static}}"
#define ALONE   ", groups: {po1: {ports: 1, mode: static}}"
#define TWO     ", groups: {po1: {ports: 1, mode: lacp}}"
#define PASSIVE ADDRESS "team: {members: [nic1, nic2], mode: lacp, lacp-activity: passive}"
#define LISTENS ", groups: {po1: {ports: [1, 2], mode: lacp, lacp-activity: passive}}"
#define SPEAKS  ", groups: {po9: {ports: [6-7], mode: lacp}}"
#define WAITS   ", groups: {po9: {ports: [6-7], mode: lacp, lacp-activity: passive}}"
#define TRUNK   ", groups: {po9: {ports: [6-7], mode: static}}"
#define ISL     "  isl: {from: switch-1.6, to: switch-2.6}\n"
#define ISLS    ISL "  isl-b: {from: switch-1.7, to: switch-2.7}\n"

static struct row {
    const char *name;
    const char *switches[2];
    const char *nic2;
    const char *team;
    const char *array;
    const char *second; /* where nic2 is plugged in */
    const char *cables;
    const char *told;    /* in the errors and warnings; NULL: there are none */
    const char *crossed; /* names between blanks: the path uses them; NULL: the file is refused */
    const char *uncrossed;
} rows[] = {
    {"active-backup over two switches",
     {"", ""},
     "",
     BACKUP,
     "",
     "2.1",
     ISL,
     NULL,
     "hv1.team1 hv1.nic1 hv1.nic2 first second isl san switch-1 switch-2 switch-1.1 switch-2.1",
     "switch-1.2 switch-2.2"},
    {"LACP to a group",
     {GROUP, ""},
     "",
     LACP,
     "",
     "1.2",
     ISL,
     NULL,
     "hv1.nic1 hv1.nic2 first second switch-1.1 switch-1.2",
     "switch-1.3"},
    {"LACP to two switches", {TWO, TWO}, "", LACP, "", "2.1", ISL, NULL, "first second", ""},
    {"two cables between two groups are one link",
     {TRUNK, TRUNK},
     "",
     BACKUP,
     "",
     "1.2",
     ISLS,
     NULL,
     "isl isl-b switch-1.6 switch-1.7 switch-2.7",
     "switch-1.5"},
    {"and a loop without a group at the other end",
     {TRUNK, ""},
     "",
     BACKUP,
     "",
     "1.2",
     ISLS,
     "cable 'isl-b' closes a loop of switches\n",
     NULL,
     NULL},
    {"one passive end of LACP", {LISTENS, ""}, "", LACP, "", "1.2", ISL, NULL, "first second", ""},
    {"LACP's keys in another mode",
     {ALWAYS, ""},
     "",
     ADDRESS "team: {members: [nic1, nic2], mode: static, lacp-timeout: short}",
     "",
     "1.2",
     ISL,
     "'lacp-timeout' does nothing in this mode\n",
     "first second",
     ""},
    {"an order of members in a mode that uses all",
     {ALWAYS, ""},
     "",
     ADDRESS "team: {members: [nic1, nic2], mode: static, fail-back: true}",
     "",
     "1.2",
     ISL,
     "'fail-back' does nothing in this mode\n",
     "first second",
     ""},
    {"two passive ends of LACP",
     {LISTENS, ""},
     "",
     PASSIVE,
     "",
     "1.2",
     ISL,
     "is in a group as passive as the team: nobody begins to speak LACP\n",
     "first second",
     ""},
    {"a trunk by LACP", {SPEAKS, WAITS}, "", BACKUP, "", "1.2", ISLS, NULL, "isl isl-b", ""},
    {"a trunk of two passive ends",
     {WAITS, WAITS},
     "",
     BACKUP,
     "",
     "1.2",
     ISLS,
     "cable 'isl-b' has passive groups at both ends: nobody begins to speak LACP\n",
     "isl isl-b",
     ""},
    {"a trunk with LACP at one end",
     {SPEAKS, TRUNK},
     "",
     BACKUP,
     "",
     "1.2",
     ISLS,
     "cable 'isl' has a group at one end that waits for LACP, and nobody who speaks it at the "
     "other: it carries nothing\n",
     "isl isl-b",
     ""},
    {"a static team at ports of no group",
     {"", ""},
     "",
     STATIC,
     "",
     "1.2",
     ISL,
     "'switch-1.1', where 'hv1.nic1' is plugged in, is in no group: the switch sees one address at "
     "two ports\n",
     "first",
     ""},
    {"LACP where nobody speaks it",
     {"", ""},
     "",
     LACP,
     "",
     "1.2",
     ISL,
     "nobody there speaks LACP, and one member is used alone\n",
     "first",
     ""},
    {"none where the switch waits for it",
     {GROUP, ""},
     "",
     BACKUP,
     "",
     "1.2",
     ISL,
     "is in a group that waits for LACP, and carries nothing until it hears some\n",
     "first",
     ""},
    {"active-backup where the switch sends to both",
     {ALWAYS, ""},
     "",
     BACKUP,
     "",
     "1.2",
     ISL,
     "'switch-1.2', where 'hv1.nic2' is plugged in, is in a static group, which also sends to "
     "members that take nothing\n",
     "first",
     ""},
    {"one that takes by one member",
     {ALWAYS, ""},
     "",
     ADDRESS "team: {members: [nic1, nic2], mode: switch-independent}",
     "",
     "1.2",
     ISL,
     "is in a static group, which also sends to members that take nothing\n",
     "first",
     ""},
    {"LACP at a static group",
     {ALWAYS, ""},
     "",
     LACP,
     "",
     "1.2",
     ISL,
     "is in a static group, which also sends to members that take nothing\n",
     "first",
     ""},
    {"a static team at a static group",
     {ALWAYS, ""},
     "",
     STATIC,
     "",
     "1.2",
     ISL,
     NULL,
     "first",
     ""},
    {"active-backup at a group of one port",
     {ALONE, ALONE},
     "",
     BACKUP,
     "",
     "2.1",
     ISL,
     NULL,
     "first",
     ""},
    {"a member that takes less",
     {"", ""},
     "mtu: 576",
     ADDRESS "mtu: 9000, team: {members: [nic1, nic2], mode: active-backup}",
     "",
     "2.1",
     ISL,
     "warning: 'hv1.team1' has MTU 9000, its member 'hv1.nic1' only 1500\n",
     "first",
     ""},
    {"a team of one",
     {"", ""},
     "",
     ADDRESS "team: {members: [nic1], mode: lacp}",
     "",
     "2.1",
     ISL,
     "error: a team has at least two members\n",
     NULL,
     NULL},
    {"a member that is not there",
     {"", ""},
     "",
     ADDRESS "team: {members: [nic1, nic9], mode: lacp}",
     "",
     "2.1",
     ISL,
     "error: 'hv1' has no NIC 'nic9'\n",
     NULL,
     NULL},
    {"a member twice",
     {"", ""},
     "",
     ADDRESS "team: {members: [nic1, nic1], mode: lacp}",
     "",
     "2.1",
     ISL,
     "error: 'hv1.nic1' cannot be a member: is a member already\n",
     NULL,
     NULL},
    {"itself as a member",
     {"", ""},
     "",
     ADDRESS "team: {members: [nic1, team1], mode: lacp}",
     "",
     "2.1",
     ISL,
     "error: 'hv1.team1' cannot be a member: is the team itself\n",
     NULL,
     NULL},
    {"a member with an address",
     {"", ""},
     "address: 10.0.0.2/24",
     BACKUP,
     "",
     "2.1",
     ISL,
     "error: 'hv1.nic2' cannot be a member: has an address\n",
     NULL,
     NULL},
    {"a virtual NIC as a member",
     {"", ""},
     "behind: nic1",
     ADDRESS "team: {members: [nic2, nic1], mode: active-backup}",
     "",
     "2.1",
     ISL,
     "error: 'hv1.nic2' cannot be a member: is a virtual NIC\n",
     NULL,
     NULL},
    {"a team as an uplink",
     {"", ""},
     "behind: team1",
     BACKUP,
     "",
     "2.1",
     ISL,
     "error: 'hv1.team1' cannot be an uplink: it is a team\n",
     NULL,
     NULL},
    {"a team behind a vSwitch",
     {"", ""},
     "",
     BACKUP ", behind: nic1",
     "",
     "2.1",
     ISL,
     "error: 'hv1.team1' is a virtual NIC\n",
     NULL,
     NULL},
    {"a team of an array",
     {"", ""},
     "",
     BACKUP,
     ", team: {members: [a, b], mode: lacp}",
     "2.1",
     ISL,
     "error: NICs of an array make no team\n",
     NULL,
     NULL},
    {"a cable in a team",
     {"", ""},
     "",
     BACKUP,
     "",
     "2.1",
     ISL "  bad: {from: hv1.team1, to: switch-1.5}\n",
     "error: 'hv1.team1' is a team: no cable fits\n",
     NULL,
     NULL},
    {"a mode that is not known",
     {"", ""},
     "",
     ADDRESS "team: {members: [nic1, nic2], mode: round-robin}",
     "",
     "2.1",
     ISL,
     "error: unknown mode 'round-robin'\n",
     NULL,
     NULL},
    {"a group with ports that are not there",
     {", groups: {po1: {ports: [1, 9], mode: lacp}}", ""},
     "",
     LACP,
     "",
     "1.2",
     ISL,
     "error: 'switch-1' has no ports '9'\n",
     NULL,
     NULL},
    {"a port in two groups",
     {", groups: {po1: {ports: 1-2, mode: lacp}, po2: {ports: 2, mode: "
      "lacp}}",
      ""},
     "",
     LACP,
     "",
     "1.2",
     ISL,
     "error: port 2 is in a group already\n",
     NULL,
     NULL},
    {"nine ports in a group",
     {"", ", mtu: 1500, groups: {po1: {ports: [1-8, 1], mode: lacp}}"},
     "",
     LACP,
     "",
     "1.2",
     ISL,
     "error: port 1 is in a group already\n",
     NULL,
     NULL},
    {"a group of no ports",
     {", groups: {po1: {ports: [], mode: lacp}}", ""},
     "",
     LACP,
     "",
     "1.2",
     ISL,
     "error: 'ports' names no port\n",
     NULL,
     NULL},
    {"ports of a group that differ",
     {GROUP ", port-settings: {2: {vlan: 7}}", ""},
     "",
     LACP,
     "",
     "1.2",
     ISL,
     "error: the 'port-settings' of port 2 are not those of port 1\n",
     NULL,
     NULL},
};

static void check_parts(const struct topology *topology, const char *names, bool is_used)
{
    char name[64];
    int taken = 0;

    while (sscanf(names, "%63s%n", name, &taken) == 1) {
        struct part_ref part;

        names += taken;
        assert_true(topology_find(topology, name, &part));
        if (topology_path_uses(topology, 0, part) != is_used)
            fail_msg("the path %s '%s'", is_used ? "does not use" : "uses", name);
    }
}

static void file_of(const struct row *row, char *text, size_t bytes)
{
    snprintf(text, bytes, frame_of_file, row->switches[0], row->switches[1], row->nic2, row->team,
             row->array, row->second, row->cables);
}

static void says_what_is_wrong_or_leads_where_its_members_do(void **state)
{
    const struct row *row = *state;
    struct errors *errors = mem_new(sizeof(*errors));
    struct file_set files;
    char text[4096];

    file_of(row, text, sizeof(text));
    struct test_reader reader = test_reader_of(text, NULL);

    errors_init(errors);
    file_set_init(&files, &reader.reader);
    struct topology *topology = topology_load("t.yaml", &files, errors);
    char *told = printed(errors);

    if (!row->told)
        assert_string_equal(told, "");
    else if (!strstr(told, row->told))
        fail_msg("'%s' is not in what was told:\n%s", row->told, told);
    if ((topology != NULL) != (row->crossed != NULL))
        fail_msg("told:\n%s", told);
    if (topology) {
        check_parts(topology, row->crossed, true);
        check_parts(topology, row->uncrossed, false);
    }
    topology_free(topology);
    errors_fini(errors);
    file_set_fini(&files);
    free(errors);
    free(told);
}

/* Frames have no port there in which something could happen to them. */
static void a_fault_of_frames_names_a_member(void **state)
{
    char text[4096];
    (void)state;

    file_of(&rows[0], text, sizeof(text));
    struct test_reader reader = test_reader_of(
        text, "kind: scenario\nformat: 1\nname: story\ntopology: t.yaml\nseed: 1\nrun-for: 60 s\n"
              "steps: [{at: 5 s, disable: hv1.team1, for: 1 s}, {at: 9 s, lose: hv1.team1}]\n"
              "expect: [{name: ok, measure: io-errors, of: hv1, exactly: 0}]\n");

    expect_errors(&reader, NULL, 0,
                  "s.yaml:7:66: error: 'lose' does not fit 'hv1.team1', which is a team\n"
                  "    7 | steps: [{at: 5 s, disable: hv1.team1, for: 1 s}, {at: 9 s, lose: "
                  "hv1.team1}]\n"
                  "      |                                                                  "
                  "^^^^^^^^^\n"
                  "      = help: name one of its members, like 'hv1.nic1'\n");
}

int main(void)
{
    TEST_ROWS(rows, says_what_is_wrong_or_leads_where_its_members_do);
    TEST(a_fault_of_frames_names_a_member);
    return TEST_RUN("lab.topology_teams");
}
