/** The nets of a lab: ordinary networks of the type `bridge`, which its host0 keeps and its agent carries out. */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { inNetns, netnsPath } from '../../kernel/netns.ts';
import { parseIpv6 } from '../../model/address/ipv6.ts';
import { MeshError } from '../../model/error.ts';
import { host0Client } from '../../protocol/calls/control-client.ts';
import type { NetworkOrder } from '../../protocol/documents/catalogue.ts';
import { pathsBelow } from '../../protocol/documents/paths.ts';
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

const LOOK_MS = 20;
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

/** Gives host0 the nets as documents, and waits until their bridges are there. @throws MESH_NET_*, MESH_LAB_FAILED */
export async function applyNets(
  root: string,
  netns: string,
  topology: VmTopology,
  nets: readonly number[],
  signal?: AbortSignal,
): Promise<void> {
  const client = host0Client(pathsBelow(root));
  const giveUpAt = performance.now() + THERE_WITHIN_MS;
  while (!(await client.answers())) {
    signal?.throwIfAborted();
    if (performance.now() > giveUpAt) throw notThere('host0');
    await sleep(LOOK_MS);
  }
  for (const net of nets) await client.ask('PUT /v1/catalogue', { body: netOrder(topology, net) });
  for (;;) {
    const missing = nets.filter((net) => !bridgesIn(netns).includes(bridgeOfNet(net)));
    if (missing.length === 0) return;
    signal?.throwIfAborted();
    if (performance.now() > giveUpAt) throw notThere(missing.map(bridgeOfNet).join(', '));
    await sleep(LOOK_MS);
  }
}

function notThere(what: string): MeshError {
  return new MeshError('MESH_LAB_FAILED', `${what} did not come up within ${THERE_WITHIN_MS / 1000} s`, {
    operation: 'make the nets',
    remedy: 'Take the lab down, and try again when the machine has less to do.',
  });
}

/** The network devices of a namespace. */
export function bridgesIn(netns: string): string[] {
  const devices = inNetns(netnsPath(netns), () => readFileSync('/proc/thread-self/net/dev', 'utf8'));
  return devices.split('\n').flatMap((line) => /^\s*([^:\s]+):/.exec(line)?.[1] ?? []);
}
