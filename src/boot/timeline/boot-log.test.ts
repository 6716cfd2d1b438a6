/** Boots as host0 sees them in packets, requests and reports: which stage each is in, and which cause it names for a silence. */
import { beforeEach, expect, test } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { MemoryStore } from '../../../test/kit/memory-store.ts';
import type { Ipv4 } from '../../model/address/ipv4.ts';
import { parseMac } from '../../model/address/mac.ts';
import { MeshError } from '../../model/error.ts';
import type { MachineId } from '../../model/machine.ts';
import { BOOT_STAGES } from '../../protocol/documents/timeline-view.ts';
import type { MeshEvent } from '../../protocol/journal/event.ts';
import { Journal } from '../../protocol/journal/journal.ts';
import type { BootSighting, DhcpSighting, HttpSighting, TftpSighting } from '../frames/sighting.ts';
import { BootLog } from './boot-log.ts';
import type { SegmentState } from './boot-trouble.ts';
import { ModelTimes } from './model-times.ts';

const mac = parseMac('52:54:00:12:34:56');
const machine = '10eff964' as MachineId;
const attempt = '0123456789abcdef';
const ipv4 = '10.11.0.7' as Ipv4;
const HOST0 = '10.11.0.1' as Ipv4;
const FOREIGN = '10.11.0.254' as Ipv4;
const IMAGE = '/image/abc1';

type Bare<T> = T extends BootSighting ? Omit<T, 'atMs' | 'device'> : never;

let clock: ManualClock;
let log: BootLog;
let segment: SegmentState;
let meshes: string[];
let events: MeshEvent[];
/** When the last file was asked for. */
let askedMs: number;
/** The model of the card at earlier boots. */
let knownAs: string | undefined;
/** Why host0 refuses the reports of the machine. */
let refusal: MeshError | undefined;

beforeEach(async () => {
  clock = new ManualClock();
  segment = { mode: 'server', why: 'no other server answers' };
  [meshes, events, knownAs, refusal] = [[], [], undefined, undefined];
  const journal = new Journal(clock, 'host0', 'host0');
  journal.subscribe((event) => events.push(event));
  log = new BootLog({
    clock,
    journal,
    segmentStateOf: () => segment,
    nameOf: () => 'node1',
    meshesOf: () => meshes,
    refusalOf: (refused) => (refused === machine ? refusal : undefined),
    modelOf: () => knownAs,
    times: await ModelTimes.open(new MemoryStore()),
  });
});

function see(sighting: Bare<BootSighting>): void {
  log.take({ ...sighting, atMs: clock.nowMs(), device: 'eth1' } as BootSighting);
}

function dhcp(message: DhcpSighting['message'], more: Partial<DhcpSighting> = {}): void {
  see({ kind: 'dhcp', message, mac, port: 67, ...more });
}

/** A request for a file of the image, or the end of the last request. */
function http(file: string, outcome: HttpSighting['outcome'], since?: number): void {
  if (outcome.type === 'asked') askedMs = clock.nowMs();
  see({ kind: 'http', ipv4, path: `${IMAGE}/${file}`, askedMs: since ?? askedMs, outcome });
}

const fromHost0 = { server: HOST0, ours: true } as const;
const asked = { type: 'asked' } as const;
const loaded = { type: 'answered', status: 200 } as const;
const stalled = { type: 'broken off', stalled: true } as const;

