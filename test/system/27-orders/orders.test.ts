/**
 * The seed from end to end, by the commands of the tutorial: an owner, a hook, an order, a network with a prefix that routers announce, two
 * virtual machines that address themselves, an IPv4 user, and a router that dies. Host0 keeps its store in a real etcd of three members.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { netnsPath } from '../../../src/kernel/netns.ts';
import { Lab } from '../../../src/lab/cluster/lab.ts';
import { LABS_DIRECTORY } from '../../../src/lab/cluster/record.ts';
import { residentsOf } from '../../../src/lab/cluster/residents.ts';
import { killAll } from '../../../src/lab/hosts/host-process.ts';
import type { LabHost } from '../../../src/lab/hosts/lab-host.ts';
import { type StoreMember, StoreMembers } from '../../../src/lab/hosts/store-members.ts';
import { host0Client } from '../../../src/protocol/calls/control-client.ts';
import { isSettled, type OrderView } from '../../../src/protocol/documents/order/order.ts';
import { pathsBelow } from '../../../src/protocol/documents/paths.ts';
import { type ShownCommand, shownCommands } from '../../cli/console-block.ts';
import { LONG } from '../../kit/long.ts';
import { inside } from '../../kit/namespaces.ts';
import { randomFrom } from '../../kit/random.ts';
import { guestCommandLine, type SmallGuest, smallGuest } from '../../kit/small-guest/small-guest.ts';
import { noDrift } from '../drift.ts';
import { countEchoesOn, countNoEchoesOn, echoesOn } from '../echo-counters.ts';
import { pageOf, Typist } from '../typist.ts';
import { until } from '../until.ts';

const PAGE = 'docs/tutorial-networks.md';
const NAME = `orders-${process.pid}`;
/** A guest is ready after two seconds, and its neighbour answers a second later. */
const GUEST_MS = 40_000;
/** host0 gives a router up twelve seconds after its last sign of life. */
const TAKEOVER_MS = 65_000;
/** An order for a network waits for two routers to be heard, which takes four seconds; a fault of etcd or of host0 takes six. */
const ORDERS_MS = 90_000;
/** The address outside that the page has a machine get. */
const MAPPED = '10.11.0.208';
const MAC = { vm3: '02:00:00:00:10:03', vm4: '02:00:00:00:10:04' } as const;
const ADDRESS = { vm3: 'fd42:7777::ff:fe00:1003', vm4: 'fd42:7777::ff:fe00:1004' } as const;
type Vm = keyof typeof MAC;
const VMS: readonly Vm[] = ['vm3', 'vm4'];
const MANY = 'many';

const commands = shownCommands(pageOf(PAGE)).map((command) => {
  // Each machine has a second card here, in a network with multicast peers.
  if (!command.text.endsWith('mesh workload list')) return command;
  return { ...command, answer: command.answer.map((line) => line.replace(' acme ', ` acme, ${MANY} `)) };
});
let typist: Typist;
let lab: Lab;
let host0: LabHost;
let store: StoreMembers;
let guest: SmallGuest;
let before: ReadonlyMap<string, readonly string[]>;
let keysBefore: readonly string[];

beforeAll(async () => {
  guest = await smallGuest();
  typist = new Typist(NAME);
  // Both were done before any test ran.
  expect(commands.splice(0, 2).map(({ text }) => text)).toEqual(['scripts/setup', 'PATH=$PWD/bin:$PATH']);
  const up = commands.shift();
  expect(up?.text).toBe('mesh lab up --nodes 4 --segments 1 --store etcd --routers 2 --keep');
  await typist.type(PAGE, up);
  lab = Lab.open(NAME);
  host0 = lab.host('host0');
  store = new StoreMembers(host0, lab.directory);
  // The network with multicast peers goes over IPv6.
  for (const [at, { netns, ports }] of lab.hosts.entries())
    inside(netnsPath(netns), 'ip', 'address', 'add', `fd00:11::${at + 1}/64`, 'dev', ports[0]?.device ?? '', 'nodad');
  before = new Map(lab.hosts.map((host) => [host.name, tracesOn(host)]));
  keysBefore = await keys();
}, 300_000);

afterAll(async () => {
  if (existsSync(join(LABS_DIRECTORY, NAME))) await Lab.open(NAME).down();
  typist?.close();
});

/** Types the commands of the page up to one that begins so; that one is typed by the next call. */
async function typeTo(begin: string): Promise<void> {
  while (commands[0] !== undefined && !commands[0].text.startsWith(begin)) await typed(commands.shift());
  if (commands[0] === undefined) throw new Error(`${PAGE} has no command that begins with ${begin}`);
}

async function typed(command: ShownCommand | undefined): Promise<string> {
  return await typist.type(PAGE, command);
}

