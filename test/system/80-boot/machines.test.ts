/**
 * Whole machines boot from power-on to member: a BIOS machine from host0 alone, by the commands of docs/first-boot.md, and a UEFI
 * machine without a name beside a foreign DHCP server. The first boots again, with faults. With MESH_LONG=1 each firmware boots in
 * both ways.
 */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import type { ListedNode } from '../../../src/cli/node/node-list.ts';
import { installPrograms } from '../../../src/image/node/node-programs.ts';
import { Lab } from '../../../src/lab/cluster/lab.ts';
import { LABS_DIRECTORY } from '../../../src/lab/cluster/record.ts';
import { FOREIGN_DOMAIN, foreignRecord } from '../../../src/lab/hosts/foreign-server.ts';
import type { Firmware } from '../../../src/lab/hosts/topology.ts';
import { host0Client } from '../../../src/protocol/calls/control-client.ts';
import { pathsBelow } from '../../../src/protocol/documents/paths.ts';
import { BOOT_STAGES, type BootTrouble, type TimelineView } from '../../../src/protocol/documents/timeline-view.ts';
import { shownCommands } from '../../cli/console-block.ts';
import { LONG } from '../../kit/long.ts';
import { inside } from '../../kit/namespaces.ts';
import { forAllTests } from '../for-all-tests.ts';
import { meshOn } from '../mesh-command.ts';
import { pageOf, Typist } from '../typist.ts';
import { until } from '../until.ts';
import { builtImage } from './built-image.ts';
import { takeTurnToEmulate } from './emulation-lane.ts';
import { expectGone, LabRun } from './lab-run.ts';

/** Machines and tests share two processors: a boot that takes 15 s alone is given ten times that. */
const BOOT_MS = 240_000;
/** Five times the time until host0 serves the segment and a machine asks. */
const ASKED_MS = 60_000;
const PAGE = 'docs/first-boot.md';
const [LAB_UP, ...REST] = shownCommands(pageOf(PAGE));
const LAB_DOWN = REST.pop();
/** The lab of the page. */
const NAME = `q${process.pid}`;

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

  static async build(
    name: string,
    machines: { firmware: readonly Firmware[]; foreignDhcp: boolean; templateUuid: boolean },
  ): Promise<BootedLab> {
    const size = { name: `${name}${process.pid}`, nodes: machines.firmware.length, segments: 1, machines };
    return new BootedLab(shared.use(await Lab.build(size)));
  }

  /** The lab that another process has built, whose machines have booted. */
  static async open(name: string): Promise<BootedLab> {
    const booted = new BootedLab(Lab.open(name));
    const boots = await host0Client(pathsBelow(booted.lab.host('host0').root)).ask('GET /v1/boots');
    for (const view of boots) booted.#note(view);
    return booted;
  }

  async start(): Promise<void> {
    await this.lab.startAll({ onBoot: (view) => this.#note(view) });
  }

  #note(view: TimelineView): void {
    const host = this.lab.hosts.find(({ ports }) => ports[0]?.mac === view.mac);
    this.boots.set(host?.name ?? view.mac, view);
  }

  get machines(): readonly string[] {
    return this.lab.hosts.slice(1).map(({ name }) => name);
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
    const host = this.lab.host(from);
    const isHere = host.emulated === undefined;
    const { code, stdout, stderr } = await (isHere ? meshOn(host, ...words) : this.lab.exec(host, ['mesh', ...words]));
    expect(`${code} ${stderr}`).toMatch(/^0 /);
    return stdout;
  }
}

let typist: Typist;
/** The run of the page's first command. */
let up: LabRun;
let alone: BootedLab;
let beside: BootedLab;
/** Goes on while the tests examine the machine that was booted first. */
let besideBooted: Promise<void>;

beforeAll(async () => {
  await builtImage();
}, 300_000);

beforeAll(async () => {
  typist = new Typist(NAME);
  shared.defer(() => typist.close());
  beside = await BootedLab.build('beside', {
    firmware: LONG ? ['uefi', 'bios'] : ['uefi'],
    foreignDhcp: true,
    templateUuid: true,
  });
  await beside.unname('node1');
  besideBooted = beside.start();
  besideBooted.catch(() => undefined);
  shared.defer(async () => {
    if (existsSync(join(LABS_DIRECTORY, NAME))) await Lab.open(NAME).down();
  });
  up = new LabRun(NAME, ...(/^mesh lab up (.*)$/.exec(LAB_UP?.text ?? '')?.[1]?.split(' ') ?? []), '--json');
  expect(`${await up.exitCode()}\n${up.stderr}`).toMatch(/^0\n/);
  alone = await BootedLab.open(NAME);
}, BOOT_MS);