/** All sightings up to a stage, one each 100 ms, with longer pauses before the stages in `pausesMs`. */
async function bootUntil(stage: string, pausesMs: Readonly<Record<string, number>> = {}): Promise<void> {
  const steps: [string, () => void][] = [
    ['discover', () => dhcp('DISCOVER', { client: 'firmware', architecture: 7 })],
    ['offer', () => dhcp('OFFER', { ...fromHost0, address: ipv4, bootFile: 'ipxe.efi' })],
    ['tftp', () => see({ kind: 'tftp', mac, file: 'ipxe.efi', outcome: asked })],
    ['ipxe', () => dhcp('DISCOVER', { client: 'ipxe' })],
    ['ipxe', () => dhcp('OFFER', { ...fromHost0, address: ipv4, bootFile: `http://${HOST0}/boot.ipxe` })],
    ['script', () => see({ kind: 'identified', machine, mac, ipv4, attempt, model: 'Box, efi' })],
    ['kernel', () => http('vmlinuz', asked)],
    ['kernel', () => http('vmlinuz', loaded)],
    ['initrd', () => http('initrd.img', asked)],
    ['initrd', () => http('initrd.img', loaded)],
    ['overlay', () => see({ kind: 'stage', machine, attempt, stage: 'overlay' })],
    ['packages', () => see({ kind: 'stage', machine, attempt, stage: 'packages' })],
    ['agent', () => see({ kind: 'stage', machine, attempt, stage: 'agent' })],
  ];
  const last = steps.findLastIndex(([name]) => name === stage);
  let before = '';
  for (const [name, step] of steps.slice(0, last + 1)) {
    if (name !== before) await clock.pass(pausesMs[name] ?? 0);
    before = name;
    step();
    await clock.pass(100);
  }
}

const boot = () => log.views()[0];
const stages = () => boot()?.stages.map(({ stage }) => stage);

/** Waits until a cause is named. @returns the cause, and the seconds of silence before it */
async function silence(withinSec: number): Promise<{ afterSec: number; cause: string } | undefined> {
  const from = clock.nowMs();
  while (clock.nowMs() - from < withinSec * 1000) {
    await clock.pass(250);
    const cause = boot()?.trouble?.cause;
    if (cause !== undefined) return { afterSec: (clock.nowMs() - from) / 1000, cause };
  }
  return undefined;
}

test('a boot goes through its stages and ends as a member', async () => {
  await bootUntil('agent');
  expect(boot()).toMatchObject({ state: 'booting', machine, name: 'node1', ipv4, attempt });
  meshes = ['manage'];
  await clock.pass(300);
  expect(stages()).toEqual(BOOT_STAGES);
  expect(boot()?.stages.map(({ atMs }) => atMs)).toEqual([0, 100, 200, 500, 600, 800, 1000, 1100, 1200, 1500]);
  expect(events.map(({ kind, message }) => `${kind}: ${message}`)).toEqual([
    `machine booted: node1 (${mac} on eth1) is a member after 1.5 s`,
  ]);
  await clock.pass(600_000);
  expect(boot()).toMatchObject({ state: 'member', ageMs: 1500 });
});

test.each([
  ['discover', 1, 'has not answered'],
  ['offer', 8, 'but asks for no file'],
  ['tftp', 22, 'ipxe.efi was asked for by TFTP'],
  ['ipxe', 22, 'HTTP does not get through'],
  ['script', 5, 'does not load the kernel'],
  ['kernel', 60, 'does not ask for the initrd'],
  ['initrd', 60, 'has not been heard of'],
  ['overlay', 20, 'does not report'],
  ['packages', 30, 'its agent has not started'],
  ['agent', 15, '4789 is filtered'],
])('a silence in stage %s is reported within 2 s after its %i s', async (stage, ownSec, cause) => {
  await bootUntil(stage);
  const named = await silence(ownSec + 5);
  expect(named?.cause).toMatch(cause);
  expect(named?.afterSec).toBeGreaterThanOrEqual(ownSec - 0.5);
  expect(named?.afterSec).toBeLessThanOrEqual(ownSec + 2);
  expect(boot()).toMatchObject({ state: 'stuck', trouble: { code: 'MESH_BOOT_SILENT', remedy: expect.any(String) } });
  await clock.pass(120_000);
  expect(events.map(({ kind }) => kind)).toEqual(['boot stuck']);
});

test('the cause of a silence depends on the mode of the segment', async () => {
  segment = { mode: 'observe', why: 'looking for other servers' };
  dhcp('DISCOVER', { client: 'firmware' });
  expect((await silence(3))?.cause).toMatch('its mode is observe (looking for other servers)');
  segment = { mode: 'proxy', why: 'fixed' };
  expect(boot()?.trouble?.cause).toMatch('no DHCP server answers');
  segment = { mode: 'observe', why: 'looking for other servers' };
  dhcp('OFFER', { server: FOREIGN, ours: false, address: ipv4 });
  expect((await silence(10))?.cause).toMatch('10.11.0.254 gives an address, but host0 adds no boot file');
});

