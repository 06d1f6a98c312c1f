#!/usr/bin/env bash
# 'iscsilab serve' and its peers: very many, and some that mean harm. 10,000 logins leave nothing behind;
# 1,000 idle sessions and 64 busy ones get on, and get on as well when others say nothing, dribble, or
# read nothing of what they ask for; what is too much is refused with a reason. The peers are crowd.c.
. "$(dirname "$0")/lib.sh"
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; rm -rf "$work"' EXIT
# What a sanitizer keeps of freed memory would look like growth.
export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}quarantine_size_mb=1"
ulimit -S -n 256 # it helps itself to more
start() { # OPTION...
    start_serve "$work/log" 1 "$@"
}
stop() {
    for _ in $(seq 40); do # who went without a word is noticed soon
        kill -USR1 "$server"
        sleep 0.05
        [ "$(grep '^sessions' "$work/log" | tail -1)" = 'sessions 0' ] && break
    done
    kill -TERM "$server"
    wait "$server" || fail "serve did not end well: $(tail -5 "$work/log")"
    server=
    [ "$(grep '^sessions' "$work/log" | tail -1)" = 'sessions 0' ] || fail "sessions stay"
}
crowd() { # OPTION...: its figures are in $work/out
    expect 0 timeout 60 "$CROWD" "$@" "127.0.0.1:$first_port" iqn.2026-01.lab.iscsilab:san1
}
figure() { grep -oP "^$1=\K.*" "$work/out"; }
rss_kb() { awk '/^VmRSS/ { print $2 }' "/proc/$server/status"; }
at_most() { # WHAT FIGURE LIMIT
    checks=$((checks + 1))
    [ "$2" -le "$3" ] || fail "$1: $2, and $3 is the most: $(cat "$work/out")"
}

# Logins and logouts: the first ones take what there is to take.
start --disk data=64MiB
crowd --logins 1500
before=$(rss_kb)
crowd --logins 10000
at_most 'growth over 10,000 logins, kB' $(($(rss_kb) - before)) 2048

# Many at once, and what the bad ones do to the latency of the busy ones: with slack, and three times if
# need be, for a machine with other work.
is_as_before() {
    [ "$(figure disturbed-median-us)" -le $((3 * $(figure calm-median-us) + 2000)) ] &&
        [ "$(figure disturbed-p99-us)" -le $((4 * $(figure calm-p99-us) + 50000)) ]
}
before=$(rss_kb)
for try in 1 2 3; do
    crowd --idle 1000 --busy 64 --silent 64 --dribbling 64 --deaf 64 --seconds 0.4
    [ "$(figure sessions)" -eq 1064 ] || fail "not all came in: $(cat "$work/out")"
    [ "$(figure deaf)" -eq 64 ] || fail "the deaf ones were refused: $(cat "$work/out")"
    is_as_before && break
    [ "$try" -lt 3 ] || fail "bad peers slow down the others: $(cat "$work/out")"
done
checks=$((checks + 1))
at_most 'growth, kB' $(($(rss_kb) - before)) 81920
cat "$work/out"
stop

# Of a file, what the deaf ask for (4 GiB) would be memory: 32 MiB under way, and of each a command
# (4 MiB) and what its connection queues (2 MiB).
truncate -s 64M "$work/disk"
start --disk "data=$work/disk" --most-data 32MiB
before=$(rss_kb)
crowd --busy 4 --deaf 16 --seconds 0.2
at_most 'growth beside deaf peers on a file, kB' $(($(rss_kb) - before)) $((1024 * (32 + 16 * 6 + 32)))
stop

# Too many sessions are told so; too many connections take the place of those that say nothing.
start --disk data=16MiB --most-sessions 10 --most-connections 20
crowd --idle 15 --expect 10
[ "$(figure refused)" -eq 5 ] || fail "refused: $(cat "$work/out")"
says "$work/log" 'login refused, too many sessions'
# shellcheck disable=SC2034 # it stays open
for _ in $(seq 60); do exec {fd}<>"/dev/tcp/127.0.0.1/$first_port"; done
crowd --idle 10
says "$work/log" 'made way for another, not being logged in'
stop
start --disk data=16MiB --login-time 200ms
# shellcheck disable=SC2034
exec {fd}<>"/dev/tcp/127.0.0.1/$first_port"
for _ in $(seq 40); do
    grep -q 'login time-out' "$work/log" && break
    sleep 0.05
done
says "$work/log" 'login time-out'
stop
start --disk data=16MiB --most-connections 5
crowd --idle 5 --silent 3
says "$work/log" 'no connection for 127.0.0.1:'
says "$work/log" '5 are logged in, no more may be'
stop

# The system's own limit is told, and kept.
(
    ulimit -n 80
    exec timeout 1 "$ISCSILAB" serve --disk data=16MiB --listen "127.0.0.1:$first_port"
) >"$work/log" 2>&1 || true
says "$work/log" 'warning: 80 files may be open, so that'

refused() { # WORDS OPTION...
    local words=$1
    shift
    expect 2 "$ISCSILAB" serve --disk data=16MiB "$@"
    says "$work/err" "$words"
}
refused '--most-sessions wants a number from 1 to 60000' --most-sessions 0
refused '--most-connections wants a number from 1 to 60000' --most-connections 70000
refused '--most-data wants a size' --most-data 12
refused '--login-time wants a time' --login-time soon
refused '--busy-poll wants a time from 0us to 1ms' --busy-poll 2ms
done_with peers
