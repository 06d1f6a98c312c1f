#!/usr/bin/env bash
# The command line: help, wrong use, exit codes, JUnit, the line that repeats a failing run.
. "$(dirname "$0")/lib.sh"
quick=(--db "$work/lab.db")

expect 0 "$ISCSILAB" --help
says "$work/out" 'usage: iscsilab'
expect 0 "$ISCSILAB" run --help
expect 0 "$ISCSILAB" --version
expect 2 "$ISCSILAB"
expect 2 "$ISCSILAB" frobnicate
expect 2 "$ISCSILAB" run
expect 2 "$ISCSILAB" run --nonsense scenarios/no-fault.yaml
expect 2 "$ISCSILAB" run --seed twelve scenarios/no-fault.yaml
expect 2 "$ISCSILAB" run -j 0 scenarios/no-fault.yaml
expect 2 "$ISCSILAB" run --set nonsense scenarios/no-fault.yaml

# All files are checked before any runs, and nothing is written.
sed 's/power-off: switch-1/pwer-off: switch-1/' scenarios/switch-power-off.yaml |
    sed "s|\.\./topologies|$SOURCE_DIR/topologies|" >"$work/bad.yaml"
expect 3 "$ISCSILAB" run scenarios/no-fault.yaml "$work/bad.yaml" --db "$work/none.db"
says "$work/err" "did you mean 'power-off'?"
[ ! -e "$work/none.db" ] || fail "a result file was made although a scenario is wrong"
expect 3 "$ISCSILAB" run "$work/missing.yaml" --db "$work/none.db"
expect 3 "$ISCSILAB" run scenarios/no-fault.yaml --set 'no.such.key=1' --db "$work/none.db"

# Met, and not met.
expect 0 "$ISCSILAB" run scenarios/no-fault.yaml "${quick[@]}" --junit "$work/met.xml"
says "$work/met.xml" '<testsuite name="no-fault"'
says "$work/met.xml" 'failures="0"'
[ "$(sql "$work/lab.db" 'SELECT count(*) FROM run WHERE exit_code = 0')" -eq 1 ] || fail "no run was recorded"
sed "s|\.\./topologies|$SOURCE_DIR/topologies|" scenarios/no-fault.yaml >"$work/demanding.yaml"
cat >>"$work/demanding.yaml" <<'YAML'
  - name: faster than light & <hope>
    measure: latency
    of: hv1
    percentile: 50
    at-most: 1 ns
  - name: nothing is measured before anything is sent
    measure: latency
    of: hv1
    percentile: 50
    from: 0 s
    until: 100 ms
    at-most: 1 s
YAML
expect 1 "$ISCSILAB" run "$work/demanding.yaml" "${quick[@]}" --junit "$work/not.xml" --seed 9
says "$work/out" 'repeat it with: iscsilab run'
says "$work/out" 'seed=9'
says "$work/not.xml" 'faster than light &amp; &lt;hope&gt;'
says "$work/not.xml" 'failures="2"'
says "$work/out" 'no samples'
expect 5 "$ISCSILAB" run scenarios/no-fault.yaml "${quick[@]}" --set 'limits.events=1000'

# The machine.
expect 7 "$ISCSILAB" run scenarios/no-fault.yaml --db /proc/none/lab.db
expect 7 "$ISCSILAB" run scenarios/no-fault.yaml "${quick[@]}" --pcap /proc/none

# stdout carries results only; no escape sequences where there is no terminal.
expect 0 "$ISCSILAB" run scenarios/no-fault.yaml "${quick[@]}"
if grep -q "$(printf '\033')" "$work/out" "$work/err"; then fail "colours without a terminal"; fi
done_with command_line
