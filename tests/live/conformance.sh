#!/usr/bin/env bash
# libiscsi's conformance suite in a network namespace, at the simulated array: through the kernel's
# TCP, a TAP device and a simulated switch per path. Over one portal and over two, SANITIZE included.
. "$SOURCE_DIR/tests/live/lib.sh" iscsi-test-cu
. "$SOURCE_DIR/tests/program/suite.sh"

url() { echo "iscsi://172.16.$1.1/iqn.2026-01.lab.iscsilab:conformance/0"; }
# fabric NAME: an array and its switches, and a tester with a NIC at each
fabrics=()
fabric() {
    : >"$work/live"
    live "$SOURCE_DIR/topologies/conformance.yaml" --attach "tester.left=tap:$1l$tag" \
        --attach "tester.right=tap:$1r$tag"
    mv "$work/live" "$work/live-$1"
    mv "$work/ctl" "$work/ctl-$1"
    fabrics+=("$live_pid")
    host "$1" "$1l$tag" 172.16.1.10/24
    ip link set "$1r$tag" netns "lab$tag-$1"
    in_host "$1" ip addr add 172.16.2.10/24 dev "$1r$tag"
    in_host "$1" ip link set "$1r$tag" up
}
end_both() {
    local each
    for each in ${suites[@]+"${suites[@]}"} ${fabrics[@]+"${fabrics[@]}"}; do
        kill "$each" 2>/dev/null && wait "$each" 2>/dev/null || true
    done
    end_all
}
trap end_both EXIT

fabric a
fabric b
in_background one-portal one_portal "$(url 1)" ip netns exec "lab$tag-a" iscsi-test-cu
in_background two-portals two_portals "$(url 1)" "$(url 2)" ip netns exec "lab$tag-b" iscsi-test-cu
wait "${suites[0]}" || true
passed one-portal "$skips_one_portal" 1
wait "${suites[1]}" || true
passed two-portals "$skips_two_portals" 12
suites=()
for each in "${fabrics[@]}"; do
    kill -TERM "$each"
    wait "$each" || fail "live did not end well: $(tail -n 5 "$work"/live-?)"
    checks=$((checks + 1))
done
fabrics=()
live_pid=
done_with conformance
