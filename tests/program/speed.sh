#!/usr/bin/env bash
# What a run costs does not creep up: events, frames and memory per I/O are counted, which no busy
# machine can change, and the CPU time has a bound ten times what is usual.
. "$(dirname "$0")/lib.sh"
"$ISCSILAB" run bench/reads.yaml --set run-for='200 ms' --db "$work/s.db" --quiet -j 1 >"$work/out" 2>"$work/err" ||
    fail "the run failed: $(cat "$work/err")"
ios=$(sql "$work/s.db" "SELECT sum(value) FROM counter WHERE name = 'ios-submitted'")
[ "$ios" -ge 80000 ] || fail "only $ios I/Os in 200 ms: the bench is not what it was"
at_most() { # WHAT, SQL EXPRESSION, BOUND
    local value
    value=$(sql "$work/s.db" "SELECT printf('%.2f', $2) FROM run")
    [ "$(sql "$work/s.db" "SELECT $value <= $3")" = 1 ] || fail "$1: $value, and $3 is the most"
    echo "$1: $value (at most $3)"
    checks=$((checks + 1))
}
frames="(SELECT sum(value) FROM counter WHERE name = 'frames-sent')"
at_most "events per I/O" "events * 1.0 / $ios" 8
at_most "frames per I/O, each hop counted" "$frames * 1.0 / $ios" 5
at_most "peak memory in MB" "peak_memory_bytes / 1e6" 100
case $ISCSILAB in
*/release/*) at_most "CPU microseconds per I/O" "cpu_ns / 1e3 / $ios" 40 ;; # usual: 3 to 4
esac
done_with speed
