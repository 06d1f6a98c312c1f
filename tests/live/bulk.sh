#!/usr/bin/env bash
# Bulk transfer between the kernel's TCP and ours, both ways at once, intact whatever the fabric
# does to frames. BULK_PEER and BULK_KERNEL are the two programs, BULK_BYTES what each side sends.
. "$SOURCE_DIR/tests/live/lib.sh"

# bulk TITLE HOW-OURS HOW-KERNEL TROUBLE...
bulk() {
    local title=$1 ours=$2 kernels=$3 code=0
    shift 3
    rm -f "$work/gate"
    mkfifo "$work/gate"
    "$BULK_PEER" "tap:bulk$tag" "$ours" "$BULK_BYTES" "$@" <"$work/gate" >"$work/peer" 2>&1 &
    live_pid=$!
    exec 9>"$work/gate"
    until_says ready "$work/peer" "$live_pid"
    host bulk "bulk$tag" 172.16.9.1/24
    if [ "$kernels" = listen ]; then
        in_host bulk "$BULK_KERNEL" listen 172.16.9.1 5001 "$BULK_BYTES" >"$work/kernel" 2>&1 &
        local kernel_pid=$!
        sleep 0.3
        echo >&9
        wait "$kernel_pid" || code=$?
    else
        in_host bulk timeout 300 "$BULK_KERNEL" connect 172.16.9.2 5001 "$BULK_BYTES" \
            >"$work/kernel" 2>&1 || code=$?
    fi
    exec 9>&-
    wait "$live_pid" || code=$?
    live_pid=
    in_host bulk cat /proc/net/netstat >"$work/netstat" 2>/dev/null || true
    ip netns del "lab$tag-bulk"
    namespaces=()
    echo "$title: $(tail -n 1 "$work/peer")"
    [ "$code" -eq 0 ] || {
        cat "$work/peer" "$work/kernel" >&2
        fail "$title: exit code $code"
    }
    says "$work/kernel" "all as they should be"
}

bulk "no trouble" listen connect
bulk "no trouble, we connect" connect listen
bulk "0.1 % lost" listen connect lose 1000
bulk "1 % lost" listen connect lose 10000
bulk "1 % reordered" listen connect reorder 10000
bulk "1 % twice" listen connect duplicate 10000
bulk "2 s cut, one way and then the other" listen connect cut
done_with bulk
