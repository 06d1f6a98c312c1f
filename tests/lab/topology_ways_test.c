/* Rings, trunks and VLANs: what is refused, and over which parts a path then runs. */
#include "lab/topology.h"

#include "tests/test.h"

#include "sim/core/mem.h"
#include "tests/lab/files.h"

#include <stdio.h>
#include <stdlib.h>

/* A host at switch-1, an array at switch-2 (both in port 1), and a third switch. */
static const char frame_of_file[] = "kind: topology\nformat: 1\nname: ways\n"
                                    "switches:\n"
                                    "  switch-1: {ports: 8, port-settings: {%s}}\n"
                                    "  switch-2: {ports: 8, port-settings: {%s}}\n"
                                    "  switch-3: {ports: 8, port-settings: {%s}}\n"
                                    "hosts:\n"
                                    "  hv1:\n"
                                    "    profile: windows-server-2022\n"
                                    "    nics: {iscsi1: {address: 10.0.0.1/24}}\n"
                                    "    sessions: [{from: iscsi1, to: san1.port-a}]\n"
                                    "arrays:\n"
                                    "  san1:\n"
                                    "    profile: array-generic\n"
                                    "    target: iqn.2026-01.com.example:san1\n"
                                    "    nics: {port-a: {address: 10.0.0.101/24}}\n"
                                    "    disks: {store: {size: 1 GiB}}\n"
                                    "cables:\n"
                                    "  host: {from: hv1.iscsi1, to: switch-1.1}\n"
                                    "  san: {from: san1.port-a, to: switch-2.1}\n"
                                    "%s";

#define RING                                                                                       \
    "  isl-12: {from: switch-1.2, to: switch-2.2}\n"                                               \
    "  isl-13: {from: switch-1.3, to: switch-3.3}\n"                                               \
    "  isl-32: {from: switch-3.2, to: switch-2.3}\n"

