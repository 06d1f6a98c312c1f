#!/usr/bin/env bash
# 'live' and 'ctl' without root: a guest behind QEMU's stream socket (played by a script), hostile
# ones, the control socket, the end of its time, and what is refused.
. "$SOURCE_DIR/tests/program/lib.sh"

topology=topologies/linux-two-switch.yaml
expect 2 "$ISCSILAB" live
expect 2 "$ISCSILAB" live "$topology" --attach kvm1.iscsi1
expect 2 "$ISCSILAB" live "$topology" --attach kvm9.iscsi1=tap:x
says "$work/err" "no NIC of this name"
expect 2 "$ISCSILAB" live "$topology" --attach kvm1.iscsi1=serial:x
says "$work/err" "tap:NAME"
expect 2 "$ISCSILAB" live "$topology" --attach kvm1.iscsi1=tap:a-name-that-is-too-long
expect 2 "$ISCSILAB" live "$topology" --attach "kvm1.iscsi1=qemu:$(printf '%0200d' 0)"
expect 2 "$ISCSILAB" live "$topology" --attach kvm1.iscsi1=tap:x --attach kvm1.iscsi1=tap:y
expect 2 "$ISCSILAB" live "$topology" --attach kvm1.iscsi1=tap:x --attach kvm2.iscsi1=tap:x
expect 2 "$ISCSILAB" live "$topology" --for soon
expect 2 "$ISCSILAB" live "$topology" --scenario scenarios/no-fault.yaml # of another topology
expect 3 "$ISCSILAB" live no-such-topology.yaml
expect 3 "$ISCSILAB" live "$topology" --set switches.switch-1.mut=1500
expect 2 "$ISCSILAB" ctl "$work/ctl"
expect 7 "$ISCSILAB" ctl "$work/ctl" help
echo "no socket" >"$work/file"
expect 7 "$ISCSILAB" live "$topology" --ctl "$work/file" --for 1s
says "$work/file" "no socket"
# A file that is no result file is refused before anything runs, and is left as it was.
expect 7 "$ISCSILAB" live "$topology" --db "$work/file" --for 1s
says "$work/err" "no result file of iscsilab"
says "$work/file" "no socket"
expect 7 "$ISCSILAB" live "$topology" --db "" --for 1s

# Ends by itself; hosts log in and out in real time meanwhile.
expect 0 "$ISCSILAB" live "$topology" --for 300ms
says "$work/out" "pacing:"

# A step waits for its event: the path fails 200 ms (LinkDownTime) after the cable is out, and the step
# comes 100 ms later. Hosts that log out at the end are no event: nothing happens to them then. It is
# recorded as a run is: faults, signs, paths and I/O; but not the end, and nothing is judged.
cat >"$work/when.yaml" <<YAML
kind: scenario
format: 1
name: when
topology: $PWD/topologies/hyperv-two-switch.yaml
seed: 1
run-for: 10 s
load:
  vm: {hosts: hv1, disk: san1.vmstore, reads: 70 %, size: 4 KiB, pattern: random, area: 1 MiB, in-flight: 4, start: 1 s}
steps:
  - {at: 1100 ms, name: pulled, pull: hv1-1}
  - {when: first path-failed of hv1 + 100 ms, name: follows, lose: {part: hv2-2, rate: 1 %}}
  - {when: first path-failed of hv2, name: never, freeze: switch-2}
expect:
  - {name: not judged, measure: io-errors, of: hv1, at-least: 1}
YAML
expect 0 "$ISCSILAB" live topologies/hyperv-two-switch.yaml --scenario "$work/when.yaml" \
    --set 'hosts.*.path.hold=200 ms' --for 1500ms --db "$work/lab.db"
