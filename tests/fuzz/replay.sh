#!/usr/bin/env bash
# tests/fuzz/replay.sh PROGRAM THING: every seed of a fuzzer, from its folder and its packed file.
set -euo pipefail
seeds=$(dirname "$0")/corpus
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
[ ! -d "$seeds/$2" ] || cp -r "$seeds/$2" "$work/"
[ ! -f "$seeds/$2.tar.xz" ] || tar -xJf "$seeds/$2.tar.xz" -C "$work"
find "$work" -type f -print0 | LC_ALL=C sort -z | xargs -0 "$1"