static struct row {
    const char *name;
    const char *ports[3]; /* settings, of each switch */
    const char *cables;
    const char *told;      /* in the errors and warnings; NULL: there are none */
    const char *crossed;   /* names between blanks: the path runs over them */
    const char *uncrossed; /* and over none of these */
} rows[] = {
    {"two switches",
     {"", "", ""},
     "  isl: {from: switch-1.2, to: switch-2.2}\n",
     NULL,
     "host isl san switch-1 switch-2 switch-1.1 switch-1.2 switch-2.1 switch-2.2",
     "switch-3 switch-1.3"},
    {"a ring of three is refused",
     {"", "", ""},
     RING,
     "cable 'isl-32' closes a loop of switches\n",
     NULL,
     NULL},
    {"a blocked port opens it",
     {"", "3: {blocked: true}", ""},
     RING,
     NULL,
     "isl-12 switch-1 switch-2",
     "isl-13 isl-32 switch-3"},
    {"another one sends the path the other way",
     {"2: {blocked: true}", "", ""},
     RING,
     NULL,
     "isl-13 isl-32 switch-1 switch-2 switch-3 switch-3.2 switch-3.3",
     "isl-12 switch-1.2 switch-2.2"},
    {"two cables between two switches are a loop",
     {"", "", ""},
     "  isl-a: {from: switch-1.2, to: switch-2.2}\n  isl-b: {from: switch-1.3, to: switch-2.3}\n",
     "cable 'isl-b' closes a loop of switches\n",
     NULL,
     NULL},
    {"and none in different VLANs",
     {"1-2: {vlan: 10}, 3: {vlan: 20}", "1-2: {vlan: 10}, 3: {vlan: 20}", ""},
     "  isl-a: {from: switch-1.2, to: switch-2.2}\n  isl-b: {from: switch-1.3, to: switch-2.3}\n",
     NULL,
     "isl-a",
     "isl-b switch-1.3"},
    {"trunks that share a VLAN are a loop in it",
     {"2: {trunk: [10, 20]}, 3: {trunk: [20, 30]}", "2: {trunk: all}, 3: {trunk: all}", ""},
     "  isl-a: {from: switch-1.2, to: switch-2.2}\n  isl-b: {from: switch-1.3, to: switch-2.3}\n",
     "cable 'isl-b' closes a loop of switches in VLAN 20\n",
     NULL,
     NULL},
    {"trunks that share none are no loop",
     {"1: {vlan: 20}, 2: {trunk: [10]}, 3: {trunk: [20, 30]}",
      "1: {vlan: 20}, 2: {trunk: all, native: 10}, 3: {trunk: all, native: 20}", ""},
     "  isl-a: {from: switch-1.2, to: switch-2.2}\n  isl-b: {from: switch-1.3, to: switch-2.3}\n",
     NULL,
     "isl-b switch-1.3",
     "isl-a switch-1.2"},
    {"trunks of all VLANs are a loop in those that a port begins",
     {"1: {vlan: 7}, 2-3: {trunk: all}", "2-3: {trunk: all}", ""},
     "  isl-a: {from: switch-1.2, to: switch-2.2}\n  isl-b: {from: switch-1.3, to: switch-2.3}\n",
     "cable 'isl-b' closes a loop of switches in VLAN 7\n",
     NULL,
     NULL},
    {"a cable from a switch to itself is a loop",
     {"", "", ""},
     "  isl: {from: switch-1.2, to: switch-2.2}\n  self: {from: switch-1.3, to: switch-1.4}\n",
     "cable 'self' closes a loop of switches\n",
     NULL,
     NULL},
    {"unless it joins two VLANs, which is worth a warning",
     {"1: {vlan: 10}, 2: {vlan: 20}, 3: {vlan: 10}, 4: {vlan: 20}", "1-2: {vlan: 20}", ""},
     "  isl: {from: switch-1.2, to: switch-2.2}\n  self: {from: switch-1.3, to: switch-1.4}\n",
     "cable 'self' joins VLAN 10 at 'switch-1' with VLAN 20 at 'switch-1'\n",
     "self isl switch-1.3 switch-1.4",
     "switch-3"},
    {"different native VLANs are worth a warning",
     {"1: {vlan: 10}, 2: {trunk: all, native: 10}", "2: {trunk: all, native: 1}", ""},
     "  isl: {from: switch-1.2, to: switch-2.2}\n",
     "cable 'isl' joins VLAN 10 at 'switch-1' with VLAN 1 at 'switch-2'\n",
     "isl",
     "switch-3"},
    {"the VLAN that no trunk carries leads nowhere",
     {"1: {vlan: 10}, 2: {trunk: [20]}", "1: {vlan: 10}, 2: {trunk: [10, 20]}", ""},
     "  isl: {from: switch-1.2, to: switch-2.2}\n",
     "no VLAN leads from 'hv1.iscsi1' to 'san1.port-a'\n",
     "",
     "isl switch-1 host"},
    {"without a cable there is no way",
     {"", "", ""},
     "",
     "no cables lead from 'hv1.iscsi1' to 'san1.port-a'\n",
     "",
     "switch-1 switch-2"},
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
            fail_msg("the path %s '%s'", is_used ? "does not run over" : "runs over", name);
    }
}

static void leads_where_its_vlan_does(void **state)
{
    const struct row *row = *state;
    struct errors *errors = mem_new(sizeof(*errors));
    struct file_set files;
    char text[4096];

    snprintf(text, sizeof(text), frame_of_file, row->ports[0], row->ports[1], row->ports[2],
             row->cables);
    struct test_reader reader = test_reader_of(text, NULL);

    errors_init(errors);
    file_set_init(&files, &reader.reader);
    struct topology *topology = topology_load("t.yaml", &files, errors);
    char *told = printed(errors);

    if (!row->told)
        assert_string_equal(told, "");
    else if (!strstr(told, row->told))
        fail_msg("'%s' is not in what was told:\n%s", row->told, told);
    assert_int_equal(topology != NULL, row->crossed != NULL);
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

int main(void)
{
    TEST_ROWS(rows, leads_where_its_vlan_does);
    return TEST_RUN("lab.topology_ways");
}
