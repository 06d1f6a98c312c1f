#include "tests/test.h"

#include "sim/core/net.h"
#include "tests/lab/files.h"

struct loaded {
    struct test_reader reader;
    struct file_set files;
    struct errors *errors;
    struct topology *topology;
};

/* The caller keeps 'loaded' where it is: the file set borrows its reader. */
static void load(struct loaded *loaded, const char *text)
{
    *loaded = (struct loaded){.errors = mem_new(sizeof(struct errors))};
    loaded->reader = test_reader_of(text, NULL);
    errors_init(loaded->errors);
    file_set_init(&loaded->files, &loaded->reader.reader);
    loaded->topology = topology_load("t.yaml", &loaded->files, loaded->errors);
}

static void unload(struct loaded *loaded)
{
    topology_free(loaded->topology);
    errors_fini(loaded->errors);
    file_set_fini(&loaded->files);
    free(loaded->errors);
}

static struct part_ref find(const struct topology *topology, const char *name)
{
    struct part_ref part = {.kind = PART_NONE};

    assert_true(topology_find(topology, name, &part));
    return part;
}

static void resolves_what_the_file_names(void **state)
{
    struct loaded loaded;
    (void)state;

    load(&loaded, good_topology);
    const struct topology *t = loaded.topology;
    assert_non_null(t);
    assert_int_equal(loaded.errors->warning_count, 0);

    assert_string_equal(t->name, "small");
    assert_int_equal(t->switch_count, 2);
    assert_int_equal(t->host_count, 3);
    assert_int_equal(t->array_count, 1);
    assert_int_equal(t->nic_count, 2 + 2 + 2);
    assert_int_equal(t->path_count, 4);
    assert_int_equal(t->disk_count, 2);
    assert_int_equal(t->cable_count, 6);

    const struct topology_switch *sw = &t->switches[1];
    assert_int_equal(sw->mtu_bytes, 9216);
    assert_int_equal(t->switches[0].mtu_bytes, 9000); /* of 'defaults' */
    assert_int_equal(sw->port_buffer_bytes, 512 * 1024);
    assert_int_equal(sw->mac_age_ns, INT64_C(300000000000));
    assert_int_equal(sw->pos.line, 7);

    const struct topology_nic *nic = &t->nics[1];
    assert_string_equal(nic->full_name, "hv1.iscsi2");
    assert_int_equal(nic->address, IPV4(10, 0, 0, 2));
    assert_int_equal(nic->prefix_bits, 24);
    assert_int_equal(nic->mtu_bytes, 9000);
    assert_memory_equal(nic->mac.octet, "\x02\x00\x0a\x00\x00\x02", 6);
    assert_string_equal(t->cables[nic->cable_index].name, "hv1-2");

    const struct topology_path *path = &t->paths[1];
    assert_string_equal(path->name, "hv1.iscsi2>san1.port-b");
    assert_int_equal(path->nic_index, 1);
    assert_string_equal(t->nics[path->array_nic_index].full_name, "san1.port-b");
    assert_int_equal(path->index_in_host, 1);

    assert_int_equal(t->disks[1].lun, 1);
    assert_int_equal(t->disks[1].block_bytes, 512);
    assert_false(t->disks[1].is_shared);
    assert_int_equal(t->cables[0].rate_bits_per_s, INT64_C(10000000000));
    assert_int_equal(t->cables[0].length_m, 5);
    assert_int_equal(t->cables[0].ends[1].switch_index, 0);
    assert_int_equal(t->cables[0].ends[1].port_index, 0);
    unload(&loaded);
}

static void a_count_makes_hosts_addresses_paths_and_cables(void **state)
{
    struct loaded loaded;
    char *text = replaced(good_topology, "count: 2", "count: 6");
    (void)state;

    load(&loaded, text);
    const struct topology *t = loaded.topology;
    assert_non_null(t);

    const struct topology_host *host = &t->hosts[6];
    assert_string_equal(host->name, "kvm-6");
    assert_string_equal(host->group, "kvm");
    assert_string_equal(host->initiator_name, "iqn.2026-01.com.example:kvm-6");
    assert_int_equal(t->nics[host->first_nic].address, IPV4(10, 0, 0, 16));
    assert_string_equal(t->paths[host->first_path].name, "kvm-6.iscsi1>san1.port-a");

    const struct topology_cable *cable = &t->cables[t->nics[host->first_nic].cable_index];
    assert_string_equal(cable->name, "kvm-1-6");
    assert_int_equal(cable->ends[1].port_index, 6);
    free(text);
    unload(&loaded);
}