test('trouble that a packet shows is reported at once, and cleared when the machine gets on', async () => {
  segment = { mode: 'proxy', why: 'another server answers' };
  dhcp('DISCOVER', { client: 'firmware' });
  dhcp('OFFER', { server: FOREIGN, ours: false, address: ipv4, bootFile: 'pxelinux.0' });
  dhcp('OFFER', { ...fromHost0, bootFile: 'ipxe.efi' });
  expect(boot()?.state).toBe('booting');
  dhcp('ACK', { server: FOREIGN, ours: false, address: ipv4, bootFile: 'pxelinux.0' });
  expect(boot()?.trouble).toMatchObject({ code: 'MESH_BOOT_FOREIGN', cause: expect.stringContaining('pxelinux.0') });
  see({ kind: 'tftp', mac, file: 'ipxe.efi', outcome: asked });
  expect(boot()?.state).toBe('booting');
  see({ kind: 'tftp', mac, file: 'ipxe.efi', outcome: { type: 'refused', why: 'no such file' } });
  expect(boot()?.trouble?.cause).toBe('TFTP refused ipxe.efi: no such file');
});

test('a file that loaders do without is no trouble, and other names are told as they came', async () => {
  const tftp = (file: string, outcome: TftpSighting['outcome']) => see({ kind: 'tftp', mac, file, outcome });
  const missing = { type: 'refused', why: 'error 1 file not found' } as const;
  await bootUntil('tftp');
  for (const file of ['autoexec.ipxe', '/boot/AUTOEXEC.IPXE', 'revocations_sbat.efi', 'shim_certificate_0.efi']) {
    tftp(file, asked);
    tftp('', missing);
    expect([boot()?.state, boot()?.stages.at(-1)?.detail]).toEqual(['booting', 'ipxe.efi']);
  }
  tftp('undionly.kpxe\\xff', asked);
  tftp('', missing);
  expect(boot()?.trouble).toMatchObject({
    cause: 'TFTP refused undionly.kpxe\\xff: error 1 file not found',
    remedy: expect.stringMatching(/^The firmware asks for another name than undionly\.kpxe/),
  });
  tftp('pxelinux.0', asked);
  tftp('', missing);
  expect(boot()?.trouble?.remedy).toMatch('take the name out of the server that told it');
  tftp('ipxe.efi', asked);
  tftp('', missing);
  expect(boot()?.trouble?.remedy).toMatch('reinstall the package ipxe');
  // A machine that is further on asks once more for a file of its own: nothing of the boot changes.
  await bootUntil('kernel');
  tftp('grub.cfg', asked);
  tftp('', missing);
  expect([boot()?.state, stages()?.at(-1)]).toEqual(['booting', 'kernel']);
});

test('a refused address is told as such while the machine is silent, and is over with the next offer', async () => {
  await bootUntil('offer');
  dhcp('REQUEST', { client: 'firmware', server: HOST0, address: ipv4 });
  dhcp('NAK', { ...fromHost0, why: 'address in use' });
  expect(boot()?.state).toBe('booting');
  expect((await silence(12))?.cause).toBe(
    'host0 refused 10.11.0.7 that the machine asked for (NAK: "address in use"), and the machine has not asked again',
  );
  dhcp('DISCOVER', { client: 'firmware' });
  dhcp('OFFER', { ...fromHost0, address: ipv4, bootFile: 'ipxe.efi' });
  expect(boot()?.trouble?.cause).toMatch('but asks for no file');
});

test('firmware that does not say its architecture gets no boot file, and is told so', async () => {
  dhcp('DISCOVER', { client: 'firmware' });
  dhcp('OFFER', { ...fromHost0, address: ipv4 });
  expect((await silence(12))?.cause).toMatch('the firmware does not say what it is');
  expect(boot()?.trouble?.code).toBe('MESH_BOOT_ARCHITECTURE');
});

test.each([
  'script',
  'initrd',
])('a machine in stage %s that is a member, and reports no stages, is no boot that is stuck', async (stage) => {
  await bootUntil(stage);
  // Its earlier run is a member for some seconds.
  meshes = ['manage'];
  await clock.pass(10_000);
  expect(boot()?.state).not.toBe('member');
  await clock.pass(10_000);
  expect(boot()).toMatchObject({ state: 'member' });
});

