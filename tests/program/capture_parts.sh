#!/usr/bin/env bash
# Captures of chosen parts: what one host's own capture would show is sound for tshark at its defaults,
# in every scenario whose segments overtake each other; parts are refused by name; files rotate.
. "$(dirname "$0")/lib.sh"
command -v tshark >/dev/null || fail "tshark is missing"
bad='_ws.malformed || tcp.checksum.status==0 || ip.checksum.status==0 || icmp.checksum.status==0'
capture() { # SCENARIO OPTION...
    local scenario=$1
    shift
    rm -rf "$work/pcap"
    "$ISCSILAB" run "scenarios/$scenario.yaml" --db "$work/lab.db" --pcap "$work/pcap" --quiet \
        --set 'load.*.rate=8 per s' "$@" >"$work/out" 2>"$work/err" || [ $? -eq 1 ] || {
        cat "$work/out" "$work/err" >&2
        fail "the run of $scenario failed"
    }
}
read_capture() { # FILE ARGUMENT...
    local file=$1
    shift
    tshark -r "$file" -o tcp.check_checksum:TRUE -o ip.check_checksum:TRUE "$@" 2>"$work/err" || {
        cat "$work/err" >&2
        fail "tshark failed on $file"
    }
}

again=0
for scenario in all-paths-lost-5s storage-nic-dead switch-frozen; do
    for parts in hv1,hv2 san1; do
        capture "$scenario" --pcap-of "$parts"
        file=$work/pcap/$scenario.pcapng
        read_capture "$file" -Y "$bad" >"$work/bad"
        [ ! -s "$work/bad" ] || fail "$scenario at $parts: $(head -n 1 "$work/bad")"
        again=$((again + $(read_capture "$file" -Y tcp.analysis.retransmission | wc -l)))
        checks=$((checks + 1))
    done
done
[ "$again" -ge 10 ] || fail "segments were sent again only $again times: nothing was put to the test"

# The interfaces are those that were asked for.
capture no-fault --pcap-of 'hv1.iscsi1>san1.port-a,switch-1.24'
read_capture "$work/pcap/no-fault.pcapng" -T fields -e frame.interface_name | sort -u >"$work/names"
printf '%s\n' events hv1.iscsi1\ {in,out} san1.port-a\ {in,out} switch-1.24\ {in,out} | sort >"$work/wanted"
diff <(grep -vx events "$work/names") <(grep -vx events "$work/wanted") >&2 || fail "other interfaces than asked for"
checks=$((checks + 1))

# Files of a bounded size, each whole for itself.
capture no-fault --pcap-rotate 256KiB
count=0
for file in "$work"/pcap/*.pcapng; do
    [ "$(stat -c %s "$file")" -le $((256 * 1024 + 16384)) ] || fail "$file is too large"
    [ "$(read_capture "$file" | wc -l)" -ge 1 ] || fail "$file is empty"
    count=$((count + 1))
done
[ "$count" -ge 4 ] || fail "only $count files"
checks=$((checks + count))

# Refusals, before anything runs.
refused() { # TEXT OPTION...
    local text=$1 code=0
    shift
    "$ISCSILAB" run scenarios/no-fault.yaml --db "$work/none.db" "$@" >"$work/out" 2>"$work/err" || code=$?
    [ "$code" -eq 2 ] || fail "$*: exit code $code instead of 2"
    grep -qF -- "$text" "$work/err" || fail "$*: $(cat "$work/err")"
    [ ! -e "$work/none.db" ] || fail "$*: a result file was made"
    checks=$((checks + 1))
}
refused "'hv9'" --pcap "$work/pcap" --pcap-of hv1,hv9
refused "'san1.vmstore'" --pcap "$work/pcap" --pcap-of san1.vmstore
refused "''" --pcap "$work/pcap" --pcap-of hv1,
refused 'at least 64 KiB' --pcap "$work/pcap" --pcap-rotate '1 KiB'
refused '--pcap DIR' --pcap-of hv1
done_with capture-parts
