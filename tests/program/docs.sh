#!/usr/bin/env bash
# The documentation cannot rot: the reference is what the program's table says, and what the README
# names is there and works.
. "$(dirname "$0")/lib.sh"
docs/make-files "$ISCSILAB" >"$work/files.md"
cmp -s "$work/files.md" docs/files.md || {
    diff "$work/files.md" docs/files.md | head -n 10 >&2
    fail "docs/files.md is not what 'docs/make-files' prints"
}
for path in $(grep -oE '\]\(([^)#]+)\)' README.md docs/*.md | sed 's/.*](\(.*\))/\1/' | grep -v '^http' | sort -u); do
    [ -e "$path" ] || [ -e "docs/$path" ] || fail "the documentation links to '$path', which is not there"
    checks=$((checks + 1))
done
for scenario in $(grep -ohE 'scenarios/[a-z0-9-]+\.yaml' README.md docs/*.md | sort -u); do
    expect 0 "$ISCSILAB" check "$scenario"
done
# Every query that docs/results.md shows runs.
expect 0 "$ISCSILAB" run scenarios/switch-power-off.yaml --db "$work/lab.db" --quiet --set 'load.*.rate=50 per s'
awk '/^```sql/ {on = 1; next} /^```/ {on = 0} on' docs/results.md >"$work/queries.sql"
sqlite3 -bail "$work/lab.db" <"$work/queries.sql" >"$work/out" 2>"$work/err" || fail "a query of docs/results.md fails: $(cat "$work/err")"
[ "$(wc -l <"$work/out")" -gt 10 ] || fail "the queries of docs/results.md find nothing"
# Each table and view that the page names is there.
for table in $(sed -n 's/^| `\([a-z_]*\)` |.*/\1/p' docs/results.md | sort -u); do
    sqlite3 "$work/lab.db" "SELECT 1 FROM sqlite_schema WHERE name = '$table'" | grep -q 1 ||
        sqlite3 "$work/lab.db" "SELECT $table FROM failover LIMIT 1" >/dev/null 2>&1 ||
        fail "docs/results.md names '$table', which the result file does not have"
    checks=$((checks + 1))
done
# Each test that docs/bad-inputs.md names is there.
expect 0 python3 - docs/bad-inputs.md <<'PYTHON'
import os, re, sys

missing = []
count = 0
for line in open(sys.argv[1], encoding='utf-8'):
    for thing, names in re.findall(r'`([a-z_]+(?:\.[a-z_0-9]+)+)`:? ?([^;|`]*)', line):
        folder, name = thing.rsplit('.', 1)
        if folder == 'program':
            if not os.path.exists(f'tests/program/{name}.sh'):
                missing.append(thing)
            continue
        path = f'tests/{folder.replace(".", "/")}/{name}_test.c'
        text = open(path, encoding='utf-8').read() if os.path.exists(path) else ''
        rows = re.findall(r'"[^"]+"', names)
        tests = re.findall(r'[a-z_0-9]*_[a-z_0-9]+', re.sub(r'"[^"]+"', '', names))
        missing += [f'{thing}: {row}' for row in rows if row not in text]
        missing += [f'{thing}: {test}' for test in tests if f'TEST({test})' not in text]
        missing += [] if text else [thing]
        count += len(rows) + len(tests)
for each in missing:
    print('there is no test', each)
sys.exit(1 if missing or count < 100 else 0)
PYTHON
for kind in topology scenario profile; do
    expect 0 "$ISCSILAB" schema $kind
    python3 -c 'import json, sys; json.load(open(sys.argv[1]))' "$work/out" || fail "the schema of $kind is no JSON"
done
expect 0 "$ISCSILAB" check scenarios/*.yaml topologies/*.yaml
done_with docs
