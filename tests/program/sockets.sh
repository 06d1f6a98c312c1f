#!/usr/bin/env bash
# What is written through 'iscsilab serve' over real sockets is read back byte for byte: in commands of
# any size, with digests and without, from memory and from a file. The client is io_load of bench/.
. "$(dirname "$0")/lib.sh"
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; rm -rf "$work"' EXIT
truncate -s 25M "$work/disk"
start_serve "$work/serve.log" 1 --disk memory=25MiB --disk "file=$work/disk" --disk empty=25MiB
at=127.0.0.1:$first_port
load() { # EXIT-CODE OPTION...
    local code=$1
    shift
    expect "$code" timeout 60 "$IO_LOAD" "$@" "$at" iqn.2026-01.lab.iscsilab:san1
}

load 1 --lun 2 --job check --bytes 65536
says "$work/err" 'the disk holds something else'
load 1 --lun 3 --job check
says "$work/err" 'is there such a disk?'
salt=0
for lun in 0 1; do
    # Each size is cut into PDUs, and those into reads, in another way; with 25600 a command begins in
    # the middle of a page. Each pass writes something else.
    for bytes in 262144 1048576 4096 65536 20480 25600; do
        salt=$((salt + 1))
        load 0 --lun $lun --job fill --bytes $bytes --digests --salt $salt
        load 0 --lun $lun --job check --bytes 262144 --depth 3 --salt $salt
    done
    for bytes in 512 12800 131072; do
        load 0 --lun $lun --job write --bytes $bytes --random --seconds 0.2 --salt $salt
    done
    load 0 --lun $lun --job check --bytes 1048576 --digests --salt $salt
    load 0 --lun $lun --job check --bytes 8192 --digests --depth 128 --salt $salt
    load 0 --lun $lun --job read --bytes 51200 --random --seconds 0.1
    load 1 --lun $lun --job check --bytes 65536 --salt 99
done
# The place of its last block, 25 MiB less 512, with the last salt, is in the file itself.
place=$(printf '%016x' $((((25 << 20) - 512) ^ salt)))
[ "$(tail -c 512 "$work/disk" | od -An -tx1 -N8 | tr -d ' \n')" = "$place" ] ||
    fail "the file's last block does not hold $place"
checks=$((checks + 1))
kill -TERM "$server"
wait "$server" || fail "serve did not end well: $(cat "$work/serve.log")"
server=
says "$work/serve.log" 'sessions 0'
says "$work/serve.log" 'iscsi-digest-errors 0'
done_with sockets
