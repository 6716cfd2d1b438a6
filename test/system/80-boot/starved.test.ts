/** host0 cannot answer on a segment that it serves, and names the reason: no address is left, or dnsmasq does not run. */
import { closeSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { boundDatagrams } from '../../../src/kernel/sockets/listener.ts';
import type { Ipv4 } from '../../../src/model/address/ipv4.ts';
import type { Finding } from '../../../src/protocol/documents/finding.ts';
import { findMark, signalProcess } from '../../../src/services/process/process-mark.ts';
import { inside } from '../../kit/namespaces.ts';
import { until } from '../until.ts';
import { BootBench, type BootHost } from './boot-bench.ts';
import { BootClient, type Firmware } from './boot-client.ts';

/** Room for one machine. */
const CONF = 'boot="auto"\nmanual_subnets="eth1=10.79.0.0/30"\n';
const DEADLINE_MS = 20_000;

let bench: BootBench;
let host: BootHost;
const clients: BootClient[] = [];

beforeAll(async () => {
  bench = new BootBench();
  bench.segment('tiny');
  const machine = bench.machine();
  bench.plug(machine, { eth1: 'tiny' });
  host = bench.host0('host0', machine, CONF);
  host.start('host0');
  host.start('agent');
  await host.segment('eth1', 'serves', ({ mode, service }) => mode === 'server' && service?.state === 'running');
});

afterAll(async () => {
  for (const client of clients) client.close();
  await bench.close();
});

test('when the last address is given out, that is a warning, and an error once a machine gets none', async () => {
  expect(await finding('MESH_BOOT_LEASES_EXHAUSTED', () => true, 0)).toBeUndefined();
  const first = client();
  const [offer] = await first.discover('bios');
  if (offer === undefined) throw new Error('no offer');
  await first.request('bios', offer);
  const full = await finding('MESH_BOOT_LEASES_EXHAUSTED');
  expect(full).toMatchObject({
    severity: 'warning',
    object: 'eth1',
    message: 'none of the addresses that host0 gives out on eth1 (10.79.0.2 to 10.79.0.2) is left',
  });
  // The machine that has the address gets it again.
  await first.discover('ipxe');
  const second = client();
  const trouble = await troubleOf(second, 'bios');
  expect(trouble).toMatchObject({ stage: 'discover', code: 'MESH_BOOT_LEASES_EXHAUSTED' });
  expect(trouble.cause).toBe(`${full?.message}, and ${second.mac} did not get one`);
  expect(trouble.remedy).toContain('Give eth1 a larger subnet than 10.79.0.0/30');
  expect(await finding('MESH_BOOT_LEASES_EXHAUSTED')).toMatchObject({ severity: 'error', message: trouble.cause });
});

test('another DHCP server on this machine is left alone and named, even if both could have UDP port 67', async () => {
  const { service } = await host.segment('eth1', 'runs', ({ service: now }) => now?.pid !== undefined);
  const mark = findMark(service?.pid ?? 0);
  if (mark === undefined) throw new Error('no dnsmasq');
  const other = bench.dnsmasq(host.netns, '--bind-dynamic', '--interface=eth1', '--dhcp-range=10.79.0.2,10.79.0.2,600');
  await until('it has the port', DEADLINE_MS, () => listeners(67).length === 2);
  signalProcess(mark, 'SIGKILL');
  const told = await finding('MESH_PROCESS_FAILED', ({ message }) => message.includes('another program'));
  expect(told).toMatchObject({
    severity: 'error',
    object: 'eth1',
    message: 'dnsmasq-eth1: another program of this machine has UDP port 67 at eth1',
    remedy: expect.stringContaining('Find it with `ss -lunp`'),
  });
  const segment = await host.segment('eth1', 'says so', ({ remark }) => remark === told?.message);
  expect(segment).toMatchObject({ service: { state: 'restarting' }, remedy: told?.remedy });
  expect(listeners(67)).toHaveLength(1);

  // dnsmasq itself cannot have UDP port 69: it says so before it ends.
  const tftp = boundDatagrams({ address: '0.0.0.0' as Ipv4, port: 69, device: 'eth1', netns: host.netns });
  other.stop();
  const last = await finding('MESH_PROCESS_FAILED', ({ message }) => message.includes('in use'));
  expect(last).toMatchObject({
    message: expect.stringMatching(/^dnsmasq-eth1 ended with \d; it last said: dnsmasq: .*Address already in use$/),
    remedy: expect.stringContaining('find it with `ss -lunp`, and stop it'),
  });
  const trouble = await troubleOf(client(), 'efi');
  expect(trouble).toMatchObject({ stage: 'discover', code: 'MESH_PROCESS_FAILED', cause: last?.message });

  closeSync(tftp);
  await host.segment('eth1', 'runs again', ({ service: now }) => now?.state === 'running', 60_000);
  await clients[0]?.discover('bios');
});

function listeners(port: number): string[] {
  return inside(host.netns, 'ss', '-Hlun', `sport = :${port}`).trim().split('\n').filter(Boolean);
}

function client(): BootClient {
  const node = bench.machine();
  bench.plug(node, { eth0: 'tiny' });
  const made = BootClient.on(node);
  clients.push(made);
  return made;
}

/** Waits for a finding of host0. With a deadline of 0, looks once. */
async function finding(
  code: string,
  is: (found: Finding) => boolean = () => true,
  deadlineMs = DEADLINE_MS,
): Promise<Finding | undefined> {
  const look = async () => (await host.status()).health.find((found) => found.code === code && is(found));
  return deadlineMs === 0 ? look() : until(code, deadlineMs, look);
}

async function troubleOf(asker: BootClient, firmware: Firmware) {
  asker.ask(firmware);
  return until('the cause of the silence', DEADLINE_MS, async () => {
    const boots = await host.boots();
    return boots.find(({ mac }) => mac === asker.mac)?.trouble;
  });
}
