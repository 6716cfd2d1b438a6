/** What host0 sees of machines that boot: packets, requests and reports, each a fact with a time. The timeline follows from them alone. */

import type { Ipv4 } from '../model/ipv4.ts';
import type { Mac } from '../model/mac.ts';
import type { MachineId } from '../model/machine.ts';

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
  /** Of messages from a server: its address (option 54), and whether it is ours. */
  readonly server?: Ipv4;
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

/** A request to host0's boot HTTP server: seen when the head is answered, and again when the body is delivered or broken off. */
export interface HttpSighting extends Sighting {
  readonly kind: 'http';
  readonly ipv4: Ipv4;
  readonly mac?: Mac;
  readonly path: string;
  readonly status: number;
  readonly phase: 'begun' | 'done' | 'broken';
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

export type BootSighting = DhcpSighting | TftpSighting | HttpSighting | StageSighting | MemberSighting;
