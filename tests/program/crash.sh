#!/usr/bin/env bash
# Nothing acknowledged is lost: 'iscsilab serve' is killed 50 times under load, also with a disk that
# holds back what was not flushed; a flush that lies is found out; a full disk is told as such.
. "$(dirname "$0")/lib.sh"
crash=tests/program/crash.py

expect 0 python3 "$crash" 50
cat "$work/out"
if [ -f "${HELD_BACK:-}" ]; then
    expect 0 python3 "$crash" 50 "$HELD_BACK"
    cat "$work/out"
    expect 1 python3 "$crash" 50 "$HELD_BACK" lies
    says "$work/out" 'was promised'
else
    echo 'no library that holds writes back: sanitizers want to be the first in a program'
fi

# A file system of 4 MiB, for this script alone.
mkdir "$work/small"
cat >"$work/in_small" <<'END'
mount -t tmpfs -o size=4m none "$1" && exec python3 tests/program/full_disk.py "$1"
END
if unshare -rm true 2>/dev/null; then
    expect 0 unshare -rm bash "$work/in_small" "$work/small"
    cat "$work/out"
else
    echo 'SKIPPED: a full disk (no file system may be mounted here)'
fi

# Two servers never have one file.
truncate -s 16M "$work/disk.img"
start_serve "$work/log" 1 --disk "data=$work/disk.img"
expect 7 "$ISCSILAB" serve --disk "data=$work/disk.img" --listen 127.0.0.1:1
says "$work/err" 'is in use by another process'
kill "$server"
wait "$server" || true

# What stands in the place of the reservations and is none of ours is not thrown away.
echo 'dear diary' >"$work/disk.img.reservations"
expect 7 "$ISCSILAB" serve --disk "data=$work/disk.img" --listen 127.0.0.1:1
says "$work/err" 'is damaged, or no record of ours'
says "$work/err" 'move it away'
mkdir "$work/state"
start_serve "$work/log" 1 --disk "data=$work/disk.img" --state "$work/state"
truncate -s 16M "$work/other.img"
expect 7 "$ISCSILAB" serve --disk "data=$work/other.img" --listen 127.0.0.1:1 --state "$work/state"
says "$work/err" 'is in use by another process'
expect 7 "$ISCSILAB" serve --disk "data=$work/other.img" --listen 127.0.0.1:1 --state "$work/nowhere"
says "$work/err" 'make a folder'
kill "$server"
wait "$server" || true
done_with crash
