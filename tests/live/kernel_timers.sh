#!/usr/bin/env bash
# When do they send again? A kernel on a TAP device and our Linux profile, on one fabric, talk to a peer
# that falls silent; retransmissions (tail loss probe, timeouts) and SYNs are compared event by event
# from one capture. The running kernel's settings are read. TIMERS_SECONDS is how long it listens: 8 for
# the first timeouts, 80 for eight retransmissions and SYNs to 63 s. With TIMERS_DOC=FILE the table goes
# there, too.
# Real time on a machine that may be busy with other things: of three tries one has to match.
if [ -z "${TIMERS_TRY:-}" ]; then
    for try in 1 2 3; do
        code=0
        TIMERS_TRY=$try "$0" "$@" || code=$?
        case $code in
        0 | 77) exit "$code" ;;
        esac
    done
    exit "$code"
fi
. "$SOURCE_DIR/tests/live/lib.sh" tshark

seconds=${TIMERS_SECONDS:-80}
hz=$({ zcat /proc/config.gz || cat "/boot/config-$(uname -r)"; } 2>/dev/null | sed -n 's/^CONFIG_HZ=//p')
[ -n "$hz" ] || skip "this kernel does not tell its HZ"
tick_ns=$((1000000000 / hz))

coproc peer { exec "$TIMERS_PEER" "$work/capture.pcapng" "$seconds" "$tick_ns" \
    "$(cat /proc/sys/net/ipv4/tcp_syn_retries)" \
    "$(cat /proc/sys/net/ipv4/tcp_syn_linear_timeouts 2>/dev/null || echo 0)" \
    "tap:k1t$tag" "tap:k2t$tag" 2>"$work/peer"; }
live_pid=$peer_PID
exec 7<&"${peer[0]}" 8>&"${peer[1]}"
read -r -t 10 word <&7 || { cat "$work/peer" >&2; fail "the fabric does not begin"; }
host k1 "k1t$tag" 172.16.9.1/24
host k2 "k2t$tag" 172.16.9.4/24
for each in k1 k2; do
    in_host $each ping -q -c 1 -W 1 172.16.9.3 >/dev/null || fail "no way to the peer"
    mac=$(in_host $each ip neigh show 172.16.9.3 | sed -n 's/.*lladdr \([0-9a-f:]*\).*/\1/p')
    in_host $each ip neigh replace 172.16.9.3 lladdr "$mac" dev "${each}t$tag" nud permanent
done
[ ! -e /proc/sys/net/ipv4/tcp_syn_linear_timeouts ] ||
    in_host k2 sysctl -qw net.ipv4.tcp_syn_linear_timeouts=0

mkfifo "$work/go1" "$work/go2"
in_host k1 python3 "$SOURCE_DIR/tests/live/timers_kernel.py" warm <"$work/go1" >"$work/k1" 2>&1 &
k1_pid=$!
in_host k2 python3 "$SOURCE_DIR/tests/live/timers_kernel.py" syn <"$work/go2" >"$work/k2" 2>&1 &
k2_pid=$!
exec 5>"$work/go1" 6>"$work/go2"
until_says warm "$work/k1" "$k1_pid"
until_says warm "$work/k2" "$k2_pid"
echo go >&5
sleep 0.03 # the last of the warm segments are acknowledged
echo silence >&8
read -r -t 10 word silent_ns <&7 || fail "the peer does not fall silent"
echo go >&6
wait "$live_pid" || fail "the fabric ended badly: $(cat "$work/peer")"
live_pid=
exec 5>&- 6>&-
wait "$k1_pid" "$k2_pid" || true

code=0
python3 "$SOURCE_DIR/tests/live/timers_table.py" "$work/capture.pcapng" "$tick_ns" "$silent_ns" 10 \
    >"$work/table" || code=$?
cat "$work/table"
if [ -n "${TIMERS_DOC:-}" ]; then
    setting() { echo "| \`$1\` | $(cat "/proc/sys/net/ipv4/$1" 2>/dev/null || echo "not there") |"; }
    {
        echo "# The kernel's timers and ours, side by side"
        echo
        echo "Made by \`tests/live/kernel_timers.sh\`: a kernel on a TAP device and the profile"
        echo "\`linux-6.1-dm-multipath\`, on one fabric in real time, keep connections to a peer warm; then the"
        echo "peer's switch port freezes, and both send a short segment, ten full ones, and SYNs. All times come"
        echo "from one capture and count from the last frame that was sent for the first time. A distance matches"
        echo "within 5 % or the granularity of the kernel's timer wheel there (8^n ticks; the first one, which begins at a send, one tick more)."
        echo
        echo "Kernel $(uname -r), HZ $hz. What it was set to; the profile takes HZ and the two of SYNs from it:"
        echo
        echo "| setting | value |"
        echo "| --- | --- |"
        for each in tcp_syn_retries tcp_syn_linear_timeouts tcp_retries2 tcp_rto_min_us tcp_early_retrans tcp_recovery tcp_frto; do
            setting $each
        done
        cat "$work/table"
    } >"$TIMERS_DOC"
fi
[ $code -eq 0 ] || fail "the kernel and the profile differ"
checks=$((checks + 1))
done_with kernel_timers
