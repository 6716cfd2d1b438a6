/**
 * Errors. Every failure that a user can meet is a MeshError with a code from the table below. HTTP status and exit code
 * come from this table, too. Scripts and bug reports quote the code, so codes do not change lightly.
 */
import { BACKUP_ERRORS } from './backup-errors.ts';
import {
  away,
  conflict,
  denied,
  type ErrorClass,
  gone,
  input,
  absent as missing,
  system,
  usage,
} from './error-class.ts';
import { MIRROR_ERRORS } from './mirror-errors.ts';
import { RENAMED } from './renamed-errors.ts';

/** Exit codes of `mesh`, and what each means. */
export const EXIT_CODES: Readonly<Record<number, string>> = {
  0: 'Done, and well.',
  1: 'The input is wrong, or the network is not as it should be.',
  2: 'The command line is wrong.',
  3: 'No answer: a process is not running, or host0 is out of reach.',
  4: 'Not allowed.',
  5: 'The system refused: the kernel, the disk, or a fault of Meshwork.',
  6: 'What was named does not exist.',
};

/** All codes and their meanings. docs/reference/errors.md is made from this table. */
export const ERRORS = {
  MESH_CONF_BINARY: input('A file of settings is not text.'),
  MESH_CONF_TOO_LARGE: input('A file of settings is larger than such a file can sensibly be.'),
  MESH_CONF_LINE_TOO_LONG: input('A line of a file of settings is longer than any valid line.'),
  MESH_CONF_SYNTAX: input('A line of a file of settings is not `key=value`.'),
  MESH_CONF_KEY_UNKNOWN: input('A file of settings has a key that does not exist.'),
  MESH_CONF_KEY_TWICE: input('A file of settings gives one key twice.'),
  MESH_CONF_KEY_MISSING: input('A file of settings lacks a key that it must have.'),
  MESH_CONF_SHELL: input('A line of a network file has another value for a shell that reads it; a warning.'),
  MESH_CONF_UNREADABLE: system('A file of settings, or the directory of network files, cannot be read.'),
  MESH_NET_NAME_INVALID: input('The name of a network is not a plain word.'),
  MESH_NET_PREFIX_INVALID: input('The prefix of a network is not an IPv6 subnet.'),
  MESH_NET_PREFIX_NOT_64: input('The prefix of a network is not a /64.'),
  MESH_NET_PREFIX_HOST_BITS: input('The prefix of a network has bits set behind its length.'),
  MESH_NET_PREFIX_SCOPE: input('The prefix of a network is link-local, multicast or otherwise not usable for hosts.'),
  MESH_NET_PREFIX_UNDERLAY: input('The prefix of a network overlaps one that the physical network uses.'),
  MESH_NET_VNI_INVALID: input('The VNI of a network is not a number.'),
  MESH_NET_VNI_RANGE: input('The VNI of a network is not between 1 and 16777215.'),
  MESH_NET_KEY_INVALID: input('The address key of a network is not a number that fits into 64 bits.'),
  MESH_NET_KEY_SHARED: input('Two networks have the same address key; a warning.'),
  MESH_NET_NUMBER_FORM: input('A number of a network is written with leading zeros.'),
  MESH_NET_INVALID: input('The parts of a network do not fit each other.'),
  MESH_NET_IN_USE: conflict('A network with ports cannot be deleted.'),
  MESH_NET_SOURCE: conflict('A network is changed only where it is defined.'),
  MESH_NET_ACTIVE: conflict('A network is active, and cannot be made a second time.'),
  MESH_NET_INACTIVE: conflict('A network is stopped, and what was asked for needs a running one.'),
  MESH_NET_TRANSIENT: conflict('A network is not defined, and what was asked for needs a definition.'),
  MESH_NET_UUID_TWICE: conflict('The UUID of a network is that of another one, or the network has another one.'),
  MESH_NET_GROUP: conflict('The multicast group of a network is that of a well-known service; a warning.'),
  MESH_NET_NOT_SUPPORTED: conflict('A network has a part that this version does not carry out, and is not started.'),
  MESH_NET_NUMBERS_EXHAUSTED: conflict('All numbers of networks that host0 may allocate are taken.'),
  MESH_NET_NUMBER_TWICE: conflict('Two networks have the same number.'),
  MESH_NET_PREFIXES_EXHAUSTED: conflict('All prefixes of networks that host0 may allocate are taken.'),
  MESH_NET_ADDRESSES_EXHAUSTED: conflict('A subnet of a network has no address left for a node.'),
  MESH_DHCP_RANGE: input('A range of addresses is not in its subnet, is turned round, or overlaps another one.'),
  MESH_DHCP_RANGE_SMALL: conflict('A range has fewer addresses than nodes that give from it.'),
  MESH_DHCP_RESERVATION: input('A reservation does not fit its subnet, or is there twice.'),
  MESH_PORT_IDS_EXHAUSTED: conflict('All ids of ports have been given out.'),
  MESH_NET_NAME_TWICE: conflict('Two networks have the same name.'),
  MESH_NET_VNI_TWICE: conflict('Two networks have the same VNI.'),
  MESH_NET_PREFIX_TWICE: conflict('Two networks have the same prefix.'),
  MESH_NET_SUBNET_IN_USE: conflict(
    'Another network, or a link of the machine, has addresses in a subnet of a network.',
  ),
  MESH_NET_DEVICE_TWICE: conflict('Two networks would need devices of the same name.'),
  MESH_SEGMENT_UNNAMED: conflict('host0 cannot tell whether nodes are on the network of a NIC; a warning.'),
  MESH_SEGMENT_OUTSIDE: conflict(
    'Packets of nodes come from an address that is on no segment of host0, or host0 has no way to a subnet of nodes; a warning.',
  ),
  MESH_SEGMENT_ABSENT: missing(
    'A setting of host0.conf names a network device that this machine does not have; a warning.',
  ),
  MESH_HOST0_CONF_INVALID: input('A setting of host0.conf is wrong.'),
  MESH_HOST0_CONF_PENDING: conflict('A setting of host0.conf is not in force before host0 is restarted; a warning.'),
  MESH_MANIFEST_INVALID: input('A line of a manifest is wrong.'),
  MESH_MANIFEST_SOURCE: input('A manifest names a file that host0 does not have, or cannot read.'),
  MESH_MANIFEST_TARGET: input('A manifest puts something where it cannot be, or where it would lock host0 out.'),
  MESH_MANIFEST_SETUID: input('A manifest gives every user of a file the rights of its owner or group; a warning.'),
  MESH_MACHINE_FOLDER: input('A folder of /host0/machines or /host0/groups lacks a file, or has a wrong one.'),
  MESH_GROUP_UNKNOWN: input('A machine names a group that does not exist.'),
  MESH_MACHINE_TWICE: conflict('Two folders are for the same machine.'),
  MESH_DISK_REFUSED: system('The disk did not take a file.'),
  MESH_STATE_DAMAGED: system('A file that Meshwork itself writes and keeps cannot be read, or is not what it wrote.'),
  MESH_STATE_LATER: system('A file that Meshwork keeps is of a later version of Meshwork; it is left as it is.'),
  MESH_NET_NOT_SERVED: conflict('A service of a network is not ready in the time that was given.'),
  MESH_NET_UNKNOWN: missing('There is no such network on this machine.'),
  MESH_NODE_NAME: input('The name of a node cannot stand in a member list, has changed, or is that of another.'),
  MESH_NODE_UNKNOWN: missing('There is no such node or member.'),
  MESH_NODE_OFFLINE: away('A node that should do something is offline.'),
  MESH_NODE_NO_CONTROL: denied('A node does not take commands from this host0.'),
  MESH_NODE_IMPOSTOR: denied("The machine at a node's address does not have the key that host0 gave that node."),
  MESH_CHANNEL_DOWN: away('A node has no channel to host0.'),
  MESH_CHANNEL_FOREIGN: denied(
    'What asks host0 for a channel does not speak as a node does: a stranger, or an attack.',
  ),
  MESH_CHANNEL_KEY_UNKNOWN: denied('A node asks host0 for a channel with a key that host0 does not know.'),
  MESH_CHANNEL_KEY_DIFFERS: denied('host0 and a machine that asks it for a channel have different keys.'),
  MESH_CHANNEL_IMPOSTOR: denied("A machine that is not host0 answers at host0's address."),
  MESH_OBJECT_UNKNOWN: missing('What was named does not exist: a device, an address, a file, a lab, a path of an API.'),
  MESH_ADDRESS_UNMAPPABLE: conflict('No network of a virtual machine has both addresses and NAT64.'),
  MESH_ADDRESS_MAPPED: conflict('An IPv4 address, or all of a block, lead to other virtual machines.'),
  MESH_ADDRESS_INVALID: input('Something is not the IPv4, IPv6 or Ethernet address that it should be.'),
  MESH_MACHINE_INVALID: input('A machine id is not 8 lower-case hex digits.'),
  MESH_MACHINE_UNREADABLE: system('What identifies this machine, or this boot of it, cannot be read or made.'),
  MESH_MACHINE_NONE: system('Nothing about this machine gives it an id.'),
  MESH_MACHINE_UNFIT: conflict('The doctor found a setting or a program of a machine that harms a mesh.'),
  MESH_UNDERLAY_UNFIT: conflict('The underlay, or a link of this machine to it, does not carry what a mesh sends.'),
  MESH_NIC_UNFIT: conflict('A network card, or the files that configure it, do not fit a bridge.'),
  MESH_UNDERLAY_DEVICE: conflict('The underlay device of a network has another name here, which is not supported.'),
  MESH_ROUTER_SILENT: away(
    'No node that can be the router of a network is heard: what exists once there is not served.',
  ),
  MESH_MULTICAST_SILENT: conflict('Multicast does not pass between nodes of a network with multicast peers.'),
  MESH_MULTICAST_SEGMENT: conflict('A network with multicast peers cannot cross from one segment to another.'),
  MESH_MEMBER_DOUBLE: conflict('Two live machines have one identity; the newcomer is refused.'),
  MESH_MEMBER_FORGED: denied(
    'A machine reports or asks from addresses that are not those of the identity that it claims.',
  ),
  MESH_MEMBER_SILENT: away('host0 lists a member, and no packets pass between it and this node.'),
  MESH_MEMBER_MOVING: conflict('host0 cannot tell yet at which underlay address a member is.'),
  MESH_MEMBER_NOT_ADMITTED: denied('The mesh does not admit this machine.'),
  MESH_MEMBER_UNPROVEN: denied('A node must prove with a new nonce of host0 that it has its token.'),
  MESH_MEMBER_NOT_ALLOWED: denied('A node asks of another what only host0 may ask.'),
  MESH_MEMBER_REPORT_INVALID: usage('A report of a member, or a line of a member list, is malformed.'),
  MESH_KERNEL_REFUSED: system('The kernel refused a call; its own words are in the message.'),
  MESH_KERNEL_NOT_KEPT: system('The kernel accepted a change, but another program undoes it.'),
  MESH_KERNEL_UNSUPPORTED: system('The kernel lacks a feature that is needed.'),
  MESH_KERNEL_CLOSED: away('The connection to the kernel was closed before it could answer.'),
  MESH_KERNEL_MALFORMED: system('The kernel sent a message that cannot be read.'),
  MESH_KERNEL_FOREIGN_DEVICE: conflict('A device that Meshwork did not make has the name that a network needs.'),
  MESH_KERNEL_ROUTE_TAKEN: conflict('A route that Meshwork did not make leads to the destination of a static route.'),
  MESH_KERNEL_VNI_BUSY: conflict('A device that Meshwork did not make uses the VNI that a network needs.'),
  MESH_VXLAN_PORT_TAKEN: conflict('Another device or process has the UDP port that VXLAN needs.'),
  MESH_TABLE_FULL: conflict('A forwarding table is full of learnt Ethernet addresses; a warning.'),
  MESH_NFT_REFUSED: system('nft refused a set of rules.'),
  MESH_PACKET_TOO_BIG: conflict('A packet is larger than the path to its receiver allows.'),
  MESH_STORE_CONFLICT: conflict('Another program changed the same record at the same time.'),
  MESH_STORE_COMPACTED: gone('The history that was asked for is not kept any more.'),
  MESH_STORE_BROKEN: system("host0's store cannot be read or written."),
  MESH_STORE_REFUSED: denied(
    'etcd refuses host0, or host0 refuses etcd: a certificate, the user, the password or a right.',
  ),
  MESH_STORE_LED: conflict('Another host0 works with the same etcd.'),
  MESH_HOST0_STANDBY: conflict('This host0 waits for another one to end, and changes nothing.'),
  MESH_SEAL_REFUSED: denied('The key of several host0s does not open the secrets in their store, or is no such key.'),
  MESH_STORE_TOO_LARGE: conflict('A change is larger than etcd takes in one transaction.'),
  MESH_HOST0_UNREACHABLE: away('host0 does not answer.'),
  MESH_HOST0_MALFORMED: away('host0, or another machine in its place, sent a document that is not in its form.'),
  MESH_HOST0_SEGMENT: conflict('host0 lists a segment that overlaps a network of the node itself; a warning.'),
  MESH_HOST0_STARTING: away('host0 has not read its members yet, and gives no list before that.'),
  MESH_HOST0_DEAF: conflict('host0 has no file descriptor left for connections, or too few for its members.'),
  MESH_HOST0_DOUBLE: conflict('Two host0s answer in one mesh.'),
  MESH_HOST0_UNKNOWN: usage('The agent has not been told where host0 is, or something that is no address of host0.'),
  MESH_NOT_SUPPORTED: conflict('host0 gives a node an object of a kind that the version on the node does not know.'),
  MESH_ASSIGNMENT_STALE: conflict('host0 gives a node an assignment that is older than the one in force.'),
  MESH_ASSIGNMENT_INCOMPLETE: conflict('An assignment names a network by a digest that the node does not have.'),
  MESH_ASSIGNMENT_ORPHAN: conflict('A node has an object that was assigned under another epoch; a warning.'),
  MESH_NOT_RUNNING: away("host0's daemon or the agent is not running, or does not answer."),
  MESH_BUSY: away('An agent gets more requests than it answers at once.'),
  MESH_ENDPOINT_FULL: conflict('A few machines take all connections of an endpoint; the oldest are closed. A warning.'),
  MESH_REQUEST_FOREIGN: denied('A request is for another host name, or a web page of another site has caused it.'),
  MESH_ALREADY_MADE: conflict('What should be made exists already.'),
  MESH_ALREADY_RUNNING: conflict('The same process, or the same lab, runs already.'),
  MESH_NOT_ROOT: denied('The operation needs root, or the group of the control socket.'),
  MESH_BOOT_PATH_UNKNOWN: missing('The boot server has no such file.'),
  MESH_BOOT_LINK_REFUSED: denied('A link below isos is not followed: it leads out and is not of root, or to nothing.'),
  MESH_BOOT_NO_IMAGE: conflict('host0 has no image that this machine could boot.'),
  MESH_BOOT_NO_OVERLAY: conflict('No overlay is compiled for this machine, and no default one.'),
  MESH_BOOT_MACHINE_DOUBLE: conflict('Two machines that boot have one hardware id; the newcomer is refused.'),
  MESH_BOOT_CARD_UNKNOWN: denied('An adopted machine boots from a network card that host0 does not know as its own.'),
  MESH_BOOT_CARD_MANY: denied('One network card asks to boot as more machines than a card can be in.'),
  MESH_BOOT_MACHINES_MANY: conflict('More machines boot than host0 remembers; it forgets strangers. A warning.'),
  MESH_BOOT_FORGED: denied("A boot request names a network card that is not at the sender's address."),
  MESH_BOOT_SILENT: conflict('A machine that boots has stopped in a stage without giving a reason.'),
  MESH_BOOT_FOREIGN: conflict('Another boot server on the segment sends a machine elsewhere.'),
  MESH_BOOT_ARCHITECTURE: conflict('host0 has no boot file for the architecture of a machine that boots.'),
  MESH_BOOT_FAILED: conflict('A machine that boots has reported why it cannot go on.'),
  MESH_BOOT_SECRET_REFUSED: denied('The secrets of a machine were requested by another machine, or a second time.'),
  MESH_USAGE: usage('The command line or the request is wrong.'),
  MESH_BOOT_POOL_EXHAUSTED: conflict('No pool has a subnet left for a segment that machines boot on.'),
  MESH_BOOT_LEASES_EXHAUSTED: conflict('host0 has no address left for another machine on a segment, or hardly any.'),
  MESH_BOOT_ADDRESS_USED: conflict('A device uses an address that host0 would give to another machine; a warning.'),
  MESH_BOOT_SUBNET_TAKEN: conflict('A subnet that host0.conf gives to a NIC overlaps another; a warning.'),
  MESH_BOOT_FOREIGN_DHCP: conflict('Another server answers DHCP where host0 gave out addresses.'),
  MESH_BOOT_FOREIGN_PXE: conflict('Another server gives out boot files on a segment that machines boot on.'),
  MESH_BOOT_TWO_HOST0: conflict('Two host0s are on one segment.'),
  MESH_BOOT_NO_ADDRESS: conflict('host0 has no address at which the machines on a segment could reach it.'),
  MESH_BOOT_FILES_MISSING: system('The boot loaders, or the program that serves them, are not installed.'),
  MESH_BOOT_PORT_UNFIT: conflict('No machine can boot at a NIC, because of the name of the NIC; a warning.'),
  MESH_PROCESS_NOT_STARTED: system('A program that Meshwork runs cannot be started.'),
  MESH_PROCESS_FAILED: system('A program that Meshwork runs ends again and again.'),
  MESH_PROCESS_GONE: system('A process that should be there is not.'),
  MESH_PROCESS_NOT_ENDED: system('A process was told to end and still runs.'),
  MESH_QEMU_MISSING: system('The emulator of virtual machines is not installed on a node, or cannot be started.'),
  MESH_QEMU_REFUSED: system('The emulator refuses a set-up or a command; the message has its own words.'),
  MESH_QEMU_SILENT: away('The monitor of an emulator does not answer, or another client has it.'),
  MESH_WORKLOAD_KILLED: system('The emulator of a virtual machine was killed.'),
  MESH_WORKLOAD_PANICKED: system('The kernel of a virtual machine has panicked.'),
  MESH_WORKLOAD_MEMORY: system('A node has too little memory for a virtual machine, or has killed it for that.'),
  MESH_WORKLOAD_DISK_FULL: system('A virtual machine is paused, because the disk of its volumes is full.'),
  MESH_WORKLOAD_PORT: system('A port of a virtual machine cannot be used: it is not there, or another process has it.'),
  MESH_LAB_FAILED: system('A lab could not be built, or what it shows is not as promised.'),
  MESH_LAB_TOPOLOGY: input('A topology of a lab is wrong.'),
  MESH_LAB_OVERLAY: input('An overlay of a lab is not there, or gives nothing that a machine could use.'),
  MESH_LAB_HOOK: input('The hook of a lab cannot be read, or has no such command.'),
  MESH_LAB_NET_SETUP: input('The net set-up of a lab has failed, or has printed no options of the emulator.'),
  MESH_LAB_TEMPLATE: system('A template of machines of a lab cannot be made or used; the machines boot cold.'),
  MESH_LAB_MACHINE: system('A machine of a lab does not come up.'),
  MESH_PORT_UNKNOWN: missing('There is no such interface, or it has not been plugged.'),
  MESH_PORT_DOWN: conflict('A plugged interface is down, and no frame passes it.'),
  MESH_PORT_REFUSED: conflict('A port sends frames that no port may send. They are refused.'),
  MESH_PORT_UNFIT: conflict('The interface cannot be a port: this machine itself needs it.'),
  MESH_PORT_MAC_TWICE: conflict('Two ports of a network have the same Ethernet address.'),
  MESH_PORT_ADDRESS_TWICE: conflict('Two ports of a network have the same IP address.'),
  MESH_PORT_TAKEN: conflict('The interface is a port of something else.'),
  MESH_WORKLOAD_INVALID: input('A key of a workload file has a wrong value, or lacks another key that belongs to it.'),
  MESH_WORKLOAD_UNKNOWN: missing('There is no such workload.'),
  MESH_WORKLOAD_TWICE: conflict('Another workload has the same name, or the same uuid.'),
  MESH_WORKLOAD_DOUBLE: conflict('A workload runs on another node than it should, or on two nodes.'),
  MESH_WORKLOAD_RUNS: conflict('A workload runs, and what was asked for needs one that is stopped.'),
  MESH_WORKLOAD_NO_ROOM: conflict(
    'No node, or not the node that was named, has what a workload needs: memory or threads.',
  ),
  MESH_WORKLOAD_FAILED: system('The emulator of a workload could not be started, or ended with a fault.'),
  MESH_KEY_DAMAGED: system('A key that host0 made and keeps cannot be read any more.'),
  MESH_KEY_REFUSED: denied(
    'The key of a machine is not taken: it is old, revoked, of another machine, or open to others.',
  ),
  MESH_KEY_GIVEN: conflict('The machine has a key already.'),
  MESH_IMAGE_PACKAGES: system('apt cannot give the packages that an image is built from.'),
  MESH_IMAGE_FAILED: system('An image could not be built.'),
  MESH_DISK_IMAGE_SOURCE: input('The source of a disk image is no URL, no file of host0 and no path.'),
  MESH_DISK_IMAGE_FETCH: away('A disk image cannot be fetched from its source.'),
  MESH_DISK_IMAGE_HASH: conflict('A disk image is not the one that its hash names.'),
  MESH_DISK_IMAGE_UNFIT: conflict('A file is no disk image that a virtual machine can use.'),
  MESH_DISK_IMAGE_ROOM: conflict('The cache of disk images has no room for another one.'),
  MESH_DISK_IMAGE_USED: conflict('A disk image is in use and cannot be deleted.'),
  MESH_VOLUME_REFUSED: system('The volume of a virtual machine could not be made.'),
  MESH_CONSOLE_NONE: missing('No virtual machine of this name has a console on this node.'),
  MESH_CONSOLE_CLOSED: conflict('The console of a virtual machine does not take input now.'),
  MESH_OWNER_UNKNOWN: missing('There is no such owner.'),
  MESH_OWNER_IN_USE: conflict('An owner with orders cannot be deleted.'),
  MESH_ORDER_UNKNOWN: missing('There is no such order.'),
  MESH_ORDER_KEPT: conflict('An order that is not undone cannot be forgotten.'),
  MESH_ORDER_MANY: conflict('host0 has as many orders as it keeps.'),
  MESH_ORDER_CANCELLED: conflict('An order was cancelled, and is undone.'),
  MESH_ORDER_WAITS: conflict('An order that is undone cannot go on; a warning.'),
  MESH_HOOK_REFUSED: conflict('A hook refused what was to be done.'),
  MESH_HOOK_FAILED: system('A hook ended with a fault.'),
  MESH_HOOK_LATE: system('A hook did not end within its time limit.'),
  MESH_HOOK_OUTPUT: system('A hook wrote too much, or an answer that cannot be read.'),
  MESH_HOOK_UNSAFE: denied('Others than root may change a hook, which would run as root.'),
  MESH_HOOK_NOT_STARTED: system('A hook cannot be started.'),
  MESH_HOOK_ENDED: conflict('A hook was ended, because it was not wanted any more or because host0 ends.'),
  MESH_IPAM_POOL_INVALID: input('The parts of an address pool do not fit each other.'),
  MESH_IPAM_POOL_UNKNOWN: missing('There is no such address pool.'),
  MESH_IPAM_POOLS_OVERLAP: conflict('Two address pools would have an address in common.'),
  MESH_IPAM_POOL_IN_USE: conflict('An address pool from which something is given, or rests, cannot be deleted.'),
  MESH_IPAM_POOL_LOW: conflict('An address pool is nearly used up; a warning.'),
  MESH_IPAM_POOL_EXHAUSTED: conflict('An address pool has nothing left to give.'),
  MESH_IPAM_LENGTH: input('A subnet has another prefix length than the blocks of its address pool, such as a /63.'),
  MESH_IPAM_OUTSIDE: input('A subnet or an address is in no address pool, or not in the one that was named.'),
  MESH_IPAM_TAKEN: conflict('A block of an address pool is allocated, rests, or is used by a network.'),
  MESH_IPAM_UNKNOWN: missing('There is no such allocation.'),
  MESH_IPAM_DRIFT: conflict('An allocation and what uses it do not fit each other.'),
  MESH_IPAM_ALLOCATOR_FAILED: away('The executable that chooses the blocks of an address pool does not do its work.'),
  MESH_IPAM_ALLOCATOR_WRONG: conflict('The executable that chooses the blocks of an address pool chose a wrong one.'),
  ...MIRROR_ERRORS,
  ...BACKUP_ERRORS,
  MESH_INTERNAL: system('A fault of Meshwork itself: please report it with what led to it.'),
} as const satisfies Record<string, ErrorClass>;

