/**
 * Whole machines boot from power-on to member: BIOS and UEFI, with host0 as the only server and beside a foreign DHCP server,
 * where one has no name. Then one of them boots again, with faults.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import type { ListedNode } from '../../../src/cli/node/node-list.ts';
import { installPrograms } from '../../../src/image/node/node-programs.ts';
import { Lab } from '../../../src/lab/cluster/lab.ts';
import { FOREIGN_DOMAIN, foreignRecord } from '../../../src/lab/hosts/foreign-server.ts';
import type { BootTrouble, TimelineView } from '../../../src/protocol/documents/timeline-view.ts';
import { inside } from '../../kit/namespaces.ts';
import { forAllTests } from '../for-all-tests.ts';
import { until } from '../until.ts';
import { takeTurnToEmulate } from './emulation-lane.ts';

/** Machines and tests share two processors: a boot that takes 15 s alone is given ten times that. */
const BOOT_MS = 240_000;

takeTurnToEmulate();
const shared = forAllTests();

class BootedLab {
  readonly lab: Lab;
  /** By the name of the machine in the lab. */
  readonly boots = new Map<string, TimelineView>();
  /** The machines whose folder host0 does not have. */
  readonly nameless = new Set<string>();

  constructor(lab: Lab) {
    this.lab = lab;
  }

  static async build(name: string, settings: { foreignDhcp: boolean; templateUuid: boolean }): Promise<BootedLab> {
    const machines = { firmware: ['bios', 'uefi'], ...settings } as const;
    const size = { name: `${name}${process.pid}`, nodes: 2, segments: 1, machines };
    return new BootedLab(shared.use(await Lab.build(size)));
  }

  async start(): Promise<void> {
    const cards = new Map(this.lab.hosts.map(({ name, ports }) => [ports[0]?.mac, name]));
    await this.lab.startAll({ onBoot: (view) => this.boots.set(cards.get(view.mac) ?? view.mac, view) });
  }

  /** Removes the folder of a machine, which host0 then knows by its id alone. */
  async unname(name: string): Promise<void> {
    rmSync(join(this.lab.host('host0').root, 'host0/machines', name), { recursive: true });
    await this.mesh('host0', 'system', 'configure');
    this.nameless.add(name);
  }

  /** What the members call a machine of the lab. */
  nameOf(name: string): string {
    return this.nameless.has(name) ? this.lab.host(name).machine : name;
  }

  async mesh(from: string, ...words: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.lab.exec(this.lab.host(from), ['mesh', ...words]);
    expect(`${code} ${stderr}`).toMatch(/^0 /);
    return stdout;
  }
}

let alone: BootedLab;
let beside: BootedLab;
/** Goes on while the tests examine the machines that were booted first. */
let besideBooted: Promise<void>;

beforeAll(async () => {
  alone = await BootedLab.build('alone', { foreignDhcp: false, templateUuid: false });
  beside = await BootedLab.build('beside', { foreignDhcp: true, templateUuid: true });
  await beside.unname('node1');
  besideBooted = beside.start();
  besideBooted.catch(() => undefined);
  await alone.start();
}, BOOT_MS);

const ONCE_LOADED = ['script', 'kernel', 'initrd', 'overlay', 'packages', 'agent', 'mesh'];
const STAGES = {
  node1: ['discover', 'offer', ...ONCE_LOADED],
  node2: ['discover', 'offer', 'tftp', ...ONCE_LOADED],
} as const;

const MODELS = { node1: 'Meshwork Lab machine, pcbios', node2: 'Meshwork Lab machine, efi' } as const;

/** host0 has seen each stage of a BIOS and of a UEFI boot, with its time. */
function expectComplete({ boots, lab, nameless }: BootedLab): void {
  for (const [name, stages] of Object.entries(STAGES)) {
    const boot = boots.get(name);
    expect(boot?.name).toBe(nameless.has(name) ? undefined : name);
    expect(boot).toMatchObject({ state: 'member', machine: lab.host(name).machine, ipv4: lab.host(name).member.ipv4 });
    expect(boot?.trouble).toBeUndefined();
    expect(boot?.model).toBe(MODELS[name as keyof typeof MODELS]);
    expect(boot?.stages.map(({ stage }) => stage)).toEqual(stages);
    const times = boot?.stages.map(({ atMs }) => atMs) ?? [];
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    expect(times[0]).toBe(0);
    expect(times.at(-1)).toBe(boot?.ageMs);
    const began = Date.parse(boot?.began ?? '');
    for (const { atMs, time } of boot?.stages ?? []) expect(Math.abs(Date.parse(time) - began - atMs)).toBeLessThan(2);
  }
}

