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
expect 2 "$ISCSILAB" run --seed 9223372036854775808 scenarios/no-fault.yaml
says "$work/err" 'from 0 to 9223372036854775807'
expect 2 "$ISCSILAB" run -j 0 scenarios/no-fault.yaml
expect 2 "$ISCSILAB" run --set nonsense scenarios/no-fault.yaml
expect 2 "$ISCSILAB" run scenarios/no-fault.yaml --db --quiet
says "$work/err" "a value is missing after '--db'"
expect 2 "$ISCSILAB" report --run --db "$work/lab.db"
says "$work/err" "a value is missing after '--run'"

# A report that cannot be written is told before anything runs.
expect 7 "$ISCSILAB" run scenarios/no-fault.yaml --db "$work/unwritten.db" --junit "$work/none/met.xml"
[ ! -e "$work/unwritten.db" ] || fail "it ran although the report cannot be written"

# Whoever has to wait for another program says so.
python3 - "$work/busy.db" "$ISCSILAB" >"$work/out" 2>"$work/err" <<'PY'
import sqlite3, subprocess, sys, time
subprocess.run([sys.argv[2], "run", "scenarios/no-fault.yaml", "--quiet", "--db", sys.argv[1]], check=True)
holder = sqlite3.connect(sys.argv[1], isolation_level=None)
holder.execute("BEGIN EXCLUSIVE")
waiting = subprocess.Popen([sys.argv[2], "run", "scenarios/no-fault.yaml", "--quiet", "--db", sys.argv[1]], stderr=subprocess.PIPE)
print(waiting.stderr.readline().decode(), end="")
holder.execute("ROLLBACK")
waiting.communicate()
print("ended with", waiting.returncode)
PY
says "$work/out" 'waiting for the result file'
says "$work/out" 'ended with 0'

# What is no regular file is no result file, and gets no journal.
mkdir "$work/folder"
for other in /dev/null "$work/folder"; do
    expect 7 "$ISCSILAB" run scenarios/no-fault.yaml --db "$other"
    says "$work/err" 'is no regular file'
done
[ ! -e /dev/null-journal ] || fail "a journal was left beside /dev/null"

# All files are checked before any runs, and nothing is written.
sed 's/power-off: switch-1/pwer-off: switch-1/' scenarios/switch-power-off.yaml |
    sed "s|\.\./topologies|$SOURCE_DIR/topologies|" >"$work/bad.yaml"
expect 3 "$ISCSILAB" run scenarios/no-fault.yaml "$work/bad.yaml" --db "$work/none.db"
says "$work/err" "did you mean 'power-off'?"
[ ! -e "$work/none.db" ] || fail "a result file was made although a scenario is wrong"
expect 3 "$ISCSILAB" run "$work/missing.yaml" --db "$work/none.db"
expect 3 "$ISCSILAB" run scenarios/no-fault.yaml --set 'no.such.key=1' --db "$work/none.db"
mkfifo "$work/pipe"
for endless in "$work/pipe" /dev/zero; do
    expect 3 timeout 10 "$ISCSILAB" check "$endless"
    says "$work/err" 'is no regular file'
done

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

# What is printed to repeat a run does that very run again: each axis of 'vary' is a --set of its own.
cat >>"$work/demanding.yaml" <<'YAML'
vary:
  hosts.*.multipath.policy: [round-robin, fail-over-only]
  load.*.rate: [200 per s]
YAML
expect 1 "$ISCSILAB" run "$work/demanding.yaml" "${quick[@]}" --quiet
says "$work/out" "--set 'hosts.*.multipath.policy=fail-over-only' --set 'load.*.rate=200 per s'"
sed -n 's/.*repeat it with: iscsilab //p' "$work/out" | tail -1 >"$work/again"
digest=$(sql "$work/lab.db" 'SELECT digest FROM run ORDER BY run_id DESC LIMIT 1')
runs=$(sql "$work/lab.db" 'SELECT count(*) FROM run')
eval "expect 1 \"\$ISCSILAB\" $(cat "$work/again") --db \"$work/lab.db\" --quiet"
[ "$(sql "$work/lab.db" 'SELECT count(*) FROM run')" -eq $((runs + 1)) ] || fail "repeating did not make one run"
[ "$(sql "$work/lab.db" 'SELECT digest FROM run ORDER BY run_id DESC LIMIT 1')" = "$digest" ] || fail "repeating made another run"
expect 5 "$ISCSILAB" run scenarios/no-fault.yaml "${quick[@]}" --set 'limits.events=1000'

# The machine.
expect 7 "$ISCSILAB" run scenarios/no-fault.yaml --db /proc/none/lab.db
expect 7 "$ISCSILAB" run scenarios/no-fault.yaml "${quick[@]}" --pcap /proc/none
status=0
"$ISCSILAB" run scenarios/no-fault.yaml "${quick[@]}" >/dev/full 2>"$work/err" || status=$?
[ "$status" -eq 7 ] || fail "results that were not written are no success: $status"

# A scenario that is named twice runs twice, with a capture each.
expect 0 "$ISCSILAB" run scenarios/no-fault.yaml scenarios/no-fault.yaml "${quick[@]}" --pcap "$work/captures"
[ -s "$work/captures/no-fault-1.pcapng" ] && [ -s "$work/captures/no-fault-2.pcapng" ] ||
    fail "two runs of one scenario do not leave two captures"

# stdout carries results only; no escape sequences where there is no terminal.
expect 0 "$ISCSILAB" run scenarios/no-fault.yaml "${quick[@]}"
if grep -q "$(printf '\033')" "$work/out" "$work/err"; then fail "colours without a terminal"; fi
done_with command_line
