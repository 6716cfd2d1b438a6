/** Which interfaces of a real kernel cannot be ports, and what is done about those that an older agent plugged in. */
import { expect, test } from 'vitest';
import { kernelOfEachTest } from '../../../test/kit/kernel-of-each-test.ts';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { inside, ip } from '../../../test/kit/namespaces.ts';
import { manage } from '../../../test/kit/networks.ts';
import { KernelTables } from '../../kernel/mirror/kernel-tables.ts';
import type { Ipv4, Ipv4Cidr } from '../../model/address/ipv4.ts';
import { Journal } from '../../protocol/journal/journal.ts';
import type { Host0Stance } from '../desired/assignment.ts';
import { aliasOf, OUR_LINK_GROUP } from '../items/mark.ts';
import { ForeignPorts } from './foreign-ports.ts';
import { PortFitness } from './port-fitness.ts';
import { UnfitPorts } from './unfit-ports.ts';

const here = kernelOfEachTest();

const NODE: Host0Stance = {
  role: 'node',
  ipv4: '10.11.0.1' as Ipv4,
  local: '10.11.0.2' as Ipv4,
  device: 'eth0',
  onLink: true,
  segments: [],
  reachable: [],
};
const HOST0: Host0Stance = {
  role: 'host0',
  segments: [{ device: 'eth0', ipv4: '10.11.0.1' as Ipv4, subnet: '10.11.0.0/24' as Ipv4Cidr }],
  nics: [],
};

/** A machine with an interface of each kind that cannot be a port, and of each that can. */
function makeMachine(): void {
  const mark = `alias ${aliasOf('bridge', manage.id)} group ${OUR_LINK_GROUP}`;
  ip(
    here().netns.path,
    ...['eth0', 'eth1', 'eth2', 'eth3', 'eth4', 'eth5', 'eth6'].map((name) => `link add ${name} type ifb`),
    'link add br456 type bridge',
    `link set br456 ${mark}`,
    'link add br0 type bridge',
    'link add tap0 type veth peer name guest0',
    'link add link eth2 name up0 type macvlan mode bridge',
    'link add link eth4 name pod0 type macvlan mode bridge',
    ...['lo', 'eth0', 'eth1', 'eth2', 'up0', 'eth3', 'eth5', 'eth6', 'tap0', 'guest0'].map((n) => `link set ${n} up`),
    'address add 10.11.0.2/24 dev eth0',
    'address add 192.0.2.5/24 dev eth1',
    'address add 192.0.3.5/24 dev up0',
    'address add 169.254.7.7/16 dev eth5',
    'address add fd99::5/64 dev eth3 nodad',
    'route add default via 192.0.2.1',
  );
}

async function cache(): Promise<KernelTables> {
  return KernelTables.of(await here().kernel.dump(() => true));
}

async function reasons(host0: Host0Stance): Promise<string[]> {
  const kernel = await cache();
  const fitness = new PortFitness(kernel, host0);
  return [...kernel.links.values()].flatMap((link) => {
    const unfit = fitness.unfitness(link);
    return unfit === undefined ? [] : [`${unfit.vital ? 'vital: ' : ''}${unfit.reason}`];
  });
}

test('what a node itself needs is no port, and is called by its use', async () => {
  makeMachine();
  const address = 'which does not work on a port of a bridge';
  expect(await reasons(NODE)).toEqual([
    'vital: lo is the loopback of this machine',
    'vital: eth0 is the way to host0',
    'vital: eth1 has the default route of this machine',
    `eth2 carries up0, which has the address 192.0.3.5/24, ${address}`,
    `eth3 has the address fd99::5/64, ${address}`,
    'eth4 carries pod0, and no link of kind macvlan works on a port of a bridge',
    'vital: br456 is a device that Meshwork itself has made',
    'vital: br0 is a bridge, and no bridge is a port of another one',
    `up0 has the address 192.0.3.5/24, ${address}`,
  ]);
});

