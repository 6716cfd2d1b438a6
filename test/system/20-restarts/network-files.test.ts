/** Network files are added, changed and removed while everything runs. */
import { beforeAll, expect, test } from 'vitest';
import { netnsPath } from '../../../src/kernel/netns.ts';
import { Lab } from '../../../src/lab/cluster/lab.ts';
import type { LabHost } from '../../../src/lab/hosts/lab-host.ts';
import type { Mac } from '../../../src/model/address/mac.ts';
import { memberAddresses } from '../../../src/model/network/member.ts';
import { host0Client } from '../../../src/protocol/calls/control-client.ts';
import { pathsBelow } from '../../../src/protocol/documents/paths.ts';
import { addressIn, removeMesh, writeMesh } from '../../kit/lab-networks.ts';
import { ip } from '../../kit/namespaces.ts';
import { mesh } from '../../kit/networks.ts';
import { isReady, noDrift } from '../drift.ts';
import { forAllTests } from '../for-all-tests.ts';
import { ForwardingWatch } from '../forwarding-watch.ts';
import { kernelPicture } from '../kernel-picture.ts';
import { Pings } from '../pings.ts';
import { allAnswer } from '../reach.ts';
import { until } from '../until.ts';

/** The agent notices a changed file within 30 ms; a leaving node is dropped at once. */
const CHANGE_DEADLINE_MS = 15_000;

const shared = forAllTests();
let lab: Lab;
/** Pings in the mesh whose file does not change. */
let pings: Pings;

beforeAll(async () => {
  lab = shared.use(await Lab.up({ name: `files-${process.pid}`, nodes: 3, segments: 2 }));
  pings = shared.use(await Pings.start(netnsPath(lab.host('node1').netns), lab.host('node2').member.ipv6));
});

async function devices(host: LabHost): Promise<string[]> {
  const { stdout } = await lab.exec(host, ['ip', '-json', 'link', 'show']);
  return (JSON.parse(stdout) as { ifname: string }[]).map(({ ifname }) => ifname);
}

/** The FDB and neighbour entries with the agent's mark for the member with this MAC. */
async function entriesOf(host: LabHost, mac: Mac): Promise<string[]> {
  const { stdout } = await lab.exec(host, ['sh', '-c', 'bridge fdb show; ip -6 neighbour show']);
  return stdout.split('\n').filter((line) => line.includes(mac) && line.includes('extern_learn'));
}

test('members of added meshes reach each other', async () => {
  const networks = [mesh('second', 1001), mesh('third', 1002)];
  for (const network of networks) for (const host of lab.hosts) writeMesh(host, network);
  for (const network of networks) await allAnswer(network, lab.hosts);
  for (const host of lab.hosts) await isReady(host);
  await noDrift(lab.hosts);
});

test('a node whose file is removed leaves, and the others drop it at once', async () => {
  const second = mesh('second', 1001);
  const [leaver, stays] = [lab.host('node1'), lab.host('node2')];
  const { bridgeMac: mac } = memberAddresses(second, leaver.machine);
  expect(await entriesOf(stays, mac)).toHaveLength(3);
  removeMesh(leaver, second);
  await until('all others have dropped it', CHANGE_DEADLINE_MS, async () => {
    const entries = [lab.host('host0'), stays, lab.host('node3')].map((host) => entriesOf(host, mac));
    return (await Promise.all(entries)).flat().length === 0;
  });
  await until('its devices are gone', CHANGE_DEADLINE_MS, async () => {
    const names = await devices(leaver);
    return !names.some((name) => /1001|mwx/.test(name)) && names.includes('br1002') && names.includes('br456');
  });
  await allAnswer(second, [lab.host('host0'), stays, lab.host('node3')]);
  await noDrift(lab.hosts);
});

test('the node is a member again when the file is back', async () => {
  const second = mesh('second', 1001);
  writeMesh(lab.host('node1'), second);
  await allAnswer(second, lab.hosts);
  await noDrift(lab.hosts);
});

test('a mesh whose VNI changes moves to other devices', async () => {
  const [before, after] = [mesh('third', 1002), mesh('third', 1003)];
  for (const host of lab.hosts) writeMesh(host, after);
  await allAnswer(after, lab.hosts);
  await until('the old devices are gone', CHANGE_DEADLINE_MS, async () => {
    const names = (await Promise.all(lab.hosts.map(devices))).flat();
    return !names.some((name) => name === before.bridge.name || name === before.type.device);
  });
  await noDrift(lab.hosts);
});

test('a mesh whose prefix changes keeps its devices and has new addresses', async () => {
  const [before, after] = [mesh('third', 1003), mesh('third', 1003, { prefix: 'fd42:2345:1234:beef::/64' })];
  for (const host of lab.hosts) writeMesh(host, after);
  await allAnswer(after, lab.hosts);
  await until('no host has an old address', CHANGE_DEADLINE_MS, async () => {
    const pictures = await Promise.all(lab.hosts.map((host) => kernelPicture(lab, host)));
    return lab.hosts.every((host) => pictures.every((picture) => !picture.includes(`${addressIn(before, host)}/`)));
  });
  await noDrift(lab.hosts);
});

test('a mesh that is removed from all hosts leaves nothing behind', async () => {
  for (const host of lab.hosts) {
    removeMesh(host, mesh('second', 1001));
    removeMesh(host, mesh('third', 1003));
  }
  await until('only the first mesh is left', CHANGE_DEADLINE_MS, async () => {
    const names = (await Promise.all(lab.hosts.map(devices))).flat();
    return !names.some((name) => /^(br|vxlan)100|^mwx/.test(name));
  });
  await noDrift(lab.hosts);
  for (const host of lab.hosts)
    expect(await kernelPicture(lab, host)).not.toMatch(
      /(?:br|vxlan|mesh-|from-|home-|sources_|members_)100|@th,96,24 vmap .*100/,
    );
});

test('a cable that is plugged into host0 changes no FDB entry of any host', async () => {
  const host0 = lab.host('host0');
  const watches = await Promise.all(lab.hosts.map((host) => ForwardingWatch.of(host)));
  for (const watch of watches) shared.defer(() => watch.close());
  const hasSegment = async () => {
    const { segments } = await host0Client(pathsBelow(host0.root)).ask('GET /v1/status');
    return segments.some(({ device }) => device === 'card');
  };
  ip(netnsPath(host0.netns), 'link add card up type veth peer name far', 'link set far up');
  ip(netnsPath(host0.netns), 'address add 10.99.0.1/24 dev card');
  await until('the cable is a segment', CHANGE_DEADLINE_MS, hasSegment);
  await noDrift(lab.hosts);
  ip(netnsPath(host0.netns), 'link del card');
  await until('the segment is gone', CHANGE_DEADLINE_MS, async () => !(await hasSegment()));
  await noDrift(lab.hosts);
  const changes = await Promise.all(watches.map((watch) => watch.changes(lab.hosts)));
  expect(changes.flat()).toEqual([]);
});

test('the unchanged mesh has lost no packet', async () => {
  expect(await pings.lost()).toBe('');
});