test('a machine that joins after host0 has given it up is a member all the same', async () => {
  await bootUntil('initrd');
  await clock.pass(700_000);
  expect(boot()?.state).toBe('stuck');
  meshes = ['manage'];
  expect(boot()?.state).toBe('member');
});

test.each([
  'script',
  'initrd',
  'overlay',
])('a system that fetches its files in stage %s, and reports nothing, is not stuck', async (stage) => {
  await bootUntil(stage);
  see({ kind: 'http', ipv4, path: '/isos/alpine/main/x86_64/APKINDEX.tar.gz', askedMs: clock.nowMs(), outcome: asked });
  expect(await silence(200)).toBeUndefined();
  expect(boot()?.state).toBe('booting');
  see({ kind: 'stage', machine, attempt, stage: 'agent' });
  expect((await silence(30))?.cause).toMatch('4789');
});

test('a refusal of its reports is the cause for a machine that does not become a member, until it does', async () => {
  await bootUntil('agent');
  refusal = new MeshError('MESH_MEMBER_NOT_ADMITTED', `machine ${machine} has no folder on host0`, {
    remedy: `Name it with \`mesh node adopt ${machine} NAME\`.`,
  });
  await clock.pass(20_000);
  expect(boot()?.trouble).toEqual({
    code: 'MESH_MEMBER_NOT_ADMITTED',
    stage: 'agent',
    cause: `the agent runs, and host0 refuses its reports: machine ${machine} has no folder on host0`,
    remedy: `Name it with \`mesh node adopt ${machine} NAME\`.`,
  });
  [refusal, meshes] = [undefined, ['manage']];
  await clock.pass(1_000);
  expect(boot()).toMatchObject({ state: 'member' });
  expect(boot()?.trouble).toBeUndefined();
});

test('a refusal, a missing kernel and reports of the machine itself are named with their remedy', async () => {
  await bootUntil('ipxe');
  const error = { code: 'MESH_BOOT_NO_OVERLAY', message: 'no overlay for it', remedy: 'Configure.' } as const;
  see({ kind: 'refused', mac, machine, error });
  expect(boot()?.trouble).toEqual({ code: error.code, stage: 'script', cause: error.message, remedy: error.remedy });
  see({ kind: 'identified', machine, mac, ipv4, attempt });
  http('vmlinuz', asked);
  http('vmlinuz', { type: 'answered', status: 404 });
  expect(boot()?.trouble?.cause).toMatch('/image/abc1/vmlinuz was answered with 404');
  // iPXE reports the same failure by a number, which replaces nothing.
  see({ kind: 'stage', machine, attempt, stage: 'failed', detail: '0x2d0c613b' });
  expect(boot()?.trouble?.cause).toMatch('/image/abc1/vmlinuz was answered with 404');
  http('initrd.img', asked);
  see({ kind: 'stage', machine, attempt, stage: 'failed', detail: '0x2d0c613b' });
  expect(boot()?.trouble?.cause).toMatch('error 0x2d0c613b (ipxe.org/2d0c61)');
  see({ kind: 'stage', machine, attempt, stage: 'secrets', detail: '403 shown a second time' });
  expect(boot()?.trouble).toMatchObject({ stage: 'initrd', cause: expect.stringContaining('secrets: 403 shown') });
  see({ kind: 'stage', machine, attempt, stage: 'agent', detail: 'ended with 1: no such file' });
  expect(boot()?.trouble).toMatchObject({ stage: 'agent', cause: expect.stringContaining('ended with 1') });
  expect(boot()?.trouble?.remedy).toMatch('agent.log');
  see({ kind: 'stage', machine, attempt, stage: 'agent', detail: 'ended with 137: Out of memory: Killed process' });
  expect(boot()?.trouble?.remedy).toMatch('needs 2 GB');
  see({ kind: 'stage', machine, attempt, stage: 'agent' });
  expect(boot()?.state).toBe('booting');
});