static void names_of_many_hosts_have_the_same_length(void **state)
{
    struct loaded loaded;
    char *text = replaced(good_topology, "count: 2", "count: 100");
    char *wide = replaced(text, "switch-1: {ports: 8", "switch-1: {ports: 128");
    char *far = replaced(wide, "to: switch-1.8", "to: switch-1.128");
    char *moved = replaced(far, "10.0.0.11/24", "10.0.0.103/24");
    (void)state;

    load(&loaded, moved);
    assert_non_null(loaded.topology);
    assert_string_equal(loaded.topology->hosts[1].name, "kvm-001");
    assert_string_equal(loaded.topology->hosts[100].name, "kvm-100");
    free(moved);
    free(far);
    free(wide);
    free(text);
    unload(&loaded);
}

static void a_topology_overrides_any_value_of_a_profile(void **state)
{
    struct loaded loaded;
    char *text = replaced(good_topology, "multipath: {policy: round-robin}",
                          "multipath: {policy: fail-over-only, retry-count: 0}\n"
                          "    tcp: {on-link-down: keep}\n"
                          "    path: {hold: 20 s}\n"
                          "    link-debounce: 5 ms");
    (void)state;

    load(&loaded, text);
    assert_non_null(loaded.topology);

    const struct host_profile *profile = &loaded.topology->hosts[0].profile;
    assert_int_equal(profile->mpath.policy, POLICY_FAIL_OVER_ONLY);
    assert_int_equal(profile->mpath.retry_count, 0);
    assert_int_equal(profile->tcp.on_link_down, TCP_LINK_DOWN_KEEP);
    assert_int_equal(profile->path.hold_ns, INT64_C(20000000000));
    assert_int_equal(profile->link_debounce_ns, 5000000);
    /* The rest is the profile's. */
    assert_string_equal(profile->name, "windows-server-2022");
    assert_int_equal(profile->tcp.min_rto_ns, 20000000);
    assert_int_equal(profile->mpath.no_path_ns, INT64_C(20000000000));
    /* And the others' are untouched. */
    assert_int_equal(loaded.topology->hosts[1].profile.mpath.policy, POLICY_SERVICE_TIME);
    free(text);
    unload(&loaded);
}

static struct name_row {
    const char *name;
    enum part_kind kind;
} names[] = {
    {"switch-2", PART_SWITCH}, {"switch-2.8", PART_PORT},
    {"hv1", PART_HOST},        {"hv1.iscsi2", PART_NIC},
    {"san1", PART_ARRAY},      {"san1.port-a", PART_NIC},
    {"san-1", PART_CABLE},     {"hv1.iscsi1>san1.port-a", PART_PATH},
    {"kvm-2", PART_HOST},      {"san1.own", PART_DISK},
    {"kvm-1-2", PART_CABLE},
};

static void a_part_is_found_by_its_name_and_gives_it_back(void **state)
{
    const struct name_row *row = *state;
    struct loaded loaded;
    char buffer[PART_NAME_BYTES];

    load(&loaded, good_topology);
    struct part_ref part = find(loaded.topology, row->name);

    assert_int_equal(part.kind, row->kind);
    assert_string_equal(topology_part_name(loaded.topology, part, buffer), row->name);
    assert_true(topology_part_pos(loaded.topology, part).line > 0);
    unload(&loaded);
}

static void what_does_not_exist_is_not_found(void **state)
{
    static const char *const wrong[] = {"switch-3",    "switch-2.0", "switch-2.9", "switch-2.x",
                                        "switch-2.1x", "kvm",        "hv1.iscsi3", "",
                                        "hv1>san1",    ".1",         "switch-2."};
    struct loaded loaded;
    struct part_ref part;
    (void)state;

    load(&loaded, good_topology);
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
        assert_false(topology_find(loaded.topology, wrong[i], &part));
    unload(&loaded);
}

