#!/usr/bin/env bash
# libiscsi's conformance suite against 'iscsilab serve': over one portal and over two, no test fails,
# and only those are skipped that cannot be had on that disk. (SANITIZE takes minutes: bench/conformance.)
. "$(dirname "$0")/lib.sh"
command -v iscsi-test-cu >/dev/null || fail "iscsi-test-cu is missing (Debian: libiscsi-bin)"
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; rm -rf "$work"' EXIT

# Ports that nobody has: the program says so if we guessed wrong, and we guess again.
start() {
    local try first
    for try in 1 2 3 4 5; do
        first=$((20000 + (RANDOM * 7 + $$ + try) % 20000))
        "$ISCSILAB" serve --topology topologies/conformance.yaml --listen "127.0.0.1:$first" \
            --listen "127.0.0.1:$((first + 1))" >"$work/serve.log" 2>&1 &
        server=$!
        for _ in $(seq 100); do
            [ "$(grep -c 'listens on' "$work/serve.log")" -eq 2 ] && break 2
            kill -0 "$server" 2>/dev/null || break
            sleep 0.05
        done
    done
    kill -0 "$server" 2>/dev/null || fail "serve did not start: $(cat "$work/serve.log")"
    one=iscsi://127.0.0.1:$first/iqn.2026-01.lab.iscsilab:conformance
    two=iscsi://127.0.0.1:$((first + 1))/iqn.2026-01.lab.iscsilab:conformance
}
# suite NAME SKIPS TEST URL...: none fails, and the skips are SKIPS
suite() {
    local name=$1 skips=$2 test=$3 code=0
    shift 3
    timeout 200 iscsi-test-cu -t "$test" -d -v "$@" >"$work/$name" 2>&1 || code=$?
    awk '$1 == "tests" {ran = $3; failed = $5} END {exit !(ran > 0 && failed == 0)}' "$work/$name" || {
        grep -aE 'FAILED|^ +[0-9]+\. ' "$work/$name" | head -n 20 >&2
        tail -n 8 "$work/$name" >&2
        fail "$name: tests failed (exit code $code)"
    }
    sed -n 's/.*\[SKIPPED\] *//p' "$work/$name" | LC_ALL=C sort | uniq -c | sed 's/^ *//' >"$work/skips"
    diff <(printf '%s' "$skips") "$work/skips" >&2 || fail "$name: other tests were skipped than those that must be"
    checks=$((checks + 2))
}

start
write_protection='1 Logical unit is not write-protected. Skipping test.'
zero_blocks='1 WRITESAME10 does not support 0-blocks.
1 WRITESAME16 does not support 0-blocks.'
sanitize='11 --allow-sanitize flag is not set. Skipping test.'
suite one-portal "$sanitize
$write_protection
4 Multipath unavailable. Skipping test
$zero_blocks
" ALL "$one/0"
suite two-portals "$sanitize
$write_protection
$zero_blocks
" ALL "$one/0" "$two/0"
suite read-only "" ALL.ReadOnly "$one/1"
kill -TERM "$server"
wait "$server" || fail "serve did not end well"
server=
says "$work/serve.log" 'sessions 0'
done_with conformance
