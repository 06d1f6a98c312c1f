#!/usr/bin/env bash
# Disks that grow, and disks that come, while an initiator uses the array: SIGHUP at 'iscsilab serve'.
. "$(dirname "$0")/lib.sh"
export PYTHONDONTWRITEBYTECODE=1 # the tree stays as it is
ln -s "$SOURCE_DIR/topologies/profiles" "$work/profiles"
python3 tests/program/reload.py "$work"