async function mesh(...words: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await lab.exec(host0, ['mesh', ...words]);
  if (code !== 0) throw new Error(`mesh ${words.join(' ')}: ${stdout}${stderr}`);
  return stdout;
}

const client = () => host0Client(pathsBelow(host0.root));
const nodeOf = (vm: Vm) => lab.host(`node${vm.slice(2)}`);
const linksOn = ({ netns }: LabHost) =>
  inside(netnsPath(netns), 'ip', '-br', 'link')
    .split('\n')
    .flatMap((line) => line.split(/[\s@]/)[0] || []);
const namesIn = (directory: string) => (existsSync(directory) ? readdirSync(directory) : []);
/** The path of the namespace in which a router serves a network. */
const spaceOf = (router: LabHost, number: string) => join(pathsBelow(router.root).netns, `meshwork-${number}`);

/** Links, spaces, processes and files of services and workloads of a host. */
function tracesOn(host: LabHost): readonly string[] {
  const { state, run, netns } = pathsBelow(host.root);
  const files = [
    netns,
    join(run, 'vm'),
    join(state, 'services/files'),
    join(state, 'services/processes'),
    join(state, 'workloads'),
  ];
  const processes = residentsOf([host.netns], host.root).map(({ pid }) =>
    readFileSync(`/proc/${pid}/comm`, 'utf8').trim(),
  );
  return [
    ...linksOn(host),
    ...files.flatMap(namesIn).filter((name) => !name.endsWith('.log')),
    ...processes.filter((name) => /^(?:radvd|tayga|unbound|dnsmasq|qemu)/.test(name)),
  ].toSorted();
}

/** The keys in etcd, without those that a cluster has of its own accord: what nodes hold, who is a member, and what rests or was undone. */
async function keys(): Promise<readonly string[]> {
  const { stdout } = await store.ctl('etcd1', 'get', '--prefix', '/v1/', '--keys-only');
  return stdout.split('\n').filter((key) => key !== '' && !/^\/v1\/(?:holdings|meshes|pools|store|orders\/)/.test(key));
}

async function consoleOf(vm: Vm): Promise<string> {
  const { id } = await client().ask('GET /v1/workloads/{name}', { path: { name: vm } });
  const file = join(pathsBelow(nodeOf(vm).root).logs, 'workloads', `${id}.console.log`);
  return existsSync(file) ? readFileSync(file, 'latin1') : '';
}

async function hears(vm: Vm, said: string, times = 0): Promise<void> {
  await until(`${vm} says more than ${times} times: ${said}`, GUEST_MS, async () => {
    return (await consoleOf(vm)).split(said).length - 1 > times;
  }).catch(async (cause: unknown) => {
    throw new Error((await consoleOf(vm)).slice(-2_000), { cause });
  });
}

/** The link-local address of a router in a network, by its number in hex. */
function routerAddress(router: LabHost, number: string): string {
  const text = inside(spaceOf(router, number), 'ip', '-6', '-o', 'address', 'show', 'scope', 'link');
  return /inet6 (fe80:\S+)\//.exec(text)?.[1] ?? '';
}

test('an owner is created: its hook orders a network, and the routers announce its prefix', async () => {
  await typeTo('for n in');
  for (const name of ['node3', 'node4', 'host0']) expect(tracesOn(lab.host(name))).toEqual(before.get(name));
  expect((await lab.exec(host0, ['etcdctl', 'get', '--prefix', '/v1/orders/', '--print-value-only'])).stdout).toContain(
    '"once":"owner-created"',
  );
});

test('two machines on two hosts address themselves by EUI-64, and reach each other and the routers, with assigned and with multicast peers', async () => {
  await mesh('order', 'ipv6-network', '--owner', 'acme', '--name', MANY, '--peers', 'multicast', '--device', 'eth0');
  const { network } = await client().ask('GET /v1/catalogue/{name}', { path: { name: MANY } });
  const [subnet] = network.subnets;
  const far = (subnet?.cidr ?? '').replace('/64', '');
  const routers = ['node1', 'node2'].map((name) => lab.host(name));
  const routerOn = (number: string, device: string) =>
    routers.map((router) => `${routerAddress(router, number)}%${device}`);
  const pings = [
    ...VMS.map((vm) => ADDRESS[vm]),
    ...VMS.map((vm) => `${far}ff:fe00:20${vm.slice(-1).padStart(2, '0')}`),
    ...routerOn('1001', 'eth0'),
    ...routerOn(network.number.toString(16), 'eth1'),
  ];
  const append = guestCommandLine(guest, { name: 'vm', pings, steady: VMS.map((vm) => ADDRESS[vm]) }).replaceAll(
    '%',
    '%%',
  );
  const make = commands.shift();
  if (make === undefined) throw new Error('the page makes no machine');
  const second = `platform.network.many.network=${MANY}\\nplatform.network.many.mac=02:00:00:00:20:0%s`;
  const text = make.text
    .replace('platform.kernel.path=/boot/vmlinuz', `${second}\\nplatform.kernel.path=${guest.kernel}`)
    .replace('/boot/initrd.img', guest.initrd)
    .replace('console=ttyS0', append)
    .replace('$n $n $n $n', '$n $n $n $n $n');
  await typed({ ...make, text });
  await typeTo('mesh lab exec node1 -- sh');
  for (const vm of VMS) for (const address of pings) await hears(vm, `guest: ${address} answers`);
  await typeTo('mesh lab exec host0 -- mesh network service set');
}, 300_000);

