#!/usr/bin/env bash
# The result file: what kill -9 and two writers at once leave of it.
. "$(dirname "$0")/lib.sh"
quick=(--quiet)

whole_runs() { # DB: each run has all that belongs to a run
    [ "$(sql "$1" 'PRAGMA integrity_check')" = ok ] || fail "$1 is damaged"
    [ "$(sql "$1" "SELECT count(*) FROM run r WHERE NOT EXISTS (SELECT 1 FROM counter c WHERE c.run_id = r.run_id)
        OR (SELECT count(*) FROM source s WHERE s.run_id = r.run_id) < 3")" -eq 0 ] || fail "$1 has half a run"
    [ -z "$(sql "$1" 'PRAGMA foreign_key_check')" ] || fail "$1 has rows without a run"
    checks=$((checks + 3))
}

# What other programs rely on: tables, views and columns that may grow, but never change their names.
expect 0 "$ISCSILAB" run scenarios/no-fault.yaml --db "$work/contract.db" "${quick[@]}"
while read -r table columns; do
    for column in $columns; do
        sql "$work/contract.db" "SELECT \"$column\" FROM $table LIMIT 1" >/dev/null 2>"$work/err" &&
            [ "$(sql "$work/contract.db" "SELECT count(*) FROM pragma_table_info('$table') WHERE name = '$column'")" -eq 1 ] ||
            fail "the result file has no $table.$column"
        checks=$((checks + 1))
    done
done <<'CONTRACT'
run run_id scenario variant topology seed overrides program_version started_utc wall_ns simulated_ns events digest verdict exit_code
fault fault_id run_id step kind part at_ns repaired_at_ns
sign run_id at_ns host path layer what
path_event run_id at_ns host disk path old_state new_state reason
caught_io run_id fault_id host disk sent_at_ns old_path retried_at_ns new_path done_at_ns retries result
pause run_id host disk start_at_ns end_at_ns outstanding
pause_phase run_id fault_id host disk phase start_at_ns end_at_ns ended_by
expectation run_id name subject measure bound measured unit verdict
broken_rule run_id rule at_ns host path disk lba text
latency run_id host disk path window_at_ns
counter run_id part name value
failover run_id scenario fault host disk fault_at_ns affected overlaps detected_ns detected_by path_failed_ns first_io_ns longest_pause_ns longest_io_ns ios_caught share_caught_ppm ios_recovered_in_place still_waiting ios_retried io_errors path_usable_ns path_first_io_ns
CONTRACT
[ "$(sql "$work/contract.db" "SELECT count(*) FROM pragma_table_list WHERE type = 'table' AND schema = 'main' AND name NOT LIKE 'sqlite%' AND NOT strict")" -eq 0 ] ||
    fail "a table is not STRICT"
[ "$(sql "$work/contract.db" 'PRAGMA application_id')" -ne 0 ] && [ "$(sql "$work/contract.db" 'PRAGMA user_version')" -ge 1 ] ||
    fail "the file does not say what it is"

# Killed at any moment.
for i in $(seq 1 12); do
    "$ISCSILAB" run scenarios/no-fault.yaml scenarios/no-fault.yaml scenarios/no-fault.yaml -j 2 \
        --db "$work/killed.db" "${quick[@]}" >"$work/out" 2>"$work/err" &
    pid=$!
    sleep "0.$((RANDOM % 9))$((RANDOM % 9))"
    kill -9 $pid 2>/dev/null || true
    wait $pid 2>/dev/null || true
    [ -s "$work/killed.db" ] || continue
    whole_runs "$work/killed.db"
done
expect 0 "$ISCSILAB" run scenarios/no-fault.yaml --db "$work/killed.db" "${quick[@]}"
whole_runs "$work/killed.db"

# Interrupted: whole runs are kept, and the exit code says so.
code=0
timeout --preserve-status -s INT 0.6 "$ISCSILAB" run scenarios/no-fault.yaml scenarios/switch-power-off.yaml \
    scenarios/switch-power-off.yaml -j 1 --db "$work/interrupted.db" --quiet >"$work/out" 2>"$work/err" || code=$?
[ "$code" -eq 130 ] || fail "interrupted, but the exit code is $code"
[ ! -s "$work/interrupted.db" ] || whole_runs "$work/interrupted.db"

# Two programs write the same file.
"$ISCSILAB" run scenarios/no-fault.yaml scenarios/no-fault.yaml --db "$work/two.db" "${quick[@]}" >"$work/out" 2>"$work/err" &
first=$!
expect 0 "$ISCSILAB" run scenarios/no-fault.yaml scenarios/no-fault.yaml --db "$work/two.db" "${quick[@]}"
wait $first || fail "one of two writers failed: $(cat "$work/err")"
[ "$(sql "$work/two.db" 'SELECT count(*) FROM run')" -eq 4 ] || fail "two writers did not leave four runs"
whole_runs "$work/two.db"

# Files that are not ours, or of the future, are refused and left alone.
echo 'just a text, long enough to be no database of any kind' >"$work/text.db"
cp "$work/text.db" "$work/text.copy"
expect 7 "$ISCSILAB" run scenarios/no-fault.yaml --db "$work/text.db" "${quick[@]}"
cmp -s "$work/text.db" "$work/text.copy" || fail "a file that is no result file was changed"
sql "$work/other.db" 'CREATE TABLE other (x)'
expect 7 "$ISCSILAB" run scenarios/no-fault.yaml --db "$work/other.db" "${quick[@]}"
says "$work/err" 'no result file'
cp "$work/two.db" "$work/newer.db"
sql "$work/newer.db" 'PRAGMA user_version = 99'
expect 7 "$ISCSILAB" run scenarios/no-fault.yaml --db "$work/newer.db" "${quick[@]}"
says "$work/err" 'newer'
done_with results
