# libiscsi's conformance suite, for the scripts that run it: against 'serve' and against 'live'.
command -v iscsi-test-cu >/dev/null || fail "iscsi-test-cu is missing (Debian: libiscsi-bin)"

# The suite counts a skipped test as passed; these are the skips that cannot be helped on the disk
# 'main': it is not write-protected, and WSNZ = 1 refuses a WRITE SAME of 0 blocks.
skips_anyway='1 Logical unit is not write-protected. Skipping test.
'
skips_zero_blocks='1 WRITESAME10 does not support 0-blocks.
1 WRITESAME16 does not support 0-blocks.
'
sanitize_tests="BlockErase BlockEraseReserved CryptoErase CryptoEraseReserved ExitFailureMode
    InvalidServiceAction Overwrite OverwriteReserved Readonly Reservations Reset"
skips_one_portal="${skips_anyway}4 Multipath unavailable. Skipping test
$skips_zero_blocks"
skips_two_portals="11 --allow-sanitize flag is not set. Skipping test.
$skips_anyway$skips_zero_blocks"

# The whole suite over one portal.
one_portal() { # URL COMMAND...
    timeout 300 "${@:2}" -t ALL -d -S -v "$1"
}
# Over two portals the tests of SANITIZE run one by one: 'Reservations' leaves its RESERVE(6) with the
# second session, which the next test of the same process does not expect.
two_portals() { # URL URL COMMAND...
    local test
    timeout 300 "${@:3}" -t ALL -d -v "$1" "$2"
    for test in $sanitize_tests; do
        timeout 150 "${@:3}" -t "ALL.Sanitize.$test" -d -S -v "$1" "$2"
    done
}

# Over one portal of a disk of another kind: without SANITIZE, which is the same everywhere.
one_disk() { # URL COMMAND...
    timeout 300 "${@:2}" -t ALL -d -v "$1"
}
# A disk with blocks of 4 KiB: without the family whose reads and writes are 512 bytes whatever the disk.
native_disk() { # URL COMMAND...
    local family
    for family in $(iscsi-test-cu -l | grep -E '^ALL\.[A-Za-z0-9]+$' | grep -v '^ALL.ProutReserve$'); do
        timeout 100 "${@:2}" -t "$family" -d -v "$1"
    done
}
skips_fixed="11 --allow-sanitize flag is not set. Skipping test.
8 Logical unit is not removable. Skipping test.
${skips_anyway}1 Media is not removable.
4 Multipath unavailable. Skipping test
$skips_zero_blocks"
skips_full="11 --allow-sanitize flag is not set. Skipping test.
3 GETLBASTATUS is not implemented.
3 GET_LBA_STATUS is not implemented.
13 Logical unit is fully provisioned. Skipping test
${skips_anyway}4 Multipath unavailable. Skipping test
3 UNMAP is not implemented.
$skips_zero_blocks"
skips_native="11 --allow-sanitize flag is not set. Skipping test.
5 LBPPB < 2. Skipping test
${skips_anyway}4 Multipath unavailable. Skipping test
$skips_zero_blocks"

# in_background NAME FUNCTION ARGUMENT...: its output in $work/NAME
suites=()
in_background() {
    local name=$1
    shift
    "$@" >"$work/$name" 2>&1 &
    suites+=("$!")
}
# passed NAME SKIPS RUNS: that many runs of the suite, none of whose tests failed; the skips are SKIPS
passed() {
    awk -v runs="$3" '$1 == "tests" {ran += $3 > 0; failed += $5} END {exit !(ran == runs && failed == 0)}' \
        "$work/$1" || {
        grep -aE 'FAILED|^ +[0-9]+\. ' "$work/$1" | head -n 20 >&2
        tail -n 8 "$work/$1" >&2
        fail "$1: tests failed"
    }
    sed -n 's/.*\[SKIPPED\] *//p' "$work/$1" | LC_ALL=C sort | uniq -c | sed 's/^ *//' >"$work/skips"
    diff <(printf '%s' "$2") "$work/skips" >&2 || fail "$1: other tests were skipped than those that must be"
    checks=$((checks + 2))
}
