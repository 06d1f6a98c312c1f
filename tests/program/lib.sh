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
sql() { sqlite3 "$1" "$2"; }
done_with() { echo "$1: $checks checks passed"; }
