/** Records that a killed command, a restart or a full disk leaves, on a real bridge in a fresh namespace. Nothing is below the real root. */
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { uptime } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { inside, ip } from '../../test/kit/namespaces.ts';
import { until } from '../../test/system/until.ts';
import { type TemporaryNetns, temporaryNetns } from '../kernel/netns.ts';
import { parseMac } from '../model/address/mac.ts';
import { pathsBelow } from '../protocol/documents/paths.ts';
import { findMark } from '../services/process/process-mark.ts';
import { bootId } from '../services/process/process-record.ts';
import { type NicRecord, NicRecords } from './nic-record.ts';

const MAC = '02:00:5e:10:00:01';
const FILE = '/etc/network/interfaces';
const children: ChildProcess[] = [];
let netns: TemporaryNetns;
let root: string;

beforeEach(() => {
  netns = temporaryNetns();
  root = mkdtempSync('/var/tmp/bridged-nic-');
  ip(netns.path, `link add eth0 address ${MAC} type veth peer name wire`, 'link set wire up', 'link set eth0 up');
  mkdirSync(join(root, 'etc/network'), { recursive: true });
});

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  netns.close();
  rmSync(root, { recursive: true, force: true });
});

/** A record of a trial that is over. */
function trial(more: Partial<NicRecord> = {}): NicRecord {
  const names = { card: 'eth0', cardAfter: 'eth0', bridge: 'br0', bridgeBefore: 'br0', mac: parseMac(MAC) };
  const files = { steps: [{ path: FILE, text: 'bridged' }], before: [{ path: FILE, text: 'plain' }], trialFiles: [] };
  const kernel = { mtuBytes: 1500, addressMode: 'eui64', tool: 'ifupdown' } as const;
  return { ...names, ...files, ...kernel, phase: 'trial', deadlineUptimeSec: uptime() - 1, boot: bootId(), ...more };
}

function records(): NicRecords {
  return new NicRecords(pathsBelow(root));
}

/** Runs a method of the cards in the namespace, in a process of its own. */
async function run(method: 'watch' | 'undo' | 'start'): Promise<string> {
  const order = method === 'start' ? "{ card: 'eth0', name: { name: 'br0' }, withinSec: 60, tool: 'none' }" : "'eth0'";
  const program = `
    import { BridgedNics } from '${join(import.meta.dirname, 'bridged-nic.ts')}';
    import { pathsBelow } from '${join(import.meta.dirname, '../protocol/documents/paths.ts')}';
    const nics = new BridgedNics(pathsBelow('${root}'), () => ['/bin/true']);
    await nics.${method}(${order});`;
  const argv = [`--net=${netns.path}`, process.execPath, '--input-type=module', '-e', program];
  const child = spawn('nsenter', argv, { stdio: ['ignore', 'ignore', 'pipe'] });
  children.push(child);
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString('utf8');
  });
  await new Promise((done) => child.once('close', done));
  return said;
}

function bridges(): string {
  return inside(netns.path, 'ip', '-o', 'link', 'show', 'type', 'bridge');
}

function bridged(): number {
  ip(netns.path, `link add br0 address ${MAC} type bridge`, 'link set eth0 master br0');
  return Number(bridges().split(':')[0]);
}

test('a record of an earlier start of the machine deletes no bridge and writes no file', async () => {
  ip(netns.path, 'link add br0 address 02:00:5e:10:00:99 type bridge');
  writeFileSync(join(root, FILE), "the administrator's");
  await records().write(trial({ phase: 'returning', written: true, boot: 'earlier' }));
  expect(await run('start')).toContain('there is a network device br0 already');
  expect(bridges()).toContain('br0');
  expect(readFileSync(join(root, FILE), 'utf8')).toBe("the administrator's");
  const record = await records().read('eth0');
  expect(record).toMatchObject({ phase: 'returned' });
  expect(record?.why).toContain('was changed by others');
});

