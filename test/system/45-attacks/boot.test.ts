/** Strangers on a boot segment: they get no other machine's secrets, and take nothing that other machines need. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { programFile } from '../../../src/image/node/program-files.ts';
import { inNetns } from '../../../src/kernel/netns.ts';
import { machineIdOf } from '../../../src/model/machine.ts';
import type { Finding } from '../../../src/protocol/documents/finding.ts';
import { pathsBelow } from '../../../src/protocol/documents/paths.ts';
import { SqliteStore } from '../../../src/store/sqlite/sqlite-store.ts';
import { LONG } from '../../kit/long.ts';
import { inside, ip } from '../../kit/namespaces.ts';
import { BootBench, type BootHost } from '../80-boot/boot-bench.ts';
import { type CrowdMember, crowdOf, plugIn } from '../81-boot-scale/crowd.ts';
import { configure, meshCommand, publishImage, writeMachines } from '../81-boot-scale/rack.ts';
import { growLittle } from '../retained-memory.ts';
import { until } from '../until.ts';
import { type Answered, SegmentAsker } from './segment-asker.ts';

const CONF =
  'boot="auto"\nsubnet_pool="10.77.0.0/16"\ndefault_subnet_size="24"\ndefault_networks="manage"\nadmission="open"\n';
const MESH = 'name=manage\nprefix=fd42:2345:1234:9abc::/64\nvni=456\nkey=456\n';
const HOST0 = '10.77.0.1';
/** As many as host0 lets load at once. */
const LOOPERS = 24;
const DEADLINE_MS = 20_000;
const MADE_UP = LONG ? 4_300 : 3_000;
/** 2.7 kB for each made-up machine: what host0 keeps of one would be more. */
const GROWTH_MAX_KB = 8 * 1024;

let bench: BootBench;
let host: BootHost;
let rack: string;
let asker: SegmentAsker;
/** Adopted, from its card, and the thief with a card of its own. */
let node1: CrowdMember;
let thief: CrowdMember;
let stranger: CrowdMember;
let newcomer: CrowdMember;
let adoptedLater: CrowdMember;
/** Its maker gave it the UUID of another machine. */
let twin: CrowdMember;
let loopers: readonly CrowdMember[];
const agents: ChildProcess[] = [];

beforeAll(async () => {
  bench = new BootBench();
  const machine = bench.machine();
  rack = bench.machine();
  bench.segment('one');
  bench.plug(machine, { eth1: 'one' });
  bench.plug(rack, { eth0: 'one' });
  host = bench.host0('host0', machine, CONF);
  writeFileSync(join(host.host0Dir, 'network/manage.conf'), MESH);
  const crowd = crowdOf(6 + LOOPERS, HOST0, '10.77.0');
  [node1, thief, stranger, newcomer, adoptedLater, twin] = crowd as [
    CrowdMember,
    CrowdMember,
    CrowdMember,
    CrowdMember,
    CrowdMember,
    CrowdMember,
  ];
  loopers = crowd.slice(6);
  host.start('host0');
  host.start('agent');
  plugIn(rack, crowd);
  writeMachines(host.root, [node1, adoptedLater]);
  mkdirSync(join(host.root, 'host0/machines/default'), { recursive: true });
  writeFileSync(join(host.root, 'host0/machines/default/UUID'), 'default\n');
  writeFileSync(join(host.root, 'host0/machines/default/manifest'), '');
  expect(configure(host.root)).toMatchObject({ status: 0 });
  await publishImage(host.root, 30_000, 100_000);
  asker = new SegmentAsker(rack, HOST0);
  await serves();
});

afterAll(async () => {
  asker?.[Symbol.dispose]();
  for (const agent of agents) agent.kill('SIGKILL');
  await bench?.close();
});

function serves() {
  return host.segment('eth1', 'serves', ({ mode, service }) => mode === 'server' && service?.state === 'running');
}

