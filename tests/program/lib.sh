# What the tests of the program share. Sourced; each test gets ISCSILAB (the program), SOURCE_DIR and
# BUILD_DIR from ctest, and a folder of its own that goes when it ends.
set -euo pipefail
cd "$SOURCE_DIR"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
checks=0

fail() {
    echo "FAILED: $*" >&2
    exit 1
}
# expect EXIT-CODE COMMAND...: runs it, keeps its output in $work/out and $work/err
expect() {
    local wanted=$1 code=0
    shift
    "$@" >"$work/out" 2>"$work/err" || code=$?
    checks=$((checks + 1))
    if [ "$code" -ne "$wanted" ]; then
        tail -n 30 "$work/out" "$work/err" >&2
        fail "exit code $code, not $wanted: $*"
    fi
}
# says FILE TEXT: the file has it
says() {
    checks=$((checks + 1))
    grep -qF -- "$2" "$1" || {
        tail -n 30 "$1" >&2
        fail "$1 does not say '$2'"
    }
}
# start_serve LOG PORTS OPTION...: 'iscsilab serve' in the background on PORTS ports of the loopback
# that nobody has, from $first_port on, as process $server. It says so if we guessed wrong, and we
# guess again.
start_serve() {
    local log=$1 ports=$2 listens try port
    shift 2
    for try in 1 2 3 4 5; do
        first_port=$((20000 + (RANDOM * 7 + $$ + try) % 20000))
        listens=()
        for port in $(seq "$first_port" $((first_port + ports - 1))); do
            listens+=(--listen "127.0.0.1:$port")
        done
        : >"$log" # what an earlier one said is not to be taken for its word
        "$ISCSILAB" serve "$@" "${listens[@]}" >>"$log" 2>&1 &
        server=$!
        for _ in $(seq 100); do
            [ "$(grep -c 'listens on' "$log")" -eq "$ports" ] && return 0
            kill -0 "$server" 2>/dev/null || break
            sleep 0.05
        done
    done
    fail "serve did not start: $(cat "$log")"
}
sql() { sqlite3 "$1" "$2"; }
done_with() { echo "$1: $checks checks passed"; }
