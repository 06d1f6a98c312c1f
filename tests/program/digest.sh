#!/usr/bin/env bash
# The same scenario and seed give the same digest in every build, alone and in parallel, with and
# without capture, with and without progress output; another seed gives another.
. "$(dirname "$0")/lib.sh"
run() { # PROGRAM DB OPTION...
    local program=$1 db=$2
    shift 2
    "$program" run scenarios/switch-power-off.yaml --db "$db" --quiet --set 'load.*.rate=50 per s' "$@" \
        >"$work/out" 2>"$work/err" || fail "the run failed: $(cat "$work/err")"
}
digest() { sql "$1" "SELECT digest FROM run ORDER BY run_id DESC LIMIT 1"; }

run "$ISCSILAB" "$work/a.db"
wanted=$(digest "$work/a.db")
[ ${#wanted} -eq 16 ] || fail "no digest: '$wanted'"
run "$ISCSILAB" "$work/a.db" --pcap "$work/pcap"
[ "$(digest "$work/a.db")" = "$wanted" ] || fail "a capture changes the digest"
run "$ISCSILAB" "$work/a.db" --pcap "$work/part" --pcap-of san1,switch-1.1 --pcap-rotate 1MiB
[ "$(digest "$work/a.db")" = "$wanted" ] || fail "a capture of chosen parts changes the digest"
# On a terminal the progress moves; nowhere it is not even written.
script -qec "'$ISCSILAB' run scenarios/switch-power-off.yaml --db '$work/tty.db' --set 'load.*.rate=50 per s'" \
    "$work/tty" >"$work/out" 2>&1 || fail "the run on a terminal failed: $(cat "$work/tty")"
grep -q '%' "$work/tty" || fail "a terminal shows no progress"
[ "$(digest "$work/tty.db")" = "$wanted" ] || fail "progress output changes the digest"
"$ISCSILAB" run scenarios/switch-power-off.yaml --db "$work/null.db" --quiet --set 'load.*.rate=50 per s' \
    >/dev/null 2>/dev/null || fail "the run without output failed"
[ "$(digest "$work/null.db")" = "$wanted" ] || fail "no progress output changes the digest"
run "$ISCSILAB" "$work/a.db" --seed 43
[ "$(digest "$work/a.db")" != "$wanted" ] || fail "another seed gives the same digest"
"$ISCSILAB" run scenarios/switch-power-off.yaml scenarios/switch-power-off.yaml scenarios/no-fault.yaml -j 2 \
    --db "$work/p.db" --quiet --set 'load.*.rate=50 per s' >"$work/out" 2>"$work/err" || [ $? -eq 1 ] || fail "the parallel run failed"
count=$(sql "$work/p.db" "SELECT count(*) FROM run WHERE scenario = 'switch-power-off' AND digest = '$wanted'")
[ "$count" -eq 2 ] || fail "parallel runs give another digest"
checks=$((checks + 8))
for build in release debug sanitize clang; do
    program=$SOURCE_DIR/build/$build/iscsilab
    [ -x "$program" ] && [ "$program" != "$ISCSILAB" ] || continue
    run "$program" "$work/$build.db"
    [ "$(digest "$work/$build.db")" = "$wanted" ] || fail "the $build build gives another digest"
    echo "the $build build agrees: $wanted"
    checks=$((checks + 1))
done
done_with digest