/** The path of the script of a machine, as asked for from a card. */
const scriptOf = (machine: CrowdMember, card = machine) =>
  `/boot/${card.mac.replaceAll(':', '-')}.ipxe?uuid=${machine.uuid}&product=Synthetic`;

const isScript = ({ body }: Answered) => /^kernel http/m.test(body);

/** Asks for the script of a machine, from a card. */
const script = (machine: CrowdMember, card = machine) => asker.ask(card.address, scriptOf(machine, card));

/** Fetches the secrets for the token in a script, from a card. */
function secrets({ body }: Answered, card: CrowdMember): Promise<Answered> {
  const [, token = 'none'] = /mesh\.token=([0-9a-f]{32})/.exec(body) ?? [];
  return asker.ask(card.address, `/secrets/${token}`);
}

/** The machine loads nothing more: its place in the queue is free. */
async function loads({ body }: Answered, card: CrowdMember): Promise<void> {
  const [, initrd = ''] = /^initrd --name initrd.img http:\/\/[^/]+(\/\S+) /m.exec(body) ?? [];
  expect((await asker.ask(card.address, initrd)).status).toBe(200);
}

async function finding(code: Finding['code']): Promise<Finding> {
  return await until(`the finding ${code}`, DEADLINE_MS, async () =>
    (await host.status()).health.find((candidate) => candidate.code === code),
  );
}

/** The thief asks as node1, and gets neither a script nor, with all that it can see, secrets. */
async function thiefGetsNothing(): Promise<void> {
  const refused = await script(node1, thief);
  expect(isScript(refused)).toBe(false);
  expect(refused.body).toContain(`does not boot machine ${node1.machine}`);
  expect(refused.body).not.toMatch(/mesh\.token/);
}

/** The text of the key file among secrets. */
function keyIn({ body }: Answered): string {
  return /\{\n "version": 1,[^{}]*"identity": [^{}]*\}\n/.exec(body)?.[0] ?? 'no key';
}

/**
 * A node with an agent on the card of a machine, as the machine is after its boot.
 * @param fetched the secrets of the boot
 */
async function liveAs(
  machine: CrowdMember,
  fetched: Answered,
): Promise<{ readonly child: ChildProcess; gone(): Promise<void> }> {
  const node = bench.machine();
  const root = join(host.root, `../${machine.name}`);
  mkdirSync(pathsBelow(root).nodeNetworks, { recursive: true });
  writeFileSync(join(pathsBelow(root).nodeNetworks, 'manage.conf'), MESH);
  mkdirSync(dirname(pathsBelow(root).keyFile), { recursive: true });
  writeFileSync(pathsBelow(root).keyFile, keyIn(fetched), { mode: 0o600 });
  const card = cardOf(machine);
  ip(rack, `link set ${card} netns ${node}`);
  ip(node, `link set ${card} name eth0`, 'link set eth0 up', `address add ${machine.address}/24 dev eth0`);
  const words = ['--disable-warning=ExperimentalWarning', programFile('agent'), '--root', root, '--name', machine.name];
  const child = inNetns(node, () =>
    spawn(process.execPath, [...words, '--machine', machine.machine, '--host0', HOST0], { stdio: 'ignore' }),
  );
  agents.push(child);
  const isOnline = async () => (await host.nodes()).some(({ name, online }) => name === machine.name && online);
  await until(`${machine.name} is a member`, DEADLINE_MS * 2, isOnline);
  return {
    child,
    gone: async () => {
      child.kill('SIGTERM');
      await until(`${machine.name} has left`, DEADLINE_MS, async () => !(await isOnline()));
      ip(node, `link set eth0 name ${card}`, `link set ${card} netns ${rack}`);
      ip(rack, `link set ${card} up`, `address add ${machine.address}/24 dev ${card}`);
    },
  };
}

