/** Which processes count as DHCP clients: real processes in a fresh namespace, with the names that anybody can give them. */
import { type ChildProcess, spawn } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { until } from '../../test/system/until.ts';
import { inNetns, type TemporaryNetns, temporaryNetns } from '../kernel/netns.ts';
import { dhcpClients } from './dhcp-clients.ts';
import { moveLeases } from './dhcp-leases.ts';

const NOBODY = 65_534;
const SLEEP = realpathSync('/usr/bin/tail');
const children: ChildProcess[] = [];
let netns: TemporaryNetns;
let directory: string;

beforeEach(() => {
  netns = temporaryNetns();
  directory = mkdtempSync(join(tmpdir(), 'dhcp-clients-'));
  chmodSync(directory, 0o755);
});

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  netns.close();
  rmSync(directory, { recursive: true, force: true });
});

/** Starts a program that waits, with `eth0` in its command line. @param uid of the login that runs it */
async function startAs(program: string, argv0: string, uid = 0): Promise<void> {
  const own = ['-c', 'exec -a "$0" "$@"', argv0, program, '-f', '/dev/null', 'eth0'];
  const user = uid === 0 ? [] : ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups'];
  const child = spawn('nsenter', [`--net=${netns.path}`, ...user, 'bash', ...own], { stdio: 'ignore' });
  children.push(child);
  await until(`${program} runs`, 10_000, () =>
    readFileSync(`/proc/${child.pid}/cmdline`, 'utf8').startsWith(`${argv0}\0-f`),
  );
}

/** A program called dhclient, with other permissions. */
function dhclient(mode: number): string {
  const path = join(directory, 'dhclient');
  copyFileSync(SLEEP, path);
  chmodSync(path, mode);
  return path;
}

function found(): readonly (readonly string[])[] {
  return inNetns(netns.path, () => dhcpClients('eth0').map(({ argv }) => argv));
}

test("root's client counts, and is started by its file and not by the name that it gives itself", async () => {
  const path = dhclient(0o755);
  await startAs(path, '/elsewhere/dhclient');
  expect(found()).toEqual([[path, '-f', '/dev/null', 'eth0']]);
});

test('a process of another login is no client, whatever it calls itself', async () => {
  await startAs(dhclient(0o755), 'dhclient', NOBODY);
  expect(found()).toEqual([]);
});

test.each([
  ['another program that calls itself dhclient', () => SLEEP],
  ['a file that others can write', () => dhclient(0o757)],
])('%s is no client', async (_, program) => {
  await startAs(program(), 'dhclient');
  expect(found()).toEqual([]);
});

test('a file in a directory that others can write is no client', async () => {
  chmodSync(directory, 0o777);
  await startAs(dhclient(0o755), 'dhclient');
  expect(found()).toEqual([]);
});

test('leases follow to the other device, and neither through links nor out of their directories', async () => {
  const leases = realpathSync(directory);
  const text = 'lease {\n  interface "eth0";\n}\n';
  const move = (before: string, after: string) => moveLeases({ before, after, from: 'eth0', to: 'br0' }, [leases]);
  const at = (name: string): string => join(leases, name);
  writeFileSync(at('eth0.leases'), text);
  await move(at('eth0.leases'), at('br0.leases'));
  expect(readFileSync(at('br0.leases'), 'utf8')).toBe(text.replace('eth0', 'br0'));

  mkdirSync(at('other'));
  writeFileSync(at('other/victim'), 'kept');
  symlinkSync(at('other/victim'), at('br1.leases'));
  await move(at('eth0.leases'), at('br1.leases'));
  await move(at('eth0.leases'), at('other/victim'));
  await move(at('eth0.leases'), at('nowhere/../other/victim'));
  expect(readFileSync(at('other/victim'), 'utf8')).toBe('kept');

  symlinkSync(at('other/victim'), at('eth1.leases'));
  await move(at('eth1.leases'), at('br2.leases'));
  expect(() => readFileSync(at('br2.leases'))).toThrow('ENOENT');
});
