/** From what a node should take part in to the items that it should have. Pure. */
import { type Ipv4, type Ipv4Cidr, ipv4InSubnet } from '../model/ipv4.ts';
import { FLOOD_MAC } from '../model/mac.ts';
import type { MachineWord } from '../model/machine.ts';
import { type Member, type MemberAddresses, memberAddresses } from '../model/member.ts';
import { type Network, type NetworkId, VXLAN_PORT } from '../model/network.ts';
import type { Segment, UnderlayPort } from '../protocol/assignment.ts';
import { type Item, type ItemKey, itemMap } from './items/item.ts';
import { OUR_CONF } from './items/link.ts';
import { aliasOf, OUR_LINK_GROUP } from './items/mark.ts';
import { rulesets } from './ruleset.ts';

/** How a node stands to host0. */
export type Host0View =
  /** This is host0: members may be anywhere, and are heard before they are known. */
  | { readonly role: 'host0'; readonly segments: readonly Segment[]; readonly ports: readonly UnderlayPort[] }
  | {
      readonly role: 'node';
      /** host0's underlay address on this node's side. */
      readonly ipv4: Ipv4;
      /** Source of this node's route to it; undefined while there is no route. */
      readonly local?: Ipv4;
      /** Whether host0 is a neighbour on the underlay, so that it can be a gateway. */
      readonly onLink: boolean;
      /** The underlay subnets that host0 connects. */
      readonly segments: readonly Ipv4Cidr[];
      /** Underlay subnets that this node reaches without us. */
      readonly reachable: readonly Ipv4Cidr[];
    };

export interface Attachment {
  readonly network: Network;
  /** The other members; on a node, host0 is among them from the first moment on. */
  readonly members: readonly Member[];
  /** On a node: whether host0 answers. While it does not, its neighbour entry is left out, so that this node asks for it aloud and host0 gets to know it. */
  readonly host0Answers: boolean;
  /** Where rows that an earlier life of this agent left may still lead: VXLAN packets from there are taken until it is known who lives there. */
  readonly keptSources?: readonly Ipv4[];
}

export interface DesiredInput {
  /** The administrator made this machine a router. */
  readonly routes: boolean;
  readonly machine: MachineWord;
  readonly host0: Host0View;
  readonly attachments: readonly Attachment[];
  /** Foreign interfaces that belong on our bridges, and which of them were plugged in by our own command. */
  readonly ports: readonly { readonly link: string; readonly network: NetworkId; readonly plugged: boolean }[];
}

export function desiredItems(input: DesiredInput): Map<ItemKey, Item> {
  const { host0, attachments } = input;
  const items: Item[] = [...rulesets(rulesetInput(input))];
  for (const attachment of attachments) items.push(...meshItems(input, attachment));
  for (const { link, network: id } of input.ports) {
    const network = attachments.find((attachment) => attachment.network.id === id)?.network;
    if (network !== undefined) items.push({ kind: 'port', network: id, link, bridge: network.devices.bridge });
  }
  if (host0.role === 'host0') items.push(...forwardingItems(host0.segments), ...wireItems(host0.ports));
  else items.push(...routeItems(host0, attachments.length > 0));
  return itemMap(items);
}

function rulesetInput({ host0, attachments, ports, routes }: DesiredInput): Parameters<typeof rulesets>[0] {
  return {
    ports,
    routes,
    openTo: host0.role === 'host0' ? host0.segments.map((segment) => segment.subnet) : [],
    segments: host0.role === 'host0' && host0.segments.length > 1 ? host0.segments : [],
    networks: attachments.map(({ network, members, keptSources = [] }) => ({
      network,
      sources: host0.role === 'host0' ? [] : [...members.map((member) => member.ipv4), ...keptSources],
    })),
  };
}

function meshItems({ machine, host0 }: DesiredInput, { network, members, host0Answers }: Attachment): Item[] {
  const own = memberAddresses(network, machine);
  const { devices } = network;
  const links = linkItems(network, own, host0);
  const addresses = [own.ipv6, own.linkLocal].map(
    (address): Item => ({ kind: 'address', network: network.id, link: devices.bridge, address, length: 64 }),
  );
  const host0Address = memberAddresses(network, 'host0').ipv6;
  const rows = members
    .filter((member) => member.ipv6 !== own.ipv6)
    .flatMap((member) => memberItems(network, member, host0.role, member.ipv6 !== host0Address || host0Answers));
  return [...links, ...addresses, ...rows];
}

function linkItems(network: Network, own: MemberAddresses, host0: Host0View): Item[] {
  const { devices, fabric, id } = network;
  const common = {
    kind: 'link',
    network: id,
    mtuBytes: fabric.mtuBytes,
    up: true,
    group: OUR_LINK_GROUP,
    addressMode: 'none',
    conf: OUR_CONF,
  } as const;
  return [
    { ...common, device: 'bridge', name: devices.bridge, mac: own.bridgeMac, master: '', alias: aliasOf('bridge', id) },
    {
      ...common,
      device: 'vxlan',
      name: devices.vxlan,
      mac: own.vtepMac,
      master: devices.bridge,
      alias: aliasOf('vxlan', id),
      vxlan: {
        vni: fabric.vni,
        udpPort: VXLAN_PORT,
        // host0 has none: it may have several segments, and answers on each with that segment's address.
        ...(host0.role === 'node' && host0.local !== undefined && { local: host0.local }),
        // On host0 learning is how an unknown node is first heard; elsewhere, how guests on members' bridges are found.
        learning: true,
        df: 'inherit',
      },
    },
  ];
}

/** A member is four rows; three while it must be asked for (`neighbour` false). */
function memberItems(network: Network, member: Member, role: Host0View['role'], neighbour: boolean): Item[] {
  const { id, devices } = network;
  const row = { kind: 'fdb', network: id, link: devices.vxlan, marked: true } as const;
  const { ipv4: destination, mac } = member;
  const self = role === 'host0' ? 'dynamic' : 'permanent';
  const items: Item[] = [
    { ...row, table: 'self', mac, destination, state: self },
    // The kernel has no other state for a row of this table that carries our mark; it does not age.
    { ...row, table: 'master', mac, state: 'dynamic' },
    { ...row, table: 'self', mac: FLOOD_MAC, destination, state: 'permanent' },
  ];
  if (neighbour) items.push({ kind: 'neighbour', network: id, link: devices.bridge, address: member.ipv6, mac });
  return items;
}

/** host0 with several segments forwards between their ports; the ruleset lets only VXLAN through. */
function forwardingItems(segments: readonly Segment[]): Item[] {
  if (segments.length < 2) return [];
  return segments.map(({ device }) => ({
    kind: 'sysctl',
    path: ['net', 'ipv4', 'conf', device, 'forwarding'],
    value: '1',
  }));
}

/** Ports that machines boot on are up, and have the addresses that host0 gave them. */
function wireItems(ports: readonly UnderlayPort[]): Item[] {
  return ports.flatMap(({ device: link, address }): Item[] => [
    { kind: 'wire', link, up: true },
    ...(address === undefined
      ? []
      : [{ kind: 'wire-address', link, address: address.ipv4, length: address.length } as const]),
  ]);
}

/** Routes by way of host0 to the segments that this node does not reach by itself. */
function routeItems(host0: Extract<Host0View, { role: 'node' }>, wanted: boolean): Item[] {
  if (!wanted || !host0.onLink) return [];
  return host0.segments
    .filter((segment) => !ipv4InSubnet(host0.ipv4, segment) && !host0.reachable.includes(segment))
    .map((destination) => ({ kind: 'route', destination, gateway: host0.ipv4 }));
}