const ONCE_LOADED = ['script', 'kernel', 'initrd', 'overlay', 'packages', 'agent', 'mesh'];
/** The firmware of the BIOS machine is iPXE, which needs no TFTP. */
const STAGES = {
  bios: ['discover', 'offer', ...ONCE_LOADED],
  uefi: ['discover', 'offer', 'tftp', ...ONCE_LOADED],
} as const;
const MODELS = { bios: 'Meshwork Lab machine, pcbios', uefi: 'Meshwork Lab machine, efi' } as const;

/** host0 has seen each stage of the boot of each machine, with its time. */
function expectComplete({ boots, lab, machines, nameless }: BootedLab): void {
  for (const name of machines) {
    const boot = boots.get(name);
    const { machine, emulated: { firmware } = { firmware: 'bios' } } = lab.host(name);
    expect(boot?.name).toBe(nameless.has(name) ? undefined : name);
    expect(boot).toMatchObject({ state: 'member', machine, ipv4: expect.stringMatching(/^10\.11\.0\.\d+$/) });
    expect(boot?.trouble).toBeUndefined();
    expect(boot?.model).toBe(MODELS[firmware]);
    expect(boot?.stages.map(({ stage }) => stage)).toEqual(STAGES[firmware]);
    const times = boot?.stages.map(({ atMs }) => atMs) ?? [];
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    expect(times[0]).toBe(0);
    expect(times.at(-1)).toBe(boot?.ageMs);
    const began = Date.parse(boot?.began ?? '');
    for (const { atMs, time } of boot?.stages ?? []) expect(Math.abs(Date.parse(time) - began - atMs)).toBeLessThan(2);
  }
}

/**
 * Every member pings every other, and `mesh ping` says so on host0 and on the machines `from`: Node starts there in several processor
 * seconds.
 */
async function expectReached(booted: BootedLab, from: readonly string[] = booted.machines): Promise<void> {
  const { lab, machines } = booted;
  const pairs = await lab.awaitPairs();
  expect(pairs).toHaveLength(lab.hosts.length * machines.length);
  expect(pairs.filter(({ rttMs }) => rttMs === undefined)).toEqual([]);
  for (const name of machines) {
    const others = from.includes(name) ? lab.hosts.filter((other) => other.name !== name) : [];
    const ways = [['host0', name], ...others.map((other) => [name, other.name])];
    const pings = await Promise.all(
      ways.map(([one = '', other = '']) => booted.mesh(one, 'ping', 'manage', booted.nameOf(other), '--count', '1')),
    );
    for (const text of pings) expect(text).toContain('1 of 1');
  }
}

/** Runs `mesh genid machine 8` with a kernel command line without `mesh.machine=`. */
const OWN_FINDING = `sed 's/mesh.machine=[^ ]*//' /proc/cmdline >/run/cmdline
unshare -m sh -c 'mount -o bind /run/cmdline /proc/cmdline && mesh genid machine 8 --json'`;

async function expectAgreement({ lab }: BootedLab, from: string): Promise<void> {
  const [, ...nodes] = lab.hosts;
  const found = await Promise.all(nodes.map((node) => lab.exec(node, ['sh', '-c', OWN_FINDING])));
  expect(found.map(({ stdout }) => JSON.parse(stdout))).toEqual(
    nodes.map(({ machine }) => expect.objectContaining({ id: machine, from })),
  );
}

test('`mesh lab up` shows each stage of a BIOS boot from host0 alone, and its result is as for a lab of namespaces', () => {
  const host = (node: string) => ({
    ...{ name: node, id: expect.stringMatching(/^[0-9a-f]{8}$/), mac: expect.stringMatching(/^02:/) },
    ...{ ipv4: expect.stringMatching(/^10\.11\.0\./), ipv6: expect.stringMatching(/^fd42:/), state: 'ready' },
  });
  const pair = (from: string, to: string) => ({ from, to, ok: true, rttMs: expect.any(Number) });
  expect(JSON.parse(up.stdout)).toEqual({
    ok: true,
    hosts: [host('host0'), host('node1')],
    pairs: [pair('host0', 'node1'), pair('node1', 'host0')],
    throughputGbps: expect.any(Number),
    tookMs: expect.any(Number),
  });
  const shown = BOOT_STAGES.filter((stage) => new RegExp(`✓ ${stage} `).test(up.stderr));
  expect(shown).toEqual(STAGES.bios);
  // This is no terminal: a stage is a line when it is reached, and no line says that a file is loading.
  expect(shown.filter((stage) => up.stderr.split(`✓ ${stage} `).length !== 2)).toEqual([]);
  expect(up.stderr).not.toContain('loading');
  expect(up.stderr).toMatch(/^node1 is a member after \d+\.\d s$/m);
  expectComplete(alone);
});

