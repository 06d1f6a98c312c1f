#!/usr/bin/env bash
# The jumbo-frame check: what passes, what does not, and which part said no.
. "$SOURCE_DIR/tests/program/lib.sh"

topology=topologies/hyperv-two-switch.yaml
ping() { "$ISCSILAB" ping "$topology" --from hv1.iscsi1 --to san1.port-a "$@"; }

expect 0 ping --size 8972 --dont-fragment --count 2
says "$work/out" "8980 bytes from 172.16.0.51: icmp_seq=2"
says "$work/out" "2 packets transmitted, 2 received, 0% packet loss"
cp "$work/out" "$work/first"
expect 0 ping --size 8972 --dont-fragment --count 2
cmp -s "$work/out" "$work/first" || fail "two pings, two answers"
expect 1 ping --size 8973 --dont-fragment --count 1
says "$work/out" "not sent by hv1.iscsi1: too big: packet of 9001 bytes, MTU 9000"
expect 1 ping --size 8972 --dont-fragment --count 1 --set switches.switch-1.mtu=1500
says "$work/out" "too big: frame of 9014 bytes, limit 1514"
says "$work/out" "dropped at switch-1.1"
expect 0 ping --size 1472 --count 1 --set switches.switch-1.mtu=1500
expect 1 ping --size 8972 --count 1 --set arrays.san1.nics.port-a.mtu=1500
says "$work/out" "dropped at san1.port-a: too big: frame of 9014 bytes, limit 1514"
# From the array's side as well, and to where no way leads.
expect 0 "$ISCSILAB" ping "$topology" --from san1.port-a --to hv1.iscsi1 --size 8972 --count 1
expect 1 "$ISCSILAB" ping "$topology" --from hv1.iscsi1 --to san1.port-b --count 1
says "$work/out" "nobody answered ARP"
# A LACP team at a static group: what is lost is the answer to ARP, not the LACPDUs that end at the switch.
expect 1 "$ISCSILAB" ping topologies/linux-lacp.yaml --from kvm1.bond0 --to san1.port-b --count 1 \
    --set switches.switch-1.groups.po1.mode=static
says "$work/out" "nobody answered ARP so far: dropped at kvm1.eth2: standby (an ARP packet)"
expect 2 "$ISCSILAB" ping "$topology" --from hv1.iscsi1
expect 2 "$ISCSILAB" ping "$topology" --from hv1.iscsi9 --to san1.port-a
expect 2 "$ISCSILAB" ping "$topology" --from hv1.iscsi1 --to hv1.iscsi1
expect 2 "$ISCSILAB" ping topologies/hyperv-vswitch.yaml --from hv1.nic1 --to san1.port-a # an uplink
says "$work/err" "without an address"
expect 2 ping --size 65508
expect 2 ping --count 0
expect 3 "$ISCSILAB" ping no-such-file.yaml --from a.b --to c.d
says "$work/err" "no-such-file.yaml"
done_with ping