/** Every member pings every other, and `mesh ping` says so on host0 and on the machines. */
async function expectReached(booted: BootedLab): Promise<void> {
  const pairs = await booted.lab.awaitPairs();
  expect(pairs).toHaveLength(6);
  expect(pairs.filter(({ rttMs }) => rttMs === undefined)).toEqual([]);
  const [node1, node2] = [booted.nameOf('node1'), booted.nameOf('node2')];
  const pings = await Promise.all([
    booted.mesh('host0', 'ping', 'manage', node1, '--count', '1'),
    booted.mesh('host0', 'ping', 'manage', node2, '--count', '1'),
    booted.mesh('node1', 'ping', 'manage', node2, '--count', '1'),
    booted.mesh('node2', 'ping', 'manage', 'host0', '--count', '1'),
  ]);
  for (const text of pings) expect(text).toContain('1 of 1');
}

/** Runs `mesh genid machine 8` with a kernel command line without `mesh.machine=`. */
const OWN_FINDING = `sed 's/mesh.machine=[^ ]*//' /proc/cmdline >/run/cmdline
unshare -m sh -c 'mount -o bind /run/cmdline /proc/cmdline && mesh genid machine 8 --json'`;

async function expectAgreement({ lab }: BootedLab, from: string): Promise<void> {
  const nodes = ['node1', 'node2'].map((name) => lab.host(name));
  const found = await Promise.all(nodes.map((node) => lab.exec(node, ['sh', '-c', OWN_FINDING])));
  expect(found.map(({ stdout }) => JSON.parse(stdout))).toEqual(
    nodes.map(({ machine }) => expect.objectContaining({ id: machine, from })),
  );
}

test('a BIOS and a UEFI machine boot from host0 alone, and all members reach each other', async () => {
  expectComplete(alone);
  await expectReached(alone);
});

test('the machines derive from their UUIDs the ids by which host0 knows them', async () => {
  await expectAgreement(alone, 'product uuid');
});

test(
  'a rebooted machine has its new overlay; an agent that crashes and a filtered mesh port are named',
  async () => {
    const { lab } = alone;
    const [host0, node1] = [lab.host('host0'), lab.host('node1')];
    const before = alone.boots.get('node1')?.attempt;
    await crashOnce(join(host0.root, 'host0/machines/node1'));
    await alone.mesh('host0', 'system', 'configure');
    const nft = (...words: string[]) => inside(`/run/netns/${host0.netns}`, 'nft', words.join(' '));
    /** Reboots the machine as an administrator does, and filters the mesh while the machine is away. */
    const rebootByCommand = async () => {
      await until('the machine takes commands', 60_000, async () => {
        const { code } = await lab.exec(host0, ['mesh', 'node', 'ctl', '-n', node1.machine, 'true']);
        return code === 0;
      });
      await lab.exec(host0, ['mesh', 'node', 'ctl', '-n', node1.machine, 'reboot']);
      nft('add table inet fault; add chain inet fault in { type filter hook input priority -300; }');
      nft('add rule inet fault in udp dport 4789 drop');
    };
    const troubles: BootTrouble[] = [];
    const early = new Set<string | undefined>();
    const onBoot = ({ trouble, stages, model, attempt }: TimelineView): void => {
      if (stages.at(-1)?.stage === 'offer' && attempt === undefined) early.add(model);
      if (trouble === undefined || trouble.cause === troubles.at(-1)?.cause) return;
      troubles.push(trouble);
      if (trouble.cause.includes('4789')) nft('delete table inet fault');
    };
    const [boot] = await lab.boot([node1], rebootByCommand, { onBoot });
    expect(boot).toMatchObject({ name: 'node1', state: 'member' });
    expect(boot?.attempt).not.toBe(before);
    // host0 knows the model by the card, before iPXE names it.
    expect([...early]).toEqual([MODELS.node1]);
    expect(troubles).toEqual([
      {
        code: 'MESH_BOOT_FAILED',
        stage: 'agent',
        cause: expect.stringContaining('ended with 1'),
        remedy: expect.stringContaining('/var/log/meshwork/agent.log'),
      },
      {
        code: 'MESH_BOOT_SILENT',
        stage: 'agent',
        cause: expect.stringContaining('UDP port 4789 is filtered'),
        remedy: expect.stringContaining('mesh doctor'),
      },
    ]);
    // The mesh works before the shell server listens.
    const made = await until('a shell', 60_000, async () => {
      const { code, stdout } = await lab.exec(node1, ['ls', '/srv']);
      return code === 0 && stdout;
    });
    expect(made).toBe('second-boot\n');
  },
  BOOT_MS,
);