/** A key of `ERRORS`. */
export type ErrorCode = keyof typeof ERRORS;

/** The code that another process sent, perhaps of another version of Meshwork. An unknown code becomes MESH_INTERNAL. */
export function errorCodeOf(text: string): ErrorCode {
  const now = RENAMED.get(text) ?? text;
  return isErrorCode(now) ? now : 'MESH_INTERNAL';
}

function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(ERRORS, text);
}

/** The place in a file that an error points to. `line` and `column` count from 1; `text` is the whole line, as read. */
export interface SourcePlace {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly text: string;
}

/** The parts of a MeshError beside code and message. */
export interface MeshErrorInit {
  /** What was being done, as a verb phrase: "read network file". */
  readonly operation?: string;
  /** The object of the operation: a file, a device, a member. */
  readonly object?: string;
  /** The rule that was broken, as a sentence. */
  readonly rule?: string;
  /** What to write or do instead, as a sentence. */
  readonly remedy?: string;
  readonly place?: SourcePlace;
  readonly cause?: unknown;
  /** True when the same call may succeed later without any other change. */
  readonly retryable?: boolean;
}

/** An error as it travels in JSON: over the control sockets, in status documents, and out of `--json`. */
export interface ErrorDocument {
  readonly code: ErrorCode;
  readonly message: string;
  readonly operation?: string;
  readonly object?: string;
  readonly rule?: string;
  readonly remedy?: string;
  readonly place?: SourcePlace;
  readonly retryable?: boolean;
}

