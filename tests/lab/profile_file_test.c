#include "tests/test.h"

#include "lab/document.h"
#include "lab/profile_file.h"
#include "sim/core/time.h"
#include "tests/lab/files.h"

static struct topology *load(const char *name)
{
    struct errors *errors = mem_new(sizeof(*errors));
    struct file_set files;
    char path[512];

    errors_init(errors);
    file_set_init(&files, NULL);
    snprintf(path, sizeof(path), "%s/topologies/%s.yaml", SOURCE_DIR, name);
    struct topology *topology = topology_load(path, &files, errors);
    if (!topology)
        errors_print(errors, stdout);
    assert_non_null(topology);
    file_set_fini(&files);
    errors_fini(errors);
    free(errors);
    return topology;
}

static void windows_is_what_the_reference_says(void **state)
{
    struct topology *topology = load("hyperv-two-switch");
    const struct host_profile *p = &topology->hosts[0].profile;
    (void)state;

    assert_string_equal(p->name, "windows-server-2022");
    assert_int_equal(p->tcp.min_rto_ns, MS(20));
    assert_int_equal(p->tcp.initial_rto_ns, SECONDS(1));
    assert_int_equal(p->tcp.syn_retransmissions, 4);
    assert_int_equal(p->tcp.data_retransmissions, 9);
    assert_int_equal(p->tcp.delayed_ack_ns, MS(10));
    assert_int_equal(p->tcp.delayed_ack_segments, 2);
    assert_int_equal(p->tcp.congestion, TCP_CUBIC);
    assert_int_equal(p->tcp.initial_window_segments, 10);
    assert_false(p->tcp.timestamps);
    assert_int_equal(p->tcp.on_link_down, TCP_LINK_DOWN_ABORT);
    assert_int_equal(p->iscsi.max_recv_segment_bytes, 65536);
    assert_int_equal(p->iscsi.max_burst_bytes, 262144);
    assert_int_equal(p->iscsi.first_burst_bytes, 65536);
    assert_false(p->iscsi.initial_r2t);
    assert_true(p->iscsi.immediate_data);
    assert_int_equal(p->path.connect_timeout_ns, SECONDS(15));
    assert_int_equal(p->path.reconnect_delay_ns, SECONDS(5));
    assert_int_equal(p->path.refused_delay_ns, 0); /* one setting of Windows moves both */
    assert_int_equal(p->path.nop_interval_ns, 0);
    assert_int_equal(p->path.hold_ns, SECONDS(15));
    assert_int_equal(p->path.command_timeout_ns, SECONDS(60));
    assert_int_equal(p->path.command_timeout_extra_ns, SECONDS(15));
    assert_int_equal(p->path.max_commands, 255);
    assert_int_equal(p->mpath.no_path, NO_PATH_HOLD_AND_REMOVE);
    assert_int_equal(p->mpath.no_path_ns, SECONDS(20));
    assert_int_equal(p->mpath.policy, POLICY_ROUND_ROBIN);
    assert_int_equal(p->mpath.retry_count, 3);
    assert_int_equal(p->mpath.retry_interval_ns, SECONDS(1));
    assert_int_equal(p->mpath.path_return, RETURN_ON_ARRIVAL);
    assert_int_equal(p->mpath.errors, ERRORS_MSDSM);
    assert_int_equal(p->mpath.path_recovery_ns, SECONDS(40));
    assert_false(p->mpath.path_verify);
    topology_free(topology);
}

