#!/usr/bin/env bash
# Captures of every shipped scenario, read by tshark with checksum validation on: real handshakes,
# logins, commands and data, and no frame that a fault did not damage is malformed or has a bad
# checksum. First it proves on a planted bad frame that this test can fail.
. "$(dirname "$0")/lib.sh"
command -v tshark >/dev/null || fail "tshark is missing"

# A frame stands in the file where it left and where it arrived. Unless told to put segments into order
# first, tshark takes the second for an out-of-order copy that its reassembly then stumbles over.
checking=(-o tcp.check_checksum:TRUE -o ip.check_checksum:TRUE -o udp.check_checksum:TRUE
    -o tcp.reassemble_out_of_order:TRUE)
bad='_ws.malformed || tcp.checksum.status==0 || ip.checksum.status==0 || icmp.checksum.status==0'
select_frames() { # CAPTURE FILTER
    local code=0
    tshark -r "$1" "${checking[@]}" -Y "$2" -T fields -e frame.number >"$work/frames" 2>"$work/err" || code=$?
    [ "$code" -eq 0 ] || {
        cat "$work/err" >&2
        fail "tshark ended with $code on $1"
    }
    wc -l <"$work/frames"
}
capture() { # SCENARIO OPTION...
    local scenario=$1
    shift
    rm -rf "$work/pcap"
    # A lower rate keeps the capture small; the faults and the timers stay as they are.
    "$ISCSILAB" run "$scenario" --db "$work/lab.db" --pcap "$work/pcap" --quiet \
        --set 'load.*.rate=8 per s' "$@" >"$work/out" 2>"$work/err" || [ $? -eq 1 ] || {
        cat "$work/out" "$work/err" >&2
        fail "the run of $scenario failed"
    }
    echo "$work"/pcap/*.pcapng
}

# A damaged frame is found.
file=$(capture scenarios/no-fault.yaml)
[ "$(select_frames "$file" "$bad")" -eq 0 ] || fail "the sound capture has bad frames"
python3 - "$file" "$work/planted.pcapng" <<'PY'
import struct, sys
data = bytearray(open(sys.argv[1], 'rb').read())
at, flipped = 0, 0
while at < len(data):
    kind, length = struct.unpack_from('<II', data, at)
    if kind == 6 and length > 2000:  # an enhanced packet block with a big frame
        data[at + 28 + 200] ^= 0x40  # in the TCP payload
        flipped += 1
        break
    at += length
assert flipped, 'no frame to damage'
open(sys.argv[2], 'wb').write(data)
PY
[ "$(select_frames "$work/planted.pcapng" "$bad")" -ge 1 ] || fail "a planted bad frame was not found"
checks=$((checks + 2))

# The whole file at once: not one frame.
check_all() { # CAPTURE NAME
    local count
    count=$(select_frames "$1" "$bad")
    [ "$count" -eq 0 ] || fail "$2: $count bad frames, the first is $(head -n 1 "$work/frames")"
    checks=$((checks + 1))
}

# Time stamps are the simulated ones: from the start of the run, in order. And what must be there is there:
# each PDU of the list, handshakes, SCSI.
look_through() { # CAPTURE NAME
    tshark -r "$1" "${checking[@]}" -T fields -e frame.time_epoch -e tcp.flags -e iscsi.opcode -e scsi.lun \
        >"$work/fields" 2>"$work/err" || fail "tshark ended with $? on $1: $(cat "$work/err")"
    awk -F'\t' -v name="$2" '
        NR == 1 && $1 > 1 || $1 < last { print name ": time stamps are not the simulated ones, in order"; bad = 1; exit }
        { last = $1 }
        tolower($2) ~ /12$/ { seen["a SYN with ACK"] = 1 }
        { count = split($3, opcodes, ","); for (i = 1; i <= count; i++) seen[tolower(opcodes[i])] = 1 }
        $4 != "" { seen["SCSI"] = 1 }
        END {
            if (bad) exit 1
            count = split("a SYN with ACK|0x03|0x23|0x01|0x21|0x25|SCSI", wanted, "|")
            for (i = 1; i <= count; i++)
                if (!(wanted[i] in seen)) { print name ": no frame has " wanted[i]; exit 1 }
        }' "$work/fields" >"$work/missing" || fail "$(cat "$work/missing")"
    checks=$((checks + 9))
}

for scenario in scenarios/*.yaml; do
    for file in $(capture "$scenario"); do
        check_all "$file" "$scenario"
        look_through "$file" "$scenario"
    done
done

# Writes above the first burst: R2T and Data-Out.
file=$(capture scenarios/no-fault.yaml --set 'load.*.size=256 KiB' --set 'load.*.area=64 MiB')
check_all "$file" 'large writes'
for filter in 'iscsi.opcode==0x31' 'iscsi.opcode==0x05'; do
    [ "$(select_frames "$file" "$filter")" -ge 1 ] || fail "large writes: no frame matches '$filter'"
    checks=$((checks + 1))
done

# With digests on, every CRC32C is right.
file=$(capture scenarios/no-fault.yaml --set 'hosts.*.iscsi.header-digest=crc32c' \
    --set 'hosts.*.iscsi.data-digest=crc32c')
tshark -r "$file" "${checking[@]}" -V >"$work/verbose" 2>"$work/err" || fail "tshark -V failed"
grep -q 'DataDigest' "$work/verbose" || fail "digests were not negotiated"
grep -q 'HeaderDigest: 0x' "$work/verbose" || grep -q 'Header Digest' "$work/verbose" || fail "tshark sees no digest"
if grep -qi 'Bad CRC32' "$work/verbose"; then
    fail "a digest is wrong: $(grep -im 1 'Bad CRC32' "$work/verbose")"
fi
checks=$((checks + 3))
done_with capture