test('another host that names the card or the id of a machine changes nothing of the boot that is under way', async () => {
  const thief = parseMac('52:54:00:66:66:66');
  await bootUntil('kernel');
  const error = { code: 'MESH_BOOT_FORGED', message: 'not at this address' } as const;
  see({ kind: 'refused', mac, machine, error });
  dhcp('DISCOVER', { mac: thief, client: 'ipxe' });
  for (const named of [machine, ...Array.from({ length: 100 }, (_, number) => `${10_000_000 + number}` as MachineId)]) {
    see({ kind: 'refused', mac: thief, machine: named, error: { code: 'MESH_BOOT_NO_OVERLAY', message: 'none' } });
  }
  see({ kind: 'stage', machine, attempt, stage: 'overlay' });
  const [theirs, ours] = log.views();
  expect(theirs).toMatchObject({ mac: thief, state: 'stuck' });
  expect(ours).toMatchObject({ mac, state: 'booting' });
  expect(ours?.stages.at(-1)?.stage).toBe('overlay');
  // Of the ids that one card has named, the last one is kept.
  see({ kind: 'stage', machine: '10000098' as MachineId, attempt, stage: 'agent' });
  expect(log.views()[0]?.stages.at(-1)?.stage).toBe('script');
  see({ kind: 'stage', machine: '10000099' as MachineId, attempt, stage: 'agent' });
  expect(log.views()[0]?.stages.at(-1)?.stage).toBe('agent');
});

test('a report that arrives after a later stage is inserted before it, and clears no trouble', async () => {
  await bootUntil('overlay');
  const report = (stage: string, detail?: string) =>
    see({ kind: 'stage', machine, attempt, stage, ...(detail !== undefined && { detail }) });
  report('agent', 'ended with 1: no such file');
  await clock.pass(50);
  report('packages');
  report('initrd');
  expect(stages()?.slice(-4)).toEqual(['initrd', 'overlay', 'packages', 'agent']);
  const [packages, agent] = boot()?.stages.slice(-2) ?? [];
  expect(packages?.atMs).toBe(agent?.atMs);
  expect(boot()?.trouble).toMatchObject({ stage: 'agent', cause: expect.stringContaining('ended with 1') });
});

test.each([
  [['overlay', 'packages']],
  [['overlay', 'agent']],
  [['overlay']],
])('a machine that is a member before its reports arrive has gone through all its stages: %j', async (reported) => {
  await bootUntil('initrd');
  const report = (stage: string) => see({ kind: 'stage', machine, attempt, stage });
  for (const stage of reported) report(stage);
  await clock.pass(20_000);
  meshes = ['manage'];
  await clock.pass(300);
  const complete = ['initrd', 'overlay', 'packages', 'agent', 'mesh'];
  expect([boot()?.state, stages()?.slice(-5)]).toEqual(['member', complete]);
  const { told, times } = { told: stages(), times: boot()?.stages.map(({ atMs }) => atMs) ?? [] };
  expect(times).toEqual(times.toSorted((a, b) => a - b));
  for (const stage of ['packages', 'agent']) report(stage);
  expect([boot()?.state, stages()]).toEqual(['member', told]);
});

test('a queued machine is not silent while it waits as told, and an earlier refusal is over', async () => {
  await bootUntil('ipxe');
  const queued = () => see({ kind: 'queued', mac, machine, ahead: 30, againSec: 8 });
  see({ kind: 'refused', mac, machine, error: { code: 'MESH_BOOT_NO_OVERLAY', message: 'no overlay for it' } });
  expect(boot()?.state).toBe('stuck');
  for (let time = 0; time < 3; time++) {
    queued();
    expect(await silence(8)).toBeUndefined();
  }
  expect(boot()?.stages.at(-1)?.detail).toBe('waits, 30 before it');
  queued();
  expect(await silence(15)).toMatchObject({ afterSec: 13, cause: expect.stringContaining('told to ask') });
  see({ kind: 'identified', machine, mac, ipv4, attempt });
  expect(boot()?.state).toBe('booting');
  expect((await silence(10))?.cause).toMatch('does not load the kernel');
});

test('a machine that is switched on again begins a new boot, and one that repeats its request does not', async () => {
  dhcp('DISCOVER', { client: 'firmware' });
  await clock.pass(4_000);
  dhcp('DISCOVER', { client: 'firmware' });
  expect(boot()?.ageMs).toBe(4_000);
  await bootUntil('kernel');
  expect(boot()?.ageMs).toBeGreaterThan(4_000);
  dhcp('DISCOVER', { client: 'firmware' });
  expect([boot()?.ageMs, stages()]).toEqual([0, ['discover']]);
  // A running system that renews its address does not boot.
  await bootUntil('agent');
  dhcp('DISCOVER', { client: 'system' });
  expect(stages()?.at(-1)).toBe('agent');
});