/** While a machine is a member, another one with its UUID boots after the command that the refusal names. */
async function tellsApart(first: CrowdMember, second: CrowdMember): Promise<void> {
  const { body } = await script(first, second);
  const [, words = ''] = /`mesh (node adopt \S+) NAME`, then `mesh system configure`/.exec(body) ?? [];
  expect(meshCommand(host.root, ...words.split(' '), 'twin')).toMatchObject({ status: 0 });
  expect(configure(host.root)).toMatchObject({ status: 0 });
  const own = await until('the second machine boots', DEADLINE_MS, async () => {
    const answered = await script(first, second);
    return isScript(answered) && answered;
  });
  expect(own.body).toContain(`mesh.machine=${machineIdOf(second.mac)} `);
  await loads(own, second);
}

test('who sends the id of an adopted machine from another card gets nothing, and breaks no boot that is under way', async () => {
  const booting = await script(node1);
  expect(isScript(booting)).toBe(true);
  for (let tries = 0; tries < 3; tries++) await thiefGetsNothing();
  await loads(booting, node1);
  expect((await secrets(booting, thief)).status).toBe(403);
  expect((await secrets(booting, node1)).status).toBe(200);
  expect(await finding('MESH_BOOT_CARD_UNKNOWN')).toMatchObject({
    severity: 'warning',
    object: node1.machine,
    message: `${thief.mac} on eth1 asks to boot as ${node1.name}, whose network cards are ${node1.mac}`,
    remedy: expect.stringContaining(`mesh node adopt ${node1.machine} --card ${thief.mac}`),
  });
});

test('while a machine is a member, another card gets nothing, also if nobody has adopted the machine', async () => {
  const first = await script(stranger);
  await loads(first, stranger);
  const fetched = await secrets(first, stranger);
  expect(fetched.status).toBe(200);
  expect((await secrets(first, stranger)).body).not.toContain('identity');
  const life = await liveAs(stranger, fetched);
  await until('the key of the boot opens the channel', DEADLINE_MS, async () => {
    const node = (await host.nodes()).find(({ machine }) => machine === stranger.machine);
    return node?.channel?.state === 'standing';
  });
  const refused = await script(stranger, thief);
  expect(refused.body).toContain(`does not boot machine ${stranger.machine}`);
  expect(isScript(refused)).toBe(false);
  expect(await finding('MESH_BOOT_MACHINE_DOUBLE')).toMatchObject({
    object: stranger.machine,
    message: expect.stringContaining(`now ${thief.mac} on eth1 asks as the same machine`),
  });
  await tellsApart(stranger, twin);
  await life.gone();
});

test('a thief gets nothing of an adopted machine that is off, nor what an unknown machine had; the command lets a card in', async () => {
  await endAttempts();
  await thiefGetsNothing();
  const keyOf = (machine: CrowdMember) =>
    readFileSync(join(pathsBelow(host.root).state, 'keys/hosts', machine.machine), 'utf8');
  const before = keyOf(stranger);
  // Nobody has adopted this machine: a machine with another card is a new one.
  const other = await script(stranger, thief);
  await loads(other, thief);
  expect((await secrets(other, thief)).status).toBe(200);
  expect(keyOf(stranger)).not.toBe(before);
  const { status, stdout } = meshCommand(host.root, 'node', 'adopt', node1.machine, '--card', thief.mac);
  expect([status, JSON.parse(stdout)]).toMatchObject([0, { cards: [node1.mac, thief.mac], name: node1.name }]);
  const repaired = await script(node1, thief);
  expect(isScript(repaired)).toBe(true);
  await loads(repaired, thief);
});