static struct use_row {
    const char *name;
    const char *path;
    const char *part;
    bool is_used;
} use_rows[] = {
    {"a path uses its host", "hv1.iscsi1>san1.port-a", "hv1", true},
    {"a path uses its NIC", "hv1.iscsi1>san1.port-a", "hv1.iscsi1", true},
    {"a path does not use the other NIC", "hv1.iscsi1>san1.port-a", "hv1.iscsi2", false},
    {"a path uses its first cable", "hv1.iscsi1>san1.port-a", "hv1-1", true},
    {"a path uses its last cable", "hv1.iscsi1>san1.port-a", "san-1", true},
    {"a path does not use another host's cable", "hv1.iscsi1>san1.port-a", "kvm-1-1", false},
    {"a path uses its switch", "hv1.iscsi1>san1.port-a", "switch-1", true},
    {"a path does not use the other switch", "hv1.iscsi1>san1.port-a", "switch-2", false},
    {"a path uses the ports of its cables", "hv1.iscsi1>san1.port-a", "switch-1.8", true},
    {"a path does not use the other ports", "hv1.iscsi1>san1.port-a", "switch-1.2", false},
    {"a path uses its portal", "hv1.iscsi2>san1.port-b", "san1.port-b", true},
    {"a path uses its array", "hv1.iscsi2>san1.port-b", "san1", true},
    {"a path uses all disks behind it", "hv1.iscsi2>san1.port-b", "san1.own", true},
};

static void a_path_knows_what_it_runs_over(void **state)
{
    const struct use_row *row = *state;
    struct loaded loaded;

    load(&loaded, good_topology);
    struct part_ref path = find(loaded.topology, row->path);

    assert_int_equal(
        topology_path_uses(loaded.topology, path.index, find(loaded.topology, row->part)),
        row->is_used);
    unload(&loaded);
}

static void a_path_may_cross_several_switches(void **state)
{
    struct loaded loaded;
    char *text = replaced(good_topology, "san-1: {from: san1.port-a, to: switch-1.8}",
                          "san-1: {from: san1.port-a, to: switch-2.7}\n"
                          "  isl: {from: switch-1.7, to: switch-2.6}");
    (void)state;

    load(&loaded, text);
    const struct topology *t = loaded.topology;
    assert_non_null(t);
    uint32_t path = find(t, "hv1.iscsi1>san1.port-a").index;

    assert_true(topology_path_uses(t, path, find(t, "isl")));
    assert_true(topology_path_uses(t, path, find(t, "switch-1")));
    assert_true(topology_path_uses(t, path, find(t, "switch-2")));
    assert_true(topology_path_uses(t, path, find(t, "switch-1.7")));
    assert_true(topology_path_uses(t, path, find(t, "switch-2.7")));
    assert_false(topology_path_uses(t, path, find(t, "switch-2.8")));

    path = find(t, "hv1.iscsi2>san1.port-b").index;
    assert_false(topology_path_uses(t, path, find(t, "isl")));
    assert_false(topology_path_uses(t, path, find(t, "switch-1")));
    free(text);
    unload(&loaded);
}

static void a_cable_may_join_two_nics(void **state)
{
    struct loaded loaded;
    char *text = replaced(good_topology, "  hv1-2: {from: hv1.iscsi2, to: switch-2.1}\n", "");
    char *direct = replaced(text, "to: switch-2.8", "to: hv1.iscsi2");
    (void)state;

    load(&loaded, direct);
    const struct topology *t = loaded.topology;
    assert_non_null(t);
    uint32_t path = find(t, "hv1.iscsi2>san1.port-b").index;

    assert_int_equal(topology_direct_peer(t, t->paths[path].nic_index),
                     t->paths[path].array_nic_index);
    assert_int_equal(topology_direct_peer(t, 0), TOPOLOGY_NONE);
    assert_true(topology_path_uses(t, path, find(t, "san-2")));
    assert_false(topology_path_uses(t, path, find(t, "switch-2")));
    free(direct);
    free(text);
    unload(&loaded);
}

