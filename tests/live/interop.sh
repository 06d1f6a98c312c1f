#!/usr/bin/env bash
# The real kernel on TAP devices meets the simulated fabric: jumbo frames cross it both ways or not at
# all, initiators find and read the simulated array, and faults come and go while it runs.
. "$SOURCE_DIR/tests/live/lib.sh" iscsi-ls iscsi-inq iscsi-readcapacity16

topology=$SOURCE_DIR/topologies/linux-two-switch.yaml
two_hosts() {
    live "$topology" --attach "kvm1.iscsi1=tap:a$tag" --attach "kvm2.iscsi1=tap:b$tag" "$@"
    host a "a$tag" 172.16.0.53/24
    host b "b$tag" 172.16.0.55/24
}
jumbo="ping -M do -s 8972 -c 3 -i 0.2 -W 1"

two_hosts
expect 0 in_host a $jumbo 172.16.0.55 # kernel to kernel, through the simulated switch
expect 0 in_host b $jumbo 172.16.0.53
expect 0 in_host a $jumbo 172.16.0.51 # kernel to simulated array
expect 1 in_host a ping -M do -s 8973 -c 1 -W 1 172.16.0.51
says "$work/err" "message too long"

# A MAC address and an MTU as in the topology, and carrier as in the fabric.
in_host a ip link show "a$tag" >"$work/link"
says "$work/link" "mtu 9000"
says "$work/link" "02:00:ac:10:00:35"
carrier() { [ "$(in_host a cat "/sys/class/net/a$tag/carrier")" = "$1" ]; }
ctl() { "$ISCSILAB" ctl "$work/ctl" "$1"; }
becomes() { # 1|0: the kernel sees the carrier come or go
    local i
    checks=$((checks + 1))
    for i in $(seq 40); do
        carrier "$1" && return 0
        sleep 0.05
    done
    fail "the kernel's carrier is not $1"
}
becomes 1
expect 0 ctl "pull: kvm1-1"
becomes 0
expect 0 ctl "plug-in: kvm1-1"
becomes 1
expect 0 in_host a $jumbo 172.16.0.55

# Faults by name, one way, and what is wrong with them.
expect 0 ctl "freeze: switch-1"
expect 1 in_host a ping -c 2 -i 0.2 -W 1 172.16.0.55
carrier 1 || fail "a frozen switch keeps its links"
expect 0 ctl faults
says "$work/out" "freeze: switch-1"
expect 0 ctl "thaw: switch-1"
expect 0 in_host a $jumbo 172.16.0.55
expect 1 ctl "thaw: switch-1"
says "$work/err" "nothing to undo"
expect 3 ctl "pwer-off: switch-1"
says "$work/err" "did you mean 'power-off'"
says "$work/err" "^"
expect 1 ctl "power-off: kvm1"
says "$work/err" "real box"
expect 0 ctl status
says "$work/out" "kvm1.iscsi1 at tap:a$tag"
end_live
grep -qF "freeze: switch-1" "$work/live" || fail "live did not tell its steps"
[ ! -e "$work/ctl" ] || fail "the control socket is still there"
expect 7 "$ISCSILAB" ctl "$work/ctl" help

two_hosts --set switches.switch-1.mtu=1500
expect 1 in_host a $jumbo 172.16.0.55
expect 1 in_host b $jumbo 172.16.0.53
expect 1 in_host a $jumbo 172.16.0.51
expect 0 in_host a ping -M do -s 1472 -c 2 -i 0.2 -W 1 172.16.0.55
expect 0 ctl status
says "$work/out" "too-big"
end_live

# libiscsi's initiator, in the kernel's TCP, at the simulated array behind the simulated switch; a
# simulated host logs in and works beside it, and a step comes by itself.
cat >"$work/scenario.yaml" <<YAML
kind: scenario
format: 1
name: live
topology: $topology
run-for: 3600 s
load:
  work:
    hosts: kvm2
    disk: san1.vmstore
    reads: 70 %
    size: 4 KiB
    area: 64 MiB
    rate: 200 per s
steps:
  - at: 3 s
    pull: kvm2-1
    for: 1 s
YAML
live "$topology" --scenario "$work/scenario.yaml" --attach "kvm1.iscsi1=tap:a$tag" \
    --attach "kvm1.iscsi2=tap:c$tag" --pcap "$work/pcap"
host a "a$tag" 172.16.0.53/24
ip link set "c$tag" netns "lab$tag-a"
in_host a ip link set "c$tag" up # the second path: the array's other port by the other switch
in_host a ip addr add 172.16.0.54/32 dev "c$tag"
in_host a ip route add 172.16.0.52/32 dev "c$tag" src 172.16.0.54
target=iqn.2026-01.com.example:san1
expect 0 in_host a iscsi-ls -s iscsi://172.16.0.51
says "$work/out" "Target:$target"
says "$work/out" "Lun:0"
says "$work/out" "Lun:1"
expect 0 in_host a iscsi-inq "iscsi://172.16.0.51/$target/0"
says "$work/out" "Vendor:ISCSILAB"
expect 0 in_host a iscsi-inq "iscsi://172.16.0.52/$target/0"
expect 0 in_host a iscsi-readcapacity16 "iscsi://172.16.0.51/$target/1"
says "$work/out" "Total size:1073741824"
for _ in $(seq 200); do grep -qF 'pull: kvm2-1 undone' "$work/live" && break || sleep 0.05; done
end_live
says "$work/live" "pull: kvm2-1"
says "$work/live" "pull: kvm2-1 undone"
says "$work/live" "kvm2.iscsi1>san1.port-a"
[ -s "$work"/pcap/*.pcapng ] || fail "no capture"
done_with interop
