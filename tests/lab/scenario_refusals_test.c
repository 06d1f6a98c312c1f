/* Each way in which a scenario file can be wrong, and what its author is told. */
#include "tests/test.h"

#include "tests/lab/files.h"

struct change_row {
    const char *name;
    const char *find; /* of the good file, replaced by ... */
    const char *with;
    const char *expected;
};

static struct change_row refused[] = {
    {"a bare number as a time", "run-for: 100 s", "run-for: 180",
     "s.yaml:5:10: error: 'run-for' needs a unit\n"
     "    5 | run-for: 180\n"
     "      |          ^^^\n"
     "      = help: write '180 s' or '3 min'\n"},
    {"a verb that is not known", "power-off: switch-1}", "pwer-off: switch-1}",
     "s.yaml:9:28: error: unknown step 'pwer-off'\n"
     "    9 |   - {at: 60 s, name: dies, pwer-off: switch-1}\n"
     "      |                            ^^^^^^^^\n"
     "      = help: did you mean 'power-off'?\n"},
    {"a step without a verb", ", power-off: switch-1}", "}",
     "s.yaml:9:5: error: a step lacks its verb\n"
     "    9 |   - {at: 60 s, name: dies}\n"
     "      |     ^\n"
     "      = help: say what happens: 'power-off: switch-1'\n"},
    {"a step with two verbs", "power-off: switch-1}", "power-off: switch-1, pull: hv1-1}",
     "s.yaml:9:49: error: a step has one verb: 'pull' and 'power-off' are two\n"
     "    9 |   - {at: 60 s, name: dies, power-off: switch-1, pull: hv1-1}\n"
     "      |                                                 ^^^^\n"
     "      = help: make it two steps; they may have the same time\n"},
    {"a step without a time", "{at: 60 s, name: dies,", "{name: dies,",
     "s.yaml:9:5: error: a step lacks its time\n"
     "    9 |   - {name: dies, power-off: switch-1}\n"
     "      |     ^\n"
     "      = help: write 'at: 60 s', or 'after: STEP + 10 s'\n"},
    {"a step with two times", "{after: dies + 10 s, name", "{at: 70 s, after: dies + 10 s, name",
     "s.yaml:10:5: error: a step has one time: of 'at', 'after', 'when'\n"
     "   10 |   - {at: 70 s, after: dies + 10 s, name: returns, power-on: switch-1}\n"
     "      |     ^\n"
     "      = help: write 'at: 60 s', or 'after: STEP + 10 s'\n"},
    {"a step after the end", "at: 60 s", "at: 101 s",
     "s.yaml:9:10: error: step 'dies' is after the end of the run\n"
     "    9 |   - {at: 101 s, name: dies, power-off: switch-1}\n"
     "      |          ^^^^^\n"
     "      = help: it would be at 101 s; the run ends at 100 s: lengthen 'run-for' or move it\n"
     "s.yaml:10:13: error: step 'returns' is after the end of the run\n"
     "   10 |   - {after: dies + 10 s, name: returns, power-on: switch-1}\n"
     "      |             ^^^^^^^^^^^\n"
     "      = help: it would be at 111 s; the run ends at 100 s: lengthen 'run-for' or move it\n"
     "s.yaml:13:55: error: 'from' is after the end of the run\n"
     "   13 |   - {name: short, measure: longest-io, of: hv1, from: dies, until: dies + 30 s, "
     "at-most: 20 s}\n"
     "      |                                                       ^^^^\n"
     "      = help: it would be at 101 s; the run ends at 100 s: lengthen 'run-for' or move it\n"
     "s.yaml:13:68: error: 'until' is after the end of the run\n"
     "   13 |   - {name: short, measure: longest-io, of: hv1, from: dies, until: dies + 30 s, "
     "at-most: 20 s}\n"
     "      |                                                                    ^^^^^^^^^^^\n"
     "      = help: it would be at 131 s; the run ends at 100 s: lengthen 'run-for' or move it\n"},
    {"a step before the start", "after: dies + 10 s", "after: dies - 61 s",
     "s.yaml:10:13: error: step 'returns' is before the start of the run\n"
     "   10 |   - {after: dies - 61 s, name: returns, power-on: switch-1}\n"
     "      |             ^^^^^^^^^^^\n"
     "      = help: it would be at -1 s\n"},
    {"a step that waits for itself", "after: dies + 10 s", "after: returns + 10 s",
     "s.yaml:10:13: error: step 'returns' waits for itself\n"
     "   10 |   - {after: returns + 10 s, name: returns, power-on: switch-1}\n"
     "      |             ^^^^^^^^^^^^^^\n"
     "      = help: let one of these steps have a time of its own: 'at: 60 s'\n"},
    {"a step that is not known", "after: dies + 10 s", "after: die + 10 s",
     "s.yaml:10:13: error: unknown step 'die'\n"
     "   10 |   - {after: die + 10 s, name: returns, power-on: switch-1}\n"
     "      |             ^^^\n"
     "      = help: did you mean 'dies'?\n"},
    {"a plus sign without spaces", "after: dies + 10 s", "after: dies+10 s",
     "s.yaml:10:17: error: '+' needs a space on both sides\n"
     "   10 |   - {after: dies+10 s, name: returns, power-on: switch-1}\n"
     "      |                 ^\n"
     "      = help: names may contain dashes: write 'STEP + 10 s' and 'STEP - 10 s'\n"},
    {"a sum without a unit", "after: dies + 10 s", "after: dies + 10",
     "s.yaml:10:20: error: 'after' needs a unit\n"
     "   10 |   - {after: dies + 10, name: returns, power-on: switch-1}\n"
     "      |                    ^^\n"
     "      = help: write '10 s'\n"},
    {"a time where a step belongs", "after: dies + 10 s", "after: 70 s",
     "s.yaml:10:13: error: 'after' cannot be a time\n"
     "   10 |   - {after: 70 s, name: returns, power-on: switch-1}\n"
     "      |             ^^^^\n"
     "      = help: name a step, like 'switch-1-dies'; plain times go under 'at'\n"},
    {"a step where a time belongs", "at: 60 s", "at: returns",
     "s.yaml:9:10: error: 'at' cannot be counted from a step\n"
     "    9 |   - {at: returns, name: dies, power-off: switch-1}\n"
     "      |          ^^^^^^^\n"
     "      = help: plain times only; 'after: STEP + TIME' counts from a step\n"},
    {"a time before an event", "at: 60 s", "when: first path-failed of hv1 - 2 s",
     "s.yaml:9:12: error: 'when' cannot be before the event\n"
     "    9 |   - {when: first path-failed of hv1 - 2 s, name: dies, power-off: switch-1}\n"
     "      |            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^\n"
     "      = help: nobody knows it before it happens: write '+', or nothing\n"},
    {"a load or an expectation that waits", "at: 60 s", "when: first path-failed of hv1",
     "s.yaml:13:55: error: 'from' counts from a step that waits for an event\n"
     "   13 |   - {name: short, measure: longest-io, of: hv1, from: dies, until: dies + 30 s, "
     "at-most: 20 s}\n"
     "      |                                                       ^^^^\n"
     "      = help: only steps can wait; write a time that is known before the run, like '60 s'\n"
     "s.yaml:13:68: error: 'until' counts from a step that waits for an event\n"
     "   13 |   - {name: short, measure: longest-io, of: hv1, from: dies, until: dies + 30 s, "
     "at-most: 20 s}\n"
     "      |                                                                    ^^^^^^^^^^^\n"
     "      = help: only steps can wait; write a time that is known before the run, like '60 s'\n"},
    {"a step before a step that waits",
     "at: 60 s, name: dies, power-off: switch-1}\n  - {after: dies + 10 s",
     "when: first io-error of hv1, name: dies, power-off: switch-1}\n  - {after: dies - 1 s",
     "s.yaml:10:13: error: step 'returns' cannot be before the event\n"
     "   10 |   - {after: dies - 1 s, name: returns, power-on: switch-1}\n"
     "      |             ^^^^^^^^^^\n"
     "      = help: the step that it counts from waits for an event: write '+'\n"
     "s.yaml:13:55: error: 'from' counts from a step that waits for an event\n"
     "   13 |   - {name: short, measure: longest-io, of: hv1, from: dies, until: dies + 30 s, "
     "at-most: 20 s}\n"
     "      |                                                       ^^^^\n"
     "      = help: only steps can wait; write a time that is known before the run, like '60 s'\n"
     "s.yaml:13:68: error: 'until' counts from a step that waits for an event\n"
     "   13 |   - {name: short, measure: longest-io, of: hv1, from: dies, until: dies + 30 s, "
     "at-most: 20 s}\n"
     "      |                                                                    ^^^^^^^^^^^\n"
     "      = help: only steps can wait; write a time that is known before the run, like '60 s'\n"},
    {"an event that is not known", "at: 60 s", "when: first path-broken of hv1",
     "s.yaml:9:12: error: unknown event 'path-broken'\n"
     "    9 |   - {when: first path-broken of hv1, name: dies, power-off: switch-1}\n"
     "      |            ^^^^^^^^^^^^^^^^^^^^^^^^\n"
     "      = help: known here: path-failed, path-usable, io-error\n"},
    {"a step twice", "name: returns", "name: dies",
     "s.yaml:10:32: error: step 'dies' is here twice\n"
     "   10 |   - {after: dies + 10 s, name: dies, power-on: switch-1}\n"
     "      |                                ^^^^\n"
     "      = help: it is first in line 9; time expressions need one meaning\n"},
    {"a step with a reserved name", "name: returns", "name: end",
     "s.yaml:10:32: error: 'end' cannot be the name of a step\n"
     "   10 |   - {after: dies + 10 s, name: end, power-on: switch-1}\n"
     "      |                                ^^^\n"
     "      = help: 'all', 'each', 'end' and words for truth values are reserved\n"},
    {"a part that is not known", "power-off: switch-1}", "power-off: switch-11}",
     "s.yaml:9:39: error: unknown part 'switch-11'\n"
     "    9 |   - {at: 60 s, name: dies, power-off: switch-11}\n"
     "      |                                       ^^^^^^^^^\n"
     "      = help: did you mean 'switch-1'?\n"},
    {"a verb on a part that it does not fit", "power-off: switch-1}", "power-off: hv1-1}",
     "s.yaml:9:39: error: 'power-off' does not fit 'hv1-1', which is a cable\n"
     "    9 |   - {at: 60 s, name: dies, power-off: hv1-1}\n"
     "      |                                       ^^^^^\n"
     "      = help: it fits a switch, a host or an array\n"},
    {"a verb that cannot be done yet", "power-off: switch-1}", "take-over: san1}",
     "s.yaml:9:28: error: 'take-over' is not simulated yet\n"
     "    9 |   - {at: 60 s, name: dies, take-over: san1}\n"
     "      |                            ^^^^^^^^^\n"
     "      = help: 'iscsilab schema scenario' lists the verbs that are\n"},
    {"a port past the last", "power-off: switch-1}", "disable: switch-1.9}",
     "s.yaml:9:37: error: 'switch-1' has no port '9'\n"
     "    9 |   - {at: 60 s, name: dies, disable: switch-1.9}\n"
     "      |                                     ^^^^^^^^^^\n"
     "      = help: its ports are 1 to 8\n"},
    {"an argument that the verb does not have", "power-off: switch-1}",
     "pull: {part: hv1-1, rate: 3 %}}",
     "s.yaml:9:48: error: 'rate' is no argument of 'pull'\n"
     "    9 |   - {at: 60 s, name: dies, pull: {part: hv1-1, rate: 3 %}}\n"
     "      |                                                ^^^^\n"
     "      = help: its arguments are: direction\n"},
    {"an argument that nobody has", "power-off: switch-1}",
     "pull: {part: hv1-1, directon: to-hv1}}",
     "s.yaml:9:48: error: unknown argument 'directon'\n"
     "    9 |   - {at: 60 s, name: dies, pull: {part: hv1-1, directon: to-hv1}}\n"
     "      |                                                ^^^^^^^^\n"
     "      = help: did you mean 'direction'?\n"},
    {"arguments without a part", "power-off: switch-1}", "pull: {direction: to-hv1}}",
     "s.yaml:9:28: error: 'pull' lacks 'part'\n"
     "    9 |   - {at: 60 s, name: dies, pull: {direction: to-hv1}}\n"
     "      |                            ^^^^\n"
     "      = help: say what it happens to: '{part: hv1-1, ...}'\n"},
    {"a direction to nowhere", "power-off: switch-1}",
     "pull: {part: hv1-1, direction: to-switch-2}}",
     "s.yaml:9:59: error: unknown direction 'to-switch-2'\n"
     "    9 |   - {at: 60 s, name: dies, pull: {part: hv1-1, direction: to-switch-2}}\n"
     "      |                                                           ^^^^^^^^^^^\n"
     "      = help: write 'to-hv1' or 'to-switch-1'\n"},
    {"a direction to a box that is not next to it", "power-off: switch-1}",
     "freeze: {part: switch-1, direction: to-switch-2}}",
     "s.yaml:9:64: error: unknown direction 'to-switch-2'\n"
     "    9 |   - {at: 60 s, name: dies, freeze: {part: switch-1, direction: to-switch-2}}\n"
     "      |                                                                ^^^^^^^^^^^\n"
     "      = help: write 'to-switch-1', 'to-hv1', 'to-kvm-1', 'to-kvm-2' or 'to-san1'\n"},
    {"an undo of an undo", "power-on: switch-1}", "power-on: switch-1, for: 5 s}",
     "s.yaml:10:61: error: 'power-on' cannot have 'for'\n"
     "   10 |   - {after: dies + 10 s, name: returns, power-on: switch-1, for: 5 s}\n"
     "      |                                                             ^^^\n"
     "      = help: it undoes another step; 'for' belongs to that one\n"},
    {"a load without a rate", ", rate: 500 per s}", "}",
     "s.yaml:7:3: error: load 'work' has neither 'rate' nor 'in-flight'\n"
     "    7 |   work: {hosts: all, disk: san1.store, reads: 70 %, size: 8 KiB}\n"
     "      |   ^^^^\n"
     "      = help: write 'rate: 500 per s' (open loop) or 'in-flight: 32' (closed loop)\n"},
    {"a rate without a unit", "rate: 500 per s", "rate: 500",
     "s.yaml:7:72: error: 'rate' needs a unit\n"
     "    7 |   work: {hosts: all, disk: san1.store, reads: 70 %, size: 8 KiB, rate: 500}\n"
     "      |                                                                        ^^^\n"
     "      = help: write '500 per s'\n"},
    {"a share without a unit", "reads: 70 %", "reads: 70",
     "s.yaml:7:47: error: 'reads' needs a unit\n"
     "    7 |   work: {hosts: all, disk: san1.store, reads: 70, size: 8 KiB, rate: 500 per s}\n"
     "      |                                               ^^\n"
     "      = help: write '70 %'\n"},
    {"a share above one", "reads: 70 %", "reads: 101 %",
     "s.yaml:7:47: error: 'reads' must be 0 % to 100 %, not 101 %\n"
     "    7 |   work: {hosts: all, disk: san1.store, reads: 101 %, size: 8 KiB, rate: 500 per s}\n"
     "      |                                               ^^^^^\n"
     "      = help: choose a value in that range\n"},
    {"a load without a disk", "disk: san1.store, ", "",
     "s.yaml:7:3: error: load 'work' lacks 'disk'\n"
     "    7 |   work: {hosts: all, reads: 70 %, size: 8 KiB, rate: 500 per s}\n"
     "      |   ^^^^\n"
     "      = help: add 'disk:' ('san1.vmstore')\n"},
    {"a load on a disk that is not known", "disk: san1.store", "disk: san1.stor",
     "s.yaml:7:28: error: unknown disk 'san1.stor'\n"
     "    7 |   work: {hosts: all, disk: san1.stor, reads: 70 %, size: 8 KiB, rate: 500 per s}\n"
     "      |                            ^^^^^^^^^\n"
     "      = help: did you mean 'san1.store'?\n"},
    {"a load on something that is no disk", "disk: san1.store", "disk: san1.port-a",
     "s.yaml:7:28: error: unknown disk 'san1.port-a'\n"
     "    7 |   work: {hosts: all, disk: san1.port-a, reads: 70 %, size: 8 KiB, rate: 500 per s}\n"
     "      |                            ^^^^^^^^^^^\n"
     "      = help: known here: san1.store, san1.own\n"},
    {"a load of a host that is not known", "hosts: all", "hosts: [hv1, hv2]",
     "s.yaml:7:23: error: unknown host 'hv2'\n"
     "    7 |   work: {hosts: [hv1, hv2], disk: san1.store, reads: 70 %, size: 8 KiB, rate: 500 "
     "per s}\n"
     "      |                       ^^^\n"
     "      = help: did you mean 'hv1'?\n"},
    {"a load of nobody", "hosts: all", "hosts: []",
     "s.yaml:7:17: error: 'hosts' is an empty list\n"
     "    7 |   work: {hosts: [], disk: san1.store, reads: 70 %, size: 8 KiB, rate: 500 per s}\n"
     "      |                 ^\n"
     "      = help: write 'hosts: all', or name some: '[hv1, hv2]'\n"},
    {"several hosts on a disk that is not shared", "disk: san1.store", "disk: san1.own",
     "s.yaml:7:28: error: 'san1.own' is not shared, and 3 hosts would use it\n"
     "    7 |   work: {hosts: all, disk: san1.own, reads: 70 %, size: 8 KiB, rate: 500 per s}\n"
     "      |                            ^^^^^^^^\n"
     "      = help: write 'shared: true' in the topology, or name one host\n"},
    {"an area too large for the disk", "size: 8 KiB", "size: 8 KiB, area: 512 MiB",
     "s.yaml:7:72: error: the area is too large for 'san1.store'\n"
     "    7 |   work: {hosts: all, disk: san1.store, reads: 70 %, size: 8 KiB, area: 512 MiB, "
     "rate: 500 per s}\n"
     "      |                                                                        ^^^^^^^\n"
     "      = help: 512 MiB for each of 3 hosts, and 1 GiB are left\n"},
    {"an I/O of no whole blocks", "size: 8 KiB", "size: 1000 B",
     "s.yaml:7:59: error: 'size' must be whole blocks of 'san1.store'\n"
     "    7 |   work: {hosts: all, disk: san1.store, reads: 70 %, size: 1000 B, rate: 500 per s}\n"
     "      |                                                           ^^^^^^\n"
     "      = help: its blocks have 512 B\n"},
    {"an area of no whole I/Os", "size: 8 KiB", "size: 8 KiB, area: 1025 KiB",
     "s.yaml:7:72: error: 'area' must be a multiple of 'size'\n"
     "    7 | ....store, reads: 70 %, size: 8 KiB, area: 1025 KiB, rate: 500 per s}\n"
     "      |                                            ^^^^^^^^\n"
     "      = help: the load goes over it in whole I/Os\n"},
    {"a load that stops before it starts", "size: 8 KiB", "size: 8 KiB, start: returns, stop: dies",
     "s.yaml:7:88: error: load 'work' stops before it starts\n"
     "    7 | ...0 %, size: 8 KiB, start: returns, stop: dies, rate: 500 per s}\n"
     "      |                                            ^^^^\n"
     "      = help: move 'start' or 'stop'\n"},
    {"a load that starts after the end", "size: 8 KiB", "size: 8 KiB, start: 101 s",
     "s.yaml:7:73: error: 'start' is after the end of the run\n"
     "    7 |   work: {hosts: all, disk: san1.store, reads: 70 %, size: 8 KiB, start: 101 s, rate: "
     "500 per s}\n"
     "      |                                                                         ^^^^^\n"
     "      = help: it would be at 101 s; the run ends at 100 s: lengthen 'run-for' or move it\n"},
    {"an expectation without a bound", "of: each host, exactly: 0}", "of: each host}",
     "s.yaml:12:5: error: the expectation lacks its bound\n"
     "   12 |   - {name: no errors, measure: io-errors, of: each host}\n"
     "      |     ^\n"
     "      = help: add 'at-most', 'at-least', 'exactly' or 'is'\n"},
    {"an expectation with two bounds", "of: each host, exactly: 0}",
     "of: each host, exactly: 0, at-most: 1}",
     "s.yaml:12:70: error: an expectation has one bound: 'at-most' and 'exactly' are two\n"
     "   12 |   - {name: no errors, measure: io-errors, of: each host, exactly: 0, at-most: 1}\n"
     "      |                                                                      ^^^^^^^\n"
     "      = help: make it two expectations\n"},
    {"an expectation without a measure", "measure: io-errors, ", "",
     "s.yaml:12:5: error: the expectation has no 'measure'\n"
     "   12 |   - {name: no errors, of: each host, exactly: 0}\n"
     "      |     ^\n"
     "      = help: say what is measured: 'measure: io-errors'\n"},
    {"an expectation of two kinds", "measure: io-errors, ", "measure: io-errors, breaks: D1, ",
     "s.yaml:12:5: error: an expectation has one of 'measure', 'breaks', 'finding'\n"
     "   12 |   - {name: no errors, measure: io-errors, breaks: D1, of: each host, exactly: 0}\n"
     "      |     ^\n"
     "      = help: say what is measured: 'measure: io-errors'\n"},
    {"a measure that is not known", "measure: io-errors", "measure: io-error",
     "s.yaml:12:32: error: unknown measure 'io-error'\n"
     "   12 |   - {name: no errors, measure: io-error, of: each host, exactly: 0}\n"
     "      |                                ^^^^^^^^\n"
     "      = help: did you mean 'io-errors'?\n"},
    {"a measure that is not taken yet", "measure: io-errors", "measure: registrations",
     "s.yaml:12:32: error: 'registrations' is not measured yet\n"
     "   12 |   - {name: no errors, measure: registrations, of: each host, exactly: 0}\n"
     "      |                                ^^^^^^^^^^^^^\n"
     "      = help: 'iscsilab schema scenario' lists the measures that are\n"},
    {"a measure of nothing", "of: each host, ", "",
     "s.yaml:12:5: error: the measure 'io-errors' needs an 'of'\n"
     "   12 |   - {name: no errors, measure: io-errors, exactly: 0}\n"
     "      |     ^\n"
     "      = help: add 'of: each host', or the name of a part\n"},
    {"a measure of the wrong thing", "of: each host", "of: each switch",
     "s.yaml:12:47: error: 'io-errors' is not measured of a switch\n"
     "   12 |   - {name: no errors, measure: io-errors, of: each switch, exactly: 0}\n"
     "      |                                               ^^^^^^^^^^^\n"
     "      = help: measure it of 'each host', 'each disk'\n"},
    {"a measure of a part of the wrong kind", "of: each host", "of: switch-1",
     "s.yaml:12:47: error: 'io-errors' is not measured of a switch\n"
     "   12 |   - {name: no errors, measure: io-errors, of: switch-1, exactly: 0}\n"
     "      |                                               ^^^^^^^^\n"
     "      = help: measure it of 'each host', 'each disk', or of one by name\n"},
    {"a measure of a part that is not known", "of: each host", "of: hv9",
     "s.yaml:12:47: error: unknown part 'hv9'\n"
     "   12 |   - {name: no errors, measure: io-errors, of: hv9, exactly: 0}\n"
     "      |                                               ^^^\n"
     "      = help: did you mean 'hv1'?\n"},
    {"a scope that is not known", "of: each host", "of: each hosts",
     "s.yaml:12:47: error: unknown scope 'each hosts'\n"
     "   12 |   - {name: no errors, measure: io-errors, of: each hosts, exactly: 0}\n"
     "      |                                               ^^^^^^^^^^\n"
     "      = help: write 'each host', 'each disk', or the name of one\n"},
    {"a window that ends before it begins", "from: dies, until: dies + 30 s",
     "from: dies, until: dies - 1 s",
     "s.yaml:13:68: error: the window ends before it begins\n"
     "   13 |   - {name: short, measure: longest-io, of: hv1, from: dies, until: dies - 1 s, "
     "at-most: 20 s}\n"
     "      |                                                                    ^^^^^^^^^^\n"
     "      = help: 'until' must be later than 'from'\n"},
    {"a window that ends after the run", "until: dies + 30 s", "until: dies + 41 s",
     "s.yaml:13:68: error: 'until' is after the end of the run\n"
     "   13 |   - {name: short, measure: longest-io, of: hv1, from: dies, until: dies + 41 s, "
     "at-most: 20 s}\n"
     "      |                                                                    ^^^^^^^^^^^\n"
     "      = help: it would be at 101 s; the run ends at 100 s: lengthen 'run-for' or move it\n"},
    {"a window for what has a moment", "when: end", "from: dies",
     "s.yaml:14:5: error: the measure 'paths-usable' needs a moment\n"
     "   14 |   - {name: two, measure: paths-usable, of: hv1, from: dies, exactly: 2}\n"
     "      |     ^\n"
     "      = help: add 'when: STEP + 60 s', or 'when: end'\n"
     "s.yaml:14:49: error: 'from' does not fit the measure 'paths-usable'\n"
     "   14 |   - {name: two, measure: paths-usable, of: hv1, from: dies, exactly: 2}\n"
     "      |                                                 ^^^^\n"
     "      = help: it is taken at a moment: 'when'\n"},
    {"a moment for what has a window", "from: dies, until: dies + 30 s", "when: dies",
     "s.yaml:13:49: error: 'when' does not fit the measure 'longest-io'\n"
     "   13 |   - {name: short, measure: longest-io, of: hv1, when: dies, at-most: 20 s}\n"
     "      |                                                 ^^^^\n"
     "      = help: it is taken over a window: 'from' and 'until'\n"},
    {"a bound in the wrong unit", "at-most: 20 s", "at-most: 20",
     "s.yaml:13:90: error: 'at-most' needs a unit\n"
     "   13 |   - {name: short, measure: longest-io, of: hv1, from: dies, until: dies + 30 s, "
     "at-most: 20}\n"
     "      |                                                                                      "
     "    ^^\n"
     "      = help: write '20 s'\n"},
    {"a share of nothing", "at-most: 20 s", "at-most: 20 %",
     "s.yaml:13:90: error: 'at-most' is a share, but of what?\n"
     "   13 |   - {name: short, measure: longest-io, of: hv1, from: dies, until: dies + 30 s, "
     "at-most: 20 %}\n"
     "      |                                                                                      "
     "    ^^^^\n"
     "      = help: add 'compared-with: {from: 30 s, until: STEP}'\n"},
    {"a comparison without a share", "at-most: 20 s",
     "at-most: 20 s, compared-with: {from: 1 s, until: dies}",
     "s.yaml:13:90: error: 'at-most' beside 'compared-with' is a share\n"
     "   13 | ...rom: dies, until: dies + 30 s, at-most: 20 s, compared-with: {from: 1 s, until: "
     "dies}}\n"
     "      |                                            ^^^^\n"
     "      = help: write '90 %'\n"},
    {"a comparison with half a window", "at-most: 20 s",
     "at-most: 20 %, compared-with: {from: 1 s}",
     "s.yaml:13:96: error: window 'compared-with' lacks 'until'\n"
     "   13 | ...ies, until: dies + 30 s, at-most: 20 %, compared-with: {from: 1 s}}\n"
     "      |                                            ^^^^^^^^^^^^^\n"
     "      = help: add 'until:' (a time or a step)\n"},
    {"a name as the bound of a number", "at-most: 20 s", "is: hv1",
     "s.yaml:13:81: error: 'is' does not fit the measure 'longest-io'\n"
     "   13 |   - {name: short, measure: longest-io, of: hv1, from: dies, until: dies + 30 s, is: "
     "hv1}\n"
     "      |                                                                                 ^^\n"
     "      = help: it is a number: use 'at-most', 'at-least', 'exactly'\n"},
    {"a baseline that cannot be compared with yet", "at-most: 20 s", "no-worse-than-baseline: 10 %",
     "s.yaml:13:81: error: 'no-worse-than-baseline' is not simulated yet\n"
     "   13 | ...f: hv1, from: dies, until: dies + 30 s, no-worse-than-baseline: 10 %}\n"
     "      |                                            ^^^^^^^^^^^^^^^^^^^^^^\n"
     "      = help: write a bound of your own: 'at-most', 'at-least' or 'exactly'\n"},
    {"a latency without percentile", "measure: longest-io", "measure: latency",
     "s.yaml:13:5: error: the measure 'latency' needs a 'percentile'\n"
     "   13 |   - {name: short, measure: latency, of: hv1, from: dies, until: dies + 30 s, "
     "at-most: 20 s}\n"
     "      |     ^\n"
     "      = help: add 'percentile: 99'; 100 is the longest\n"},
    {"a percentile of something else", "measure: longest-io", "measure: longest-io, percentile: 99",
     "s.yaml:13:40: error: 'percentile' does not fit the measure 'longest-io'\n"
     "   13 |   - {name: short, measure: longest-io, percentile: 99, of: hv1, from: dies, until: "
     "dies + 30 s, ...\n"
     "      |                                        ^^^^^^^^^^\n"
     "      = help: only 'latency' has percentiles\n"},
    {"a percentile past all", "measure: longest-io", "measure: latency, percentile: 101",
     "s.yaml:13:49: error: 'percentile' must be 0 to 100, not 101\n"
     "   13 | ...e: short, measure: latency, percentile: 101, of: hv1, from: dies, until: dies + "
     "30 s, at-most: 2...\n"
     "      |                                            ^^^\n"
     "      = help: choose a value in that range\n"},
    {"a reason of something else", "measure: longest-io", "measure: longest-io, reason: too-big",
     "s.yaml:13:40: error: 'reason' does not fit the measure 'longest-io'\n"
     "   13 |   - {name: short, measure: longest-io, reason: too-big, of: hv1, from: dies, until: "
     "dies + 30 s,...\n"
     "      |                                        ^^^^^^\n"
     "      = help: only 'frames-dropped' has reasons\n"},
    {"a reason that is not known", "measure: longest-io, of: hv1",
     "measure: frames-dropped, of: switch-1, reason: to-big",
     "s.yaml:13:66: error: unknown reason 'to-big'\n"
     "   13 | ...: frames-dropped, of: switch-1, reason: to-big, from: dies, until: dies + 30 s, "
     "at-most: 20 s}\n"
     "      |                                            ^^^^^^\n"
     "      = help: did you mean 'too-big'?\n"
     "s.yaml:13:115: error: 'at-most' must be a plain number, not '20 s'\n"
     "   13 | ...rom: dies, until: dies + 30 s, at-most: 20 s}\n"
     "      |                                            ^^^^\n"
     "      = help: write digits only: this value has no unit\n"},
    {"a delay without its step", "measure: paths-usable, of: hv1, when: end, exactly: 2",
     "measure: detected-after, of: hv1, at-most: 2 s",
     "s.yaml:14:5: error: the measure 'detected-after' counts from a step\n"
     "   14 |   - {name: two, measure: detected-after, of: hv1, at-most: 2 s}\n"
     "      |     ^\n"
     "      = help: add 'since: STEP'\n"},
    {"a delay since a step and a bit", "measure: paths-usable, of: hv1, when: end, exactly: 2",
     "measure: detected-after, of: hv1, since: dies + 1 s, at-most: 2 s",
     "s.yaml:14:58: error: 'since' is a step, without an offset\n"
     "   14 |   - {name: two, measure: detected-after, of: hv1, since: dies + 1 s, at-most: 2 s}\n"
     "      |                                                          ^^^^^^^^^^\n"
     "      = help: add the offset to the bound\n"},
    {"a rule that nobody watches", "measure: io-errors, of: each host, exactly: 0", "breaks: Z9",
     "s.yaml:12:31: error: unknown rule 'Z9'\n"
     "   12 |   - {name: no errors, breaks: Z9}\n"
     "      |                               ^^\n"
     "      = help: known here: D1, D2, D4, D5, D6, P1, P2, P4, P6, P7, P8, L1\n"},
    {"a finding of the audit", "measure: io-errors, of: each host, exactly: 0",
     "finding: mtu-mismatch",
     "s.yaml:12:23: error: findings of the audit are not judged yet\n"
     "   12 |   - {name: no errors, finding: mtu-mismatch}\n"
     "      |                       ^^^^^^^\n"
     "      = help: leave this expectation out\n"},
    {"a topology that is not there", "topology: t.yaml", "topology: u.yaml",
     "s.yaml:4:11: error: cannot read 'u.yaml'\n"
     "    4 | topology: u.yaml\n"
     "      |           ^^^^^^\n"
     "      = help: the path counts from the folder of the scenario\n"},
    {"an accepted finding that is no name", "run-for: 100 s",
     "run-for: 100 s\n"
     "accept: [MTU]",
     "s.yaml:6:10: error: 'MTU' cannot be the name of a finding\n"
     "    6 | accept: [MTU]\n"
     "      |          ^\n"
     "      = help: begin with a letter, go on with lower case letters, digits and dashes: "
     "'switch-1'\n"},
    {"a variation that is no list", "run-for: 100 s",
     "run-for: 100 s\n"
     "vary: {seed: 3}",
     "s.yaml:6:14: error: 'vary' needs a list of values\n"
     "    6 | vary: {seed: 3}\n"
     "      |              ^\n"
     "      = help: write 'seed: [VALUE, VALUE]'\n"},
    {"a variation of nothing", "run-for: 100 s",
     "run-for: 100 s\n"
     "vary: {hosts.*.multipath.polcy: [round-robin]}",
     "s.yaml:6:26: error: unknown key 'polcy'\n"
     "    6 | vary: {hosts.*.multipath.polcy: [round-robin]}\n"
     "      |                          ^^^^^\n"
     "      = help: did you mean 'policy'?\n"},
    {"a variation with a bad value", "run-for: 100 s",
     "run-for: 100 s\n"
     "vary: {hosts.*.multipath.policy: [round-robin, random]}",
     "s.yaml:6:48: error: unknown policy 'random'\n"
     "    6 | vary: {hosts.*.multipath.policy: [round-robin, random]}\n"
     "      |                                                ^^^^^^\n"
     "      = help: known here: fail-over-only, round-robin, least-queue-depth, service-time\n"},
#ifdef ISCSILAB_PLANTS
    {"a planted bug that nobody planted", "run-for: 100 s",
     "run-for: 100 s\n"
     "plant: D99",
     "s.yaml:6:8: error: unknown planted bug 'D99'\n"
     "    6 | plant: D99\n"
     "      |        ^^^\n"
     "      = help: did you mean 'D1'?\n"},
#else
    {"a planted bug in a build without", "run-for: 100 s", "run-for: 100 s\nplant: D1",
     "s.yaml:6:1: error: 'plant' works in test builds only\n"
     "    6 | plant: D1\n"
     "      | ^^^^^\n"
     "      = help: leave it out, or build with -DISCSILAB_PLANTS=ON\n"},
#endif
    {"what is wrong without the SAN is told although the SAN is wrong", "topology: t.yaml",
     "topology: u.yaml\n"
     "seed: x",
     "s.yaml:4:11: error: cannot read 'u.yaml'\n"
     "    4 | topology: u.yaml\n"
     "      |           ^^^^^^\n"
     "      = help: the path counts from the folder of the scenario\n"
     "s.yaml:5:7: error: 'seed' must be a plain number, not 'x'\n"
     "    5 | seed: x\n"
     "      |       ^\n"
     "      = help: write digits only: this value has no unit\n"},
};

