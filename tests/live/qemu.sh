#!/usr/bin/env bash
# A guest of a real QEMU has its NIC on the simulated fabric, through '-netdev stream': iPXE, the
# firmware, boots in it, finds the simulated array by ARP, logs in with its own TCP and iSCSI, and reads
# the disk. It waits out a frozen switch, and the next guest finds the port again. No root is needed.
. "$SOURCE_DIR/tests/program/lib.sh"

skip() {
    echo "SKIPPED: $(basename "$0"): $*" >&2
    echo "SKIPPED: a real QEMU was NOT tried against the simulated fabric" >&2
    exit 77
}
kernel=/boot/ipxe.lkrn
command -v qemu-system-x86_64 >/dev/null || skip "'qemu-system-x86_64' is not installed (qemu-system-x86)"
[ -r "$kernel" ] || skip "'$kernel' is not there (package ipxe)"
qemu-system-x86_64 -netdev help 2>/dev/null | grep -qx stream || skip "this QEMU has no '-netdev stream' (7.2 has)"

live_pid= guest_pid=
end_all() {
    local each
    for each in $guest_pid $live_pid; do
        kill "$each" 2>/dev/null || true
        wait "$each" 2>/dev/null || true
    done
    rm -rf "$work"
}
trap end_all EXIT
until_says() { # TEXT FILE PID SECONDS: a program says it in time
    local i
    for i in $(seq $(($4 * 20))); do
        grep -qaF -- "$1" "$2" 2>/dev/null && return 0
        kill -0 "$3" 2>/dev/null || break
        sleep 0.05
    done
    grep -qaF -- "$1" "$2" && return 0
    cat -v "$2" >&2
    fail "'$1' was not said"
}
ctl() { "$ISCSILAB" ctl "$work/ctl" "$1"; }

cat >"$work/script" <<'IPXE'
#!ipxe
ifopen net0
set net0/ip 172.16.0.53
set net0/netmask 255.255.255.0
set initiator-iqn iqn.2026-01.com.example:kvm1
echo guest asks
:again
sanhook --drive 0x81 iscsi:172.16.0.51:::1:iqn.2026-01.com.example:san1 || goto again
echo guest has the disk
ifstat net0
sanunhook --drive 0x81
reboot
IPXE
guest() { # NIC-MODEL: boots in the background, its console is $work/console
    : >"$work/console"
    qemu-system-x86_64 -machine pc,accel=tcg -m 128 -nographic -monitor none -no-reboot \
        -serial "file:$work/console" -kernel "$kernel" -initrd "$work/script" \
        -netdev "stream,id=n,server=off,addr.type=unix,addr.path=$work/nic" \
        -device "$1,netdev=n,romfile=,mac=02:00:ac:10:00:35" </dev/null >"$work/qemu" 2>&1 &
    guest_pid=$!
}
guest_ends() {
    local code=0
    until_says "guest has the disk" "$work/console" "$guest_pid" 60
    timeout 60 tail --pid="$guest_pid" -f /dev/null || fail "the guest did not reboot"
    wait "$guest_pid" || code=$?
    guest_pid=
    [ "$code" -eq 0 ] || fail "QEMU ended with exit code $code: $(cat "$work/qemu")"
    checks=$((checks + 2))
}

"$ISCSILAB" live "$SOURCE_DIR/topologies/linux-two-switch.yaml" --attach "kvm1.iscsi1=qemu:$work/nic" \
    --ctl "$work/ctl" --pcap "$work/pcap" --pcap-of kvm1.iscsi1 </dev/null >"$work/live" 2>&1 &
live_pid=$!
until_says "live:" "$work/live" "$live_pid" 10

guest virtio-net-pci
guest_ends
expect 0 ctl status
says "$work/out" "kvm1.iscsi1 at qemu:$work/nic"
says "$work/out" "frames in"
says "$work/out" "frames out"

# The switch keeps the link up and forwards nothing; another kind of NIC waits for it.
expect 0 ctl "freeze: switch-1"
guest e1000
until_says "guest asks" "$work/console" "$guest_pid" 60
sleep 1
checks=$((checks + 1))
grep -qaF "guest has the disk" "$work/console" && fail "a frozen switch forwards"
expect 0 ctl status
says "$work/out" "frozen"
expect 0 ctl "thaw: switch-1"
guest_ends

expect 0 ctl quit
wait "$live_pid" || fail "live ended with exit code $?: $(cat "$work/live")"
live_pid=
# What crossed the NIC, as Wireshark reads it: two logins, and reads that succeeded.
if command -v tshark >/dev/null; then
    frames() {
        tshark -r "$work/pcap/linux-two-switch.pcapng" -o tcp.reassemble_out_of_order:TRUE \
            -o tcp.check_checksum:TRUE -o ip.check_checksum:TRUE -Y "$1" 2>/dev/null |
            wc -l
    }
    [ "$(frames 'iscsi.opcode == 0x23 && iscsi.login.status == 0')" -ge 4 ] || fail "no logins are captured"
    [ "$(frames 'scsi_sbc.opcode == 0x28 && iscsi.scsiresponse.status == 0')" -ge 2 ] || fail "no reads are captured"
    [ "$(frames 'eth.src == 02:00:ac:10:00:35 && arp')" -ge 2 ] || fail "the guest's ARP is not captured"
    [ "$(frames "tcp.checksum.status == 0 || ip.checksum.status == 0")" -eq 0 ] || fail "bad checksums"
    [ "$(frames "tcp.checksum.status == 1")" -ge 40 ] || fail "no good checksums"
    checks=$((checks + 5))
fi
done_with qemu