test("the administrator's own bridge with the card in it outlives a trial of an earlier start of the machine", async () => {
  bridged();
  await records().write(trial({ boot: 'earlier' }));
  expect(await run('start')).toContain('is a port of the bridge br0');
  expect(inside(netns.path, 'ip', '-o', 'link', 'show', 'master', 'br0')).toContain('eth0');
  expect(await run('undo')).toContain('is back already');
  expect(bridges()).toContain('br0');
});

test('files that an undo left half way when the power was cut come back', async () => {
  writeFileSync(join(root, FILE), 'bridged');
  await records().write(trial({ phase: 'returning', written: true, boot: 'earlier' }));
  await run('start');
  expect(readFileSync(join(root, FILE), 'utf8')).toBe('plain');
});

test('a way back that a killed command began from a trial writes no file', async () => {
  writeFileSync(join(root, FILE), "the administrator's");
  bridged();
  await records().write(trial({ phase: 'returning', written: false }));
  expect(await run('watch')).toBe('');
  expect(bridges()).toBe('');
  expect(readFileSync(join(root, FILE), 'utf8')).toBe("the administrator's");
});

test.each([
  ['without the number of the bridge', {}],
  ['with the number of a bridge that is gone', { bridgeIndex: 999 }],
])('a bridge of the same name that is not ours stays: a record %s', async (_, more) => {
  ip(netns.path, 'link add br0 address 02:00:5e:10:00:99 type bridge');
  await records().write(trial(more));
  expect(await run('watch')).toBe('');
  expect(bridges()).toContain('br0');
  expect((await records().read('eth0'))?.phase).toBe('returned');
});

test('a DHCP client that was killed and not started again runs on the card in the end', async () => {
  const dhclient = join(root, 'dhclient');
  copyFileSync('/usr/bin/tail', dhclient);
  chmodSync(root, 0o755);
  chmodSync(dhclient, 0o755);
  const bridgeIndex = bridged();
  const argv = [dhclient, '-f', '/dev/null', 'eth0'];
  await records().write(trial({ phase: 'switching', bridgeIndex, clients: [{ program: 'dhclient', argv }] }));
  try {
    expect(await run('watch')).toBe('');
    expect(bridges()).toBe('');
    expect(inside(netns.path, 'pgrep', '-f', `^${dhclient} .* eth0$`)).not.toBe('');
  } finally {
    for (const pid of inside(netns.path, 'pgrep', '-f', `^${dhclient} .* eth0$`).trim().split('\n'))
      process.kill(Number(pid), 'SIGKILL');
  }
});

test.each([
  'switching',
  'returning',
] as const)('a command that hangs in the phase %s is ended at its deadline', async (phase) => {
  const bridgeIndex = bridged();
  const lock = join(pathsBelow(root).run, 'bridged-nics/lock');
  mkdirSync(join(lock, '..'), { recursive: true });
  const hanging = spawn('flock', ['--no-fork', lock, 'sleep', '600'], { stdio: 'ignore' });
  children.push(hanging);
  await until('the lock is taken', 10_000, () =>
    readFileSync(`/proc/${hanging.pid}/cmdline`, 'utf8').startsWith('sleep'),
  );
  const worker = findMark(hanging.pid ?? 0);
  await records().write(trial({ phase, bridgeIndex, ...(worker && { worker }) }));
  expect(await run('watch')).toBe('');
  expect(bridges()).toBe('');
  expect((await records().read('eth0'))?.phase).toBe('returned');
});

test('a disk that takes no record does not keep the card from its way back', async () => {
  const bridgeIndex = bridged();
  await records().write(trial({ bridgeIndex }));
  const state = join(pathsBelow(root).state, 'bridged-nics');
  inside(netns.path, 'chattr', '+i', state);
  try {
    expect(await run('watch')).toBe('');
    expect(bridges()).toBe('');
    expect((await records().read('eth0'))?.phase).toBe('trial');
  } finally {
    inside(netns.path, 'chattr', '-i', state);
  }
});
