/**
 * Injects faults into boots: host0 must name each in time, with its remedy. An agent that crashes and a filtered mesh are in
 * machines.test.ts, because they need a whole machine.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { addressOption, OPTION } from '../../../src/boot/frames/dhcp-packet.ts';
import { Generations, type NodeImage } from '../../../src/image/node/generations.ts';
import { commandDirectory } from '../../../src/image/node/program-files.ts';
import { machineIdOf } from '../../../src/model/machine.ts';
import { pathsBelow } from '../../../src/protocol/documents/paths.ts';
import type { TimelineView } from '../../../src/protocol/documents/timeline-view.ts';
import { inside, ip } from '../../kit/namespaces.ts';
import { until } from '../until.ts';
import { BootBench, type BootHost } from './boot-bench.ts';
import { type Answer, BootClient, type Firmware } from './boot-client.ts';
import { NodeStep } from './node-step.ts';

const CONF = 'boot="auto"\nsubnet_pool="10.77.0.0/24"\ndefault_subnet_size="26"\n';
const HOST0 = '10.77.0.1';
const OFFICE = '192.168.44';
const MESH = join(commandDirectory, 'mesh');
/** A deadline for a busy machine. Whether host0 names a fault in time is checked by the times in its journal. */
const NAMED_MS = 60_000;

let bench: BootBench;
let host: BootHost;
let generations: Generations;
/** These two begin first, because they take longest. */
let tftpBlocked: Promise<TimelineView>;
let httpBlocked: Promise<TimelineView>;

beforeAll(async () => {
  bench = new BootBench();
  const machine = bench.machine();
  for (const segment of ['own', 'office']) bench.segment(segment);
  bench.foreignServer('office', OFFICE, '--dhcp-boot=pxelinux.0');
  bench.plug(machine, { eth1: 'own', eth2: 'office' });
  ip(machine, `address add ${OFFICE}.9/24 dev eth2`);
  host = bench.host0('host0', machine, CONF);
  generations = new Generations(pathsBelow(host.root).state);
  host.start('host0');
  host.start('agent');
  await host.segment('eth1', 'serves', ({ mode, service }) => mode === 'server' && service?.state === 'running');
  filter('firmware udp dport 69', 'ipxe tcp dport 80');
  const [firmware, ipxe] = [await Client.on('own', 'bios'), await Client.on('own', 'ipxe')];
  nft(`add element inet fault firmware { ${firmware.address} }`, `add element inet fault ipxe { ${ipxe.address} }`);
  firmware.boot.readTftp('undionly.kpxe', firmware.offer.yiaddr, firmware.offer.from);
  ipxe.fetch('/boot.ipxe', 1);
  tftpBlocked = named(firmware, 'tftp');
  httpBlocked = named(ipxe, 'offer');
  // A failure is reported by the test that awaits it later.
  for (const begun of [tftpBlocked, httpBlocked]) begun.catch(() => undefined);
});

afterAll(async () => {
  for (const client of clients) client.boot.close();
  await bench?.close();
});

test('an architecture without a boot file is named from the first packet', async () => {
  const client = await Client.on('own', 'arm');
  const { trouble } = await named(client, 'offer');
  expect(trouble).toMatchObject({ code: 'MESH_BOOT_ARCHITECTURE' });
  expect(trouble?.cause).toContain('architecture 11 (64-bit ARM UEFI)');
});

test.each([
  ['efi', 'from its packet', 'names the boot file pxelinux.0'],
  // The server answers this firmware by unicast, which host0 does not hear.
  ['bios', 'by what the machine does next', 'took the offer of the foreign server'],
] as const)('a foreign server that gives %s a boot file is named %s', async (firmware, _how, words) => {
  await host.segment('eth2', 'is a proxy', ({ service }) => service?.state === 'running');
  const node = bench.machine();
  bench.plug(node, { eth0: 'office' });
  const boot = BootClient.on(node);
  const from = (server: string) => (answer: Answer) => addressOption(answer, OPTION.serverId) === server;
  const both = [from(`${OFFICE}.1`), from(`${OFFICE}.9`)] as const;
  const offers = await boot.discover(firmware, (all) => both.every((is) => all.some(is)));
  const offer = offers.find(both[0]);
  if (offer === undefined) throw new Error('no offer');
  await boot.request(firmware, offer);
  const { trouble } = await named({ boot }, 'offer');
  boot.close();
  expect(trouble).toMatchObject({ code: 'MESH_BOOT_FOREIGN', cause: expect.stringContaining(words) });
  expect(trouble?.cause).toContain(`${OFFICE}.1`);
});

