#!/usr/bin/env bash
# Every rule is watched: each planted bug makes its run fail with the name of the rule, the place and
# what was lost; and configurations that cannot hold fail as they should.
. "$(dirname "$0")/lib.sh"
planted() { # RULE SCENARIO OPTION...
    local rule=$1 scenario=$2
    shift 2
    expect 4 "$ISCSILAB" run "$scenario" --db "$work/lab.db" --set "plant=$rule" "$@"
    local first
    first=$(sql "$work/lab.db" "SELECT rule || ' at ' || at_ns / 1e9 || ' s: ' || text FROM broken_rule
        WHERE run_id = (SELECT max(run_id) FROM run) AND rule = '$rule' ORDER BY at_ns LIMIT 1")
    [ -n "$first" ] || {
        sql "$work/lab.db" "SELECT DISTINCT rule, text FROM broken_rule WHERE run_id = (SELECT max(run_id) FROM run) LIMIT 5"
        fail "the planted bug $rule was not named"
    }
    says "$work/out" "$rule"
    echo "$first"
}


# Without a planted bug the same scenario is sound.
expect 0 "$ISCSILAB" run tests/program/rewrite.yaml --db "$work/lab.db"
for rule in D1 D2 D4 D5 D6 P1 P2 P4 P8; do
    planted "$rule" tests/program/rewrite.yaml
done
planted P7 scenarios/all-paths-lost-5s.yaml --set 'hosts.*.tcp.on-link-down=keep'
planted P6 scenarios/host-cable-pulled.yaml
planted L1 scenarios/host-cable-pulled.yaml

# One path only: a dead switch must cost errors.
sed "s|\.\./topologies/hyperv-two-switch|$SOURCE_DIR/topologies/hyperv-single-path|" \
    scenarios/switch-power-off.yaml >"$work/single.yaml"
expect 1 "$ISCSILAB" run "$work/single.yaml" --db "$work/lab.db"
[ "$(sql "$work/lab.db" "SELECT sum(io_errors) > 0 FROM failover WHERE run_id = (SELECT max(run_id) FROM run)")" = 1 ] ||
    fail "a single path survived a dead switch"
# Two paths, but the host does not try again: errors, and rule L1 says that they were needless.
expect 4 "$ISCSILAB" run scenarios/switch-power-off.yaml --db "$work/lab.db" \
    --set 'hosts.*.multipath.retry-count=0'
[ "$(sql "$work/lab.db" "SELECT sum(io_errors) > 0 FROM failover WHERE run_id = (SELECT max(run_id) FROM run)")" = 1 ] ||
    fail "a host without retries saw no error"
done_with plants
