/** Real servers run as the user of servers, with the capabilities that they need and no more. */
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, lchownSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { inside, ip } from '../../../test/kit/namespaces.ts';
import { inNetns, temporaryNetns } from '../../kernel/netns.ts';
import { makeTun } from '../../kernel/tap/tap.ts';
import type { Ipv4, Ipv4Cidr } from '../../model/address/ipv4.ts';
import type { Ipv6, Ipv6Cidr } from '../../model/address/ipv6.ts';
import type { ProcessSpec } from '../../services/process/process-spec.ts';
import { systemUser } from '../../services/process/system-user.ts';
import { radvdConf } from '../../services/radvd/radvd-conf.ts';
import { radvdProcess } from '../../services/radvd/radvd-process.ts';
import { TRANSLATOR_LINK, taygaConf } from '../../services/tayga/tayga-conf.ts';
import { taygaProcess } from '../../services/tayga/tayga-process.ts';
import { unboundConf } from '../../services/unbound/unbound-conf.ts';
import { unboundProcess } from '../../services/unbound/unbound-process.ts';
import { serverUser } from './server-user.ts';

const WAIT = { timeout: 25_000, interval: 50 };
/** CAP_NET_RAW of linux/capability.h. */
const NET_RAW = 1n << 13n;
const NOBODY = systemUser(['nobody']);
const closing: (() => unknown)[] = [];
let directory: string;
let netns: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'mw-user-'));
  chmodSync(directory, 0o711);
  closing.push(() => rmSync(directory, { recursive: true }));
  const made = temporaryNetns();
  closing.push(() => made.close());
  netns = made.path;
  ip(netns, 'link set lo up', 'link add eth0 type veth peer name eth1', 'link set eth0 up', 'link set eth1 up');
  inside(netns, 'sysctl', '-qw', 'net.ipv6.conf.all.forwarding=1');
});

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const journalOf = (failures: string[]) => ({
  failure: (kind: string, thrown: unknown) => {
    failures.push(`${kind}: ${thrown instanceof Error ? thrown.message : ''}`);
  },
});

function start({ argv }: ProcessSpec): { readonly child: ChildProcess; readonly said: () => string } {
  const [program, ...rest] = argv;
  const child = inNetns(netns, () => spawn(program, rest, { stdio: ['ignore', 'pipe', 'pipe'] }));
  const ended = new Promise((resolve) => child.once('exit', resolve));
  closing.push(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (data: Buffer) => {
      text += data.toString();
    });
  return { child, said: () => text };
}

/** The numbers of a process in /proc: its users, its groups, its effective capabilities. */
function rightsOf({ pid }: ChildProcess) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const words = (key: string) => new RegExp(`^${key}:\\t(.*)$`, 'm').exec(status)?.[1]?.trim() ?? '';
  return {
    users: words('Uid').split('\t').map(Number),
    groups: words('Gid').split('\t').map(Number),
    effective: BigInt(`0x${words('CapEff')}`),
    permitted: BigInt(`0x${words('CapPrm')}`),
  };
}

const four = (id: number | undefined) => [id, id, id, id];

test('radvd has the right to raw sockets alone, reads its file again, and removes its pid file', async () => {
  const failures: string[] = [];
  const user = serverUser(join(directory, 'own'), journalOf(failures), NOBODY);
  expect({ failures, canBound: user?.canBound }).toEqual({ failures: [], canBound: true });
  if (user === undefined) return;
  const [configFile, pidFile] = [join(directory, 'radvd.conf'), join(user.directory, 'radvd.pid')];
  const advertisement = { lifetimeSec: 12, reachableMs: 3_000, mtuBytes: 1_430, resolvers: [], searchDomains: [] };
  const write = (prefix: string) => {
    const prefixes = [{ prefix: prefix as Ipv6Cidr, validSec: 7_200, preferredSec: 3_600 }];
    writeFileSync(configFile, radvdConf('eth0', { ...advertisement, prefixes }), { mode: 0o644 });
  };
  write('fd00:1::/64');
  const place = { name: 'radvd-1', network: 'blue', netns, configFile, pidFile };
  const { child, said } = start(radvdProcess({ ...place, user }));
  await vi.waitFor(() => expect(said()).toContain('polling for'), WAIT);
  expect(rightsOf(child)).toEqual({
    users: four(user.uid),
    groups: four(user.gid),
    effective: NET_RAW,
    permitted: NET_RAW,
  });
  write('fd00:2::/64');
  child.kill('SIGHUP');
  await vi.waitFor(() => expect(said()).toContain('resuming normal operation'), WAIT);
  child.kill('SIGTERM');
  await vi.waitFor(() => expect(said()).toContain('removing'), WAIT);
  expect(said()).not.toContain('unable to');
});

test('tayga has no capability, and keeps its maps in a directory of its user', async () => {
  if (NOBODY === undefined) throw new Error('the system has no nobody');
  makeTun(TRANSLATOR_LINK, { netns });
  ip(netns, `link set ${TRANSLATOR_LINK} up`);
  const [configFile, data] = [join(directory, 'tayga.conf'), join(directory, 'data')];
  mkdirSync(data);
  lchownSync(data, NOBODY.uid, NOBODY.gid);
  const own = { ipv4: '192.0.0.2' as Ipv4, ipv6: 'fd64::6400' as Ipv6, pool: '100.126.0.0/16' as Ipv4Cidr, maps: [] };
  writeFileSync(configFile, taygaConf({ ...own, prefix: 'fd64:64::/96' as Ipv6Cidr }, data));
  const { child } = start(taygaProcess({ name: 'tayga-1', network: 'blue', netns, configFile, user: NOBODY }));
  await vi.waitFor(() => expect(rightsOf(child).users).toEqual(four(NOBODY.uid)), WAIT);
  await vi.waitFor(() => expect(rightsOf(child).effective).toBe(0n), WAIT);
  expect(rightsOf(child)).toMatchObject({ groups: four(NOBODY.gid), permitted: 0n });
});

test('unbound has no capability', async () => {
  if (NOBODY === undefined) throw new Error('the system has no nobody');
  const configFile = join(directory, 'unbound.conf');
  const resolution = { address: '::1' as Ipv6, guests: [], prefix: 'fd64:64::/96' as Ipv6Cidr, forwarders: [] };
  writeFileSync(configFile, unboundConf({ ...resolution, user: NOBODY.name }));
  const { child, said } = start(unboundProcess({ name: 'unbound-1', network: 'blue', netns, configFile }));
  await vi.waitFor(() => expect(said()).toContain('start of service'), WAIT);
  expect(rightsOf(child)).toMatchObject({ users: four(NOBODY.uid), effective: 0n, permitted: 0n });
});

test('without the user, or a way to its directory, servers stay root, and the journal says why', () => {
  const failures: string[] = [];
  expect(systemUser(['no-such-user'])).toBeUndefined();
  mkdirSync(join(directory, 'closed'), { mode: 0o700 });
  expect(serverUser(join(directory, 'closed/own'), journalOf(failures), NOBODY)).toBeUndefined();
  expect(failures).toEqual([`servers of networks run as root: other users do not pass ${join(directory, 'closed')}`]);
});