test('a missing image, a missing overlay, an overlay that does not compile and a missing kernel are named', async () => {
  const client = await Client.on('own', 'ipxe');
  const told = async (code: string) => {
    client.fetch(`/boot/${client.boot.mac.replaceAll(':', '-')}.ipxe?uuid=${UUID}`);
    return until(code, NAMED_MS, async () => {
      const { trouble } = (await viewOf(client)) ?? {};
      return trouble?.code === code && trouble;
    });
  };
  expect((await told('MESH_BOOT_NO_IMAGE')).remedy).toContain('mesh system image node');

  await generations.publish(IMAGE, { vmlinuz: Buffer.from('kernel'), initrd: Buffer.from('initrd') });
  expect(await told('MESH_BOOT_NO_OVERLAY')).toMatchObject({
    cause: expect.stringContaining('there is no default one'),
  });

  write('machines/box/UUID', `${machineIdOf(UUID)}\n`);
  write('machines/box/manifest', 'O MODE=root:root:0644 SRC=/host0/machines/box/lost TGT=/etc/motd\n');
  expect(configure()).not.toBe(0);
  const broken = await until('the fault of the manifest', NAMED_MS, async () => {
    const trouble = await told('MESH_BOOT_NO_OVERLAY');
    return trouble.cause.includes('does not compile') && trouble;
  });
  expect(broken.cause).toContain('machines/box/manifest, line 1');
  expect(broken.remedy).toContain('mesh system configure');
  const refusals = async () => (await host.status()).health.filter(({ code }) => code === 'MESH_MANIFEST_SOURCE');
  const [refusal] = await until('the refusal is a finding', NAMED_MS, async () => {
    const found = await refusals();
    return found.length > 0 && found;
  });
  expect(refusal).toMatchObject({
    severity: 'error',
    object: host.host0Dir,
    message: expect.stringMatching(/\/machines\/box\/manifest:1:27: there is no file .*; the tree was refused, and /),
    remedy: expect.stringContaining('mesh system configure'),
  });

  write('machines/box/lost', 'found\n');
  write('isos/tool.iso', 'a tool');
  expect(client.fetch('/isos/tool.iso')).toBe('a tool');
  expect(configure()).toBe(0);
  await until('the refusal is over', NAMED_MS, async () => (await refusals()).length === 0);
  const script = client.fetch(`/boot/${client.boot.mac.replaceAll(':', '-')}.ipxe?uuid=${UUID}`);
  const [kernel = ''] = /\/image\/\S+\/vmlinuz/.exec(script) ?? [];
  rmSync(join(generations.directory, IMAGE.generation, 'vmlinuz'));
  client.fetch(kernel);
  const { trouble } = await named(client, 'kernel');
  expect(trouble).toMatchObject({
    code: 'MESH_BOOT_PATH_UNKNOWN',
    cause: `the download of ${kernel} was answered with 404`,
  });
  // iPXE reports the same failure, too, but its report says less and changes nothing.
  const [attempt = ''] = /mesh\.boot=[\da-f]+/.exec(script) ?? [];
  client.fetch(`/stage/${attempt.slice('mesh.boot='.length)}/failed?detail=0x2d0c613b`);
  expect((await viewOf(client))?.trouble).toEqual(trouble);
});