/** Holds both machines still meanwhile: no echo request is on its way. */
async function stillWhile<T>(body: () => T): Promise<T> {
  const wanted = async (state: string) => {
    for (const vm of VMS)
      await until(`${vm} is ${state}`, GUEST_MS, async () => {
        const view = await client().ask('GET /v1/workloads/{name}', { path: { name: vm } });
        return view.state === state;
      });
  };
  for (const vm of VMS) await mesh('workload', 'pause', '-w', vm);
  await wanted('paused');
  try {
    return body();
  } finally {
    for (const vm of VMS) await mesh('workload', 'resume', '-w', vm);
    await wanted('running');
  }
}

/** Faults in the middle of orders. Each gives what heals it. */
const FAULTS: Readonly<Record<string, () => Promise<() => Promise<void> | void>>> = {
  'the leader of etcd is killed': async () => {
    const leader = await leaderOf();
    await store.stop(leader);
    return () => void store.start(leader);
  },
  'the leader of etcd hears and says nothing': async () => {
    const leader = await leaderOf();
    await store.stop(leader, 'SIGSTOP');
    return () => store.stop(leader, 'SIGCONT');
  },
  'host0 is killed': async () => {
    await lab.stop(host0, 'host0');
    return () => void lab.start(host0, 'host0');
  },
  'the agents of both routers are killed': async () => {
    const routers = ['node1', 'node2'].map((name) => lab.host(name));
    for (const router of routers) await lab.stop(router, 'agent');
    return () => routers.forEach((router) => void lab.start(router, 'agent'));
  },
  'host0 and all agents are killed': async () => {
    await lab.stop(host0, 'host0');
    for (const host of lab.hosts) await lab.stop(host, 'agent');
    return () => {
      lab.start(host0, 'host0');
      for (const host of lab.hosts) lab.start(host, 'agent');
    };
  },
};

function leaderOf(): Promise<StoreMember> {
  return until('a member of etcd leads', ORDERS_MS, () => store.leader());
}

/** Orders a network until host0 has answered: the word makes it one order. */
async function order(word: string, kind: 'network' | 'ipv6-network'): Promise<void> {
  const body = { owner: 'acme', once: word, wish: { kind, name: word } };
  await until(`${word} is ordered`, ORDERS_MS, async () => {
    const { order: made } = await client()
      .ask('POST /v1/orders', { body })
      .catch(() => ({ order: undefined }));
    return made !== undefined;
  });
}

async function ordersOf(words: readonly string[]): Promise<readonly OrderView[]> {
  const orders = await client().ask('GET /v1/orders', { query: { owner: 'acme' } });
  return orders.filter(({ once = '' }) => words.includes(once));
}

