/**
 * Thousands of simulated members: one namespace on a lab's segment answers to all their addresses, and one process reports
 * and listens for each of them as an agent does. In its sockets and in its kernel host0 sees the same as from real nodes;
 * only frames to the members are not forwarded to any guest.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { inNetns, netnsPath, temporaryNetns } from '../src/kernel/netns.ts';
import { Nft } from '../src/kernel/nft.ts';
import type { Lab } from '../src/lab/cluster/lab.ts';
import { EXAMPLE_MESH } from '../src/lab/hosts/example-mesh.ts';
import { type Ipv4, ipv4FromNumber, ipv4ToNumber } from '../src/model/address/ipv4.ts';
import { machineIdOf } from '../src/model/machine.ts';
import { type Member, memberAddresses } from '../src/model/network/member.ts';
import { ip } from '../test/kit/namespaces.ts';
import { member } from '../test/kit/networks.ts';
import type { CrowdCount, CrowdMember, CrowdOrder } from './crowd-process.ts';
import { batch } from './place.ts';

/** Not in host0's own subnet, so that a crowd needs only one address on the segment. */
const SUBNET = '10.64.0.0/15';
const OWN_ADDRESS = '10.11.0.254';
const LOOK_AGAIN_MS = 50;

/** A crowd on a lab's first segment. Disposing of it ends its process and removes its namespace. */
export class Crowd implements AsyncDisposable {
  readonly members: readonly Member[];
  readonly #process: ChildProcess;
  readonly #stack: AsyncDisposableStack;
  #count: CrowdCount = { joined: 0, refused: 0, lost: 0, streams: 0, messages: 0, bytes: 0, reports: 0 };

  private constructor(members: readonly Member[], process_: ChildProcess, stack: AsyncDisposableStack) {
    this.members = members;
    this.#process = process_;
    this.#stack = stack;
    process_.on('message', (count: CrowdCount) => {
      this.#count = count;
    });
  }

  /** Makes a crowd that does not report yet. @param lab a running lab: its host0 has the devices of its mesh */
  static async open(lab: Lab, size: number): Promise<Crowd> {
    await using stack = new AsyncDisposableStack();
    const netns = stack.adopt(temporaryNetns(), ({ close }) => close());
    const crowd = Array.from({ length: size }, (_, index) => memberOf(index));
    await prepareCrowd(lab, netns.path);
    prepareHost0(lab, crowd);
    const child = inNetns(netns.path, () =>
      fork(join(import.meta.dirname, 'crowd-process.ts'), { execArgv: ['--disable-warning=ExperimentalWarning'] }),
    );
    stack.defer(async () => {
      if (child.exitCode !== null) return;
      child.kill('SIGKILL');
      await once(child, 'exit');
    });
    return new Crowd(crowd, child, stack.move());
  }

  /** The last counters of the process, which sends them ten times a second. */
  get count(): CrowdCount {
    return this.#count;
  }

  /** Makes the members join, `perSecond` of them per second, and stay. */
  join(perSecond: number): void {
    const members = this.members.map(({ name, ipv4, ipv6 }, index): CrowdMember => {
      return { name, ipv4, ipv6, machine: machineOf(index) };
    });
    const { ipv6: host0 } = memberAddresses(EXAMPLE_MESH, 'host0');
    this.#process.send({ host0, perSecond, members } satisfies CrowdOrder);
  }

  /** Waits until `what` holds of the counters. Rejects after the deadline. */
  async until(deadlineMs: number, signal: AbortSignal, what: (count: CrowdCount) => boolean): Promise<void> {
    const giveUpAt = performance.now() + deadlineMs;
    while (!what(this.#count)) {
      if (performance.now() > giveUpAt)
        throw new Error(`the crowd came no further than ${JSON.stringify(this.#count)}`);
      await sleep(LOOK_AGAIN_MS, undefined, { signal });
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

function machineOf(index: number) {
  return machineIdOf(`crowd ${index}`);
}

function memberOf(index: number): Member {
  const ipv4 = ipv4FromNumber(ipv4ToNumber(SUBNET.split('/')[0] as Ipv4) + 1 + index);
  return member(EXAMPLE_MESH, machineOf(index), ipv4, `crowd${index + 1}`);
}

/** Builds the namespace. It takes packets for every address of the mesh and of the subnet, with any Ethernet address. */
async function prepareCrowd(lab: Lab, netns: string): Promise<void> {
  const { type, hostAddress, mtuBytes } = EXAMPLE_MESH;
  const { bridgeMac, ipv6 } = memberAddresses(EXAMPLE_MESH, 'host0');
  const [bridge] = lab.topology.bridges;
  const host0 = lab.host('host0').member.ipv4;
  ip(netnsPath(lab.topology.underlay), `link add crowd master ${bridge} up type veth peer name eth0 netns ${netns}`);
  ip(
    netns,
    'link set lo up',
    `address add ${OWN_ADDRESS}/24 dev eth0`,
    'link set eth0 up',
    `route add local ${SUBNET} dev lo`,
    `link add ${type.device} mtu ${mtuBytes} type vxlan id ${type.vni} dstport 4789 local ${OWN_ADDRESS} remote ${host0} nolearning`,
    `link set ${type.device} up`,
    `route add ${ipv6}/128 dev ${type.device}`,
    `route add local ${hostAddress.prefix} dev lo table main`,
    `neighbour add ${ipv6} lladdr ${bridgeMac} dev ${type.device} nud permanent`,
  );
  const nft = await Nft.open({ netns });
  try {
    await nft.run(
      `table netdev crowd { chain everybody { type filter hook ingress device "${type.device}" priority 0; meta pkttype set host; }; }\n`,
    );
  } finally {
    await nft.close();
  }
}

/** Writes the entries that host0's kernel would learn from the first packets of each member. */
function prepareHost0(lab: Lab, crowd: readonly Member[]): void {
  const {
    type: { device: vxlan },
    bridge: { name: bridge },
  } = EXAMPLE_MESH;
  const netns = netnsPath(lab.host('host0').netns);
  batch(netns, 'ip', [
    `route add ${SUBNET} via ${OWN_ADDRESS}`,
    ...crowd.map(({ ipv6, mac }) => `neighbour replace ${ipv6} lladdr ${mac} dev ${bridge} nud permanent`),
  ]);
  batch(
    netns,
    'bridge',
    crowd.map(({ mac, ipv4 }) => `fdb replace ${mac} dev ${vxlan} dst ${ipv4} self dynamic`),
  );
}
