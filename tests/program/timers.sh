#!/usr/bin/env bash
# The figures of a dead switch follow from the timers of the profile, and changing a timer in the
# topology moves them by that much. Nothing here is compared with what the program printed before.
. "$(dirname "$0")/lib.sh"
run() { # SCENARIO OPTION...: exit code 0 or 1; bounds of the scenario may not fit other timers
    "$ISCSILAB" run "$@" --db "$work/lab.db" --quiet --set 'load.*.rate=100 per s' >"$work/out" 2>"$work/err" || [ $? -eq 1 ] || {
        cat "$work/err" >&2
        fail "the run failed: $*"
    }
}
# near COLUMN SECONDS TOLERANCE: of every affected row with I/O of the last run
near() {
    local bad
    bad=$(sql "$work/lab.db" "SELECT host, $1 / 1e9 FROM failover WHERE run_id = (SELECT max(run_id) FROM run)
        AND affected AND ios_caught > 0 AND ($1 IS NULL OR abs($1 / 1e9 - $2) > $3)")
    [ -z "$bad" ] || fail "$1 should be $2 s within $3 s, but: $bad"
    [ "$(sql "$work/lab.db" "SELECT count(*) FROM failover WHERE run_id = (SELECT max(run_id) FROM run) AND affected AND ios_caught > 0")" -ge 2 ] ||
        fail "no host has a figure"
    checks=$((checks + 1))
}
windows=scenarios/switch-power-off.yaml
linux=scenarios/linux-switch-power-off.yaml

# Windows, the connection ends with the carrier: LinkDownTime (15 s).
run $windows --set 'hosts.*.tcp.on-link-down=abort'
near detected_ns 0 0.001
near path_failed_ns 15 0.001
near longest_io_ns 15 0.01
# ... and keeps: 20 ms x (2^10 - 1), then LinkDownTime. The first unanswered send may come up to 20 ms late.
run $windows --set 'hosts.*.tcp.on-link-down=keep'
near detected_ns 20.46 0.03
near path_failed_ns 35.46 0.03
near longest_io_ns 35.46 0.05
# One retransmission less: half of it. LinkDownTime 7 s: 8 s less.
run $windows --set 'hosts.*.tcp.on-link-down=keep' --set 'hosts.*.tcp.data-retransmissions=8'
near detected_ns 10.22 0.03
run $windows --set 'hosts.*.path.hold=7 s'
near path_failed_ns 7 0.001
near longest_io_ns 7 0.01
# The switch boots for 90 s; then at most DelayBetweenReconnect (5 s) and 1 s of plug and play.
near path_usable_ns 93.5 2.6
run $windows --set 'switches.switch-1.boot-time=30 s'
near path_usable_ns 33.5 2.6

# Linux: ping interval, ping time-out, recovery_tmo after the last byte received; 20 ms between I/Os.
# On timers that are as fine as the tick, 4 ms ...
exact='hosts.*.tcp.timer-wheel=false'
run $linux --set "$exact"
near detected_ns 10 0.05
near path_failed_ns 15 0.05
run $linux --set "$exact" --set 'hosts.*.path.nop-timeout=8 s'
near detected_ns 13 0.05
near path_failed_ns 18 0.05
run $linux --set "$exact" --set 'hosts.*.path.hold=11 s'
near path_failed_ns 21 0.05
run $linux --set "$exact" --set 'hosts.*.path.nop-interval=2 s'
near path_failed_ns 12 0.05
# ... and on the kernel's wheel, where each of the three waits is up to 64 ticks late (of 504 to 4031)
# and ends at a multiple of them.
late() { # COLUMN SECONDS WAITS: later than the exact one, by at most so many grains
    near "$1" "$(awk "BEGIN { print $2 + 0.128 * $3 }")" "$(awk "BEGIN { print 0.05 + 0.128 * $3 }")"
}
on_the_wheel() {
    [ "$(sql "$work/lab.db" "SELECT count(*), sum(at_ns % 256000000) FROM path_event WHERE run_id = (SELECT max(run_id) FROM run)
        AND reason = 'hold time over'")" = "2|0" ] || fail "the hold did not end at a multiple of 64 ticks"
    checks=$((checks + 1))
}
run $linux
late detected_ns 10 2
late path_failed_ns 15 3
on_the_wheel
run $linux --set 'hosts.*.path.nop-timeout=8 s'
late detected_ns 13 2
late path_failed_ns 18 3
run $linux --set 'hosts.*.path.hold=11 s'
late path_failed_ns 21 3
on_the_wheel

# Fail over only: the I/O goes back to the preferred path 1 s after its login, and nowhere without one.
failbacks() {
    sql "$work/lab.db" "SELECT count(*) FROM path_event WHERE run_id = (SELECT max(run_id) FROM run) AND disk = 'san1.vmstore'
        AND new_state = 'active' AND reason = 'fail back' AND path LIKE '%.iscsi1>san1.port-a'"
}
run $windows --set 'hosts.*.multipath.policy=fail-over-only' --set 'hosts.*.sessions.1.preferred=true'
[ "$(failbacks)" -eq 2 ] || fail "the preferred path did not get its I/O back"
run $windows --set 'hosts.*.multipath.policy=fail-over-only'
[ "$(failbacks)" -eq 0 ] || fail "a path that nobody prefers got the I/O back"
checks=$((checks + 2))

# The phases name the timers, and add up.
run $windows --set 'hosts.*.tcp.on-link-down=keep'
[ "$(sql "$work/lab.db" "SELECT count(*) FROM failover f WHERE run_id = (SELECT max(run_id) FROM run) AND first_io_ns IS NOT NULL
    AND first_io_ns <> (SELECT sum(end_at_ns - start_at_ns) FROM pause_phase p WHERE p.run_id = f.run_id
        AND p.fault_id = f.fault_id AND p.host = f.host AND p.disk = f.disk)")" -eq 0 ] || fail "phases do not add up to first_io_ns"
[ "$(sql "$work/lab.db" "SELECT count(*) FROM pause_phase WHERE run_id = (SELECT max(run_id) FROM run)
    AND phase = 'detect' AND ended_by LIKE '%retransmission-limit%'")" -ge 2 ] || fail "no phase names the retransmission limit"
checks=$((checks + 2))
done_with timers