test('a long download is not silent, and one that stands still is reported when it is broken off', async () => {
  await bootUntil('kernel');
  http('initrd.img', asked);
  expect(await silence(300)).toBeUndefined();
  http('initrd.img', stalled);
  expect(boot()?.trouble).toMatchObject({ code: 'MESH_BOOT_SILENT', stage: 'initrd' });
  expect(boot()?.trouble?.cause).toMatch('/image/abc1/initrd.img stood still: the machine took nothing of it for 60 s');
  http('initrd.img', asked);
  expect(boot()?.state).toBe('stuck');
  // Only now the connection of the first download is noticed to be dead.
  http('initrd.img', { type: 'broken off', stalled: false }, askedMs - 60_000);
  expect(boot()?.trouble?.cause).toMatch('stood still');
  http('initrd.img', loaded);
  expect(boot()?.state).toBe('booting');
  expect((await silence(65))?.cause).toMatch('has not been heard of');
});

test('the end of a download of an earlier boot or an earlier stage is ignored', async () => {
  await bootUntil('kernel');
  http('initrd.img', asked);
  const before = askedMs;
  await clock.pass(30_000);
  await bootUntil('script');
  http('initrd.img', stalled, before);
  expect([boot()?.state, stages()?.at(-1)]).toEqual(['booting', 'script']);
  await bootUntil('overlay');
  http('initrd.img', { type: 'broken off', stalled: false });
  expect([boot()?.state, stages()?.at(-1)]).toEqual(['booting', 'overlay']);
});

/** A whole boot, until the machine is a member. */
async function bootThrough(pausesMs: Readonly<Record<string, number>> = {}): Promise<void> {
  meshes = [];
  await bootUntil('agent', pausesMs);
  meshes = ['manage'];
  await clock.pass(300);
  expect(boot()?.state).toBe('member');
}

test('firmware that is slow at each boot is not called silent, once its card or its script tells the model', async () => {
  // From offer to TFTP it takes 20 s, where the table has 8 s. All other times are ordinary.
  for (let time = 0; time < 2; time++) {
    await bootThrough({ tftp: 20_000 });
    expect(boot()?.model).toBe('Box, efi');
  }
  expect(events.map(({ kind }) => kind)).toEqual(['boot stuck', 'machine booted', 'boot stuck', 'machine booted']);
  meshes = [];
  await bootUntil('offer');
  expect(boot()?.due).toEqual({ atMs: 8_100, ms: 8_000, from: 'table' });
  knownAs = 'Box, efi';
  await bootUntil('kernel');
  await bootUntil('offer');
  expect(boot()).toMatchObject({ model: 'Box, efi', due: { atMs: 30_850, ms: 30_750, from: 'learned', boots: 2 } });
  expect((await silence(40))?.afterSec).toBeCloseTo(30.75, 0);
  // For a time below the table's, two boots are too few.
  await bootUntil('overlay');
  expect(boot()?.due).toMatchObject({ ms: 20_000, from: 'table' });
});

test('the silence of a quick model is reported sooner than the table says', async () => {
  for (let time = 0; time < 5; time++) await bootThrough({ overlay: 4_000 });
  await bootUntil('initrd');
  expect(boot()?.due).toMatchObject({ ms: 9_000, from: 'learned', boots: 5 });
  expect((await silence(20))?.cause).toMatch('has not been heard of');
  expect(boot()?.trouble?.code).toBe('MESH_BOOT_SILENT');
});

test('an architecture without a boot file is reported at once, even after an offer', () => {
  dhcp('DISCOVER', { client: 'firmware', architecture: 6 });
  expect(boot()?.trouble).toMatchObject({ code: 'MESH_BOOT_ARCHITECTURE', stage: 'discover' });
  dhcp('OFFER', { ...fromHost0, address: ipv4 });
  expect(boot()?.trouble).toMatchObject({ stage: 'offer', cause: expect.stringContaining('6 (32-bit x86 UEFI)') });
  dhcp('DISCOVER', { client: 'firmware', architecture: 7 });
  expect(boot()?.state).toBe('booting');
});

