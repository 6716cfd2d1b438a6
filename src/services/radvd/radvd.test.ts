/** The configuration of radvd as text, and what radvd sends by it. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { inside, twoHosts } from '../../../test/kit/namespaces.ts';
import { inNetns } from '../../kernel/netns.ts';
import { FrameSocket } from '../../kernel/sockets/frame-socket.ts';
import type { Ipv6Cidr } from '../../model/address/ipv6.ts';
import { parseIpv6 } from '../../model/address/ipv6.ts';
import { Misfit } from '../../model/form.ts';
import { RaServiceShape } from '../../model/network/services/ra.ts';
import type { RouterAdvertisement } from '../../protocol/documents/service/assigned-ra.ts';
import { isSameAdvertisement, readAdvertisement } from './advertisement-frame.ts';
import { radvdConf } from './radvd-conf.ts';
import { radvdProcess } from './radvd-process.ts';

const ADVERTISEMENT: RouterAdvertisement = {
  lifetimeSec: 12,
  reachableMs: 3_000,
  mtuBytes: 1_430,
  prefixes: [
    { prefix: 'fd00:b1::/64' as Ipv6Cidr, validSec: 7_200, preferredSec: 3_600 },
    { prefix: 'fd00:b0::/64' as Ipv6Cidr, validSec: 0, preferredSec: 0 },
  ],
  resolvers: [parseIpv6('fd00:b1::53')],
  searchDomains: ['blue.example', 'example'],
};
/** The first advertisement comes some milliseconds after the start. */
const HEARD_WITHIN_MS = 30_000;

function directory(): string {
  const path = mkdtempSync(join(tmpdir(), 'mw-radvd-'));
  onTestFinished(() => rmSync(path, { recursive: true }));
  return path;
}

test('the configuration of a router with a prefix that goes', () => {
  expect(radvdConf('eth0', ADVERTISEMENT)).toMatchInlineSnapshot(`
    "# Made by Meshwork; changes are overwritten.
    interface eth0 {
      AdvSendAdvert on;
      IgnoreIfMissing on;
      MinRtrAdvInterval 3;
      MaxRtrAdvInterval 4;
      AdvDefaultLifetime 12;
      AdvReachableTime 3000;
      AdvLinkMTU 1430;
      prefix fd00:b1::/64 {
        AdvOnLink on;
        AdvAutonomous on;
        AdvValidLifetime 7200;
        AdvPreferredLifetime 3600;
      };
      prefix fd00:b0::/64 {
        AdvOnLink on;
        AdvAutonomous on;
        AdvValidLifetime 0;
        AdvPreferredLifetime 0;
      };
      RDNSS fd00:b1::53 {
        AdvRDNSSLifetime 12;
      };
      DNSSL blue.example example {
        AdvDNSSLLifetime 12;
      };
    };
    "
  `);
});

test('the configuration of a router that says goodbye', () => {
  const { prefixes, ...rest } = ADVERTISEMENT;
  const gone = prefixes.map(({ prefix }) => ({ prefix, validSec: 0, preferredSec: 0 }));
  const goodbye = { ...rest, lifetimeSec: 0, prefixes: gone, resolvers: [], searchDomains: [] };
  const file = join(directory(), 'conf');
  writeFileSync(file, radvdConf('eth0', goodbye));
  expect(spawnSync('radvd', ['-c', '-C', file], { encoding: 'utf8' }).status).toBe(0);
  expect(radvdConf('eth0', goodbye)).toContain('AdvDefaultLifetime 0;');
  // The judge is no yes-man.
  writeFileSync(file, radvdConf('eth0', goodbye).replace('};', '}'));
  expect(spawnSync('radvd', ['-c', '-C', file]).status).not.toBe(0);
});