test(
  'faults in the middle of orders: each order is done exactly once or undone, and no machine loses a ping',
  async () => {
    const kinds = Object.keys(FAULTS);
    const moments = LONG ? Array.from({ length: 10 }, () => kinds).flat() : kinds;
    const random = randomFrom(14);
    await stillWhile(() => {
      for (const vm of VMS)
        countEchoesOn(
          nodeOf(vm),
          linksOn(nodeOf(vm)).filter((link) => /^v[0-9a-f]+$/.test(link)),
          Object.values(ADDRESS),
        );
    });
    const words: string[] = [];
    for (const [at, kind] of moments.entries()) {
      const mine = [0, 1, 2].map((one) => `m${at}x${one}`);
      words.push(...mine);
      const ordered = Promise.all(mine.map((word, one) => order(word, one === 0 ? 'ipv6-network' : 'network')));
      // Of five steps, so many are done when the fault comes.
      const done = Math.floor(random() * 4);
      await until(`${done} steps of moment ${at} are done`, ORDERS_MS, async () => {
        const steps = (await ordersOf(mine)).flatMap((one) => one.steps);
        return steps.filter(({ state }) => state === 'done').length >= done;
      });
      const heal = await FAULTS[kind]?.();
      // While one member of etcd is away, orders go on without it.
      const isOfStore = kind.includes('etcd');
      if (!isOfStore) await heal?.();
      await ordered;
      await until(`the orders of moment ${at} (${kind}) are at their end`, ORDERS_MS, async () => {
        const these = await ordersOf(mine).catch(() => []);
        return these.length === mine.length && these.every(isSettled);
      });
      if (isOfStore) await heal?.();
    }
    const ours = await ordersOf(words);
    expect(ours.map(({ once, state }) => `${once} ${state}`).toSorted()).toEqual(
      words.map((word) => `${word} done`).toSorted(),
    );
    const views = await client().ask('GET /v1/catalogue');
    expect(views.filter(({ network }) => words.includes(network.name))).toHaveLength(words.length);
    expect(await mesh('ipam', 'check')).toBe('All allocations fit what uses them.\n');
    for (const { id } of ours.toReversed()) await client().ask('POST /v1/orders/{id}/cancel', { path: { id } });
    await until('all are undone', ORDERS_MS, async () => {
      return (await ordersOf(words)).every(({ state }) => state === 'undone');
    });
    expect(await mesh('ipam', 'check')).toBe('All allocations fit what uses them.\n');
    const lost = await stillWhile(() => {
      const [one, two] = VMS.map((vm) => echoesOn(nodeOf(vm)));
      for (const vm of VMS) countNoEchoesOn(nodeOf(vm));
      return { vm3: (one?.sent ?? 0) - (two?.came ?? 0), vm4: (two?.sent ?? 0) - (one?.came ?? 0) };
    });
    expect(lost).toEqual({ vm3: 0, vm4: 0 });
  },
  LONG ? 3_600_000 : 600_000,
);

test('the demo goes with exactly what it came with', async () => {
  const page = 'docs/orders.md';
  const [load, unload, ...more] = shownCommands(pageOf(page)).filter(({ text }) => text.startsWith('mesh demo '));
  expect(more).toEqual([]);
  const ours = await keys();
  await typist.type(page, load, 'host0');
  expect((await keys()).filter((key) => key.startsWith('/v1/owners/'))).toHaveLength(4);
  await typist.type(page, unload, 'host0');
  await until('the demo is gone', ORDERS_MS, async () => (await keys()).join() === ours.join());
}, 300_000);

test('an IPv4 user reaches a machine through NAT64, and does so again when the active router is switched off', async () => {
  await typeTo('for node in');
  const active = ['node1', 'node2'].map((name) => lab.host(name)).find(hasTranslator);
  if (active === undefined) throw new Error('no router translates');
  await typed(commands.shift());
  const cutMs = performance.now();
  // What has power off answers nothing on any device.
  await killAll(residentsOf([active.netns], active.root));
  await until('the machine answers again', TAKEOVER_MS, async () => {
    return (await lab.exec(host0, ['ping', '-n', '-c', '1', '-W', '1', MAPPED])).code === 0;
  });
  console.log(
    `the IPv4 user reaches the machine ${((performance.now() - cutMs) / 1_000).toFixed(1)} s after the router died`,
  );
  await typeTo('for node in');
  await typed(commands.shift());
  lab.start(active, 'agent');
}, 300_000);

function hasTranslator(host: LabHost): boolean {
  return residentsOf([host.netns], host.root).some(
    ({ pid }) => readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'tayga',
  );
}

test('the owner leaves, and every host is as before', async () => {
  await typeTo('mesh lab exec host0 -- mesh owner list');
  await until('the owner is gone', ORDERS_MS, async () =>
    (await mesh('owner', 'list')).startsWith('There are no owners.'),
  );
  await typeTo('mesh lab down');
  for (const host of lab.hosts) {
    await until(
      `${host.name} is as before`,
      ORDERS_MS,
      () => tracesOn(host).join() === before.get(host.name)?.join(),
    ).catch((cause) => {
      throw new Error(`${host.name}: ${tracesOn(host).join()}`, { cause });
    });
  }
  await noDrift(lab.hosts);
  await mesh('ipam', 'pool', 'delete', 'customers', '--force');
  await until('the store is as before', ORDERS_MS, async () => (await keys()).join() === keysBefore.join()).catch(
    async (cause) => {
      throw new Error((await keys()).join('\n'), { cause });
    },
  );
}, 300_000);

test('the lab goes with its etcd', async () => {
  const pids = residentsOf([host0.netns], lab.directory).map(({ pid }) => pid);
  await typed(commands.shift());
  expect(commands).toEqual([]);
  expect(existsSync(lab.directory)).toBe(false);
  expect(pids.filter((pid) => existsSync(`/proc/${pid}/ns/net`))).toEqual([]);
});
