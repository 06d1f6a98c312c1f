"""Reads the capture of kernel_timers.sh and compares, event by event, when the kernel and our Linux
profile sent again. Prints a table; exit code 1 if any event is off.

    timers_table.py CAPTURE TICK-NS SILENT-NS EVENTS

An event matches if its distance from the one before agrees within 5 %, or within the granularity of
the kernel's timer wheel at that distance: 8^n ticks, where a level has 63 * 8^n ticks. The first distance
begins at a send, anywhere between two ticks, and not at a timer: it may be off by one tick more.
"""
import statistics
import subprocess
import sys

capture, tick_ns, silent_ns, most = sys.argv[1], *map(int, sys.argv[2:5])
KINDS = (('tail', 'one short segment'), ('burst', 'ten full segments'),
         ('syn-linear', 'SYN, as this kernel is set'), ('syn', 'SYN, tcp_syn_linear_timeouts 0'))

fields = ('frame.time_epoch', 'frame.interface_name', 'tcp.srcport', 'tcp.dstport', 'tcp.len',
          'tcp.flags.syn', 'tcp.seq_raw')
lines = subprocess.run(['tshark', '-r', capture, '-Y', 'tcp', '-o', 'tcp.analyze_sequence_numbers:FALSE',
                        '-T', 'fields', *(f'-e{f}' for f in fields)],
                       check=True, capture_output=True, text=True).stdout.splitlines()
sent = {}  # (who, source port, destination port) -> [(ns, bytes, is a SYN)]
for line in lines:
    at, interface, source, destination, length, syn, _ = line.split('\t')
    name, _, direction = interface.partition(' ')
    if direction != 'out' or name == 'peer' or name.startswith('switch'):
        continue
    seconds, _, fraction = at.partition('.')
    ns = int(seconds) * 10**9 + int(fraction.ljust(9, '0')[:9])
    who = 'lab' if name == 'lab' else 'kernel'
    sent.setdefault((who, int(source), int(destination)), []).append(
        (ns, int(length), syn in ('1', 'True')))


def kind_of(destination, frames):
    if destination in (7009, 7010):
        return 'syn-linear' if destination == 7009 else 'syn'
    late = [f for f in frames if f[0] >= silent_ns and f[1] > 0]
    return 'burst' if any(f[1] > 5000 for f in late) else 'tail'


# Where events count from: the last frame that was sent for the first time.
times = {}
for (who, source, destination), frames in sent.items():
    kind = kind_of(destination, frames)
    if kind.startswith('syn'):
        events = [f[0] for f in frames if f[2]]
        first = 0
    else:
        events = [f[0] for f in frames if f[0] >= silent_ns and f[1] > 0]
        first = 9 if kind == 'burst' else 0
    if len(events) > first:
        times.setdefault((kind, who), []).append([e - events[first] for e in events[first:]])


def granularity_ns(distance_ns):
    ticks, size = distance_ns // tick_ns, 1
    while ticks >= 63 * size and size < 8**8:
        size *= 8
    return size * tick_ns


bad = 0
for kind, title in KINDS:
    kernel, lab = times.get((kind, 'kernel'), []), times.get((kind, 'lab'), [])
    if not kernel or not lab:
        print(f'{title}: no connections of {"the kernel" if not kernel else "the lab"}')
        bad += 1
        continue
    count = min(min(map(len, kernel)), min(map(len, lab)), most + 1)
    longest = max(max(map(len, kernel)), max(map(len, lab)))
    print(f'\n**{title}** ({len(kernel)} connections of the kernel, {len(lab)} of the lab; medians)\n')
    print('| event | kernel | lab | since the one before: kernel | lab | difference | allowed | |')
    print('| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |')
    if count < 4:
        print(f'too few events: {longest - 1}')
        bad += 1
    before = (0, 0)
    for i in range(1, count):
        at = (int(statistics.median(t[i] for t in kernel)), int(statistics.median(t[i] for t in lab)))
        step = (at[0] - before[0], at[1] - before[1])
        # 5 % of a step shorter than a tick is nothing that either of them can time.
        allowed = max(step[0] // 20, granularity_ns(step[0]) + (tick_ns if i == 1 else 0))
        is_good = abs(step[1] - step[0]) <= allowed
        bad += not is_good
        print(f'| {i} | {at[0] / 1e9:.3f} s | {at[1] / 1e9:.3f} s | {step[0] / 1e6:.1f} ms '
              f'| {step[1] / 1e6:.1f} ms | {(step[1] - step[0]) / 1e6:+.1f} ms '
              f'| {allowed / 1e6:.1f} ms | {"" if is_good else "**off**"} |')
        before = at
sys.exit(1 if bad else 0)