test('each search domain that the form of the service takes is one for radvd, and its words are refused', () => {
  const file = join(directory(), 'conf');
  const judged = (domain: string) => {
    writeFileSync(file, radvdConf('eth0', { ...ADVERTISEMENT, searchDomains: [domain] }));
    return spawnSync('radvd', ['-c', '-C', file]).status === 0;
  };
  const read = (domain: string): string | undefined => {
    try {
      return RaServiceShape.read({ kind: 'ra', searchDomains: [domain] }).searchDomains?.[0];
    } catch (error) {
      expect(error).toBeInstanceOf(Misfit);
      return undefined;
    }
  };
  const words = ['on', 'off', 'low', 'medium', 'high', 'prefix', 'interface', 'route', 'clients', 'abro', 'infinity'];
  const breaking = [...words, '42', '1.5', 'a_b', 'a;b', '}', '#', ''];
  // radvd takes more than is a domain.
  const strange = ['a b', 'a..b', '.', '.a', 'blue.', '-a', 'a-.b', '10.0.0.1', 'blue.42', 'x'.repeat(64)];
  const plain = ['lan', 'Blue.Example', 'on.example', 'example.on', '1.5.example', 'a1', '5g', 'xn--bcher-kva.example'];
  plain.push('AdvOnLink', 'DNSSL', 'dead.beef', 'x'.repeat(63));
  for (const domain of breaking) expect(judged(domain), `radvd with ${domain}`).toBe(false);
  for (const domain of [...breaking, ...strange, 'ON']) expect(read(domain), domain).toBeUndefined();
  for (const domain of plain) expect(read(domain)).toBe(domain.toLowerCase());
  for (const domain of plain) expect(judged(domain.toLowerCase()), `radvd with ${domain}`).toBe(true);
});

test('what radvd sends is what was rendered, and after a signal the next revision', async () => {
  const { here, there, close } = twoHosts();
  onTestFinished(close);
  const place = directory();
  const configFile = join(place, 'radvd.conf');
  writeFileSync(configFile, radvdConf('eth0', ADVERTISEMENT), { mode: 0o644 });
  const heard: RouterAdvertisement[] = [];
  const ear = FrameSocket.open({
    link: JSON.parse(inside(there, 'ip', '-j', 'link', 'show', 'eth0'))[0].ifindex,
    netns: there,
    filter: [{ take: true }],
    onFrame: ({ bytes }) => {
      const frame = readAdvertisement(bytes);
      if (frame !== undefined) heard.push(frame.advertisement);
    },
    onError: (error) => {
      throw error;
    },
  });
  onTestFinished(() => ear.close());
  inside(here, 'sysctl', '-qw', 'net.ipv6.conf.all.forwarding=1');
  const { argv } = radvdProcess({
    ...{ name: 'radvd-test', network: 'test', netns: here, configFile },
    pidFile: join(place, 'pid'),
  });
  const [program, ...words] = argv;
  const radvd = inNetns(here, () => spawn(program, words, { stdio: 'ignore' }));
  const ended = new Promise((resolve) => radvd.on('exit', resolve));
  onTestFinished(async () => {
    radvd.kill();
    await ended;
  });
  const isHeard = (wanted: RouterAdvertisement) =>
    vi.waitFor(() => expect(heard.some((one) => isSameAdvertisement(one, wanted))).toBe(true), HEARD_WITHIN_MS);
  await isHeard(ADVERTISEMENT);
  const next = { ...ADVERTISEMENT, prefixes: ADVERTISEMENT.prefixes.slice(0, 1), mtuBytes: 1_400 };
  expect(heard.some((one) => isSameAdvertisement(one, next))).toBe(false);
  writeFileSync(configFile, radvdConf('eth0', next));
  radvd.kill('SIGHUP');
  await isHeard(next);
});

test('a frame that is cut off, or is something else, is no advertisement', () => {
  expect(readAdvertisement(Buffer.alloc(0))).toBeUndefined();
  expect(readAdvertisement(Buffer.alloc(200))).toBeUndefined();
  const frame = Buffer.alloc(80);
  frame.writeUInt16BE(0x86dd, 12);
  frame[20] = 58;
  frame[54] = 134;
  // An option without length would never end.
  expect(readAdvertisement(frame)).toBeUndefined();
  expect(readAdvertisement(frame.subarray(0, 70))).toMatchObject({ advertisement: { prefixes: [] } });
});