static struct change_row warned[] = {
    {"an undo after the end is worth a warning", "power-off: switch-1}",
     "power-off: switch-1, for: 50 s}",
     "s.yaml:9:54: warning: step 'dies' is undone after the end of the run\n"
     "    9 |   - {at: 60 s, name: dies, power-off: switch-1, for: 50 s}\n"
     "      |                                                      ^^^^\n"
     "      = help: lengthen 'run-for' to see the repair\n"},
    {"an undo of what is not broken is worth a warning", "power-off: switch-1}",
     "power-off: switch-2}",
     "s.yaml:10:5: warning: step 'returns' undoes nothing\n"
     "   10 |   - {after: dies + 10 s, name: returns, power-on: switch-1}\n"
     "      |     ^\n"
     "      = help: no 'power-off' of 'switch-1' is open at that time\n"},
    {"an undo of what is whole again is worth a warning", "power-off: switch-1}",
     "power-off: switch-1, for: 5 s}",
     "s.yaml:10:5: warning: step 'returns' undoes nothing\n"
     "   10 |   - {after: dies + 10 s, name: returns, power-on: switch-1}\n"
     "      |     ^\n"
     "      = help: no 'power-off' of 'switch-1' is open at that time\n"},
};

static struct override_row {
    const char *name;
    const char *override;
    const char *expected;
} overridden[] = {
    {"an override without a value", "switches.switch-1.mtu",
     "command line:1:7: error: 'switches.switch-1.mtu' sets nothing\n"
     "    1 | --set switches.switch-1.mtu\n"
     "      |       ^^^^^^^^^^^^^^^^^^^^^\n"
     "      = help: write 'KEY=VALUE', like 'switches.switch-2.mtu=1500'\n"},
    {"an override of nothing", "=3",
     "command line:1:7: error: '=3' sets nothing\n"
     "    1 | --set =3\n"
     "      |       ^^\n"
     "      = help: write 'KEY=VALUE', like 'switches.switch-2.mtu=1500'\n"},
    {"an override of an unknown root", "swtches.switch-1.mtu=1500",
     "command line:1:7: error: unknown key 'swtches'\n"
     "    1 | --set swtches.switch-1.mtu=1500\n"
     "      |       ^^^^^^^\n"
     "      = help: did you mean 'switches'?\n"},
    {"an override of an unknown name", "switches.switch-9.mtu=1500",
     "command line:1:16: error: unknown switch 'switch-9'\n"
     "    1 | --set switches.switch-9.mtu=1500\n"
     "      |                ^^^^^^^^\n"
     "      = help: did you mean 'switch-1'?\n"},
    {"an override of an unknown key", "switches.switch-1.mut=1500",
     "command line:1:25: error: unknown key 'mut'\n"
     "    1 | --set switches.switch-1.mut=1500\n"
     "      |                         ^^^\n"
     "      = help: did you mean 'mtu'?\n"},
    {"an override that stops too early", "switches.switch-1=1500",
     "command line:1:16: error: 'switch-1' is no setting\n"
     "    1 | --set switches.switch-1=1500\n"
     "      |                ^^^^^^^^\n"
     "      = help: say which: '...NAME.KEY=VALUE'\n"},
    {"an override that goes too far", "switches.switch-1.mtu.x=1500",
     "command line:1:25: error: 'mtu' has no settings below it\n"
     "    1 | --set switches.switch-1.mtu.x=1500\n"
     "      |                         ^^^\n"
     "      = help: end the path here\n"},
    {"an override of an unknown step", "steps.die.at=3 s",
     "command line:1:13: error: unknown step 'die'\n"
     "    1 | --set steps.die.at=3 s\n"
     "      |             ^^^\n"
     "      = help: did you mean 'dies'?\n"},
    {"an override of the variations", "vary.seed=3",
     "command line:1:7: error: 'vary' cannot be changed from outside of the file\n"
     "    1 | --set vary.seed=3\n"
     "      |       ^^^^\n"
     "      = help: set the values themselves, one run at a time\n"},
    {"an override with a bad value", "switches.switch-1.mtu=big",
     "command line:1:29: error: 'mtu' must be a plain number, not 'big'\n"
     "    1 | --set switches.switch-1.mtu=big\n"
     "      |                             ^^^\n"
     "      = help: write digits only: this value has no unit\n"},
    {"an override with a bad list", "load.work.hosts=[hv1, hv3]",
     "command line:1:7: error: unknown host 'hv3'\n"
     "    1 | [hv1, hv3]\n"
     "      |       ^^^\n"
     "      = help: did you mean 'hv1'?\n"},
    {"an override that is no YAML", "load.work.hosts=[hv1",
     "command line:1:1: error: no YAML: did not find expected ',' or ']'\n"
     "    1 | [hv1\n"
     "      | ^\n"
     "      = help: while parsing a flow sequence from line 1; check indentation, brackets and "
     "quotes above\n"},
};

static void tells_what_is_wrong(void **state)
{
    const struct change_row *row = *state;
    char *scenario = replaced(good_scenario, row->find, row->with);
    struct test_reader reader = test_reader_of(good_topology, scenario);

    expect_errors(&reader, NULL, 0, row->expected);
    free(scenario);
}

static void tells_what_is_wrong_with_an_override(void **state)
{
    const struct override_row *row = *state;
    struct test_reader reader = test_reader_of(good_topology, good_scenario);

    expect_errors(&reader, &row->override, 1, row->expected);
}

int main(void)
{
    TEST_ROWS(refused, tells_what_is_wrong);
    TEST_ROWS(warned, tells_what_is_wrong);
    TEST_ROWS(overridden, tells_what_is_wrong_with_an_override);
    return TEST_RUN("lab.scenario_refusals");
}
