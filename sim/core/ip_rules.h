/* How a host with several NICs treats its addresses (RFC 1122, 3.3.4.2): the knobs of IPv4 and ARP
 * that operating systems differ in.
 *
 * Strong host: an address belongs to its NIC. A packet leaves by the NIC that owns its source
 * address, and one that arrives elsewhere is dropped. Weak host: an address belongs to the host. A
 * packet leaves by the first NIC that stands in the network of its receiver, whatever its source
 * address is, unless the socket is bound to a NIC; and what arrives for any address on any NIC is
 * taken. With two NICs in one subnet that makes the difference between two paths and one.
 */
#pragma once

/* X-macros: enumerator, word in files. The first of each is what 0 means. */
#define HOST_MODELS(X)                                                                             \
    X(HOST_STRONG, "strong") /* Windows since Vista */                                             \
    X(HOST_WEAK, "weak")     /* Linux */

/* Of a weak host: what its sessions are bound to. */
#define SESSION_BINDINGS(X)                                                                        \
    X(BOUND_TO_NIC, "nic")         /* SO_BINDTODEVICE, as by an open-iscsi iface */                \
    X(BOUND_TO_ADDRESS, "address") /* bind() only: the route chooses the NIC */

/* Of a weak host: which ARP requests a NIC answers. */
#define ARP_ANSWERS(X)                                                                             \
    X(ARP_ANSWERS_ANY, "any") /* arp_ignore 0: for any address of the host (ARP flux) */           \
    X(ARP_ANSWERS_OWN, "own") /* arp_ignore 1: for the addresses of this NIC */

/* Of a weak host: the sender's address in its ARP requests. */
#define ARP_SENDERS(X)                                                                             \
    X(ARP_SENDS_ANY, "any") /* arp_announce 0: the source of the packet that is to be sent */      \
    X(ARP_SENDS_OWN, "own") /* arp_announce 2: an address of the NIC that asks */

/* Of a weak host: a packet whose answer would leave by another NIC (RFC 3704, 2.2). */
#define REVERSE_PATHS(X)                                                                           \
    X(REVERSE_PATH_ANY, "any")       /* rp_filter 0, or 2 (loose) where there is one network */    \
    X(REVERSE_PATH_STRICT, "strict") /* rp_filter 1: is dropped, and ARP of it not heard */

#define X(name, word) name,
enum host_model { HOST_MODELS(X) };
enum session_binding { SESSION_BINDINGS(X) };
enum arp_answers { ARP_ANSWERS(X) };
enum arp_senders { ARP_SENDERS(X) };
enum reverse_path { REVERSE_PATHS(X) };
#undef X

struct ip_rules {
    enum host_model model;
    enum session_binding binding;
    enum arp_answers arp_answers;
    enum arp_senders arp_senders;
    enum reverse_path reverse_path;
};
