/** Two hosts with real kernels on one segment, a guest behind each, and a planned node on each. */
import { vi } from 'vitest';
import type { NetworkAttachment } from '../../src/agent/desired/assignment.ts';
import { type TemporaryNetns, temporaryNetns } from '../../src/kernel/netns.ts';
import { parseIpv4 } from '../../src/model/address/ipv4.ts';
import { parseIpv6 } from '../../src/model/address/ipv6.ts';
import type { Network } from '../../src/model/network/network.ts';
import { inside, ip, twoHosts } from './namespaces.ts';
import { board } from './networks.ts';
import { PlannedNode } from './planned-node.ts';

const DEADLINE_MS = 30_000;
const MACHINES = [board(1), board(2)] as const;

/** The addresses of the two hosts on their segment. */
export const UNDERLAY_V4 = ['10.9.0.1', '10.9.0.2'] as const;
export const UNDERLAY_V6 = ['fd09::1', 'fd09::2'] as const;

/** The guests are 192.168.7.1 and 2, fd07::1 and 2, behind `tap0` of each host. */
export class PlannedPair implements AsyncDisposable {
  readonly hosts: ReturnType<typeof twoHosts>;
  readonly guests: readonly TemporaryNetns[];
  readonly nodes: readonly PlannedNode[];

  private constructor(
    hosts: ReturnType<typeof twoHosts>,
    guests: readonly TemporaryNetns[],
    nodes: readonly PlannedNode[],
  ) {
    this.hosts = hosts;
    this.guests = guests;
    this.nodes = nodes;
  }

  static async open(): Promise<PlannedPair> {
    const hosts = twoHosts();
    const guests = [temporaryNetns(), temporaryNetns()];
    const paths = [hosts.here, hosts.there];
    for (const [at, host] of paths.entries()) {
      const guest = guests[at]?.path ?? '';
      ip(host, `link add tap0 type veth peer name eth0 netns ${guest}`, 'link set tap0 up');
      ip(
        guest,
        'link set eth0 mtu 1400',
        `address add 192.168.7.${at + 1}/24 dev eth0`,
        `address add fd07::${at + 1}/64 dev eth0 nodad`,
        'link set eth0 up',
      );
    }
    const nodes = await Promise.all(
      paths.map((host, at) => PlannedNode.open(host, board(at + 1), UNDERLAY_V4[at] ?? '')),
    );
    return new PlannedPair(hosts, guests, nodes);
  }

  /** Both nodes take the networks with their guests' ports, each with its own list of peers. */
  async take(attachments: (at: number) => readonly NetworkAttachment[], links = ['tap0']): Promise<void> {
    await Promise.all(this.nodes.map((node, at) => node.take(attachments(at), links)));
  }

  /** The first guest reaches these addresses. */
  async guestReaches(...addresses: readonly string[]): Promise<void> {
    for (const address of addresses) {
      await vi.waitFor(() => inside(this.guests[0]?.path ?? '', 'ping', '-c1', '-W1', address), {
        timeout: DEADLINE_MS,
        interval: 50,
      });
    }
  }

  /** The first guest reaches the second, by both families. */
  async guestsReachEachOther(): Promise<void> {
    await this.guestReaches('192.168.7.2', 'fd07::2');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const node of this.nodes) await node[Symbol.asyncDispose]();
    for (const netns of this.guests) netns.close();
    this.hosts.close();
  }
}

/** The attachment of each of the two nodes to a network whose nodes host0 names. */
export function assignedPair(
  network: Network,
  underlays: readonly string[] = UNDERLAY_V4,
): (at: number) => NetworkAttachment[] {
  const parse = (text: string) => (text.includes(':') ? parseIpv6(text) : parseIpv4(text));
  const peers = MACHINES.map((machine, at) => {
    return { machine, name: `node${at}`, underlay: parse(underlays[at] ?? ''), macs: [] };
  });
  return (at) => [{ network, peers: { kind: 'assigned', peers: peers.filter((_, other) => other !== at) } }];
}
