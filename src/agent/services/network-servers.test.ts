/** What a node serves in networks, and how it tells of it. */
import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { storeNetwork } from '../../../test/kit/networks.ts';
import type { Ipv4, Ipv4Cidr } from '../../model/address/ipv4.ts';
import type { Ipv6Cidr } from '../../model/address/ipv6.ts';
import { systemClock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import type { MachineWord } from '../../model/machine.ts';
import { plainBridge } from '../../model/network/bridge.ts';
import type { AssignedNat64 } from '../../protocol/documents/service/assigned-nat64.ts';
import { NetworkServers } from './network-servers.ts';

const MACHINE = 'aaaaaaaa' as MachineWord;
const NETWORK = { ...storeNetwork('blue', 0x1001), bridge: plainBridge('br1001') };
const NAT64: AssignedNat64 = {
  kind: 'nat64',
  id: 'one',
  active: MACHINE,
  guests: ['fd64::/64' as Ipv6Cidr],
  prefix: 'fd64:64::/96' as Ipv6Cidr,
  device: 'eth0',
  address: '198.51.100.10' as Ipv4,
  length: 24,
  block: '198.51.100.0/26' as Ipv4Cidr,
  maps: [],
};

function servers(outerFaultOf: (space: string) => MeshError | undefined = () => undefined) {
  const running = new NetworkServers({
    machine: MACHINE,
    clock: systemClock,
    launcher: { running: () => undefined, errorOf: () => undefined, present: () => [] },
    directories: { files: '/nowhere/files', run: '/nowhere/run', netns: '/nowhere/netns', leases: '/nowhere/leases' },
    openEar: () => ({ send: () => {}, close: () => {} }),
    outerFaultOf,
    isInPlace: () => true,
  });
  const plan = (service: AssignedNat64) =>
    running.plan([{ network: NETWORK, reasons: ['service'], peers: { kind: 'none' }, services: [service] }]);
  return { running, plan };
}

test('NAT64 without a way out tells why', () => {
  const error = new MeshError('MESH_UNDERLAY_DEVICE', 'there is no device eth0 on this node', {
    remedy: 'Name another.',
  });
  const { running, plan } = servers((space) => (space === 'meshwork-1001' ? error : undefined));
  plan(NAT64);
  // A plan touches nothing.
  expect(existsSync('/nowhere')).toBe(false);
  expect(running.stateOf(NETWORK, NAT64)).toEqual({
    state: 'failed',
    code: 'MESH_UNDERLAY_DEVICE',
    message: 'there is no device eth0 on this node',
    remedy: 'Name another.',
  });
});

test('a way out on another device is another one', () => {
  const { plan } = servers();
  const outerOf = (service: AssignedNat64) => plan(service).spaces[0]?.outer;
  const [first, second] = [outerOf(NAT64), outerOf({ ...NAT64, id: 'two', device: 'eth2' })];
  expect([first?.device, second?.device]).toEqual(['eth0', 'eth2']);
  expect(second?.mac).not.toBe(first?.mac);
  expect(outerOf({ ...NAT64, id: 'three' })?.mac).toBe(first?.mac);
});