/** Writes the machine's next overlay: the agent crashes at its first start, and there is a new directory. */
async function crashOnce(folder: string): Promise<void> {
  await installPrograms(join(folder, 'programs'));
  const crash = "import { mkdirSync } from 'node:fs';\nmkdirSync('/run/crashed');\nthrow new Error('out of order');\n";
  const agent =
    "import { existsSync } from 'node:fs';\nawait import(existsSync('/run/crashed') ? './whole.mjs' : './crash.mjs');\n";
  writeFileSync(join(folder, 'crash.mjs'), crash);
  writeFileSync(join(folder, 'agent.mjs'), agent);
  const put = (file: string, name: string) =>
    `O MODE=root:root:0644 SRC=/host0/machines/node1/${file} TGT=/usr/lib/meshwork/dist/${name}\n`;
  const files = [
    put('crash.mjs', 'crash.mjs'),
    put('agent.mjs', 'agent.mjs'),
    put('programs/dist/agent.mjs', 'whole.mjs'),
  ];
  writeFileSync(join(folder, 'manifest'), `${files.join('')}D MODE=root:root:0755 TGT=/srv/second-boot\n`);
}

test(
  'a BIOS and a UEFI machine boot beside a foreign DHCP server, and all members reach each other',
  async () => {
    await besideBooted;
    expectComplete(beside);
    await expectReached(beside);
  },
  BOOT_MS,
);

test('machines with a dummy UUID derive the same id as host0, from the MAC of the card that boots', async () => {
  await expectAgreement(beside, 'boot nic mac');
});

test('a machine without a name boots with the default overlay, is listed with its inventory, and gets a name', async () => {
  const [host0, { machine, ports }] = [beside.lab.host('host0'), beside.lab.host('node1')];
  const listed = await until('its inventory', 60_000, async () => {
    const nodes = JSON.parse(await beside.mesh('host0', 'node', 'list', '--json')) as ListedNode[];
    const node = nodes.find((candidate) => candidate.machine === machine);
    return node?.hardware?.inventory !== undefined && node;
  });
  expect(listed).toMatchObject({ name: machine, online: true, lastSeenMsAgo: expect.any(Number) });
  expect(listed.hardware).toMatchObject({
    machine,
    hardware: { product: 'Lab machine' },
    firstSeen: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
    lastBoot: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
    cards: [{ mac: ports[0]?.mac, segment: ['eth1'] }],
    inventory: { cpu: { threads: 1 }, disks: [], nics: [{ mac: ports[0]?.mac }] },
  });
  expect(listed.hardware?.name).toBeUndefined();
  await beside.mesh('host0', 'node', 'adopt', machine, 'attic');
  expect(readFileSync(join(host0.root, 'host0/machines/attic/UUID'), 'utf8')).toBe(`${machine}\n`);
  expect(await beside.mesh('host0', 'system', 'configure', '--plan')).toMatch(
    new RegExp(`^attic +${machine} +new`, 'm'),
  );
});

test('the foreign server gave each machine its address and options, and no boot file', () => {
  const { lab } = beside;
  const { leases, log } = foreignRecord(lab.directory);
  const [, ...machines] = lab.hosts;
  const leased = leases.map((line) => line.split(' ').slice(1, 3).join(' '));
  expect(leased.sort()).toEqual(machines.map(({ ports, member }) => `${ports[0]?.mac} ${member.ipv4}`).sort());
  const acknowledged = log.filter((line) => line.includes('DHCPACK('));
  for (const { ports } of machines) expect(acknowledged.some((line) => line.includes(ports[0]?.mac ?? '-'))).toBe(true);
  // Its answers are the same as without host0: no boot file, no other server, its own lease time and domain.
  const told = log.flatMap(
    (line) => / sent size: +\d+ option: +(\d+) \S+ +(.*)$/.exec(line)?.slice(1, 3).join(' ') ?? [],
  );
  const kinds = new Set(told);
  expect([...kinds].filter((option) => /^(?:43|60|66|67|175) /.test(option))).toEqual([]);
  expect([...kinds].filter((option) => /^(?:15|51|54) /.test(option)).sort()).toEqual([
    `15 ${FOREIGN_DOMAIN}`,
    '51 10m',
    '54 10.11.0.254',
  ]);
  expect(log.filter((line) => /DHCPNAK|DHCPDECLINE|bootfile name|next server: (?!10\.11\.0\.254$)/.test(line))).toEqual(
    [],
  );
});
