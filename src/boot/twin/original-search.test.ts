/** A restored host0 hears the one that it was restored from by each of its signs, and takes nobody else for it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { carriesPackets, inside, ip, isAnsweredFor, twoHosts } from '../../../test/kit/namespaces.ts';
import { parseMeshConf } from '../../formats/conf/mesh-conf.ts';
import { FrameSocket } from '../../kernel/sockets/frame-socket.ts';
import { parseIpv4 } from '../../model/address/ipv4.ts';
import { parseMac } from '../../model/address/mac.ts';
import { memberAddresses } from '../../model/network/member.ts';
import { BOOT_FILTER } from '../frames/boot-filter.ts';
import { encodeProbe, type Installation } from '../frames/host0-mark.ts';
import { observe } from '../frames/observation.ts';
import { findOriginal } from './original-search.ts';

const CONF = 'name=manage\nvni=456\nkey=456\nprefix=fd42:2345:1234:9abc::/64\n';
const ORIGINAL = '0123abcd';

/** Two machines on a wire: the restored one here, and another there. */
function wire() {
  const hosts = twoHosts();
  onTestFinished(() => hosts.close());
  const networks = mkdtempSync(join(tmpdir(), 'mw-twin-'));
  onTestFinished(() => rmSync(networks, { recursive: true }));
  writeFileSync(join(networks, 'manage.conf'), CONF);
  const find = (installation?: string) =>
    findOriginal({ installation, networks, segmentNics: undefined, netns: hosts.here });
  return { ...hosts, find };
}

/** A host0 there that answers probes with a mark. */
function answering(netns: string, installation: string): void {
  const [, index = ''] = /^(\d+): eth0/m.exec(inside(netns, 'ip', 'link')) ?? [];
  const [, mac = ''] = /link\/ether (\S+)/.exec(inside(netns, 'ip', 'link', 'show', 'eth0')) ?? [];
  const socket = FrameSocket.open({
    link: Number(index),
    filter: BOOT_FILTER,
    netns,
    onFrame: ({ bytes, outgoing }) => {
      const { mark } = observe(bytes, outgoing, { device: 'eth0', nowMs: 0 }) ?? {};
      if (mark === undefined || mark.reply) return;
      const own = { installation: installation as Installation, ageMs: 5_000, reply: true, passive: false };
      socket.send(encodeProbe(parseMac(mac), 7, { ...own, ipv4: parseIpv4('10.9.0.2') }));
    },
    onError: (error) => {
      throw error;
    },
  });
  onTestFinished(() => socket.close());
}

test('nobody, and another host0', async () => {
  const { there, find } = wire();
  expect(await find(ORIGINAL)).toBeUndefined();
  answering(there, 'ffffffff');
  expect(await find(ORIGINAL)).toBeUndefined();
});

test('by its mark', async () => {
  const { there, find } = wire();
  answering(there, ORIGINAL);
  expect(await find(ORIGINAL)).toMatch(/^it answers behind eth0 at 10\.9\.0\.2 \([0-9a-f:]{17}\)$/);
  // A backup of a host0 that has never served machines that boot has no mark to look for.
  expect(await find()).toBeUndefined();
});

test('inside a mesh, by what its kernel answers also while its daemon is down', async () => {
  const { there, find } = wire();
  const { conf } = parseMeshConf('manage.conf', Buffer.from(CONF));
  if (conf === undefined) throw new TypeError('the file is right');
  const { bridgeMac, ipv6, vtepMac } = memberAddresses(conf.network, 'host0');
  ip(
    there,
    `link add vxlan456 address ${vtepMac} type vxlan id 456 dstport 4789`,
    `link add br456 address ${bridgeMac} type bridge mcast_snooping 0`,
    'link set vxlan456 master br456 up',
    'link set br456 up',
    `address add ${ipv6}/64 dev br456 nodad`,
  );
  carriesPackets(there, 'br456');
  isAnsweredFor(there, 'br456', 'ff02::1:ff00:1');
  expect(await find(ORIGINAL)).toBe('it answers as host0 of manage at 10.9.0.2 (eth0)');
});

test('by an address of this machine', async () => {
  const { there, find } = wire();
  ip(there, 'address add 10.9.0.1/24 dev eth0');
  expect(await find(ORIGINAL)).toMatch(/^10\.9\.0\.1 of eth0 is also the address of [0-9a-f:]{17}$/);
});
