/** What the agent tells of ports: the name of the network, and why a port is not on its bridge. */
import { expect, test } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { storeNetwork } from '../../../test/kit/networks.ts';
import { portLink } from '../../../test/kit/trace-cluster.ts';
import { KernelTables } from '../../kernel/mirror/kernel-tables.ts';
import { MeshError } from '../../model/error.ts';
import type { Network } from '../../model/network/network.ts';
import { Signal } from '../../model/signal.ts';
import type { NetworkState } from '../../protocol/documents/membership.ts';
import { Journal } from '../../protocol/journal/journal.ts';
import { ForeignPorts } from './foreign-ports.ts';
import { PortCommands } from './port-commands.ts';

const blue = storeNetwork('blue', 0x1001);

/** A node on which vm0 is plugged into blue, and whose kernel and networks are as `world` says. */
function node() {
  const clock = new ManualClock();
  const ports = new ForeignPorts({ plugged: [{ link: 'vm0', network: blue.id }], unplugging: [] }, clock);
  const world = {
    networks: [blue] as readonly Network[],
    files: [] as readonly Network[],
    state: { phase: 'ready' } as NetworkState,
    isReady: false,
    links: [portLink(2, 'vm0')],
    failure: undefined as MeshError | undefined,
  };
  const commands = new PortCommands({
    clock,
    ports,
    keepPorts: async () => undefined,
    journal: new Journal(clock, 'agent', 'node1'),
    reconciler: {
      get cache() {
        return KernelTables.of({ links: world.links, addresses: [], neighbours: [], fdb: [], routes: [] });
      },
      isReady: () => world.isReady,
      failureOf: () => world.failure,
      passes: new Signal<never>(),
      wake: async () => undefined,
    },
    refusals: { counts: [], offendersOf: () => [] },
    unfit: { forget: () => false, reasonAgainst: () => undefined },
    taps: () => [],
    host0Stance: () => ({ role: 'host0', segments: [], nics: [] }),
    networks: () => world.networks,
    fileNetworks: () => world.files,
    stateOf: () => world.state,
    networkCalled: (name) => {
      const found = world.networks.find((network) => network.name === name);
      if (found === undefined) throw new MeshError('MESH_NET_UNKNOWN', `there is no network ${name}`);
      return found;
    },
  });
  return { world, clock, commands, look: () => commands.list()[0] };
}

test('a port has the name of its network, and says why it waits', () => {
  const { world, look } = node();
  world.isReady = true;
  expect(look()).toMatchObject({ network: 'net-1001', networkName: 'blue', state: 'plugged' });
  expect(look()).not.toHaveProperty('why');
  world.isReady = false;
  expect(look()).toMatchObject({ state: 'wanted', why: 'it is not on its bridge yet' });
  world.state = { phase: 'pending', why: 'its bridge is being made' };
  expect(look()).toMatchObject({ why: 'blue waits: its bridge is being made' });
  world.failure = new MeshError('MESH_KERNEL_REFUSED', 'the kernel refuses vm0');
  expect(look()).toMatchObject({ why: 'the kernel refuses vm0' });
});

test('a network that host0 has taken back keeps its name', () => {
  const { world, look } = node();
  look();
  world.networks = [];
  expect(look()).toMatchObject({ networkName: 'blue', why: expect.stringContaining('does not have the network now') });
});

test('host0 takes no port off a network of a file', async () => {
  const { world, commands, look } = node();
  world.files = [blue];
  await expect(commands.unplugAll(blue.id, 'blue')).rejects.toMatchObject({ code: 'MESH_NET_SOURCE', object: 'blue' });
  await expect(commands.unplugAll('net-9', 'blue')).rejects.toMatchObject({ code: 'MESH_NET_SOURCE' });
  expect(look()).toMatchObject({ interface: 'vm0', network: blue.id });
});

test('who wants a port in another network is told to unplug it, and nobody is told to take off a device of Meshwork', async () => {
  const { world, commands } = node();
  const bridge = (index: number, name: string) => ({ ...portLink(index, name), kind: 'bridge' });
  world.links = [
    bridge(3, 'br9'),
    { ...portLink(2, 'vm0'), master: 3 },
    { ...portLink(4, 'vm1'), master: 3 },
    { ...portLink(5, 'vxlan9'), kind: 'vxlan', alias: 'meshwork:vxlan:net-9', master: 3 },
  ];
  const refused = async (link: string) => commands.plug(link, 'blue').catch(MeshError.from);
  expect(await refused('vm0')).toMatchObject({
    code: 'MESH_PORT_TAKEN',
    remedy: expect.stringContaining('unplug vm0'),
  });
  expect(await refused('vm1')).toMatchObject({ code: 'MESH_PORT_TAKEN', remedy: expect.stringContaining('nomaster') });
  expect(await refused('vxlan9')).toMatchObject({ code: 'MESH_PORT_UNFIT' });
});

test('a port that is plugged into an agent which has just started waits until the agent knows its networks', async () => {
  const { world, clock, commands } = node();
  world.networks = [];
  let mayBeGiven = false;
  const known = Promise.withResolvers<void>();
  commands.givenBy(() => mayBeGiven, known.promise);
  const [ofFile, ofHost0] = [commands.plug('vm0', 'blue'), commands.plug('vm0', 'green')];
  world.networks = [blue];
  mayBeGiven = true;
  known.resolve();
  expect(await ofFile).toMatchObject({ network: blue.id });
  await clock.pass(2_000);
  expect(await ofHost0).toMatchObject({ network: 'green', state: 'wanted' });
});

test('an agent that does not learn its networks refuses a port of an unknown one after some seconds', async () => {
  const { world, clock, commands } = node();
  world.networks = [];
  commands.givenBy(() => false, new Promise(() => undefined));
  const refused = expect(commands.plug('vm0', 'blue')).rejects.toMatchObject({ code: 'MESH_NET_UNKNOWN' });
  await clock.pass(10_000);
  await refused;
});