[ "$(awk '$3 == "step" {$2 = ""; print}' "$work/out")" = "1.100  step pull: hv1-1
1.300  step 'follows': its event happened; it comes at 1.400 s
1.400  step lose: {part: hv2-2, rate: 1 %}" ] || fail "not the steps of the scenario: $(cat "$work/out")"
checks=$((checks + 1))
says "$work/out" "run 1 in $work/lab.db"
recorded() { # QUERY EXPECTED
    [ "$(sql "$work/lab.db" "$1")" = "$2" ] || fail "'$1' is '$(sql "$work/lab.db" "$1")', not '$2'"
    checks=$((checks + 1))
}
recorded "SELECT scenario, variant, verdict, exit_code, simulated_ns FROM run" "when|live|not judged|0|1500000000"
recorded "SELECT fault_id, step, kind, part, round(at_ns / 1e9, 3), repaired_at_ns IS NULL FROM fault" \
    "1|pulled|pull|hv1-1|1.1|1
2|follows|lose|hv2-2|1.4|1"
recorded "SELECT path_failed_ns / 1000000, io_errors, ios_caught > 0 FROM failover
          WHERE fault = 'pulled' AND host = 'hv1' AND disk = 'san1.vmstore'" "200|0|1"
recorded "SELECT count(*) FROM path_event WHERE new_state = 'failed'" 2
recorded "SELECT count(*) FROM expectation" 0
recorded "SELECT sum(ios) > 100 FROM latency" 1
recorded "SELECT value > 0 FROM counter WHERE part = 'switch-1' LIMIT 1" 1
recorded "SELECT count(*) FROM source WHERE text LIKE '%first path-failed of hv1%'" 1
expect 0 "$ISCSILAB" report --db "$work/lab.db" --out "$work/plots"

# A team whose members are attached is the real box's: there is nothing to break in it.
"$ISCSILAB" live topologies/linux-lacp.yaml --attach "kvm1.eth1=qemu:$work/eth1" --attach "kvm1.eth2=qemu:$work/eth2" \
    --ctl "$work/team" --for 60s >/dev/null 2>&1 &
team_pid=$!
for _ in $(seq 100); do [ -S "$work/team" ] && break || sleep 0.05; done
expect 1 "$ISCSILAB" ctl "$work/team" 'disable: kvm1.bond0'
says "$work/err" "nothing of the real box is simulated above its NICs"
expect 0 "$ISCSILAB" ctl "$work/team" 'disable: kvm1.eth1'
expect 2 "$ISCSILAB" ctl "$work/team" "$(printf '%5000s' x)"
kill $team_pid
wait $team_pid || true

# What comes while hosts log out happens, and is no longer recorded.
cat >"$work/late.yaml" <<YAML
kind: scenario
format: 1
name: late
topology: $PWD/topologies/hyperv-two-switch.yaml
seed: 1
run-for: 2 s
steps:
  - {at: 300200 us, flush: switch-1}
expect:
  - {name: not judged, measure: io-errors, of: hv1, exactly: 0}
YAML
for _ in 1 2 3; do
    expect 0 "$ISCSILAB" live topologies/hyperv-two-switch.yaml --scenario "$work/late.yaml" --for 300ms \
        --db "$work/late.db"
done
[ "$(sql "$work/late.db" 'SELECT count(*) FROM fault')" -eq 0 ] || fail "a fault was recorded behind the end"
checks=$((checks + 1))

"$ISCSILAB" live "$topology" --attach "kvm1.iscsi1=qemu:$work/nic" --ctl "$work/ctl" --db "$work/lab.db" \
    >"$work/live" 2>&1 </dev/null &
live_pid=$!
trap 'kill $live_pid 2>/dev/null || true; rm -rf "$work"' EXIT
for _ in $(seq 100); do [ -S "$work/ctl" ] && break || sleep 0.05; done
expect 0 python3 - "$work/nic" "$work/ctl" <<'PYTHON'
import socket, struct, sys, time

def guest():
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(10)
    s.connect(sys.argv[1])
    return s

def send(s, frame):
    s.sendall(struct.pack('>I', len(frame)) + frame)

def exactly(s, n):
    data = b''
    while len(data) < n:
        piece = s.recv(n - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data

def receive(s):
    return exactly(s, struct.unpack('>I', exactly(s, 4))[0])

mac = bytes.fromhex('0200ac100035')
me, array = bytes([172, 16, 0, 53]), bytes([172, 16, 0, 51])
request = (b'\xff' * 6 + mac + b'\x08\x06' + struct.pack('>HHBBH', 1, 0x800, 6, 4, 1) +
           mac + me + b'\0' * 6 + array)

def finds_the_array(s):
    send(s, request)
    while True:
        frame = receive(s)
        if frame[12:14] == b'\x08\x06' and frame[20:22] == b'\0\2' and frame[28:32] == array:
            return

s = guest()
time.sleep(0.2)  # the switch port comes up with the guest
finds_the_array(s)
# Frames in pieces, and several in one.
whole = struct.pack('>I', len(request)) + request
for i in range(len(whole)):
    s.sendall(whole[i:i + 1])
s.sendall(whole * 50)
finds_the_array(s)
# What is no frame, and what is none of sense.
for n in range(0, 64):
    send(s, bytes(range(n)))
send(s, b'\xff' * 12 + b'\x08\x00' + b'\x4f' + b'\xff' * 60)
send(s, bytes(9019))
send(s, bytes(65000))
finds_the_array(s)
# A second guest while one is there is turned away.
other = guest()
assert other.recv(1) == b''
# A length that no frame has: cut off, and the next guest is welcome.
s.sendall(b'\xff\xff\xff\xff')
try:
    while s.recv(65536):
        pass
except ConnectionResetError:
    pass
time.sleep(0.1)
s = guest()
time.sleep(0.2)
finds_the_array(s)
s.sendall(whole[:30])  # and one that leaves in the middle of a frame
s.close()
time.sleep(0.1)
s = guest()
time.sleep(0.2)
finds_the_array(s)

# The control socket: nonsense, silence, lines without end.
for text in (b'\n', b'\0\xff\xfe\n', b'power-off\n', b'{[\n', b'x' * 5000, b'help\n', b''):
    c = socket.socket(socket.AF_UNIX)
    c.settimeout(10)
    c.connect(sys.argv[2])
    try:
        c.sendall(text)
        if text == b'':
            c.shutdown(socket.SHUT_WR)
        while c.recv(65536):
            pass
    except (ConnectionResetError, BrokenPipeError):
        pass
many = [socket.socket(socket.AF_UNIX) for _ in range(30)]
for c in many:
    c.connect(sys.argv[2])
for c in many:
    c.close()
finds_the_array(s)
PYTHON
sleep 0.2
expect 0 "$ISCSILAB" ctl "$work/ctl" status
says "$work/out" "dropped on the way in: malformed"
says "$work/out" "dropped on the way in: above the MTU"
expect 0 "$ISCSILAB" ctl "$work/ctl" "power-off: switch-1"
expect 0 "$ISCSILAB" ctl "$work/ctl" "lose: {part: kvm2-2, rate: 1 %}"
expect 0 "$ISCSILAB" ctl "$work/ctl" faults
says "$work/out" "power-off: switch-1"
says "$work/out" "lose: {part: kvm2-2, rate: 1 %}"
expect 3 "$ISCSILAB" ctl "$work/ctl" "power-off: switch-9"
says "$work/err" "switch-9"
expect 3 "$ISCSILAB" ctl "$work/ctl" ""
says "$work/err" "nothing was said"

# One by one: by number, the newest, after a time, all; each once.
ctl() { "$ISCSILAB" ctl "$work/ctl" "$1"; }
faults() { # NUMBER...: these are there, and no others
    expect 0 ctl faults
    local there
    there=$(awk '$1 ~ /^[0-9]+$/ {printf "%s ", $1}' "$work/out")
    [ "$there" = "${*:+$* }" ] || fail "faults '$there' instead of '$*': $(cat "$work/out")"
}
expect 0 ctl "change: {what: switches.*.mtu, to: 1500}"
expect 0 ctl "slow: {part: san1, by: 2 x}"
faults 1 2 3 4
says "$work/out" "change: {what: switches.*.mtu, to: 1500}"
expect 0 ctl "undo 2"
faults 1 3 4
expect 1 ctl "undo 2"
says "$work/err" "nothing to undo"
expect 0 ctl "undo"
faults 1 3
expect 0 ctl "power-on: switch-1"
faults 3
for line in "undo 0" "undo 5" "undo 18446744073709551615"; do expect 1 ctl "$line"; done
for line in "undo x" "undo -3" "undo 3 4" "undo 99999999999999999999"; do
    expect 3 ctl "$line"
    says "$work/err" "no number"
done
faults 3
expect 0 ctl "{pull: kvm2-1, for: 100 ms}"
expect 0 ctl "{lose: kvm2-2, for: 20 s}"
for _ in $(seq 100); do grep -qF 'pull: kvm2-1 undone' "$work/live" && break || sleep 0.05; done
faults 3 6
expect 0 ctl "undo all"
faults
expect 1 ctl "undo"
expect 0 ctl "reboot: switch-2" # a moment: nothing is left of it
faults

# Hosts log out, which takes no time, and it ends; as well when its terminal goes.
ends_at_once() { # FILE with its output
    local began code=0
    began=$(date +%s%N)
    "${@:2}"
    wait "$live_pid" || code=$?
    [ "$code" -eq 0 ] || {
        cat "$1" >&2
        fail "live ended with exit code $code"
    }
    [ $((($(date +%s%N) - began) / 1000000)) -lt 2000 ] || fail "the end took seconds"
    checks=$((checks + 1))
}
expect 0 ctl quit
code=0
wait "$live_pid" || code=$?
[ "$code" -eq 0 ] || {
    cat "$work/live" >&2
    fail "live ended with exit code $code"
}
says "$work/live" "lose: {part: kvm2-2, rate: 1 %} undone"
# What was typed is in the record, with when it was undone, as it happened.
recorded "SELECT fault_id, kind, part, repaired_at_ns > at_ns FROM fault WHERE run_id = 2" "1|power-off|switch-1|1
2|lose|kvm2-2|1
3|change|switches.*.mtu|1
4|slow|san1|1
5|pull|kvm2-1|1
6|lose|kvm2-2|1
7|reboot|switch-2|0"
recorded "SELECT count(DISTINCT step), repaired_at_ns = at_ns FROM fault WHERE kind = 'reboot'" "1|1"
[ ! -e "$work/nic" ] || fail "the guest's socket is still there"

for signal in TERM HUP; do
    "$ISCSILAB" live "$topology" --ctl "$work/ctl" --pcap "$work/pcap" --db "$work/lab.db" >"$work/live" 2>&1 </dev/null &
    live_pid=$!
    for _ in $(seq 100); do grep -q 'kvm2.iscsi2.*active' "$work/live" && break || sleep 0.05; done
    ends_at_once "$work/live" kill -"$signal" "$live_pid"
    [ ! -e "$work/ctl" ] || fail "the control socket is still there"
    [ -s "$work/pcap/linux-two-switch.pcapng" ] || fail "no capture after SIG$signal"
    says "$work/live" "in $work/lab.db"
    rm -r "$work/pcap"
done
recorded "SELECT group_concat(verdict) FROM run WHERE scenario = 'live'" "not judged,not judged,not judged"
# One that is killed leaves nothing, and the file is as good as before.
"$ISCSILAB" live "$topology" --ctl "$work/ctl" --db "$work/lab.db" >"$work/live" 2>&1 </dev/null &
live_pid=$!
for _ in $(seq 100); do grep -q 'kvm2.iscsi2.*active' "$work/live" && break || sleep 0.05; done
kill -KILL "$live_pid"
wait "$live_pid" 2>/dev/null || true
recorded "SELECT count(*) FROM run" 4
recorded "PRAGMA integrity_check" ok
done_with live
