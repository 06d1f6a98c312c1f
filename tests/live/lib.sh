# What the live tests share: network namespaces and TAP devices, made and removed by each test. They
# need root and /dev/net/tun; without them a test says so loudly and is skipped.
. "$SOURCE_DIR/tests/program/lib.sh"

skip() {
    echo "SKIPPED: $(basename "$0"): $*" >&2
    echo "SKIPPED: the real kernel was NOT tried against the simulated fabric" >&2
    exit 77
}
[ "$(id -u)" -eq 0 ] || skip "needs root for network namespaces"
(exec 3<>/dev/net/tun) 2>/dev/null || skip "/dev/net/tun cannot be opened"
for tool in ip ping python3 "$@"; do
    command -v "$tool" >/dev/null || skip "'$tool' is not installed"
done
tag=$$
ip netns add "lab$tag-probe" 2>/dev/null || skip "network namespaces cannot be made"
ip netns del "lab$tag-probe"

namespaces=()
live_pid=
end_all() {
    [ -z "$live_pid" ] || kill "$live_pid" 2>/dev/null || true
    [ -z "$live_pid" ] || wait "$live_pid" 2>/dev/null || true
    local each
    for each in ${namespaces[@]+"${namespaces[@]}"}; do
        ip netns pids "$each" 2>/dev/null | xargs -r kill 2>/dev/null || true
        ip netns del "$each" 2>/dev/null || true
    done
    rm -rf "$work"
}
trap end_all EXIT

# until TEXT FILE PID: a program says that it is ready
until_says() {
    local i
    for i in $(seq 200); do
        grep -qF -- "$1" "$2" && return 0
        kill -0 "$3" 2>/dev/null || break
        sleep 0.05
    done
    cat "$2" >&2
    fail "'$1' was not said"
}
# host NAME TAP ADDRESS/BITS: a network namespace with this TAP device
host() {
    ip netns add "lab$tag-$1"
    namespaces+=("lab$tag-$1")
    ip netns exec "lab$tag-$1" ip link set lo up
    ip link set "$2" netns "lab$tag-$1"
    in_host "$1" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 2>/dev/null || true
    in_host "$1" ip addr add "$3" dev "$2"
    in_host "$1" ip link set "$2" up
}
in_host() { # NAME COMMAND...
    local name=$1
    shift
    ip netns exec "lab$tag-$name" "$@"
}
# live ARGUMENT...: starts it and waits until it runs; its output is in $work/live
live() {
    "$ISCSILAB" live "$@" --ctl "$work/ctl" </dev/null >"$work/live" 2>&1 &
    live_pid=$!
    until_says "live:" "$work/live" "$live_pid"
}
# ends it in good order: expects its exit code
end_live() {
    local code=0
    kill -TERM "$live_pid"
    wait "$live_pid" || code=$?
    live_pid=
    checks=$((checks + 1))
    [ "$code" -eq "${1:-0}" ] || {
        cat "$work/live" >&2
        fail "live ended with exit code $code"
    }
    local each
    for each in ${namespaces[@]+"${namespaces[@]}"}; do
        ip netns del "$each"
    done
    namespaces=()
}
