/**
 * The senders on host0's networks whose VXLAN packets are dropped, as the kernel counts them, and what to do about each. A
 * node that is refused says nothing that host0 could hear, so this is where its trouble is told.
 */

import type { KernelTables } from '../../kernel/mirror/kernel-tables.ts';
import type { Route } from '../../kernel/rtnl/objects.ts';
import { type Ipv4, ipv4InSubnet, ipv4Subnet } from '../../model/address/ipv4.ts';
import { VXLAN_PORT } from '../../model/network/types/vxlan.ts';
import type { Finding } from '../../protocol/documents/finding.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import type { Host0Stance } from '../desired/assignment.ts';
import { OUTSIDERS_SET, type Outsider, parseOutsiders } from '../items/outsider.ts';
import type { KernelPort } from '../kernel/kernel-port.ts';

interface OutsidersInput {
  readonly kernel: Pick<KernelPort, 'listInetSet' | 'routeTo'>;
  readonly journal: Journal;
}

/** Addresses that a message names: strangers can send from any number. */
const NAMED_MAX = 3;
/** Senders that are looked at. */
const SENDERS_MAX = 16;
/** The line for host0.conf proposes this subnet around a sender, where no address of host0 says more. */
const PROPOSED_LENGTH = 24;

interface Sender extends Outsider {
  /** Index of the link that the route to the sender uses; undefined if there is no route. */
  readonly routeLink: number | undefined;
}

/** The last reading of the kernel's counts. */
export class Outsiders {
  readonly #input: OutsidersInput;
  #senders: readonly Sender[] = [];

  constructor(input: OutsidersInput) {
    this.#input = input;
  }

  /** Reads the counts. Never rejects: a failure is told in the journal, and the last reading stays. */
  async read(): Promise<void> {
    const { kernel, journal } = this.#input;
    try {
      const counted = parseOutsiders(await kernel.listInetSet(OUTSIDERS_SET)).slice(0, SENDERS_MAX);
      this.#senders = await Promise.all(
        counted.map(async (outsider) => ({ ...outsider, routeLink: (await this.#routeTo(outsider.ipv4))?.link })),
      );
    } catch (thrown) {
      journal.faults.tell('read whose VXLAN packets are dropped', thrown);
    }
  }

  async #routeTo(ipv4: Ipv4): Promise<Route | undefined> {
    return this.#input.kernel.routeTo(ipv4).catch(() => undefined);
  }

  /**
   * One finding for each NIC, without numbers of packets: these would make each look at the findings a new event. None for
   * senders that are on a segment by now.
   */
  findings(cache: Pick<KernelTables, 'links' | 'addresses'>, host0: Host0Stance): Finding[] {
    if (host0.role !== 'host0') return [];
    const { segments } = host0;
    const outside = this.#senders.filter(
      ({ device, ipv4 }) =>
        !segments.some((segment) => ipv4InSubnet(ipv4, segment.subnet) && nicsOf(segment).includes(device)),
    );
    return Array.from(
      Map.groupBy(outside, ({ device }) => device),
      ([device, senders]) => {
        const { fault, remedy } = judge(cache, segments, device, senders);
        const named = senders.slice(0, NAMED_MAX).map(({ ipv4 }) => ipv4);
        const more = senders.length > NAMED_MAX ? ' and others' : '';
        const vnis = [...new Set(senders.map(({ vni }) => vni))].join(', ');
        return {
          code: 'MESH_SEGMENT_OUTSIDE',
          severity: 'warning',
          object: device,
          message: `VXLAN of VNI ${vnis} from ${named.join(', ')}${more} is dropped on ${device}: ${fault}`,
          remedy,
        };
      },
    );
  }
}

type Segments = Extract<Host0Stance, { role: 'host0' }>['segments'];

function nicsOf({ device, also = [] }: Segments[number]): readonly string[] {
  return [device, ...also];
}

function judge(
  { links, addresses }: Pick<KernelTables, 'links' | 'addresses'>,
  segments: Segments,
  device: string,
  senders: readonly Sender[],
): { readonly fault: string; readonly remedy: string } {
  const [{ ipv4, routeLink } = { ipv4: '' as Ipv4, routeLink: undefined }] = senders;
  const link = [...links.values()].find(({ name }) => name === device);
  const restart = 'in host0.conf, and restart host0';
  const stranger = 'If no node of yours is there, this is a stranger, and nothing is wrong here.';
  const home = segments.find((segment) => ipv4InSubnet(ipv4, segment.subnet));
  if (home !== undefined) {
    return {
      fault: `${ipv4} is on the segment of ${home.device}`,
      remedy: `A machine on ${device} sends with the address of a machine that is elsewhere: find it with \`tcpdump -eni ${device} udp port ${VXLAN_PORT}\`. If ${device} and ${home.device} are on one network, say so in host0.conf: \`join_groups="${home.device} ${device}"\`.`,
    };
  }
  if (routeLink !== link?.index) {
    const other = links.get(routeLink ?? 0)?.name;
    const fault = other === undefined ? `there is no route to ${ipv4}` : `the route to ${ipv4} is by ${other}`;
    return {
      fault,
      remedy: `If a node of yours is there, add a route: \`ip route add ${proposal(ipv4)} via ROUTER dev ${device}\`, and write \`member_subnets="${proposal(ipv4)}"\` ${restart}. ${stranger}`,
    };
  }
  const onLink = [...addresses.values()].some(
    (own) =>
      own.family === 4 && own.link === link?.index && ipv4InSubnet(ipv4, ipv4Subnet(own.address as Ipv4, own.length)),
  );
  if (onLink) {
    const devices = [...new Set([...segments.map((segment) => segment.device), device])];
    const line = `segment_ports=${devices.map((name) => `"${name}"`).join(' ')}`;
    return {
      fault: `${device} is no segment`,
      remedy: `If a node of yours is there, write \`${line}\` ${restart}. ${stranger}`,
    };
  }
  return {
    fault: `${ipv4} is on no segment, but behind a router`,
    remedy: `If a node of yours is there, write \`member_subnets="${proposal(ipv4)}"\` ${restart}. ${stranger}`,
  };
}

function proposal(ipv4: Ipv4): string {
  return ipv4Subnet(ipv4, PROPOSED_LENGTH);
}
