/** A foreign device in the place of one of the agent's: refused by name, left alone, and waited for. */
import { beforeAll, describe, expect, test } from 'vitest';
import { Lab } from '../../../src/lab/cluster/lab.ts';
import type { LabHost } from '../../../src/lab/hosts/lab-host.ts';
import { removeMesh, writeMesh } from '../../kit/lab-networks.ts';
import { mesh } from '../../kit/networks.ts';
import { isReady, noDrift, statusOf } from '../drift.ts';
import { forAllTests } from '../for-all-tests.ts';
import { meshOn } from '../mesh-command.ts';
import { allAnswer } from '../reach.ts';
import { until } from '../until.ts';

/** The agent notices a changed file or a removed device within 30 ms. */
const CHANGE_DEADLINE_MS = 15_000;

const other = mesh('other', 1001);
const shared = forAllTests();
let lab: Lab;

beforeAll(async () => {
  lab = shared.use(await Lab.up({ name: `foreign-${process.pid}`, nodes: 2, segments: 1 }));
});

async function ip(host: LabHost, words: string): Promise<void> {
  expect(await lab.exec(host, ['ip', 'link', ...words.split(' ')])).toEqual({ code: 0, stdout: '', stderr: '' });
}

/** The kernel's attributes of the device, without timers. */
async function shown(host: LabHost, device: string): Promise<unknown> {
  const { stdout } = await lab.exec(host, ['ip', '-json', '-detail', 'link', 'show', device]);
  const [{ linkinfo, ...link }] = JSON.parse(stdout);
  return { ...link, kind: linkinfo.info_kind, id: linkinfo.info_data?.id };
}

async function stateOn(host: LabHost, name: string) {
  const status = await statusOf(host);
  return status?.networks.find(({ network }) => network.name === name)?.state;
}

const DEVICES: [what: string, device: string, make: string, code: string][] = [
  ["the name of the mesh's bridge", 'br1001', 'add br1001 type bridge', 'MESH_KERNEL_FOREIGN_DEVICE'],
  [
    "the name of the mesh's VXLAN",
    'vxlan1001',
    'add vxlan1001 type vxlan id 77 dstport 8472',
    'MESH_KERNEL_FOREIGN_DEVICE',
  ],
  ["the mesh's VNI", 'mine0', 'add mine0 type vxlan id 1001 dstport 4789', 'MESH_KERNEL_VNI_BUSY'],
];

describe.each(['node1', 'host0'])('on %s', (name) => {
  test.each(DEVICES)('a foreign device with %s', async (_, device, make, code) => {
    const host = lab.host(name);
    await ip(host, make);
    await ip(host, `set ${device} up`);
    const before = await shown(host, device);
    for (const each of lab.hosts) writeMesh(each, other);

    const state = await until('the mesh is refused', CHANGE_DEADLINE_MS, async () => {
      const seen = await stateOn(host, other.name);
      return seen?.phase === 'failed' && seen;
    });
    expect(state.error).toMatchObject({ code, message: expect.stringContaining(device) });
    const { code: exit, stdout } = await meshOn(host, 'status');
    expect([exit, stdout]).toEqual([1, expect.stringContaining(`${code} ${other.name}: `)]);
    expect(await stateOn(host, 'manage')).toEqual({ phase: 'ready' });
    expect((await lab.allPairs()).filter(({ rttMs }) => rttMs === undefined)).toEqual([]);
    expect(await shown(host, device)).toEqual(before);
    expect((await lab.exec(host, ['nft', 'list', 'ruleset'])).stdout).not.toContain('1001');
    await noDrift(lab.hosts);

    await ip(host, `delete ${device}`);
    await isReady(host);
    await allAnswer(other, lab.hosts);
    await noDrift(lab.hosts);
    for (const each of lab.hosts) removeMesh(each, other);
    await until('its devices are gone again', CHANGE_DEADLINE_MS, async () => {
      const links = await Promise.all(lab.hosts.map((each) => lab.exec(each, ['ip', '-detail', 'link', 'show'])));
      return links.every(({ stdout }) => !/1001|mwx/.test(stdout));
    });
  });
});

test('a foreign device that was made while the agent was away is left alone', async () => {
  const host = lab.host('node1');
  await lab.stop(host, 'agent');
  const script = ['delete vxlan456', 'delete br456', 'add br456 type veth', 'set br456 up'];
  for (const words of script) await ip(host, words);
  const before = await shown(host, 'br456');
  lab.start(host, 'agent');
  await until('the mesh is refused', CHANGE_DEADLINE_MS, async () => {
    return (await stateOn(host, 'manage'))?.phase === 'failed';
  });
  expect(await shown(host, 'br456')).toEqual(before);
  await ip(host, 'delete br456');
  await lab.ready();
  await noDrift(lab.hosts);
});