test('a machine whose secrets another machine took restarts, after a longer pause each time, and gets them', async () => {
  const uuid = UUID.replace('4c4c', '5d5d');
  write('machines/robbed/UUID', `${machineIdOf(uuid)}\n`);
  write('machines/robbed/manifest', '');
  expect(configure()).toBe(0);
  const client = await Client.on('own', 'ipxe');
  const boots = () => {
    const script = client.fetch(`/boot/${client.boot.mac.replaceAll(':', '-')}.ipxe?uuid=${uuid}`);
    const commandLine = /^kernel \S+ (.*) \|\| goto failed$/m.exec(script)?.[1];
    if (commandLine === undefined) throw new Error(`it was told ${script}`);
    return commandLine;
  };
  const step = (commandLine: string, upSec?: number) =>
    new NodeStep(client.netns, commandLine, '/usr/lib/meshwork/boot/secrets && ls -l /etc/meshwork/token', upSec);

  const first = boots();
  // An attacker that reads the segment's traffic and uses the machine's addresses may be the first to ask.
  client.fetch(`/secrets/${/mesh\.token=(\S+)/.exec(first)?.[1]}`);
  await using refused = step(first);
  const { trouble } = await until('the machine says why', NAMED_MS, async () => {
    const view = await viewOf(client);
    return view?.trouble?.cause.includes('secrets') && view;
  });
  expect(trouble).toMatchObject({
    code: 'MESH_BOOT_FAILED',
    cause: expect.stringMatching(/^the machine did not get its secrets: 403 the token of machine .* a second time/),
    remedy: expect.stringContaining('mesh events'),
  });
  expect(await refused.ended).toBe('SIGHUP');
  expect(refused.said).toMatch(/No secrets: 403 the token of machine .*\. The machine restarts in 2 s\.\n$/);

  await using second = step(boots().replace(/mesh\.token=\S+/, `mesh.token=${'0'.repeat(32)}`));
  await until('it waits longer', NAMED_MS, () => second.said.includes('The machine restarts in 4 s.'));

  const third = boots();
  expect(third).toMatch(/ mesh\.turn=3 /);
  await using unpacked = step(third);
  expect(await unpacked.ended).toBe(0);
  expect(unpacked.said).toMatch(/^-rw------- +1 root +root +65 .* \/etc\/meshwork\/token\n$/);

  // While host0 does not answer, the node asks again for ten minutes. Where host0 has no secrets, the node does not restart.
  const silent = third.replaceAll(`http://${HOST0}/`, `http://${HOST0}:81/`).replace('mesh.turn=3', 'mesh.turn=1');
  await using patient = step(silent);
  await using impatient = step(silent, 601);
  await until('it asks again', NAMED_MS, () => /Waiting .* refused\. Next try in 2 s\.\n/.test(patient.said));
  expect(await impatient.ended).toBe('SIGHUP');
  expect(impatient.said).toMatch(/No secrets for ten minutes\. The machine restarts in 2 s\.\n$/);
  await using without = step(third.replace(/mesh\.token=\S+/, 'mesh.token=none'));
  expect(await without.ended).toBe(1);
  expect(without.said).toContain('host0 has no secrets for this machine.\nls: /etc/meshwork/token');
});

test('blocked TFTP is named when the time of the stage is over', async () => {
  const { trouble } = await tftpBlocked;
  expect(trouble).toMatchObject({ code: 'MESH_BOOT_SILENT', cause: expect.stringContaining('undionly.kpxe') });
  expect(trouble?.remedy).toContain('firewall');
});

test('blocked HTTP is named when the time of the stage is over', async () => {
  const { trouble } = await httpBlocked;
  expect(trouble).toMatchObject({
    code: 'MESH_BOOT_SILENT',
    cause: expect.stringContaining('HTTP does not get through'),
  });
  expect(trouble?.remedy).toContain('TCP port 80');
});

test('a DHCP server that does not answer is named within three seconds', async () => {
  nft('add rule inet fault in udp dport 67 drop');
  const node = bench.machine();
  bench.plug(node, { eth0: 'own' });
  const boot = BootClient.on(node);
  const asks = boot.discover('bios').catch(() => undefined);
  const { trouble } = await named({ boot }, 'discover');
  expect(trouble).toMatchObject({ code: 'MESH_BOOT_SILENT', cause: expect.stringContaining('has not answered') });
  nft('delete table inet fault');
  await asks;
  boot.close();
});