/** A failure with a code, its object, the broken rule and the remedy. */
export class MeshError extends Error {
  readonly code: ErrorCode;
  readonly operation?: string;
  readonly object?: string;
  readonly rule?: string;
  readonly remedy?: string;
  readonly place?: SourcePlace;
  readonly retryable: boolean;

  constructor(code: ErrorCode, message: string, init: MeshErrorInit = {}) {
    super(message, init.cause === undefined ? undefined : { cause: init.cause });
    this.name = 'MeshError';
    this.code = code;
    this.retryable = init.retryable ?? false;
    if (init.operation !== undefined) this.operation = init.operation;
    if (init.object !== undefined) this.object = init.object;
    if (init.rule !== undefined) this.rule = init.rule;
    if (init.remedy !== undefined) this.remedy = init.remedy;
    if (init.place !== undefined) this.place = init.place;
  }

  get httpStatus(): number {
    return ERRORS[this.code].http;
  }

  /** Name of the system error that caused this one, if any: `ENOSPC`. */
  get errno(): string | undefined {
    const { cause } = this;
    const named = typeof cause === 'object' && cause !== null ? cause : {};
    const words = ['code', 'name'].map((key): unknown => Reflect.get(named, key));
    return words.find((word): word is string => typeof word === 'string' && /^E[A-Z0-9]{2,}$/.test(word));
  }

  get exitCode(): number {
    return ERRORS[this.code].exit;
  }

  toJSON(): ErrorDocument {
    const { code, message, operation, object, rule, remedy, place, retryable } = this;
    return {
      code,
      message,
      ...(operation !== undefined && { operation }),
      ...(object !== undefined && { object }),
      ...(rule !== undefined && { rule }),
      ...(remedy !== undefined && { remedy }),
      ...(place !== undefined && { place }),
      ...(retryable && { retryable }),
    };
  }

  static fromJSON(document: ErrorDocument): MeshError {
    return new MeshError(errorCodeOf(document.code), document.message, document);
  }

  /** Any thrown value as a MeshError. Anything else than a MeshError becomes MESH_INTERNAL, with the value as its cause. */
  static from(thrown: unknown): MeshError {
    if (thrown instanceof MeshError) return thrown;
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    return new MeshError('MESH_INTERNAL', message, { cause: thrown });
  }
}
