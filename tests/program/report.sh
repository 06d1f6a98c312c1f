#!/usr/bin/env bash
# The report draws pictures that are pictures.
. "$(dirname "$0")/lib.sh"
expect 0 "$ISCSILAB" run scenarios/switch-power-off.yaml --db "$work/lab.db" --quiet --set 'load.*.rate=50 per s'
expect 0 "$ISCSILAB" report --db "$work/lab.db" --out "$work/plots"
png=$work/plots/run-1-timeline.png
says "$work/out" "$png"
[ "$(head -c 8 "$png" | od -An -tx1 | tr -d ' \n')" = 89504e470d0a1a0a ] || fail "no PNG"
[ "$(stat -c %s "$png")" -gt 20000 ] || fail "the picture is empty"
says "$work/plots/run-1-timeline.svg" '</svg>'
says "$work/plots/run-1-timeline.svg" 'switch-1-dies'
says "$work/plots/run-1-timeline.svg" 'hv1.iscsi1'

# I/O errors are in the picture where there are some.
if grep -q 'errors' "$work/plots/run-1-timeline.svg"; then fail "errors are drawn that nobody had"; fi
expect 0 "$ISCSILAB" run scenarios/all-paths-lost-long.yaml --db "$work/errors.db"
expect 0 "$ISCSILAB" report --db "$work/errors.db" --out "$work/errors"
says "$work/errors/run-1-timeline.svg" 'hv1 errors'
expect 3 "$ISCSILAB" report --db "$work/lab.db" --run 77 --out "$work/plots"
expect 2 "$ISCSILAB" report --run zero
done_with report
