/** What keeps host0 from answering where it would: no address is left, or its dnsmasq does not run. Each is told with its remedy. */
import { closeSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { boundDatagrams } from '../../../src/kernel/listener.ts';
import type { Ipv4 } from '../../../src/model/ipv4.ts';
import type { HealthFinding } from '../../../src/protocol/views.ts';
import { findMark, signalProcess } from '../../../src/services/process-mark.ts';
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
  bench.wire('tiny');
  const machine = bench.machine();
  bench.plug(machine, { eth1: 'tiny' });
  host = bench.host0('host0', machine, CONF);
  host.start('host0');
  host.start('agent');
  await host.wire('eth1', 'serves', ({ mode, service }) => mode === 'server' && service?.state === 'running');
});

afterAll(async () => {
  for (const client of clients) client.close();
  await bench.close();
});

test('when the last address is given out that is told, and is an error once a machine asks in vain', async () => {
  expect(await finding('MESH_BOOT_LEASES_EXHAUSTED', () => true, 0)).toBeUndefined();
  const first = client();
  const [offer] = await first.discover('bios');
  if (offer === undefined) throw new Error('no offer');
  await first.request('bios', offer);
  const full = await finding('MESH_BOOT_LEASES_EXHAUSTED');
  expect(full).toMatchObject({
    severity: 'warning',
    object: 'eth1',
    message: 'of the addresses that host0 gives out on eth1, 10.79.0.2 to 10.79.0.2, none is left',
  });
  // Whoever has the address has it again.
  await first.discover('ipxe');
  const second = client();
  const trouble = await troubleOf(second, 'bios');
  expect(trouble).toMatchObject({ stage: 'discover', code: 'MESH_BOOT_LEASES_EXHAUSTED' });
  expect(trouble.cause).toBe(`${full?.message}, and ${second.mac} asks for one in vain`);
  expect(trouble.remedy).toContain('Give eth1 a larger subnet than 10.79.0.0/30');
  expect(await finding('MESH_BOOT_LEASES_EXHAUSTED')).toMatchObject({ severity: 'error', message: trouble.cause });
});

test('a dnsmasq that cannot have its port says so, and runs again when it can', async () => {
  const { service } = await host.wire('eth1', 'runs', ({ service: now }) => now?.pid !== undefined);
  const mark = findMark(service?.pid ?? 0);
  if (mark === undefined) throw new Error('no dnsmasq');
  signalProcess(mark, 'SIGKILL');
  const other = await otherServer();
  const told = await finding('MESH_SERVICE_FAILED', ({ message }) => message.includes('in use'));
  expect(told).toMatchObject({
    severity: 'error',
    object: 'eth1',
    message: expect.stringMatching(/^dnsmasq-eth1 ended with 2; it last said: .*Address already in use$/),
    remedy: expect.stringContaining('find it with `ss -lunp`, and stop it'),
  });
  const wire = await host.wire('eth1', 'says so', ({ remark }) => remark?.includes('in use') === true);
  expect(wire).toMatchObject({ service: { state: 'restarting' }, remark: told?.message, remedy: told?.remedy });
  const trouble = await troubleOf(client(), 'efi');
  expect(trouble).toMatchObject({ stage: 'discover', code: 'MESH_SERVICE_FAILED', cause: told?.message });
  closeSync(other);
  await host.wire('eth1', 'runs again', ({ service: now }) => now?.state === 'running', 60_000);
  await clients[0]?.discover('bios');
});

function client(): BootClient {
  const node = bench.machine();
  bench.plug(node, { eth0: 'tiny' });
  const made = BootClient.on(node);
  clients.push(made);
  return made;
}

/** Waits until host0's health has it; with no time to wait, whether it does. */
async function finding(
  code: string,
  is: (found: HealthFinding) => boolean = () => true,
  deadlineMs = DEADLINE_MS,
): Promise<HealthFinding | undefined> {
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

/** Takes the port as soon as it is free, and shares it with nobody. @returns its descriptor */
function otherServer(): Promise<number> {
  const where = { address: '0.0.0.0' as Ipv4, port: 67, device: 'eth1', netns: host.netns };
  return until('port 67 is free', DEADLINE_MS, () => {
    try {
      return boundDatagrams(where);
    } catch {
      return undefined;
    }
  });
}
