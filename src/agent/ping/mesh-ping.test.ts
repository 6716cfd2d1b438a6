/** Pings in a network that host0 has given: the other node is reached at the link-local address of its bridge. */
import { expect, test } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { networkOfType, storeNetwork } from '../../../test/kit/networks.ts';
import { KernelTables } from '../../kernel/mirror/kernel-tables.ts';
import { type Ipv4, parseIpv4 } from '../../model/address/ipv4.ts';
import type { Ipv6 } from '../../model/address/ipv6.ts';
import type { MachineId } from '../../model/machine.ts';
import type { Network } from '../../model/network/network.ts';
import { ipv6In } from '../../model/network/node-addresses.ts';
import type { NodeAttachment } from '../../protocol/documents/node-assignment.ts';
import { NOTHING_GIVEN } from '../assignment/node-document.ts';
import { NodeNetworks } from '../node-networks.ts';
import { meshPing, type PingingAgent } from './mesh-ping.ts';
import type { SizedEcho } from './path-mtu.ts';

const [here, there] = ['10eff964', '20eff964'] as [MachineId, MachineId];

/** A node without meshes that host0 has given one network, with one other node in it. */
function agentWith(network: Network, vteps?: readonly [Ipv6, Ipv6]): PingingAgent {
  const [vtep, underlay = parseIpv4('10.11.1.2')] = vteps ?? [];
  const peer = { machine: there, name: 'node2', underlay, macs: [] };
  const attachment: NodeAttachment = {
    network,
    reasons: ['port'],
    peers: { kind: 'assigned', peers: [peer] },
    services: [],
  };
  const assignments = {
    attachments: [attachment],
    given: { ...NOTHING_GIVEN, attachments: [attachment] },
    networkStates: () => [{ attachment, state: { phase: 'ready' } as const, vtep }],
  };
  const local: Ipv4 = parseIpv4('10.11.0.2');
  const stance = {
    role: 'node',
    ipv4: parseIpv4('10.11.0.1'),
    local,
    onLink: true,
    reachable: [],
    segments: [],
  } as const;
  const source = { networks: [], attachments: () => [], settled: () => true, host0Stance: () => stance };
  const networks = new NodeNetworks(source, assignments);
  return {
    source,
    networks,
    networkCalled: (name) => networks.vxlanCalled(name),
    stateOf: () => ({ phase: 'ready' }),
    cache: new KernelTables(),
    ports: { list: () => [] },
    input: { name: 'node1', machine: here, clock: new ManualClock(), assignments },
  };
}

test('the echoes leave through the bridge of the network', async () => {
  const blue = storeNetwork('blue', 0x1001);
  const sent: unknown[] = [];
  const echo: SizedEcho = async (to, _, bytes, device) => {
    sent.push([to, bytes, device]);
    return 0.5;
  };
  const result = await meshPing(agentWith(blue), { network: 'blue', node: 'node2', count: 1 }, echo);
  const to = ipv6In(blue, there);
  expect(to).toMatch(/^fe80::/);
  expect(sent).toEqual([
    [to, 56, 'br1001'],
    [to, 1402, 'br1001'],
  ]);
  expect(result).toMatchObject({
    network: 'blue',
    received: 1,
    to: { name: 'node2', ipv6: to },
    mtu: { provedBytes: 1450 },
  });
});

test('over IPv6, the nodes are found too, each with its VTEP', async () => {
  const six = agentWith(storeNetwork('six', 0x1001), ['fd00::2' as Ipv6, 'fd00::3' as Ipv6]);
  const result = await meshPing(six, { network: 'six', node: 'fd00::3', count: 1 }, async () => 0.5);
  expect(result).toMatchObject({ from: { underlay: 'fd00::2' }, to: { name: 'node2', underlay: 'fd00::3' } });
  expect(result.path).toEqual(['br1001', 'vxlan1001', 'fd00::2', 'fd00::3', 'vxlan1001', 'br1001']);
});

test('a node that does not hold the network, and a network without a VXLAN, are refused with a remedy', async () => {
  const echo: SizedEcho = async () => undefined;
  const blue = agentWith(storeNetwork('blue', 0x1001));
  await expect(meshPing(blue, { network: 'blue', node: 'node3' }, echo)).rejects.toMatchObject({
    code: 'MESH_NODE_UNKNOWN',
    remedy: 'It has: node1, node2.',
  });
  const local = agentWith(networkOfType(0x1002, { kind: 'bridge' }));
  await expect(meshPing(local, { network: 'n1002', node: 'node2' }, echo)).rejects.toMatchObject({
    code: 'MESH_NOT_SUPPORTED',
    remedy: '`mesh explain n1002` shows the devices of the network on this node.',
  });
});