/** How many seconds a stage may be silent; 0 for faults that a packet shows at once. */
const OWN_SEC: Readonly<Record<string, number>> = { discover: 1, tftp: 22, offer: 22, kernel: 0 };

async function named(client: Pick<Client, 'boot'>, stage: string): Promise<TimelineView> {
  const { mac } = client.boot;
  const view = await until(`a cause in stage ${stage}`, NAMED_MS, async () => {
    const found = await viewOf(client);
    return found?.trouble?.stage === stage && found;
  });
  expect(view.state).toBe('stuck');
  expect(view.trouble?.remedy).toMatch(/\w{3}/);
  // Both times are of host0's clock: that of its journal and that of the stage.
  const told = await until(`the journal tells of stage ${stage}`, NAMED_MS, () =>
    host.events().findLast(({ kind, message }) => kind === 'boot stuck' && message.includes(`(${mac} `)),
  );
  const reachedMs = Date.parse(view.stages.at(-1)?.time ?? '');
  // host0 looks each second. A busy machine has other work for ten times that.
  expect(Date.parse(told.time) - reachedMs).toBeLessThan(((OWN_SEC[stage] ?? 0) + 10) * 1000);
  return view;
}

async function viewOf({ boot }: Pick<Client, 'boot'>): Promise<TimelineView | undefined> {
  return (await host.boots()).find(({ mac }) => mac === boot.mac);
}

const clients: Client[] = [];

/** A machine that has got an address. */
class Client {
  readonly boot: BootClient;
  readonly offer: Answer;
  readonly netns: string;

  private constructor(netns: string, boot: BootClient, offer: Answer) {
    this.netns = netns;
    this.boot = boot;
    this.offer = offer;
    clients.push(this);
  }

  static async on(segment: string, firmware: Firmware): Promise<Client> {
    const node = bench.machine();
    bench.plug(node, { eth0: segment });
    const boot = BootClient.on(node);
    const [offer] = await boot.discover(firmware);
    if (offer === undefined) throw new Error('no offer');
    await boot.request(firmware, offer);
    ip(node, `address add ${offer.yiaddr}/26 dev eth0`);
    return new Client(node, boot, offer);
  }

  get address(): string {
    return this.offer.yiaddr;
  }

  /** @returns the body of the answer, whatever its status; '' if there is no answer in time */
  fetch(path: string, timeoutSec = 10): string {
    const words = ['curl', '-s', '--max-time', String(timeoutSec), `http://${HOST0}${path}`];
    return spawnSync('nsenter', [`--net=${this.netns}`, ...words], { encoding: 'utf8' }).stdout;
  }
}

/** Adds rules that drop packets from the addresses in a set. @param rules `SET MATCH` */
function filter(...rules: readonly string[]): void {
  nft('add table inet fault', 'add chain inet fault in { type filter hook input priority -300; }');
  for (const rule of rules) {
    const [set = '', ...match] = rule.split(' ');
    nft(
      `add set inet fault ${set} { type ipv4_addr; }`,
      `add rule inet fault in ip saddr @${set} ${match.join(' ')} drop`,
    );
  }
}

function nft(...commands: readonly string[]): void {
  for (const command of commands) inside(host.netns, 'nft', command);
}

function write(path: string, text: string): void {
  const file = join(host.host0Dir, path);
  mkdirSync(join(file, '..'), { recursive: true });
  writeFileSync(file, text);
}

function configure(): number | null {
  return spawnSync(MESH, ['--root', host.root, '--host0-dir', host.host0Dir, 'system', 'configure'], {
    encoding: 'utf8',
  }).status;
}

const UUID = '4c4c4544-0042-3510-8052-b9c04f4e3732';

/** No machine of these tests starts this image. */
const IMAGE: NodeImage = {
  generation: '0123456789abcdef',
  flavor: 'debian',
  kernelRelease: '6.1.0',
  kernelArguments: [],
  vmlinuz: { bytes: 6, sha256: '0'.repeat(64) },
  initrd: { bytes: 6, sha256: '0'.repeat(64) },
  packages: [],
  meshworkVersion: '0',
  nodeVersion: '24',
};
