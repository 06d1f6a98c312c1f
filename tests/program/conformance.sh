#!/usr/bin/env bash
# libiscsi's conformance suite, SANITIZE included, against 'iscsilab serve': over one portal and over
# two, and with disks of other kinds, no test fails, and only those are skipped that cannot be had on
# that disk. They run beside each other, each with an array of its own, because SANITIZE sleeps for
# most of its time.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/suite.sh"
servers=()
trap 'for each in ${servers[@]+"${servers[@]}"} ${suites[@]+"${suites[@]}"}; do kill "$each" 2>/dev/null; done; rm -rf "$work"' EXIT

start() { # NAME
    start_serve "$work/$1" 2 --topology topologies/conformance.yaml
    servers+=("$server")
}
url() { echo "iscsi://127.0.0.1:$((first_port + $1))/iqn.2026-01.lab.iscsilab:conformance/$2"; }

start serve-1
in_background one-portal one_portal "$(url 0 0)" iscsi-test-cu
read_only=$(url 0 1)
start serve-2
in_background two-portals two_portals "$(url 0 0)" "$(url 1 0)" iscsi-test-cu
start serve-3
one_disk "$(url 0 2)" iscsi-test-cu >"$work/fixed" 2>&1 || true
passed fixed "$skips_fixed" 1
native_disk "$(url 0 3)" iscsi-test-cu >"$work/native" 2>&1 || true
passed native "$skips_native" 50
one_disk "$(url 0 4)" iscsi-test-cu >"$work/full" 2>&1 || true
passed full "$skips_full" 1
wait "${suites[0]}" || true
passed one-portal "$skips_one_portal" 1
iscsi-test-cu -t ALL.ReadOnly -d -v "$read_only" >"$work/read-only" 2>&1 || true
passed read-only "" 1
wait "${suites[1]}" || true
passed two-portals "$skips_two_portals" 12
suites=()
for server in "${servers[@]}"; do
    kill -TERM "$server"
    wait "$server" || fail "serve did not end well"
done
servers=()
for log in "$work"/serve-?; do
    says "$log" 'sessions 0'
done
done_with conformance