test('one card is at most four machines, host0 does not grow, and the others stay', async () => {
  await endAttempts();
  const [card] = loopers as [CrowdMember];
  const madeUp = (number: number) => ({
    ...card,
    uuid: `4c4c4544-0042-3510-8052-${number.toString(16).padStart(12, '0')}`,
  });
  const known = await host.machines();
  const retainedKb = async () => [await host.retainedKb('host0')];
  const beforeKb = await retainedKb();
  const scripts = (
    await all(Array.from({ length: MADE_UP }, (_, number) => () => script(madeUp(number), card)))
  ).filter(isScript).length;
  console.info(`${MADE_UP} made-up machines: ${scripts} scripts`);
  await growLittle('host0', retainedKb, beforeKb, GROWTH_MAX_KB);
  expect(scripts).toBeLessThanOrEqual(4);
  expect(await finding('MESH_BOOT_CARD_MANY')).toMatchObject({ object: card.mac, severity: 'warning' });
  const machines = (await host.machines()).map(({ machine }) => machine);
  expect(machines.length).toBeLessThanOrEqual(known.length + 4);
  expect(machines).toEqual(expect.arrayContaining(known.map(({ machine }) => machine)));
});

test('machines that ask for their scripts for ever delay no adopted machine, and others only for a moment', async () => {
  await endAttempts();
  using crowd = new SegmentAsker(rack, HOST0);
  crowd.loop(
    loopers.map((looper) => ({ address: looper.address, path: scriptOf(looper) })),
    1_000,
  );
  await until('all places are taken', DEADLINE_MS, async () => {
    const known = (await host.machines()).map(({ machine }) => machine);
    return loopers.every(({ machine }) => known.includes(machine));
  });
  expect((await script(newcomer)).status).toBe(503);
  const adopted = await script(adoptedLater);
  expect(isScript(adopted)).toBe(true);
  const startMs = performance.now();
  let waits = 0;
  await until('the newcomer is served', DEADLINE_MS, async () => {
    const answered = await script(newcomer);
    waits += answered.status === 503 ? 1 : 0;
    return isScript(answered);
  });
  console.info(
    `behind ${LOOPERS} loopers: an adopted machine at once, in ${adopted.ms.toFixed(0)} ms; another after ` +
      `${((performance.now() - startMs) / 1000).toFixed(1)} s, told to wait ${waits} times`,
  );
});

test('idle connections from many addresses of one card keep no machine from being answered', async () => {
  using flood = new SegmentAsker(rack, HOST0);
  const addresses = Array.from({ length: 17 }, (_, index) => `10.77.0.${100 + index}`);
  ip(rack, ...addresses.map((address) => `address add ${address}/24 dev ${cardOf(thief)}`));
  flood.hold(addresses, 128);
  const open = () => inside(host.netns, 'ss', '-Htn', 'state', 'established', 'sport = :80').split('\n').length - 1;
  await until('the connections are open', DEADLINE_MS, () => open() >= 2_000);
  const answers = await all(Array.from({ length: 20 }, () => () => asker.ask(newcomer.address, '/boot.ipxe')));
  const slowest = Math.max(...answers.map(({ ms }) => ms));
  console.info(`behind ${open()} connections: ${answers.length} answers, the slowest after ${slowest.toFixed(0)} ms`);
  expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
  expect(await finding('MESH_ENDPOINT_FULL')).toMatchObject({
    object: 'boot server on eth1',
    message: expect.stringContaining(thief.mac),
  });
});

/** The device of a machine's card in the namespace of the rack. */
function cardOf({ address }: CrowdMember): string {
  return `card${Number(address.split('.').at(-1)) - 10}`;
}

/** Runs all of the work, sixteen at a time. */
async function all<T>(work: readonly (() => Promise<T>)[]): Promise<T[]> {
  const left = [...work];
  const done: T[] = [];
  const worker = async (): Promise<void> => {
    for (let one = left.pop(); one !== undefined; one = left.pop()) done.push(await one());
  };
  await Promise.all(Array.from({ length: 16 }, worker));
  return done;
}

/** Lets all machines be off, and no boot be under way: their records are as if they had booted long ago. */
async function endAttempts(): Promise<void> {
  await host.end('host0', 'SIGTERM');
  const store = await SqliteStore.open(join(pathsBelow(host.root).state, 'store.db'));
  const { entries } = await store.range('/v1/boots/');
  await store.txn(
    [],
    entries.map(({ key }) => ({ delete: key })),
  );
  await store.close();
  host.start('host0');
  await serves();
}
