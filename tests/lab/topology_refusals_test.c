/* Each way in which a topology file can be wrong, and what its author is told. */
#include "tests/test.h"

#include "tests/lab/files.h"

struct change_row {
    const char *name;
    const char *find; /* of the good file, replaced by ... */
    const char *with;
    const char *expected;
};

static struct change_row refused[] = {
    {"a key that is not known", "boot-time: 90 s", "boot-tme: 90 s",
     "t.yaml:6:24: error: unknown key 'boot-tme'\n"
     "    6 |   switch-1: {ports: 8, boot-tme: 90 s}\n"
     "      |                        ^^^^^^^^\n"
     "      = help: did you mean 'boot-time'?\n"},
    {"a missing field", "{ports: 8, mtu: 9216}", "{mtu: 9216}",
     "t.yaml:7:3: error: switch 'switch-2' lacks 'ports'\n"
     "    7 |   switch-2: {mtu: 9216}\n"
     "      |   ^^^^^^^^\n"
     "      = help: add 'ports:' (how many; they are called 'switch-1.1' and so on)\n"},
    {"a number that needs a unit", "boot-time: 90 s", "boot-time: 90",
     "t.yaml:6:35: error: 'boot-time' needs a unit\n"
     "    6 |   switch-1: {ports: 8, boot-time: 90}\n"
     "      |                                   ^^\n"
     "      = help: write '90 s'\n"},
    {"a unit of something else", "boot-time: 90 s", "boot-time: 90 KiB",
     "t.yaml:6:35: error: 'boot-time' has a unit that is none of a time span: '90 KiB'\n"
     "    6 |   switch-1: {ports: 8, boot-time: 90 KiB}\n"
     "      |                                   ^^^^^^\n"
     "      = help: use 'ns', 'us', 'ms', 's', 'min', 'h'\n"},
    {"a value out of range", "mtu: 9216", "mtu: 100000",
     "t.yaml:7:29: error: 'mtu' must be 576 to 16000, not 100000\n"
     "    7 |   switch-2: {ports: 8, mtu: 100000}\n"
     "      |                             ^^^^^^\n"
     "      = help: choose a value in that range\n"},
    {"a quantity out of range", "boot-time: 90 s", "boot-time: 100000 s",
     "t.yaml:6:35: error: 'boot-time' must be 0 s to 86400 s, not 100000 s\n"
     "    6 |   switch-1: {ports: 8, boot-time: 100000 s}\n"
     "      |                                   ^^^^^^^^\n"
     "      = help: choose a value in that range\n"},
    {"a number past 63 bits", "mtu: 9216", "mtu: 99999999999999999999",
     "t.yaml:7:29: error: 'mtu' must be 576 to 16000, not 99999999999999999999\n"
     "    7 |   switch-2: {ports: 8, mtu: 99999999999999999999}\n"
     "      |                             ^^^^^^^^^^^^^^^^^^^^\n"
     "      = help: choose a value in that range\n"},
    {"a quantity past 63 bits", "length: 5 m", "length: 99999999999999999999 km",
     "t.yaml:4:57: error: 'length' is too large\n"
     "    4 | defaults: {mtu: 9000, cable: {speed: 10 Gbit/s, length: 99999999999999999999 km}}\n"
     "      |                                                         ^^^^^^^^^^^^^^^^^^^^^^^\n"
     "      = help: it must fit 63 bits of metres\n"},
    {"a fraction that is no whole nanosecond", "boot-time: 90 s", "boot-time: 1.5 ns",
     "t.yaml:6:35: error: 'boot-time' must be a whole number of nanoseconds\n"
     "    6 |   switch-1: {ports: 8, boot-time: 1.5 ns}\n"
     "      |                                   ^^^^^^\n"
     "      = help: use fewer decimals\n"},
    {"a unit where none belongs", "mtu: 9216", "mtu: 9216 B",
     "t.yaml:7:29: error: 'mtu' must be a plain number, not '9216 B'\n"
     "    7 |   switch-2: {ports: 8, mtu: 9216 B}\n"
     "      |                             ^^^^^^\n"
     "      = help: write digits only: this value has no unit\n"},
    {"a list where a map belongs", "{policy: round-robin}", "[round-robin]",
     "t.yaml:13:16: error: 'multipath' must be a map, not a list\n"
     "   13 |     multipath: [round-robin]\n"
     "      |                ^\n"
     "      = help: write 'key: value' lines under it, or '{key: value, ...}'\n"},
    {"a map where a list belongs", "[{from: iscsi1, to: san1.port-a}]",
     "{from: iscsi1, to: san1.port-a}",
     "t.yaml:18:15: error: 'sessions' must be a list, not a map\n"
     "   18 |     sessions: {from: iscsi1, to: san1.port-a}\n"
     "      |               ^\n"
     "      = help: begin each item with '- ', or write '[a, b]'\n"},
    {"a map where a value belongs", "boot-time: 90 s", "boot-time: {s: 90}",
     "t.yaml:6:35: error: 'boot-time' must be a value, not a map\n"
     "    6 |   switch-1: {ports: 8, boot-time: {s: 90}}\n"
     "      |                                   ^\n"
     "      = help: write one value after the colon\n"},
    {"a key without a value", "count: 2", "count:",
     "t.yaml:16:5: error: 'count' has no value\n"
     "   16 |     count:\n"
     "      |     ^^^^^\n"
     "      = help: write one after the colon, or leave the key out\n"},
    {"a word that is not known", "policy: round-robin", "policy: round-robbin",
     "t.yaml:13:25: error: unknown policy 'round-robbin'\n"
     "   13 |     multipath: {policy: round-robbin}\n"
     "      |                         ^^^^^^^^^^^^\n"
     "      = help: did you mean 'round-robin'?\n"},
    {"a truth value in words of YAML 1.1", "shared: true", "shared: yes",
     "t.yaml:24:42: error: 'shared' must be true or false, not 'yes'\n"
     "   24 |     disks: {store: {size: 1 GiB, shared: yes}, own: {size: 64 MiB}}\n"
     "      |                                          ^^^\n"
     "      = help: write 'true'\n"},
    {"a truth value that is none", "shared: true", "shared: maybe",
     "t.yaml:24:42: error: 'shared' must be true or false, not 'maybe'\n"
     "   24 |     disks: {store: {size: 1 GiB, shared: maybe}, own: {size: 64 MiB}}\n"
     "      |                                          ^^^^^\n"
     "      = help: write 'true' or 'false'\n"},
    {"a key twice", "  switch-2: {ports: 8, mtu: 9216}", "  switch-1: {ports: 8, mtu: 9216}",
     "t.yaml:7:3: error: 'switch-1' is here twice\n"
     "    7 |   switch-1: {ports: 8, mtu: 9216}\n"
     "      |   ^^^^^^^^\n"
     "      = help: it is first in line 6; keep one of them\n"
     "t.yaml:27:33: error: unknown host, switch or array 'switch-2'\n"
     "   27 |   hv1-2: {from: hv1.iscsi2, to: switch-2.1}\n"
     "      |                                 ^^^^^^^^^^\n"
     "      = help: did you mean 'switch-1'?\n"
     "t.yaml:30:34: error: unknown host, switch or array 'switch-2'\n"
     "   30 |   san-2: {from: san1.port-b, to: switch-2.8}\n"
     "      |                                  ^^^^^^^^^^\n"
     "      = help: did you mean 'switch-1'?\n"},
    {"a name with a capital letter", "  switch-2: {", "  Switch-2: {",
     "t.yaml:7:3: error: 'Switch-2' cannot be the name of a switch\n"
     "    7 |   Switch-2: {ports: 8, mtu: 9216}\n"
     "      |   ^\n"
     "      = help: begin with a letter, go on with lower case letters, digits and dashes: "
     "'switch-1'\n"
     "t.yaml:27:33: error: unknown host, switch or array 'switch-2'\n"
     "   27 |   hv1-2: {from: hv1.iscsi2, to: switch-2.1}\n"
     "      |                                 ^^^^^^^^^^\n"
     "      = help: did you mean 'switch-1'?\n"
     "t.yaml:30:34: error: unknown host, switch or array 'switch-2'\n"
     "   30 |   san-2: {from: san1.port-b, to: switch-2.8}\n"
     "      |                                  ^^^^^^^^^^\n"
     "      = help: did you mean 'switch-1'?\n"},
    {"a reserved name", "  switch-2: {", "  all: {",
     "t.yaml:7:3: error: 'all' cannot be the name of a switch\n"
     "    7 |   all: {ports: 8, mtu: 9216}\n"
     "      |   ^^^\n"
     "      = help: 'all', 'each', 'end' and words for truth values are reserved\n"
     "t.yaml:27:33: error: unknown host, switch or array 'switch-2'\n"
     "   27 |   hv1-2: {from: hv1.iscsi2, to: switch-2.1}\n"
     "      |                                 ^^^^^^^^^^\n"
     "      = help: did you mean 'switch-1'?\n"
     "t.yaml:30:34: error: unknown host, switch or array 'switch-2'\n"
     "   30 |   san-2: {from: san1.port-b, to: switch-2.8}\n"
     "      |                                  ^^^^^^^^^^\n"
     "      = help: did you mean 'switch-1'?\n"},
    {"a truth value as a name", "  switch-2: {", "  on: {",
     "t.yaml:7:3: error: 'on' cannot be the name of a switch\n"
     "    7 |   on: {ports: 8, mtu: 9216}\n"
     "      |   ^^\n"
     "      = help: 'all', 'each', 'end' and words for truth values are reserved\n"
     "t.yaml:27:33: error: unknown host, switch or array 'switch-2'\n"
     "   27 |   hv1-2: {from: hv1.iscsi2, to: switch-2.1}\n"
     "      |                                 ^^^^^^^^^^\n"
     "      = help: did you mean 'switch-1'?\n"
     "t.yaml:30:34: error: unknown host, switch or array 'switch-2'\n"
     "   30 |   san-2: {from: san1.port-b, to: switch-2.8}\n"
     "      |                                  ^^^^^^^^^^\n"
     "      = help: did you mean 'switch-1'?\n"},
    {"a name that is too long", "  switch-2: {",
     "  ssssssssssssssssssssssssssssssssssssssssssssssssssssssssssss: {",
     "t.yaml:7:3: error: the name of a switch must have 1 to 41 characters\n"
     "    7 |   ssssssssssssssssssssssssssssssssssssssssssssssssssssssssssss: {ports: 8, mtu: "
     "9216}\n"
     "      |   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^\n"
     "      = help: shorten it; 'about' has room for more\n"
     "t.yaml:27:33: error: unknown host, switch or array 'switch-2'\n"
     "   27 |   hv1-2: {from: hv1.iscsi2, to: switch-2.1}\n"
     "      |                                 ^^^^^^^^^^\n"
     "      = help: did you mean 'switch-1'?\n"
     "t.yaml:30:34: error: unknown host, switch or array 'switch-2'\n"
     "   30 |   san-2: {from: san1.port-b, to: switch-2.8}\n"
     "      |                                  ^^^^^^^^^^\n"
     "      = help: did you mean 'switch-1'?\n"},
    {"one name for two parts", "  kvm-1: {", "  hv1: {",
     "t.yaml:26:3: error: two cables are called 'hv1-1'\n"
     "   26 |   hv1-1: {from: hv1.iscsi1, to: switch-1.1}\n"
     "      |   ^^^^^\n"
     "      = help: give one of them another name\n"
     "t.yaml:27:3: error: two cables are called 'hv1-2'\n"
     "   27 |   hv1-2: {from: hv1.iscsi2, to: switch-2.1}\n"
     "      |   ^^^^^\n"
     "      = help: give one of them another name\n"},
    {"one name for a host and a cable", "  hv1-2: {", "  hv1: {",
     "t.yaml:27:3: error: 'hv1' is the name of a host and of a cable\n"
     "   27 |   hv1: {from: hv1.iscsi2, to: switch-2.1}\n"
     "      |   ^^^\n"
     "      = help: give one of them another name\n"},
    {"one name for a NIC and a disk", "own: {size: 64 MiB}", "port-a: {size: 64 MiB}",
     "t.yaml:24:49: error: 'san1.port-a' is already the name of a NIC\n"
     "   24 |     disks: {store: {size: 1 GiB, shared: true}, port-a: {size: 64 MiB}}\n"
     "      |                                                 ^^^^^^\n"
     "      = help: give one of them another name\n"},
    {"an address without prefix", "10.0.0.101/24", "10.0.0.101",
     "t.yaml:23:30: error: 'address' is no IPv4 address: '10.0.0.101'\n"
     "   23 |     nics: {port-a: {address: 10.0.0.101}, port-b: {address: 10.0.0.102/24}}\n"
     "      |                              ^^^^^^^^^^\n"
     "      = help: say how long the subnet's prefix is: '10.0.0.101/24'\n"},
    {"an address that is none", "10.0.0.101/24", "10.0.0.400/24",
     "t.yaml:23:30: error: 'address' is no IPv4 address: '10.0.0.400/24'\n"
     "   23 |     nics: {port-a: {address: 10.0.0.400/24}, port-b: {address: 10.0.0.102/24}}\n"
     "      |                              ^^^^^^^^^^^^^\n"
     "      = help: write it with the length of its subnet's prefix: '172.16.0.53/24'\n"},
    {"the network's own address", "10.0.0.101/24", "10.0.0.0/24",
     "t.yaml:23:30: error: '10.0.0.0/24' cannot be the address of a NIC\n"
     "   23 |     nics: {port-a: {address: 10.0.0.0/24}, port-b: {address: 10.0.0.102/24}}\n"
     "      |                              ^^^^^^^^^^^\n"
     "      = help: it is the network's own; the first host is one more\n"},
    {"the broadcast address", "10.0.0.101/24", "10.0.0.255/24",
     "t.yaml:23:30: error: '10.0.0.255/24' cannot be the address of a NIC\n"
     "   23 |     nics: {port-a: {address: 10.0.0.255/24}, port-b: {address: 10.0.0.102/24}}\n"
     "      |                              ^^^^^^^^^^^^^\n"
     "      = help: it is the subnet's broadcast; the last host is one less\n"},
    {"a loopback address", "10.0.0.101/24", "127.0.0.1/24",
     "t.yaml:23:30: error: '127.0.0.1/24' cannot be the address of a NIC\n"
     "   23 |     nics: {port-a: {address: 127.0.0.1/24}, port-b: {address: 10.0.0.102/24}}\n"
     "      |                              ^^^^^^^^^^^^\n"
     "      = help: take one of a private network: 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16\n"},
    {"a prefix without room for hosts", "10.0.0.101/24", "10.0.0.101/31",
     "t.yaml:23:30: error: the prefix of 'address' must have 8 to 30 bits\n"
     "   23 |     nics: {port-a: {address: 10.0.0.101/31}, port-b: {address: 10.0.0.102/24}}\n"
     "      |                              ^^^^^^^^^^^^^\n"
     "      = help: a subnet of 254 NICs is '/24'\n"},
    {"an address twice", "10.0.0.102/24", "10.0.0.1/24",
     "t.yaml:23:64: error: 'san1.port-b' has the address of 'hv1.iscsi1'\n"
     "   23 |     nics: {port-a: {address: 10.0.0.101/24}, port-b: {address: 10.0.0.1/24}}\n"
     "      |                                                                ^^^^^^^^^^^\n"
     "      = help: 10.0.0.1/24 is taken; choose another\n"},
    {"an address that a count reaches", "10.0.0.102/24", "10.0.0.12/24",
     "t.yaml:23:64: error: 'san1.port-b' has the address of 'kvm-2.iscsi1'\n"
     "   23 |     nics: {port-a: {address: 10.0.0.101/24}, port-b: {address: 10.0.0.12/24}}\n"
     "      |                                                                ^^^^^^^^^^^^\n"
     "      = help: 10.0.0.12/24 is taken; choose another\n"},
    {"a subnet too small for the count", "10.0.0.11/24", "10.0.0.254/24",
     "t.yaml:17:30: error: the subnet of 'iscsi1' has not enough addresses for 'count'\n"
     "   17 |     nics: {iscsi1: {address: 10.0.0.254/24}}\n"
     "      |                              ^^^^^^^^^^^^^\n"
     "      = help: choose a shorter prefix, like /16, or a lower first address\n"},
    {"a MAC address that is none", "{address: 10.0.0.101/24}",
     "{address: 10.0.0.101/24, mac: 02-00-00-00-00-01}",
     "t.yaml:23:50: error: 'mac' is no MAC address: '02-00-00-00-00-01'\n"
     "   23 | ... {port-a: {address: 10.0.0.101/24, mac: 02-00-00-00-00-01}, port-b: {address: "
     "10.0.0.102/24}}\n"
     "      |                                            ^^^^^^^^^^^^^^^^^\n"
     "      = help: write six pairs of small hexadecimal digits: '02:00:00:00:00:01'\n"},
    {"a MAC address of a group", "{address: 10.0.0.101/24}",
     "{address: 10.0.0.101/24, mac: '01:00:00:00:00:01'}",
     "t.yaml:23:50: error: '01:00:00:00:00:01' is an address of a group\n"
     "   23 | ... {port-a: {address: 10.0.0.101/24, mac: '01:00:00:00:00:01'}, port-b: {address: "
     "10.0.0.102/24}}\n"
     "      |                                            ^^^^^^^^^^^^^^^^^^^\n"
     "      = help: the first pair of a NIC's own address is even: '02:...'\n"},
    {"a MAC address twice", "{address: 10.0.0.101/24}",
     "{address: 10.0.0.101/24, mac: '02:00:0a:00:00:01'}",
     "t.yaml:23:50: error: 'san1.port-a' has the MAC address of 'hv1.iscsi1'\n"
     "   23 | ... {port-a: {address: 10.0.0.101/24, mac: '02:00:0a:00:00:01'}, port-b: {address: "
     "10.0.0.102/24}}\n"
     "      |                                            ^^^^^^^^^^^^^^^^^^^\n"
     "      = help: give each NIC its own\n"},
    {"one MAC address for a count of hosts", "{address: 10.0.0.11/24}",
     "{address: 10.0.0.11/24, mac: '02:00:00:00:00:01'}",
     "t.yaml:17:49: error: one 'mac' cannot be that of several hosts\n"
     "   17 |     nics: {iscsi1: {address: 10.0.0.11/24, mac: '02:00:00:00:00:01'}}\n"
     "      |                                                 ^^^^^^^^^^^^^^^^^^^\n"
     "      = help: leave it out: each NIC gets one made from its address\n"},
    {"an iSCSI name that is none", "target: iqn.2026-01.com.example:san1", "target: san1",
     "t.yaml:22:13: error: 'target' is no iSCSI name: 'san1'\n"
     "   22 |     target: san1\n"
     "      |             ^^^^\n"
     "      = help: write one like 'iqn.2026-01.com.example:san1', in lower case, at most 223 "
     "characters\n"},
    {"a disk of no whole blocks", "size: 64 MiB", "size: 67108865 B",
     "t.yaml:24:61: error: 'size' must be whole blocks of 512 B\n"
     "   24 |     disks: {store: {size: 1 GiB, shared: true}, own: {size: 67108865 B}}\n"
     "      |                                                             ^^^^^^^^^^\n"
     "      = help: write it in MiB or GiB\n"},
    {"a block size that disks do not have", "{size: 64 MiB}", "{size: 64 MiB, block: 1 KiB}",
     "t.yaml:24:76: error: 'block' must be 512 B or 4 KiB\n"
     "   24 |     disks: {store: {size: 1 GiB, shared: true}, own: {size: 64 MiB, block: 1 KiB}}\n"
     "      |                                                                            ^^^^^\n"
     "      = help: choose one of them\n"},
    {"a profile that is not there", "profile: windows-server-2022", "profile: windows-server-2202",
     "t.yaml:10:14: error: unknown profile 'windows-server-2202': there is no "
     "'profiles/windows-server-2202.yaml'\n"
     "   10 |     profile: windows-server-2202\n"
     "      |              ^^^^^^^^^^^^^^^^^^^\n"
     "      = help: did you mean 'windows-server-2022'?\n"},
    {"a profile outside of the folder", "profile: windows-server-2022", "profile: ../windows",
     "t.yaml:10:14: error: '../windows' cannot be the name of a profile\n"
     "   10 |     profile: ../windows\n"
     "      |              ^^^^^^^^^^\n"
     "      = help: name a file of 'profiles/' without '.yaml': 'windows-server-2022'\n"},
    {"a host with an array's profile", "profile: windows-server-2022", "profile: array-generic",
     "t.yaml:10:14: error: 'array-generic' is a profile of arrays\n"
     "   10 |     profile: array-generic\n"
     "      |              ^^^^^^^^^^^^^\n"
     "      = help: a host needs one of hosts, like 'windows-server-2022'\n"},
    {"an array with a host's profile", "profile: array-generic", "profile: windows-server-2022",
     "t.yaml:21:14: error: 'windows-server-2022' is a profile of hosts\n"
     "   21 |     profile: windows-server-2022\n"
     "      |              ^^^^^^^^^^^^^^^^^^^\n"
     "      = help: an array needs one of arrays, like 'array-generic'\n"},
    {"an override that the profile does not have", "multipath: {policy: round-robin}",
     "multipath: {polizy: round-robin}",
     "t.yaml:13:17: error: unknown key 'polizy'\n"
     "   13 |     multipath: {polizy: round-robin}\n"
     "      |                 ^^^^^^\n"
     "      = help: did you mean 'policy'?\n"},
    {"overrides that contradict each other", "multipath: {policy: round-robin}",
     "path: {nop-interval: 5 s}",
     "t.yaml:13:26: error: 'nop-interval' is set without a time-out\n"
     "   13 |     path: {nop-interval: 5 s}\n"
     "      |                          ^^^\n"
     "      = help: set 'nop-timeout', or 'nop-interval: 0 s'\n"},
    {"bursts that contradict each other", "multipath: {policy: round-robin}",
     "iscsi: {first-burst: 1 MiB}",
     "t.yaml:13:26: error: 'first-burst' is longer than 'max-burst'\n"
     "   13 |     iscsi: {first-burst: 1 MiB}\n"
     "      |                          ^^^^^\n"
     "      = help: RFC 7143, 13.14: FirstBurstLength must not exceed MaxBurstLength\n"},
    {"a session from a NIC of nobody", "from: iscsi2, to: san1.port-b",
     "from: iscsi3, to: san1.port-b",
     "t.yaml:12:56: error: unknown NIC of this host 'iscsi3'\n"
     "   12 |     sessions: [{from: iscsi1, to: san1.port-a}, {from: iscsi3, to: san1.port-b}]\n"
     "      |                                                        ^^^^^^\n"
     "      = help: did you mean 'iscsi1'?\n"},
    {"a session to a NIC of nobody", "to: san1.port-b", "to: san1.port-c",
     "t.yaml:12:68: error: unknown NIC of an array 'san1.port-c'\n"
     "   12 |     sessions: [{from: iscsi1, to: san1.port-a}, {from: iscsi2, to: san1.port-c}]\n"
     "      |                                                                    ^^^^^^^^^^^\n"
     "      = help: did you mean 'san1.port-a'?\n"},
    {"a session to a NIC of a host", "to: san1.port-b", "to: hv1.iscsi1",
     "t.yaml:12:68: error: 'hv1.iscsi1' is no NIC of an array\n"
     "   12 |     sessions: [{from: iscsi1, to: san1.port-a}, {from: iscsi2, to: hv1.iscsi1}]\n"
     "      |                                                                    ^^^^^^^^^^\n"
     "      = help: a session leads to a target portal, like 'san1.port-a'\n"},
    {"a session from a NIC without address", "iscsi2: {address: 10.0.0.2/24}",
     "iscsi2: {mtu: 9000}",
     "t.yaml:12:56: error: 'hv1.iscsi2' has no address for a session\n"
     "   12 |     sessions: [{from: iscsi1, to: san1.port-a}, {from: iscsi2, to: san1.port-b}]\n"
     "      |                                                        ^^^^^^\n"
     "      = help: give that NIC an address: 'address: 172.16.0.53/24'\n"},
    {"a session between subnets", "10.0.0.102/24", "10.0.1.102/24",
     "t.yaml:12:68: error: 'hv1.iscsi2' (10.0.0.2/24) and 'san1.port-b' (10.0.1.102/24) are in "
     "different subnets\n"
     "   12 |     sessions: [{from: iscsi1, to: san1.port-a}, {from: iscsi2, to: san1.port-b}]\n"
     "      |                                                                    ^^^^^^^^^^^\n"
     "      = help: there is no router in a SAN: both ends of a session need one subnet\n"},
    {"a session twice", "{from: iscsi2, to: san1.port-b}", "{from: iscsi1, to: san1.port-a}",
     "t.yaml:12:49: error: the session 'hv1.iscsi1>san1.port-a' is here twice\n"
     "   12 |     sessions: [{from: iscsi1, to: san1.port-a}, {from: iscsi1, to: san1.port-a}]\n"
     "      |                                                 ^\n"
     "      = help: a second session over the same path adds no path: remove one\n"},
    {"two preferred sessions",
     "sessions: [{from: iscsi1, to: san1.port-a}, {from: iscsi2, to: san1.port-b}]",
     "sessions: [{from: iscsi1, to: san1.port-a, preferred: true}, {from: iscsi2, to: san1.port-b, "
     "preferred: true}]",
     "t.yaml:12:109: error: host 'hv1' has two preferred sessions\n"
     "   12 | ...om: iscsi2, to: san1.port-b, preferred: true}]\n"
     "      |                                            ^^^^\n"
     "      = help: 'hv1.iscsi1>san1.port-a' is the first: keep one of them\n"},
    {"a cable with one end", "{from: san1.port-b, to: switch-2.8}", "{from: san1.port-b}",
     "t.yaml:30:3: error: cable 'san-2' lacks 'to'\n"
     "   30 |   san-2: {from: san1.port-b}\n"
     "      |   ^^^^^\n"
     "      = help: add 'to:' (a NIC or a switch port: 'switch-1.1')\n"},
    {"two cables in one port", "to: switch-1.2", "to: switch-1.1",
     "t.yaml:28:33: error: cable 'hv1-1' is already in 'switch-1.1'\n"
     "   28 |   kvm-1: {from: kvm.iscsi1, to: switch-1.1}\n"
     "      |                                 ^^^^^^^^^^\n"
     "      = help: one cable fits: choose another port\n"},
    {"two cables in one NIC", "from: hv1.iscsi2", "from: hv1.iscsi1",
     "t.yaml:27:17: error: cable 'hv1-1' is already in 'hv1.iscsi1'\n"
     "   27 |   hv1-2: {from: hv1.iscsi1, to: switch-2.1}\n"
     "      |                 ^^^^^^^^^^\n"
     "      = help: one cable fits: choose another NIC\n"},
    {"a port that the switch does not have", "to: switch-1.8", "to: switch-1.9",
     "t.yaml:29:43: error: 'switch-1' has no port '9'\n"
     "   29 |   san-1: {from: san1.port-a, to: switch-1.9}\n"
     "      |                                           ^\n"
     "      = help: its ports are 1 to 8\n"},
    {"a cable to a box that is not there", "to: switch-1.8", "to: swich-1.8",
     "t.yaml:29:34: error: unknown host, switch or array 'swich-1'\n"
     "   29 |   san-1: {from: san1.port-a, to: swich-1.8}\n"
     "      |                                  ^^^^^^^^^\n"
     "      = help: did you mean 'switch-1'?\n"},
    {"a cable to a NIC that is not there", "from: hv1.iscsi2", "from: hv1.iscsi22",
     "t.yaml:27:21: error: 'hv1' has no NIC 'iscsi22'\n"
     "   27 |   hv1-2: {from: hv1.iscsi22, to: switch-2.1}\n"
     "      |                     ^^^^^^^\n"
     "      = help: did you mean 'iscsi2'?\n"},
    {"a cable to a whole box", "to: switch-1.8", "to: switch-1",
     "t.yaml:29:34: error: 'switch-1' is neither a NIC nor a switch port\n"
     "   29 |   san-1: {from: san1.port-a, to: switch-1}\n"
     "      |                                  ^^^^^^^^\n"
     "      = help: write 'hv1.iscsi1' or 'switch-1.24'\n"},
    {"the cables of a count in one NIC", "to: switch-1.2", "to: san1.port-a",
     "t.yaml:28:33: error: 2 cables cannot end in one NIC\n"
     "   28 |   kvm-1: {from: kvm.iscsi1, to: san1.port-a}\n"
     "      |                                 ^^^^^^^^^^^\n"
     "      = help: lead the cables of a host with 'count' to ports of a switch\n"},
    {"more hosts than ports", "to: switch-1.2", "to: switch-1.8",
     "t.yaml:28:33: error: 'switch-1' has not enough ports for 'count'\n"
     "   28 |   kvm-1: {from: kvm.iscsi1, to: switch-1.8}\n"
     "      |                                 ^^^^^^^^^^\n"
     "      = help: give it more ports, or begin at a lower one\n"
     "t.yaml:29:34: error: cable 'kvm-1-1' is already in 'switch-1.8'\n"
     "   29 |   san-1: {from: san1.port-a, to: switch-1.8}\n"
     "      |                                  ^^^^^^^^^^\n"
     "      = help: one cable fits: choose another port\n"},
    {"a loop of switches", "  san-2: {from: san1.port-b, to: switch-2.8}",
     "  san-2: {from: san1.port-b, to: switch-2.8}\n"
     "  isl-1: {from: switch-1.4, to: switch-2.4}\n"
     "  isl-2: {from: switch-1.5, to: switch-2.5}",
     "t.yaml:32:3: error: cable 'isl-2' closes a loop of switches\n"
     "   32 |   isl-2: {from: switch-1.5, to: switch-2.5}\n"
     "      |   ^^^^^\n"
     "      = help: no spanning tree is simulated: frames would circle for ever; remove it, or "
     "block a port of the ring: 'port-settings: {5: {blocked: true}}'\n"},
    {"a port-settings of no port", "mtu: 9216", "port-settings: {9: {vlan: 10}}",
     "t.yaml:7:40: error: 'switch-2' has no ports '9'\n"
     "    7 |   switch-2: {ports: 8, port-settings: {9: {vlan: 10}}}\n"
     "      |                                        ^\n"
     "      = help: its ports are 1 to 8; write 7 or 2-8\n"},
    {"a range of ports the wrong way round", "mtu: 9216", "port-settings: {8-2: {vlan: 10}}",
     "t.yaml:7:40: error: 'switch-2' has no ports '8-2'\n"
     "    7 |   switch-2: {ports: 8, port-settings: {8-2: {vlan: 10}}}\n"
     "      |                                        ^^^\n"
     "      = help: its ports are 1 to 8; write 7 or 2-8\n"},
    {"a port that is set twice", "mtu: 9216", "port-settings: {1-4: {vlan: 10}, 4: {vlan: 20}}",
     "t.yaml:7:57: error: port 4 is set twice\n"
     "    7 |   switch-2: {ports: 8, port-settings: {1-4: {vlan: 10}, 4: {vlan: 20}}}\n"
     "      |                                                         ^\n"
     "      = help: name each port once\n"},
    {"a VLAN past the last", "mtu: 9216", "port-settings: {8: {vlan: 4095}}",
     "t.yaml:7:50: error: 'vlan' must be 1 to 4094, not 4095\n"
     "    7 |   switch-2: {ports: 8, port-settings: {8: {vlan: 4095}}}\n"
     "      |                                                  ^^^^\n"
     "      = help: choose a value in that range\n"},
    {"a trunk with what is no VLAN", "mtu: 9216", "port-settings: {8: {trunk: [10, 20-4095]}}",
     "t.yaml:7:56: error: '20-4095' is no VLAN\n"
     "    7 |   switch-2: {ports: 8, port-settings: {8: {trunk: [10, 20-4095]}}}\n"
     "      |                                                        ^^^^^^^\n"
     "      = help: write a number from 1 to 4094, or a range like 10-20\n"},
    {"a trunk of nothing", "mtu: 9216", "port-settings: {8: {trunk: []}}",
     "t.yaml:7:51: error: 'trunk' names no VLAN\n"
     "    7 |   switch-2: {ports: 8, port-settings: {8: {trunk: []}}}\n"
     "      |                                                   ^\n"
     "      = help: write those that it carries: [10, 20], or 'all'\n"},
    {"a native VLAN that the trunk does not carry", "mtu: 9216",
     "port-settings: {8: {trunk: 10, native: 5}}",
     "t.yaml:7:63: error: the trunk does not carry VLAN 5\n"
     "    7 |   switch-2: {ports: 8, port-settings: {8: {trunk: 10, native: 5}}}\n"
     "      |                                                               ^\n"
     "      = help: name it in 'trunk', too, or leave 'native' out: frames without a tag are then "
     "dropped\n"},
    {"an access VLAN of a trunk", "mtu: 9216", "port-settings: {8: {trunk: all, vlan: 5}}",
     "t.yaml:7:56: error: 'vlan' is for an access port\n"
     "    7 |   switch-2: {ports: 8, port-settings: {8: {trunk: all, vlan: 5}}}\n"
     "      |                                                        ^^^^\n"
     "      = help: the VLAN of a trunk's frames without a tag is its 'native'\n"},
    {"a native VLAN of an access port", "mtu: 9216", "port-settings: {8: {native: 5}}",
     "t.yaml:7:44: error: 'native' is for a trunk\n"
     "    7 |   switch-2: {ports: 8, port-settings: {8: {native: 5}}}\n"
     "      |                                            ^^^^^^\n"
     "      = help: the one VLAN of an access port is its 'vlan'\n"},
    {"a switch that resumes before it pauses", "mtu: 9216", "pause-at: 32 KiB",
     "t.yaml:7:34: error: 'resume-at' must be less than 'pause-at'\n"
     "    7 |   switch-2: {ports: 8, pause-at: 32 KiB}\n"
     "      |                                  ^^^^^^\n"
     "      = help: half of it is usual\n"},
    {"a threshold that no switch chip has", "mtu: 9216", "buffer-alpha: 3",
     "t.yaml:7:38: error: unknown buffer-alpha '3'\n"
     "    7 |   switch-2: {ports: 8, buffer-alpha: 3}\n"
     "      |                                      ^\n"
     "      = help: did you mean '1'?\n"},
    {"too many hosts", "count: 2", "count: 1001",
     "t.yaml:16:12: error: 'count' must be 1 to 1000, not 1001\n"
     "   16 |     count: 1001\n"
     "      |            ^^^^\n"
     "      = help: choose a value in that range\n"},
    {"a host with a count twice, of which one has more NICs", "  kvm:\n",
     "  kvm:\n    profile: windows-server-2022\n"
     "    nics: {a: {}, b: {}, c: {}, d: {}, e: {}, f: {}, g: {}, iscsi1: {}}\n  kvm:\n",
     "t.yaml:14:3: error: host 'kvm' has no session\n"
     "   14 |   kvm:\n"
     "      |   ^^^\n"
     "      = help: give it one per path: 'sessions: [{from: iscsi1, to: san1.port-a}]'\n"
     "t.yaml:17:3: error: 'kvm' is here twice\n"
     "   17 |   kvm:\n"
     "      |   ^^^\n"
     "      = help: it is first in line 14; keep one of them\n"},
    {"a host without a session",
     "sessions: [{from: iscsi1, to: san1.port-a}, {from: iscsi2, to: san1.port-b}]", "sessions: []",
     "t.yaml:12:5: error: host 'hv1' has no session\n"
     "   12 |     sessions: []\n"
     "      |     ^^^^^^^^\n"
     "      = help: give it one per path: 'sessions: [{from: iscsi1, to: san1.port-a}]'\n"},
    {"a secret that is too short", "    multipath: {policy: round-robin}",
     "    chap: {secret: 11-bytes-is}",
     "t.yaml:13:20: error: CHAP of 'iqn.2026-01.com.example:hv1': the secret is shorter than 12 "
     "bytes (96 bits; RFC 7143, 9.2.1)\n"
     "      = help: a secret has 12 to 255 bytes, a name 1 to 255\n"},
    {"a secret that is too long for this host", "    multipath: {policy: round-robin}",
     "    chap: {secret: seventeen-bytes-1}",
     "t.yaml:13:20: error: the secret has 17 bytes, and this host takes at most 16\n"
     "      = help: shorten it, or set 'path: {chap-secret-most: ...}' of the host\n"},
    {"one secret for both directions", "    multipath: {policy: round-robin}",
     "    chap: {secret: same-for-both}\n    chap-target: {user: san1, secret: same-for-both}",
     "t.yaml:14:39: error: 'iqn.2026-01.com.example:hv1' and 'san1' prove themselves to each other "
     "with one secret\n"
     "      = help: give each direction its own (RFC 7143, 12.1.3)\n"},
    {"one secret for both directions of a session", "to: san1.port-b}]",
     "to: san1.port-b, chap: {secret: same-for-both}, chap-target: {user: s, secret: "
     "same-for-both}}]",
     "t.yaml:12:143: error: 'iqn.2026-01.com.example:hv1' and 's' prove themselves to each other "
     "with one secret\n"
     "      = help: give each direction its own (RFC 7143, 12.1.3)\n"},
    {"proof asked for and none given", "    multipath: {policy: round-robin}",
     "    chap-target: {user: san1, secret: twelve-bytes}",
     "t.yaml:13:39: error: 'chap-target' without 'chap': who asks for proof has to give some\n"
     "      = help: add 'chap: {secret: ...}' beside it\n"},
    {"a user without a secret", "    multipath: {policy: round-robin}", "    chap: {user: hv1}",
     "t.yaml:13:5: error: identity 'chap' lacks 'secret'\n"
     "   13 |     chap: {user: hv1}\n"
     "      |     ^^^^\n"
     "      = help: add 'secret:' (12 to 255 bytes, in plain text; each direction has its own)\n"},
    {"a secret without a user", "    target: iqn.2026-01.com.example:san1",
     "    target: iqn.2026-01.com.example:san1\n    chap: [{secret: twelve-bytes}]",
     "t.yaml:23:12: error: the identity lacks 'user'\n"
     "   23 |     chap: [{secret: twelve-bytes}]\n"
     "      |            ^\n"
     "      = help: add 'user:' (its name: CHAP_N)\n"},
    {"a user twice", "    target: iqn.2026-01.com.example:san1",
     "    target: iqn.2026-01.com.example:san1\n    chap: [{user: u, secret: twelve-bytes}, {user: "
     "u, secret: twelve-more-b}]",
     "t.yaml:23:52: error: the user 'u' is here twice\n"
     "      = help: a name has one secret: keep one of them\n"},
    {"an array with the secret of a user", "    target: iqn.2026-01.com.example:san1",
     "    target: iqn.2026-01.com.example:san1\n    chap: [{user: u, secret: twelve-bytes}]\n"
     "    chap-own: {secret: twelve-bytes}",
     "t.yaml:23:30: error: 'u' and 'iqn.2026-01.com.example:san1' prove themselves to each other "
     "with one secret\n"
     "      = help: give each direction its own (RFC 7143, 12.1.3)\n"},
    {"an array that proves itself to nobody", "    target: iqn.2026-01.com.example:san1",
     "    target: iqn.2026-01.com.example:san1\n    chap-own: {secret: twelve-bytes}",
     "t.yaml:23:24: error: 'chap-own' answers those who authenticate: nobody has to\n"
     "      = help: say who may log in: 'chap: [{user: ..., secret: ...}]'\n"},
    {"a secret that is no value", "    multipath: {policy: round-robin}",
     "    chap: {secret: [a, b]}",
     "t.yaml:13:20: error: 'secret' must be a value, not a list\n"
     "   13 |     chap: {secret: [a, b]}\n"
     "      |                    ^\n"
     "      = help: write one value after the colon\n"},
    {"a file of another kind", "kind: topology", "kind: profile",
     "t.yaml:1:7: error: 'kind' must be 'topology', not 'profile'\n"
     "    1 | kind: profile\n"
     "      |       ^^^^^^^\n"
     "      = help: is this the right kind of file?\n"},
    {"a format of the future", "format: 1", "format: 2",
     "t.yaml:2:9: error: 'format' must be '1', not '2'\n"
     "    2 | format: 2\n"
     "      |         ^\n"
     "      = help: this program knows format 1; a newer program may know more\n"},
    {"an uplink with an address", "10.0.0.2/24}}", "10.0.0.2/24, behind: iscsi1}}",
     "t.yaml:11:83: error: 'hv1.iscsi1' cannot be an uplink: it has an address\n"
     "   11 |     nics: {iscsi1: {address: 10.0.0.1/24}, iscsi2: {address: 10.0.0.2/24, behind: "
     "iscsi1}}\n"
     "      |                                                                                   "
     "^^^^^^\n"
     "      = help: an uplink is a physical NIC without 'address'\n"},
    {"a NIC behind itself", "10.0.0.2/24}}", "10.0.0.2/24, behind: iscsi2}}",
     "t.yaml:11:83: error: 'hv1.iscsi2' cannot be an uplink: it is the NIC itself\n"
     "   11 |     nics: {iscsi1: {address: 10.0.0.1/24}, iscsi2: {address: 10.0.0.2/24, behind: "
     "iscsi2}}\n"
     "      |                                                                                   "
     "^^^^^^\n"
     "      = help: an uplink is a physical NIC without 'address'\n"},
    {"an uplink that is not there", "10.0.0.2/24}}", "10.0.0.2/24, behind: nic9}}",
     "t.yaml:11:83: error: there is no NIC 'nic9' of a host\n"
     "   11 |     nics: {iscsi1: {address: 10.0.0.1/24}, iscsi2: {address: 10.0.0.2/24, behind: "
     "nic9}}\n"
     "      |                                                                                   "
     "^^^^\n"
     "      = help: write 'nic1' for one of this host, 'hv1.nic1' for one of another\n"},
    {"an uplink that is the array's", "10.0.0.2/24}}", "10.0.0.2/24, behind: san1.port-a}}",
     "t.yaml:11:83: error: there is no NIC 'san1.port-a' of a host\n"
     "   11 |     nics: {iscsi1: {address: 10.0.0.1/24}, iscsi2: {address: 10.0.0.2/24, behind: "
     "san1.port-a}}\n"
     "      |                                                                                   "
     "^^^^^^^^^^^\n"
     "      = help: write 'nic1' for one of this host, 'hv1.nic1' for one of another\n"},
};

