/** The nets of a lab: ordinary networks of the type `bridge`, which its host0 keeps and its agent carries out. */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { inNetns, netnsPath } from '../../kernel/netns.ts';
import { parseIpv6 } from '../../model/address/ipv6.ts';
import { MeshError } from '../../model/error.ts';
import { host0Client } from '../../protocol/calls/control-client.ts';
import type { NetworkOrder } from '../../protocol/documents/catalogue.ts';
import { pathsBelow } from '../../protocol/documents/paths.ts';
import { LastWords } from '../checks/silence.ts';
import { findProcess, programsOf } from '../hosts/host-process.ts';
import type { LabHost } from '../hosts/lab-host.ts';
import {
  bridgeOfNet,
  HOST_NUMBER,
  IPV4_PREFIX_BITS,
  IPV6_PREFIX_BITS,
  vmIpv4,
  vmIpv6,
} from '../topologies/vm-address.ts';
import { hostIsIn, mtuOfNet } from '../topologies/vm-plan.ts';
import type { VmTopology } from '../topologies/vm-topology.ts';

type Host0Client = ReturnType<typeof host0Client>;

const LOOK_MS = 25;
/** Whether host0 and the agent still run is looked at less often: each look reads four files. */
const LIFE_LOOK_MS = 500;
/** Five times what host0 and the agent of a lab take from their start, on a machine with fifteen busy processes. */
const THERE_WITHIN_MS = 60_000;
/** Numbers of these networks: 0x100 is net 0. Numbers below are for meshes that people write. */
const FIRST_NUMBER = 0x100;

/** The document of a net, as `mesh network apply` takes it. */
export function netOrder(topology: VmTopology, net: number): NetworkOrder {
  const mtuBytes = mtuOfNet(topology, net);
  const hasHost = hostIsIn(topology, net);
  const { prefix } = topology;
  return {
    name: bridgeOfNet(net),
    number: FIRST_NUMBER + net,
    type: { kind: 'bridge' },
    bridge: { name: bridgeOfNet(net) },
    ...(mtuBytes !== undefined && { mtuBytes }),
    routing: { mode: 'isolated' },
    span: { kind: 'everywhere' },
    hostAddress: { kind: hasHost ? 'given' : 'none' },
    ...(hasHost && {
      subnets: [
        { cidr: `192.168.${net}.0/${IPV4_PREFIX_BITS}`, hostAddress: vmIpv4(net, HOST_NUMBER), ra: false },
        {
          cidr: `${subnetOf(net, prefix)}/${IPV6_PREFIX_BITS}`,
          hostAddress: vmIpv6(net, HOST_NUMBER, prefix),
          ra: false,
        },
      ],
    }),
  };
}

/** The IPv6 subnet of a net: the address of the machine 0, if there were one. */
function subnetOf(net: number, prefix: string): string {
  return parseIpv6(`${prefix}192.168.${net}.0`);
}

/**
 * Gives host0 the nets as documents, and waits until their bridges are there.
 * @throws MESH_NET_*; MESH_LAB_FAILED at once when host0 or the agent has ended, and when the wait is over
 */
export async function applyNets(
  host0: LabHost,
  topology: VmTopology,
  nets: readonly number[],
  signal?: AbortSignal,
): Promise<void> {
  const client = host0Client(pathsBelow(host0.root));
  let nextLifeMs = performance.now();
  const goOn = async (what: readonly string[]): Promise<void> => {
    const isDue = performance.now() >= nextLifeMs;
    if (isDue) nextLifeMs = performance.now() + LIFE_LOOK_MS;
    await lookAgain(host0, client, what, { giveUpAt, asksForLife: isDue, signal });
  };
  const giveUpAt = performance.now() + THERE_WITHIN_MS;
  while (!(await client.answers())) await goOn(['host0']);
  for (const net of nets) await client.ask('PUT /v1/catalogue', { body: netOrder(topology, net) });
  for (;;) {
    const present = bridgesIn(host0.netns);
    const missing = nets.map(bridgeOfNet).filter((bridge) => !present.includes(bridge));
    if (missing.length === 0) return;
    await goOn(missing);
  }
}

interface Look {
  readonly giveUpAt: number;
  /** Also whether host0 and the agent still run. */
  readonly asksForLife: boolean;
  readonly signal: AbortSignal | undefined;
}

/** Returns when it is time to look again. @throws MESH_LAB_FAILED if that is of no use */
async function lookAgain(
  host0: LabHost,
  client: Host0Client,
  what: readonly string[],
  { giveUpAt, asksForLife, signal }: Look,
): Promise<void> {
  signal?.throwIfAborted();
  const ended = asksForLife
    ? programsOf(host0).find((program) => findProcess(program, host0.root) === undefined)
    : undefined;
  if (ended !== undefined) throw await notThere(host0, client, what, `the ${ended} has ended`);
  if (performance.now() > giveUpAt) {
    throw await notThere(host0, client, what, `not within ${THERE_WITHIN_MS / 1000} s`);
  }
  await sleep(LOOK_MS);
}

async function notThere(host0: LabHost, client: Host0Client, what: readonly string[], why: string): Promise<MeshError> {
  const states = await statesOf(client, what);
  return new MeshError('MESH_LAB_FAILED', `${what.join(', ')} did not come up: ${[why, ...states].join('; ')}`, {
    operation: 'make the nets',
    remedy:
      'Read the last lines of the logs. If they tell of no fault, try again when the machine has less to do; with --keep, `mesh lab exec host0 -- mesh network show xcbr0` tells more.',
    cause: new LastWords([host0]),
  });
}

/** What host0 says of networks, as far as it answers. */
async function statesOf(client: Host0Client, names: readonly string[]): Promise<string[]> {
  try {
    const views = await client.ask('GET /v1/catalogue');
    return names.flatMap((name) => {
      const activity = views.find(({ network }) => network.name === name)?.activity;
      if (activity === undefined) return name === 'host0' ? [] : [`host0 does not know ${name}`];
      const reason = activity.phase === 'refused' ? `: ${activity.error.message}` : '';
      return [`${name} is ${activity.phase}${reason}`];
    });
  } catch (error) {
    return [`host0 does not tell of them: ${MeshError.from(error).message}`];
  }
}

/** The network devices of a namespace. */
export function bridgesIn(netns: string): string[] {
  const devices = inNetns(netnsPath(netns), () => readFileSync('/proc/thread-self/net/dev', 'utf8'));
  return devices.split('\n').flatMap((line) => /^\s*([^:\s]+):/.exec(line)?.[1] ?? []);
}