test('a foreign server is the cause if firmware takes its address and no file of host0', async () => {
  segment = { mode: 'proxy', why: 'another server answers' };
  dhcp('DISCOVER', { client: 'firmware', architecture: 0 });
  dhcp('OFFER', { ...fromHost0, bootFile: 'undionly.kpxe' });
  dhcp('REQUEST', { client: 'firmware', server: FOREIGN });
  expect(boot()?.state).toBe('booting');
  await silence(8);
  expect(boot()?.trouble).toMatchObject({ code: 'MESH_BOOT_FOREIGN', cause: expect.stringContaining(FOREIGN) });
});

test('the reason why a segment is not served is the cause, with its remedy', async () => {
  segment = { mode: 'observe', why: 'eth1 has no address there', remedy: 'Give it one.' };
  dhcp('DISCOVER', { client: 'firmware' });
  await silence(1);
  expect(boot()?.trouble).toMatchObject({ cause: expect.stringContaining('no address there'), remedy: 'Give it one.' });
});

/** A request for a file of the mirror. */
function alpine(path: string, outcome: HttpSighting['outcome']): void {
  if (outcome.type === 'asked') askedMs = clock.nowMs();
  see({ kind: 'http', ipv4, path: `/alpine/7/${path}`, askedMs, outcome });
}

test("a boot of Alpine goes through the same stages, by what the machine fetches, and then by the machine's reports", async () => {
  dhcp('DISCOVER', { client: 'ipxe' });
  dhcp('OFFER', { ...fromHost0, address: ipv4, bootFile: 'http://10.11.0.1/boot.ipxe' });
  see({ kind: 'identified', machine, mac, ipv4, attempt });
  for (const path of ['boot/vmlinuz-lts', 'boot/initramfs-lts']) {
    alpine(path, asked);
    alpine(path, loaded);
  }
  see({ kind: 'http', ipv4, path: '/overlay/ab/cd.apkovl.tar.gz', askedMs: clock.nowMs(), outcome: loaded });
  for (const path of [
    'v3.21/main/x86_64/APKINDEX.tar.gz',
    'v3.21/main/x86_64/nodejs-22.1-r0.apk',
    'boot/modloop-lts',
  ]) {
    alpine(path, asked);
    alpine(path, loaded);
  }
  const view = () => log.views()[0];
  expect(view()?.stages.map(({ stage }) => stage)).toEqual([
    'discover',
    'offer',
    'script',
    'kernel',
    'initrd',
    'overlay',
    'packages',
  ]);
  // The services of a slow machine start in a minute, which is no trouble.
  await clock.pass(80_000);
  expect(view()?.trouble).toBeUndefined();
  await clock.pass(15_000);
  expect(view()?.trouble).toMatchObject({ stage: 'packages', code: 'MESH_BOOT_SILENT' });
  see({ kind: 'stage', machine, attempt, stage: 'overlay' });
  see({ kind: 'stage', machine, attempt, stage: 'packages', detail: 'not installed: chrony' });
  expect(view()?.trouble).toMatchObject({
    cause: 'the machine reports from stage packages: not installed: chrony',
    remedy: expect.stringContaining('mesh system download'),
  });
  see({ kind: 'stage', machine, attempt, stage: 'agent' });
  see({ kind: 'member', machine, mesh: 'manage' });
  expect(view()?.state).toBe('member');
  expect(view()?.trouble).toBeUndefined();
});

test('a package that host0 has not is trouble with its path', () => {
  dhcp('DISCOVER', { client: 'ipxe' });
  dhcp('OFFER', { ...fromHost0, address: ipv4 });
  see({ kind: 'identified', machine, mac, ipv4, attempt });
  alpine('v3.21/main/x86_64/gone-1-r0.apk', asked);
  alpine('v3.21/main/x86_64/gone-1-r0.apk', { type: 'answered', status: 404 });
  expect(log.views()[0]?.trouble).toMatchObject({
    cause: 'the download of /alpine/7/v3.21/main/x86_64/gone-1-r0.apk was answered with 404',
    remedy: expect.stringContaining('--verify'),
  });
});
