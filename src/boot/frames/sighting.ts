/**
 * What host0 sees of booting machines: packets, requests and reports, each with its time. The timeline of a machine is
 * computed from these alone.
 */

import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { Mac } from '../../model/address/mac.ts';
import type { ErrorDocument } from '../../model/error.ts';
import type { MachineId } from '../../model/machine.ts';

/** DHCP message types (RFC 2132 §9.6). */
export const DHCP_MESSAGES = ['DISCOVER', 'OFFER', 'REQUEST', 'DECLINE', 'ACK', 'NAK', 'RELEASE', 'INFORM'] as const;
/** The name of a DHCP message type. */
export type DhcpMessage = (typeof DHCP_MESSAGES)[number];

/** The program that sent a client's packet: the network card's ROM, iPXE, UEFI that boots by HTTP, or a running system. */
export type DhcpClientKind = 'firmware' | 'ipxe' | 'http boot' | 'system';

interface Sighting {
  readonly atMs: number;
  /** The device of host0's segment on which it was seen. */
  readonly device: string;
}

/** A DHCP packet on a boot segment: from a client, from host0's dnsmasq or from a foreign server. */
export interface DhcpSighting extends Sighting {
  readonly kind: 'dhcp';
  readonly message: DhcpMessage;
  /** The client's address (chaddr). */
  readonly mac: Mac;
  /** 67, or 4011 for the second contact with a proxy. */
  readonly port: 67 | 4011;
  /** Only in messages from a client. */
  readonly client?: DhcpClientKind;
  /** Option 93, or the number in option 60: the client's processor and firmware (RFC 4578 §2.1). */
  readonly architecture?: number;
  /** Option 97: the SMBIOS product UUID, as Linux prints it. */
  readonly uuid?: string;
  /** Option 54. In a server's message: its own address. In a client's REQUEST: the server whose offer it takes. */
  readonly server?: Ipv4;
  /** Only in messages from a server: host0's own dnsmasq sent it. */
  readonly ours?: boolean;
  /** The address that is offered, asked for or given; a proxy gives none. */
  readonly address?: Ipv4;
  readonly bootFile?: string;
  /** Option 56 of a NAK: why the server refuses; may be empty. */
  readonly why?: string;
}

/** A TFTP request of a machine, or an error that ended a transfer. */
export interface TftpSighting extends Sighting {
  readonly kind: 'tftp';
  /** The machine's. */
  readonly mac: Mac;
  /** Empty for an error, which does not name its file. */
  readonly file: string;
  readonly outcome: { readonly type: 'asked' } | { readonly type: 'refused'; readonly why: string };
}

/** host0 breaks off a download of which the machine has taken nothing for this long. */
export const STALL_SEC = 60;

/** A request to host0's boot server. Seen when it comes, and again when the answer is delivered or broken off. */
export interface HttpSighting extends Sighting {
  readonly kind: 'http';
  /** When the request came. */
  readonly askedMs: number;
  readonly ipv4: Ipv4;
  readonly mac?: Mac;
  /** The path of the URL, without the query. */
  readonly path: string;
  readonly outcome:
    | { readonly type: 'asked' }
    | { readonly type: 'answered'; readonly status: number }
    /** `stalled`: the machine took nothing for STALL_SEC and host0 gave up. Otherwise the machine closed the connection. */
    | { readonly type: 'broken off'; readonly stalled: boolean };
}

/** host0 has decided which machine this is and what it boots. An attempt begins. */
export interface IdentifiedSighting extends Sighting {
  readonly kind: 'identified';
  readonly machine: MachineId;
  readonly mac: Mac;
  readonly ipv4: Ipv4;
  readonly attempt: string;
  /** Vendor and product, if the machine tells them. */
  readonly model?: string;
}

/** host0 refuses to boot the machine. iPXE shows the same text on the machine's console, and asks again later. */
export interface RefusedSighting extends Sighting {
  readonly kind: 'refused';
  readonly mac: Mac;
  readonly machine?: MachineId;
  readonly error: ErrorDocument;
}

/** Too many machines load at once: this one waits and asks again. */
export interface QueuedSighting extends Sighting {
  readonly kind: 'queued';
  readonly mac: Mac;
  readonly machine: MachineId;
  /** How many waiting machines came before it. */
  readonly ahead: number;
  /** When it is told to ask again. */
  readonly againSec: number;
}

/** A starting node reports how far it is. */
export interface StageSighting extends Sighting {
  readonly kind: 'stage';
  readonly machine: MachineId;
  readonly attempt: string;
  readonly stage: string;
  readonly detail?: string;
}

/** The machine has become a member of a mesh. */
export interface MemberSighting extends Sighting {
  readonly kind: 'member';
  readonly machine: MachineId;
  readonly mesh: string;
}

/** Any of the sightings, discriminated by `kind`. */
export type BootSighting =
  | DhcpSighting
  | TftpSighting
  | HttpSighting
  | IdentifiedSighting
  | RefusedSighting
  | QueuedSighting
  | StageSighting
  | MemberSighting;