static struct change_row warned[] = {
    {"a NIC without a cable is worth a warning", "  san-2: {from: san1.port-b, to: switch-2.8}\n",
     "",
     "t.yaml:23:46: warning: no cable is in 'san1.port-b'\n"
     "   23 |     nics: {port-a: {address: 10.0.0.101/24}, port-b: {address: 10.0.0.102/24}}\n"
     "      |                                              ^^^^^^\n"
     "      = help: add one under 'cables', or remove the NIC\n"},
    {"a session that no cables carry is worth a warning", "to: switch-2.8", "to: switch-1.7",
     "t.yaml:11:44: warning: no cables lead from 'hv1.iscsi2' to 'san1.port-b'\n"
     "   11 |     nics: {iscsi1: {address: 10.0.0.1/24}, iscsi2: {address: 10.0.0.2/24}}\n"
     "      |                                            ^^^^^^\n"
     "      = help: the session between them can never log in\n"},
    {"a session whose ends are in different VLANs is worth a warning", "mtu: 9216",
     "port-settings: {8: {vlan: 10}}",
     "t.yaml:11:44: warning: no VLAN leads from 'hv1.iscsi2' to 'san1.port-b'\n"
     "   11 |     nics: {iscsi1: {address: 10.0.0.1/24}, iscsi2: {address: 10.0.0.2/24}}\n"
     "      |                                            ^^^^^^\n"
     "      = help: the session between them can never log in: look at 'port-settings' along the "
     "way\n"},
    {"a session over a blocked port is worth a warning", "mtu: 9216",
     "port-settings: {8: {blocked: true}}",
     "t.yaml:11:44: warning: no VLAN leads from 'hv1.iscsi2' to 'san1.port-b'\n"
     "   11 |     nics: {iscsi1: {address: 10.0.0.1/24}, iscsi2: {address: 10.0.0.2/24}}\n"
     "      |                                            ^^^^^^\n"
     "      = help: the session between them can never log in: look at 'port-settings' along the "
     "way\n"},
    {"a login without a secret is worth a warning", "    target: iqn.2026-01.com.example:san1",
     "    target: iqn.2026-01.com.example:san1\n    chap: [{user: u, secret: twelve-bytes}]",
     "t.yaml:12:16: warning: 'san1' refuses the login of 'hv1.iscsi1>san1.port-a': it asks for "
     "CHAP, and none is given\n"
     "      = help: the path comes up when both have the same user and secret\n"
     "t.yaml:12:49: warning: 'san1' refuses the login of 'hv1.iscsi2>san1.port-b': it asks for "
     "CHAP, and none is given\n"
     "      = help: the path comes up when both have the same user and secret\n"
     "t.yaml:18:16: warning: 'san1' refuses the login of 'kvm-1.iscsi1>san1.port-a': it asks for "
     "CHAP, and none is given\n"
     "      = help: the path comes up when both have the same user and secret\n"},
    {"a secret that nobody asks for is worth a warning", "    multipath: {policy: round-robin}",
     "    chap: {secret: twelve-bytes}",
     "t.yaml:12:16: warning: 'san1' refuses the login of 'hv1.iscsi1>san1.port-a': the host "
     "insists on CHAP, and it asks nobody for that\n"
     "      = help: the path comes up when both have the same user and secret\n"
     "t.yaml:12:49: warning: 'san1' refuses the login of 'hv1.iscsi2>san1.port-b': the host "
     "insists on CHAP, and it asks nobody for that\n"
     "      = help: the path comes up when both have the same user and secret\n"},
    {"a session with a wrong secret is worth a warning",
     "to: san1.port-b}]\n    multipath: {policy: round-robin}\n  kvm:\n    profile: "
     "linux-6.1-dm-multipath\n    count: 2\n    nics: {iscsi1: {address: 10.0.0.11/24}}\n    "
     "sessions: [{from: iscsi1, to: san1.port-a}]\narrays:\n  san1:\n",
     "to: san1.port-b, chap: {user: u, secret: secret-of-14-b}}]\n    chap: {user: u, secret: "
     "twelve-bytes}\n  kvm:\n    profile: linux-6.1-dm-multipath\n    count: 2\n    nics: {iscsi1: "
     "{address: 10.0.0.11/24}}\n    chap: {user: v, secret: twelve-bytes}\n    sessions: [{from: "
     "iscsi1, to: san1.port-a}]\narrays:\n  san1:\n    chap: [{user: u, secret: twelve-bytes}]\n",
     "t.yaml:12:49: warning: 'san1' refuses the login of 'hv1.iscsi2>san1.port-b': it has another "
     "secret for the user\n"
     "      = help: the path comes up when both have the same user and secret\n"
     "t.yaml:19:16: warning: 'san1' refuses the login of 'kvm-1.iscsi1>san1.port-a': it does not "
     "know the user\n"
     "      = help: the path comes up when both have the same user and secret\n"},
    {"a discovery without a secret is worth a warning", "    target: iqn.2026-01.com.example:san1",
     "    target: iqn.2026-01.com.example:san1\n    discovery-chap: [{user: u, secret: "
     "twelve-bytes}]",
     "t.yaml:9:3: warning: 'san1' refuses the discovery of 'hv1': it asks for CHAP, and none is "
     "given\n"
     "      = help: 'discovery-chap' of both must agree\n"
     "t.yaml:14:3: warning: 'san1' refuses the discovery of 'kvm-1': it asks for CHAP, and none is "
     "given\n"
     "      = help: 'discovery-chap' of both must agree\n"},
    {"proof that an array does not give is worth a warning",
     "    multipath: {policy: round-robin}\n  kvm:\n    profile: linux-6.1-dm-multipath\n    "
     "count: 2\n    nics: {iscsi1: {address: 10.0.0.11/24}}\n    sessions: [{from: iscsi1, to: "
     "san1.port-a}]\narrays:\n  san1:\n",
     "    chap: {user: u, secret: twelve-bytes}\n    chap-target: {user: san1, secret: "
     "twelve-more-b}\n  kvm:\n    profile: linux-6.1-dm-multipath\n    count: 2\n    nics: "
     "{iscsi1: {address: 10.0.0.11/24}}\n    chap: {user: u, secret: twelve-bytes}\n    sessions: "
     "[{from: iscsi1, to: san1.port-a}]\narrays:\n  san1:\n    chap: [{user: u, secret: "
     "twelve-bytes}]\n",
     "t.yaml:12:16: warning: 'san1' refuses the login of 'hv1.iscsi1>san1.port-a': the host wants "
     "proof of it, and it has no 'chap-own'\n"
     "      = help: the path comes up when both have the same user and secret\n"
     "t.yaml:12:49: warning: 'san1' refuses the login of 'hv1.iscsi2>san1.port-b': the host wants "
     "proof of it, and it has no 'chap-own'\n"
     "      = help: the path comes up when both have the same user and secret\n"},
};

static void tells_what_is_wrong(void **state)
{
    const struct change_row *row = *state;
    char *topology = replaced(good_topology, row->find, row->with);
    struct test_reader reader = test_reader_of(topology, good_scenario);

    expect_errors(&reader, NULL, 0, row->expected);
    free(topology);
}

int main(void)
{
    TEST_ROWS(refused, tells_what_is_wrong);
    TEST_ROWS(warned, tells_what_is_wrong);
    return TEST_RUN("lab.topology_refusals");
}