static void linux_is_what_the_reference_says(void **state)
{
    struct topology *topology = load("linux-two-switch");
    const struct host_profile *p = &topology->hosts[0].profile;
    (void)state;

    assert_string_equal(p->name, "linux-6.1-dm-multipath");
    assert_int_equal(p->tcp.min_rto_ns, MS(200));
    assert_int_equal(p->tcp.max_rto_ns, SECONDS(120));
    assert_int_equal(p->tcp.give_up_after_ns, SECONDS(924) + MS(600));
    assert_int_equal(p->tcp.syn_retransmissions, 6);
    assert_int_equal(p->tcp.on_link_down, TCP_LINK_DOWN_KEEP);
    assert_int_equal(p->tcp.timer_tick_ns, MS(4));
    assert_true(p->tcp.timer_wheel);
    assert_int_equal(p->iscsi.max_burst_bytes, 16776192);
    assert_int_equal(p->iscsi.first_burst_bytes, 262144);
    assert_int_equal(p->iscsi.time2wait_s, 2);
    assert_int_equal(p->iscsi.time2retain_s, 0);
    assert_int_equal(p->iscsi.protocol_level, 1); /* it says nothing of it */
    assert_int_equal(p->path.nop_interval_ns, SECONDS(5));
    assert_int_equal(p->path.nop_timeout_ns, SECONDS(5));
    assert_int_equal(p->path.hold_ns, SECONDS(5));
    assert_int_equal(p->path.login_timeout_ns, SECONDS(15));
    assert_int_equal(p->path.refused_delay_ns, SECONDS(3));
    assert_true(p->path.waits_time2wait);
    assert_int_equal(p->path.command_timeout_ns, SECONDS(30));
    assert_true(p->path.extends_busy_timeout);
    assert_int_equal(p->path.abort_timeout_ns, SECONDS(15));
    assert_int_equal(p->path.lun_reset_timeout_ns, SECONDS(30));
    assert_int_equal(p->path.target_reset_timeout_ns, SECONDS(30));
    assert_int_equal(p->path.max_commands, 128);
    assert_int_equal(p->path.queue_depth, 32);
    assert_int_equal(p->mpath.policy, POLICY_SERVICE_TIME);
    assert_int_equal(p->mpath.no_path, NO_PATH_FAIL);
    assert_int_equal(p->mpath.path_return, RETURN_ON_CHECK);
    assert_int_equal(p->mpath.path_check_interval_ns, SECONDS(5));
    assert_int_equal(p->mpath.path_check_max_interval_ns, SECONDS(20));
    assert_int_equal(p->mpath.failback, FAILBACK_MANUAL);
    assert_int_equal(p->mpath.errors, ERRORS_DM_MULTIPATH);
    topology_free(topology);
}

static void the_array_is_what_the_reference_says(void **state)
{
    struct topology *topology = load("hyperv-two-switch");
    const struct array_profile *p = &topology->arrays[0].profile;
    (void)state;

    assert_string_equal(p->name, "array-generic");
    assert_int_equal(p->iscsi.protocol_level, 2);
    assert_int_equal(p->nop_interval_ns, SECONDS(15));
    assert_int_equal(p->nop_timeout_ns, SECONDS(30));
    assert_int_equal(p->iscsi.error_recovery_level, 0);
    assert_int_equal(topology->arrays[0].media.read_time_ns, US(150));
    assert_int_equal(topology->arrays[0].media.write_time_ns, US(80));
    assert_int_equal(topology->arrays[0].media.commands_at_once, 128);
    topology_free(topology);
}

static struct row {
    const char *name;
} rows[] = {{"windows-server-2022"}, {"linux-6.1-dm-multipath"}, {"array-generic"}};

static void stands_on_its_own(void **state)
{
    const struct row *row = *state;
    struct errors *errors = mem_new(sizeof(*errors));
    struct file_set files;
    const struct source *source = NULL;
    struct error err;
    char path[512];

    errors_init(errors);
    file_set_init(&files, NULL);
    snprintf(path, sizeof(path), "%s/topologies/profiles/%s.yaml", SOURCE_DIR, row->name);
    assert_int_equal(file_set_read(&files, path, &source, &err), OK);

    struct document *document = document_parse(source, errors);
    assert_true(profile_check_document(document, errors));
    document_free(document);
    file_set_fini(&files);
    errors_fini(errors);
    free(errors);
}

int main(void)
{
    TEST(windows_is_what_the_reference_says);
    TEST(linux_is_what_the_reference_says);
    TEST(the_array_is_what_the_reference_says);
    TEST_ROWS(rows, stands_on_its_own);
    return TEST_RUN("lab.profile_file");
}