test('the card below a link that leads to host0 is no port', async () => {
  makeMachine();
  expect(await reasons({ ...NODE, device: 'up0' })).toEqual(
    expect.arrayContaining(['vital: eth2 carries up0, which is the way to host0', 'vital: up0 is the way to host0']),
  );
});

test('on host0, no NIC with an address is a port', async () => {
  makeMachine();
  expect(await reasons(HOST0)).toEqual(
    expect.arrayContaining([
      'vital: eth0 is how nodes reach host0',
      'vital: eth1 has the default route of this machine',
      expect.stringMatching(/^vital: eth2 carries up0, which has the address 192\.0\.3\.5/),
    ]),
  );
});

/** The ports of an older agent, which took every interface, and what is found about them. */
function olderPorts(...links: string[]) {
  const ports = new ForeignPorts(
    { plugged: links.map((link) => ({ link, network: manage.id })), unplugging: [] },
    new ManualClock(),
  );
  const journal = new Journal(new ManualClock(), 'agent', 'node1');
  return { ports, journal, unfit: new UnfitPorts({ ports, journal }) };
}

test('what an older agent plugged in is taken off for good, and said', async () => {
  makeMachine();
  inside(here().netns.path, 'ip', 'link', 'set', 'eth0', 'master', 'br456');
  const { ports, journal, unfit } = olderPorts('eth0', 'lo', 'tap0', 'absent');
  const kernel = await cache();
  unfit.takeOff(kernel, NODE, () => 'manage');
  expect(ports.toTakeOff(kernel).map(({ link }) => link)).toEqual(['eth0']);
  expect(ports.record.plugged.map(({ link }) => link)).toEqual(['tap0', 'absent']);
  const message = 'eth0 was plugged into manage, and has been taken off: eth0 is the way to host0';
  expect(unfit.findings(kernel, NODE)).toMatchObject([
    { code: 'MESH_PORT_UNFIT', severity: 'warning', object: 'eth0', message },
    { object: 'lo' },
  ]);
  expect(journal.recent().map((event) => event.message)).toContain(message);
  expect([unfit.forget('eth0'), unfit.forget('eth0')]).toEqual([true, false]);
  expect(unfit.findings(kernel, NODE)).toMatchObject([{ object: 'lo' }]);
});

test('a NIC that was put on the bridge by hand is an error that names it', async () => {
  makeMachine();
  inside(here().netns.path, 'ip', 'link', 'set', 'eth0', 'master', 'br456');
  const { unfit } = olderPorts();
  expect(unfit.findings(await cache(), NODE)).toMatchObject([
    {
      severity: 'error',
      object: 'eth0',
      message: 'eth0 is a port of a network, but eth0 is the way to host0',
      remedy: expect.stringMatching(/^`mesh port unplug eth0` takes it off\./),
    },
  ]);
});

test('a guest that has got an address later stays plugged', async () => {
  makeMachine();
  inside(here().netns.path, 'ip', 'address', 'add', '10.5.0.1/24', 'dev', 'tap0');
  const { ports, unfit } = olderPorts('tap0');
  const kernel = await cache();
  unfit.takeOff(kernel, NODE, () => 'manage');
  expect(ports.record.plugged).toHaveLength(1);
  expect(unfit.findings(kernel, NODE)).toMatchObject([{ severity: 'warning', object: 'tap0' }]);
});

test('a card waits until it is known which way leads to host0', async () => {
  makeMachine();
  const { unfit } = olderPorts('eth6', 'tap0');
  const kernel = await cache();
  const { device: _, ...cutOff } = NODE;
  // A test can make no network card: this one is said to be one.
  const links = [...kernel.links.values()].map((link) => (link.name === 'eth6' ? { ...link, kind: '' } : link));
  const withCard = KernelTables.of({ links, addresses: [], routes: [], neighbours: [], fdb: [] });
  expect(unfit.heldBack(withCard, cutOff)).toEqual(new Set(['eth6']));
  expect(unfit.heldBack(withCard, NODE)).toEqual(new Set());
});
