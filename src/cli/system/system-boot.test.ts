/** What `mesh system boot` and `mesh system scan` print, from documents of a fake host0. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { type Answers, FakeDaemon } from '../../../test/cli/fake-daemon.ts';
import { mesh } from '../../../test/cli/mesh.ts';
import type { Ipv4, Ipv4Cidr } from '../../model/address/ipv4.ts';
import type { Mac } from '../../model/address/mac.ts';
import type { BootView, ScanView } from '../../protocol/documents/boot-views.ts';
import { pathsBelow } from '../../protocol/documents/paths.ts';

const MAC = '52:54:00:12:34:56' as Mac;
const SEGMENT = { wanted: 'auto', leases: [], foreignServers: [], otherHost0s: [], sinceSec: 65 } as const;

const BOOT: BootView = {
  boot: 'auto',
  installation: 'cb3ecd97',
  segments: [
    {
      ...SEGMENT,
      nics: ['eth1', 'eth2'],
      device: 'eth1',
      mode: 'server',
      reason: 'nobody else answers',
      service: { state: 'running', pid: 7 },
      subnet: { subnet: '10.11.0.0/25' as Ipv4Cidr, origin: 'dynamic', ipv4: '10.11.0.1' as Ipv4 },
      leases: [{ mac: MAC, ipv4: '10.11.0.34' as Ipv4, expires: '2026-11-21T10:50:17.000Z' }],
    },
    {
      ...SEGMENT,
      nics: ['eth3'],
      device: 'eth3',
      mode: 'observe',
      reason: 'another host0',
      otherHost0s: [
        {
          installation: '0a0b0c0d',
          mac: '02:00:00:00:00:07' as Mac,
          ipv4: '10.12.0.1' as Ipv4,
          senior: true,
          heardSecAgo: 3,
        },
      ],
    },
    { ...SEGMENT, nics: ['eth5'], device: 'eth5', mode: 'observe', reason: 'probing', sinceSec: 12, settlesInSec: 23 },
    {
      ...SEGMENT,
      nics: ['eth4'],
      device: 'eth4',
      wanted: 'server',
      mode: 'proxy',
      reason: 'another server answers',
      foreignServers: [{ server: '192.168.1.1' as Ipv4, mac: MAC, gives: 'addresses', heardSecAgo: 8 }],
      remark: 'host0 has no address on eth4: machines that boot there could not reach it',
      remedy: 'Give eth4 an address, fixed or from that server.',
    },
  ],
};

const SCAN: ScanView = {
  time: '2026-11-21T09:00:00.000Z',
  tookMs: 480,
  groups: [['eth1', 'eth2']],
  nics: ['eth1', 'eth2'].map((name) => ({ name, mac: MAC, up: true, carrier: true, ipv4: [] })),
  heard: [{ from: 'eth1', by: 'eth2' }],
};

beforeAll(() => {
  process.env.TZ = 'UTC';
});

type Run = ((line: string) => Promise<{ stdout: string; code: number }>) & { readonly root: string };

async function host0(answers: Answers): Promise<Run> {
  const root = await mkdtemp(join(tmpdir(), 'mesh-boot-'));
  const daemon = new FakeDaemon(answers);
  await daemon.listen(pathsBelow(root).controlSock);
  onTestFinished(async () => {
    await daemon.close();
    await rm(root, { recursive: true });
  });
  const run = async (line: string) => mesh(['--root', root, ...line.replace('ROOT', root).split(' ')]);
  return Object.assign(run, { root });
}

test('the mode of each segment, and its reason', async () => {
  const run = await host0({ 'GET /v1/boot': BOOT });
  expect((await run('system boot')).stdout).toMatchInlineSnapshot(`
    "boot          auto
    installation  cb3ecd97

    NIC   ALSO  MODE     SINCE  WHY                                            SUBNET        HOST0      LEASES
    eth1  eth2  server   1 min  nobody else answers                            10.11.0.0/25  10.11.0.1       1
    eth3  -     observe  1 min  another host0                                  -             -               0
    eth5  -     observe  12 s   probing, its port just came up: for 23 s more  -             -               0
    eth4  -     proxy    1 min  another server answers (wanted: server)        -             -               0

    NIC   MAC                IPV4        NAME  UNTIL
    eth1  52:54:00:12:34:56  10.11.0.34  -     Nov 21 10:50:17

    eth3  another host0, 10.12.0.1 (0a0b0c0d), was here first, heard 3 s ago

    eth4  192.168.1.1 (52:54:00:12:34:56) gives out addresses, heard 8 s ago
    eth4  host0 has no address on eth4: machines that boot there could not reach it
    eth4  → Give eth4 an address, fixed or from that server.
    "
  `);
  expect(JSON.parse((await run('--json system boot')).stdout)).toEqual(BOOT);
});

test('with boot off: how to begin; without a segment: why there is none', async () => {
  const off = await host0({ 'GET /v1/boot': { ...BOOT, boot: 'off', segments: [] } });
  expect((await off('system boot')).stdout).toMatchInlineSnapshot(`
    "boot  off

    host0 boots no machines here: write boot="auto" into host0.conf.
    "
  `);
  const bare = await host0({ 'GET /v1/boot': { ...BOOT, segments: [] } });
  expect((await bare('system boot')).stdout).toContain('No NIC has a carrier');
});

test('a scan, also as a picture', async () => {
  const run = await host0({ 'POST /v1/scan': SCAN });
  const { stdout, code } = await run('system scan --svg ROOT/segments.svg');
  expect({ stdout, code }).toEqual({ stdout: expect.stringMatching(/^eth1 +─┬─ segment 1\neth2 +─┘\n$/), code: 0 });
  expect(await readFile(join(run.root, 'segments.svg'), 'utf8')).toMatch(/^<svg /);
  await expect(run('system scan --svg ROOT/no/segments.svg')).rejects.toMatchObject({ code: 'MESH_DISK_REFUSED' });
  expect(JSON.parse((await run('--json system scan')).stdout)).toEqual(SCAN);
});