test('the members of the lab reach each other, and the machine derives from its UUID the id by which host0 knows it', async () => {
  await expectReached(alone);
  await expectAgreement(alone, 'product uuid');
});

test(
  'the rest of the page works: a rebooted machine has its new overlay; an agent that crashes and a filtered mesh port are named',
  async () => {
    const { lab } = alone;
    const [host0, node1] = [lab.host('host0'), lab.host('node1')];
    const before = alone.boots.get('node1')?.attempt;
    // The page compiles the overlay with its own change, and with this one.
    await crashOnce(join(host0.root, 'host0/machines/node1'));
    const rebooting = REST.findIndex(({ text }) => text.includes('mesh node reboot'));
    expect(rebooting).toBeGreaterThan(0);
    for (const command of REST.slice(0, rebooting)) await typist.type(PAGE, command);
    const nft = (...words: string[]) => inside(`/run/netns/${host0.netns}`, 'nft', words.join(' '));
    let typed: Promise<string> | undefined;
    const troubles: BootTrouble[] = [];
    const early = new Set<string | undefined>();
    let isFiltered = false;
    const onBoot = ({ trouble, stages, model, attempt }: TimelineView): void => {
      if (stages.at(-1)?.stage === 'offer' && attempt === undefined) early.add(model);
      if (!isFiltered) {
        // The machine loads its kernel for seconds from now on.
        isFiltered = true;
        nft('add table inet fault; add chain inet fault in { type filter hook input priority -300; }');
        nft('add rule inet fault in udp dport 4789 drop');
      }
      if (trouble === undefined || trouble.cause === troubles.at(-1)?.cause) return;
      troubles.push(trouble);
      if (trouble.cause.includes('4789')) nft('delete table inet fault');
    };
    const reboot = () => {
      typed = typist.type(PAGE, REST[rebooting]);
      typed.catch(() => undefined);
    };
    const [boot] = await lab.boot([node1], reboot, { onBoot });
    await typed;
    expect(boot).toMatchObject({ name: 'node1', state: 'member' });
    expect(boot?.attempt).not.toBe(before);
    // host0 knows the model by the card, before iPXE names it.
    expect([...early]).toEqual([MODELS.bios]);
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
    for (const command of REST.slice(rebooting + 1)) await typist.type(PAGE, command);
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
  'a UEFI machine boots beside a foreign DHCP server, and all members reach each other',
  async () => {
    await besideBooted;
    expectComplete(beside);
    await expectReached(beside, LONG ? beside.machines : []);
  },
  BOOT_MS,
);

test('a machine with a dummy UUID derives the same id as host0, from the MAC of the card that boots', async () => {
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

test('the foreign server gave the machine its address and options, and no boot file', () => {
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

if (LONG) {
  test(
    'a BIOS and a UEFI machine boot from host0 alone, and all members reach each other',
    async () => {
      const both = await BootedLab.build('both', {
        firmware: ['bios', 'uefi'],
        foreignDhcp: false,
        templateUuid: false,
      });
      await both.start();
      expectComplete(both);
      await expectReached(both);
      await expectAgreement(both, 'product uuid');
    },
    BOOT_MS,
  );
}

test(
  'Ctrl-C while a machine boots leaves nothing',
  async () => {
    expect(LAB_DOWN?.text).toBe('mesh lab down');
    await typist.type(PAGE, LAB_DOWN);
    expectGone(NAME);
    const run = new LabRun(NAME, '--driver', 'qemu', '--nodes', '1', '--keep');
    await until('a machine asks', ASKED_MS, () => run.stderr.includes('✓ discover'));
    run.interrupt();
    expect(await run.exitCode()).toBe(130);
    expect(run.stderr).toContain('taking the lab down');
    expectGone(NAME);
  },
  BOOT_MS,
);
