/** What host0 sees of machines that boot: packets, requests and reports, each a fact with a time. The timeline follows from them alone. */

import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { Mac } from '../../model/address/mac.ts';
import type { ErrorDocument } from '../../model/error.ts';
import type { MachineId } from '../../model/machine.ts';

/** DHCP message types (RFC 2132 §9.6). */
export const DHCP_MESSAGES = ['DISCOVER', 'OFFER', 'REQUEST', 'DECLINE', 'ACK', 'NAK', 'RELEASE', 'INFORM'] as const;
export type DhcpMessage = (typeof DHCP_MESSAGES)[number];

/** Who speaks at the client's end: the network card's ROM, a loaded iPXE, UEFI that boots by HTTP, or a running system. */
export type DhcpClientKind = 'firmware' | 'ipxe' | 'http boot' | 'system';

interface Sighting {
  readonly atMs: number;
  /** The port of host0's at which it was seen. */
  readonly device: string;
}

/** A DHCP packet on a boot segment, of whomever: clients, our dnsmasq, foreign servers. */
export interface DhcpSighting extends Sighting {
  readonly kind: 'dhcp';
  readonly message: DhcpMessage;
  /** The client's address (chaddr). */
  readonly mac: Mac;
  /** 67, or 4011 for the second contact with a proxy. */
  readonly port: 67 | 4011;
  /** Of messages from a client. */
  readonly client?: DhcpClientKind;
  /** Option 93. */
  readonly architecture?: number;
  /** Option 97, as Linux prints it. */
  readonly uuid?: string;
  /** Option 54: of messages from a server its address; of a client's REQUEST the server whose offer it takes. */
  readonly server?: Ipv4;
  /** Of messages from a server. */
  readonly ours?: boolean;
  /** The address that is offered, asked for or given; a proxy gives none. */
  readonly address?: Ipv4;
  readonly bootFile?: string;
}

export interface TftpSighting extends Sighting {
  readonly kind: 'tftp';
  readonly mac: Mac;
  readonly file: string;
  readonly outcome: { readonly type: 'asked' } | { readonly type: 'refused'; readonly why: string };
}

/** A machine that takes nothing of a download for so long has it broken off. */
export const STALL_SEC = 60;

/** A request to host0's boot server: seen when it comes, and again when the whole answer is delivered or broken off. */
export interface HttpSighting extends Sighting {
  readonly kind: 'http';
  /** When the request came. */
  readonly askedMs: number;
  readonly ipv4: Ipv4;
  readonly mac?: Mac;
  /** Of the URL, without the query. */
  readonly path: string;
  readonly outcome:
    | { readonly type: 'asked' }
    | { readonly type: 'answered'; readonly status: number }
    /** Stalled: the machine was silent, and host0 gave it up. Otherwise it was the machine that ended it. */
    | { readonly type: 'broken off'; readonly stalled: boolean };
}

/** host0 has decided which machine it is, and what it boots: an attempt begins. */
export interface IdentifiedSighting extends Sighting {
  readonly kind: 'identified';
  readonly machine: MachineId;
  readonly mac: Mac;
  readonly ipv4: Ipv4;
  readonly attempt: string;
  /** What kind of machine it is, if it says so. */
  readonly model?: string;
}

/** host0 will not boot it; iPXE shows the same words on the machine's console, and asks again. */
export interface RefusedSighting extends Sighting {
  readonly kind: 'refused';
  readonly mac: Mac;
  readonly machine?: MachineId;
  readonly error: ErrorDocument;
}

/** Too many machines load at once: this one asks again. */
export interface QueuedSighting extends Sighting {
  readonly kind: 'queued';
  readonly mac: Mac;
  readonly machine: MachineId;
  /** So many that wait came before it. */
  readonly ahead: number;
  readonly againSec: number;
}

/** The node itself says how far it is. */
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

export type BootSighting =
  | DhcpSighting
  | TftpSighting
  | HttpSighting
  | IdentifiedSighting
  | RefusedSighting
  | QueuedSighting
  | StageSighting
  | MemberSighting;
