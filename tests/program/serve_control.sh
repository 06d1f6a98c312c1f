#!/usr/bin/env bash
# Faults of an array on real sockets, typed while an initiator looks on.
. "$(dirname "$0")/lib.sh"
export PYTHONDONTWRITEBYTECODE=1 # the tree stays as it is
python3 tests/program/serve_control.py
expect 7 "$ISCSILAB" serve --disk data=16MiB --listen 127.0.0.1:1 --ctl "$work/no/such/folder"
says "$work/err" 'no/such/folder'
done_with serve_control
