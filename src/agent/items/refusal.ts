/**
 * Frames that the bridge table refuses from a port: the kinds, and how the kernel counts them. The rules mark a frame with
 * the number of its kind, and count it in the set `refused` by port and mark. Both sets forget a port that has sent no such
 * frame for ten minutes.
 */

/** Why a frame of a port was refused, with the number that the rules mark the frame with. */
export const REFUSAL_MARKS = {
  'member-mac': 1,
  'member-address': 2,
  'new-source': 3,
  'unknown-destination': 4,
  broadcast: 5,
  'new-neighbour': 6,
  tagged: 7,
  'link-protocol': 8,
  router: 9,
  'dhcp-server': 10,
  fragment: 11,
  'wrong-mac': 12,
  'wrong-address': 13,
  'too-large': 14,
  'dhcp-flood': 15,
} as const;

/** Why a frame of a port was refused. */
export type RefusalKind = keyof typeof REFUSAL_MARKS;

/** The kinds in the order of their marks. */
export const REFUSAL_KINDS = Object.keys(REFUSAL_MARKS) as readonly RefusalKind[];

/** The kinds as noun phrases for people, as in `12 router advertisements`. */
export const REFUSAL_TEXTS: Readonly<Record<RefusalKind, string>> = {
  'member-mac': 'frames from the Ethernet address of a member',
  'member-address': 'frames that claim the IPv6 address of a member',
  'new-source': 'frames from too many new Ethernet addresses',
  'unknown-destination': 'frames to too many unknown Ethernet addresses',
  broadcast: 'broadcasts above the limit',
  'new-neighbour': 'packets to this node from too many new addresses',
  tagged: 'frames with a VLAN tag',
  'link-protocol': 'frames of a bridge protocol (BPDU, LLC)',
  router: 'router messages (advertisement, redirect, MLD or IGMP query)',
  'dhcp-server': 'messages of a DHCP server',
  fragment: 'IPv6 fragments that may hide a message of a router or DHCP server',
  'wrong-mac': "frames from another Ethernet address than the port's own",
  'wrong-address':
    'packets, or messages of ARP or neighbour discovery, that claim an IP address which the port does not have',
  'too-large': 'packets above the MTU of the network',
  'dhcp-flood': 'DHCP requests above the limit',
};

/** The set that counts refused frames by port and mark. */
export const REFUSED_SET = 'refused';
/** The set that keeps the Ethernet addresses that refused frames came from, by port and mark. */
export const OFFENDERS_SET = 'offenders';

/** What the kernel has counted of one kind at one port. */
export interface RefusalCount {
  /** Name of the interface. */
  readonly port: string;
  readonly kind: RefusalKind;
  /** Frames since the first one of the kind at this port, or since ten minutes passed without one. */
  readonly frames: number;
}

/** An Ethernet address that refused frames came from. */
export interface Offender {
  readonly port: string;
  readonly kind: RefusalKind;
  readonly mac: string;
}

const COUNT = /"([^"]+)" \. (0x[0-9a-f]+)[^,}]*? counter packets (\d+) bytes \d+/g;
const OFFENDER = /"([^"]+)" \. (0x[0-9a-f]+) \. ([0-9a-f:]{17})/g;

/** Reads nft's listing of the set `refused`. */
export function parseRefused(listing: string): RefusalCount[] {
  return [...listing.matchAll(COUNT)].flatMap(([, port = '', mark, frames]) => {
    const kind = kindOfMark(Number(mark));
    return kind === undefined ? [] : [{ port, kind, frames: Number(frames) }];
  });
}

/** Reads nft's listing of the set `offenders`. */
export function parseOffenders(listing: string): Offender[] {
  return [...listing.matchAll(OFFENDER)].flatMap(([, port = '', mark, mac = '']) => {
    const kind = kindOfMark(Number(mark));
    return kind === undefined ? [] : [{ port, kind, mac }];
  });
}

function kindOfMark(mark: number): RefusalKind | undefined {
  return REFUSAL_KINDS.find((kind) => REFUSAL_MARKS[kind] === mark);
}