static void settings_of_switches_and_ports_are_resolved(void **state)
{
    struct loaded loaded;
    char *text = replaced(
        good_topology, "{ports: 8, mtu: 9216}",
        "{ports: 8, forwarding: cut-through, shared-buffer: 12 MiB, buffer-alpha: 1/2,\n"
        "    flow-control: ask, pause-at: 100 KiB, resume-at: 50 KiB, link-debounce: 10 ms,\n"
        "    port-settings: {2-3: {vlan: 10, edge: true}, 4: {trunk: [10, 20-22], native: 21},\n"
        "                    5: {trunk: all, flow-control: none}, 6: {blocked: true}}}");
    (void)state;

    load(&loaded, text);
    const struct topology *t = loaded.topology;
    assert_non_null(t);
    const struct topology_switch *sw = &t->switches[1];

    assert_true(sw->is_cut_through);
    assert_false(t->switches[0].is_cut_through);
    assert_int_equal(sw->shared_buffer_bytes, 12 * 1024 * 1024);
    assert_int_equal(sw->port_buffer_bytes, 0); /* none beside the shared one */
    assert_int_equal(t->switches[0].port_buffer_bytes, 512 * 1024);
    assert_int_equal(sw->alpha_128ths, 64);
    assert_int_equal(sw->pause_at_bytes, 100 * 1024);
    assert_int_equal(sw->resume_at_bytes, 50 * 1024);
    assert_int_equal(sw->link_debounce_ns, 10000000);
    assert_int_equal(sw->ports[0].vlan.untagged, 1); /* not named */
    assert_null(sw->ports[0].vlan.trunk);
    assert_int_equal(sw->ports[0].flow_control, FLOW_CONTROL_ASK);
    assert_false(sw->ports[0].is_edge);
    for (uint32_t i = 1; i <= 2; i++) {
        assert_int_equal(sw->ports[i].vlan.untagged, 10);
        assert_true(sw->ports[i].is_edge);
    }
    assert_int_equal(sw->ports[3].vlan.untagged, 21);
    assert_true(vlan_set_has(sw->ports[3].vlan.trunk, 10));
    assert_true(vlan_set_has(sw->ports[3].vlan.trunk, 22));
    assert_false(vlan_set_has(sw->ports[3].vlan.trunk, 11));
    assert_false(vlan_set_has(sw->ports[3].vlan.trunk, 23));
    assert_int_equal(sw->ports[3].flow_control, FLOW_CONTROL_ASK); /* of the switch */
    assert_true(vlan_set_has(sw->ports[4].vlan.trunk, 4094));
    assert_int_equal(sw->ports[4].flow_control, FLOW_CONTROL_NONE);
    assert_true(sw->ports[5].is_blocked);
    assert_int_equal(t->nics[0].flow_control, FLOW_CONTROL_HONOUR);
    free(text);
    unload(&loaded);
}

static struct shipped_row {
    const char *name;
    uint32_t host_count;
    uint32_t path_count;
} shipped[] = {
    {"topologies/hyperv-two-switch.yaml", 2, 4}, {"topologies/hyperv-single-path.yaml", 2, 2},
    {"topologies/linux-two-switch.yaml", 2, 4},  {"topologies/linux-two-trunks.yaml", 2, 4},
    {"topologies/linux-incast.yaml", 8, 16},
};

static void the_shipped_ones_are_flawless(void **state)
{
    const struct shipped_row *row = *state;
    struct errors *errors = mem_new(sizeof(*errors));
    struct file_set files;
    char path[512];

    errors_init(errors);
    file_set_init(&files, NULL);
    snprintf(path, sizeof(path), "%s/%s", SOURCE_DIR, row->name);
    struct topology *topology = topology_load(path, &files, errors);

    assert_non_null(topology);
    assert_int_equal(errors->warning_count, 0);
    assert_int_equal(topology->host_count, row->host_count);
    assert_int_equal(topology->path_count, row->path_count);
    topology_free(topology);
    file_set_fini(&files);
    errors_fini(errors);
    free(errors);
}

int main(void)
{
    TEST(resolves_what_the_file_names);
    TEST(a_count_makes_hosts_addresses_paths_and_cables);
    TEST(names_of_many_hosts_have_the_same_length);
    TEST(a_topology_overrides_any_value_of_a_profile);
    TEST_ROWS(names, a_part_is_found_by_its_name_and_gives_it_back);
    TEST(what_does_not_exist_is_not_found);
    TEST_ROWS(use_rows, a_path_knows_what_it_runs_over);
    TEST(a_path_may_cross_several_switches);
    TEST(a_cable_may_join_two_nics);
    TEST(settings_of_switches_and_ports_are_resolved);
    TEST_ROWS(shipped, the_shipped_ones_are_flawless);
    return TEST_RUN("lab.topology");
}
