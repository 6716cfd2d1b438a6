/**
 * The throughput of one TCP stream through a VXLAN and a bridge that the agent made, with all its rules, against the same
 * devices made by hand without rules: between the bridges' own addresses, and between guests behind the bridges.
 */
import { meshAttachment } from '../src/agent/desired/assignment.ts';
import { desiredItems } from '../src/agent/desired/desired.ts';
import { type TemporaryNetns, temporaryNetns } from '../src/kernel/netns.ts';
import { measureStream } from '../src/lab/checks/throughput.ts';
import type { Ipv4 } from '../src/model/address/ipv4.ts';
import { type Ipv6, parseIpv6 } from '../src/model/address/ipv6.ts';
import { type MachineId, machineIdOf } from '../src/model/machine.ts';
import { memberAddresses } from '../src/model/network/member.ts';
import { nodeDocument } from '../test/kit/desired-input.ts';
import { carriesPackets, ip, twoHosts } from '../test/kit/namespaces.ts';
import { member, mesh } from '../test/kit/networks.ts';
import { compared, type Measurement } from './measurement.ts';
import { BenchNode } from './node.ts';
import { interleaved, type Run } from './run.ts';

const PAIRS = 15;
const SECONDS = 1;
/** The device of the guest's port on its host. */
const PORT = 'guest0';

const network = mesh('bench', 456);

interface Side {
  readonly netns: string;
  readonly guest: string;
  readonly machine: MachineId;
  readonly ipv4: Ipv4;
  readonly guestIpv6: Ipv6;
}

type Make = (own: Side, other: Side) => Promise<AsyncDisposable | undefined> | undefined;

/** The benchmark `throughput`. */
export async function throughput(run: Run): Promise<Measurement[]> {
  run.stage('making the two paths');
  await using ours = await Path.open(byAgent);
  await using theirs = await Path.open(byHand);
  const pairsOf = (what: 'hosts' | 'guests') => {
    const through = (path: Path) => () => path.gigabits(what, run.signal);
    return interleaved(run, PAIRS, `a stream between ${what}`, through(ours), through(theirs));
  };
  const budget = { of: 'ratio', atLeast: 0.97 } as const;
  const of = (what: string) => ({ name: `throughput between ${what}, against the same by hand without rules`, budget });
  return [
    compared({ ...of('two nodes'), unit: 'Gbit/s' }, await pairsOf('hosts')),
    compared({ ...of('guests on two nodes'), unit: 'Gbit/s' }, await pairsOf('guests')),
  ];
}

/** Two hosts on one segment, each with a bridge, a VXLAN and a guest. */
class Path implements AsyncDisposable {
  readonly #here: Side;
  readonly #there: Side;
  readonly #stack: AsyncDisposableStack;

  private constructor(here: Side, there: Side, stack: AsyncDisposableStack) {
    this.#here = here;
    this.#there = there;
    this.#stack = stack;
  }

  static async open(make: Make): Promise<Path> {
    await using stack = new AsyncDisposableStack();
    const hosts = stack.adopt(twoHosts(), ({ close }) => close());
    const guests = [1, 2].map(() => stack.adopt<TemporaryNetns>(temporaryNetns(), (netns) => netns.close()));
    const side = (number: 1 | 2, netns: string): Side => {
      const guest = guests[number - 1]?.path ?? '';
      const guestIpv6 = parseIpv6(`fd00:0:0:1::9:${number}`);
      ip(netns, `link add ${PORT} mtu 1380 type veth peer name eth0 mtu 1380 netns ${guest}`, `link set ${PORT} up`);
      ip(guest, `address add ${guestIpv6}/64 dev eth0 nodad`, 'link set eth0 up');
      return { netns, guest, machine: machineIdOf(`bench ${number}`), ipv4: `10.9.0.${number}` as Ipv4, guestIpv6 };
    };
    const [here, there] = [side(1, hosts.here), side(2, hosts.there)];
    for (const [own, other] of [
      [here, there],
      [there, here],
    ] as const) {
      const made = await make(own, other);
      if (made !== undefined) stack.use(made);
      carriesPackets(own.netns, network.bridge.name);
    }
    return new Path(here, there, stack.move());
  }

  gigabits(between: 'hosts' | 'guests', signal: AbortSignal): Promise<number> {
    const [here, there] = [this.#here, this.#there];
    if (between === 'guests') return measureStream(here.guest, there.guest, there.guestIpv6, SECONDS, signal);
    const { ipv6 } = memberAddresses(network, there.machine);
    return measureStream(here.netns, there.netns, ipv6, SECONDS, signal);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

async function byAgent(own: Side, other: Side): Promise<AsyncDisposable> {
  const items = desiredItems({
    machine: own.machine,
    routes: false,
    host0: { role: 'node', ipv4: other.ipv4, local: own.ipv4, onLink: true, segments: [], reachable: [] },
    document: nodeDocument([
      meshAttachment({ network, members: [member(network, other.machine, other.ipv4)], host0Answers: true }),
    ]),
    ports: [{ link: PORT, network: network.id, plugged: true, unplugging: false }],
  });
  const node = await BenchNode.open(own.netns, () => items);
  await node.reconciler.start();
  return node;
}

/** The devices as an administrator would make them: frames are flooded to the other host, and addresses are learnt. */
function byHand(own: Side, other: Side): undefined {
  const { bridgeMac, vtepMac, ipv6 } = memberAddresses(network, own.machine);
  const {
    type: { device: vxlan },
    bridge: { name: bridge },
  } = network;
  ip(
    own.netns,
    `link add ${bridge} address ${bridgeMac} mtu 1380 type bridge`,
    `link add ${vxlan} address ${vtepMac} mtu 1380 master ${bridge} type vxlan id 456 dstport 4789 local ${own.ipv4} remote ${other.ipv4} df inherit`,
    `link set ${bridge} up`,
    `link set ${vxlan} up`,
    `link set ${PORT} master ${bridge}`,
    `address add ${ipv6}/64 dev ${bridge} nodad`,
  );
}
