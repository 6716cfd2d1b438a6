/** Two virtual machines on a NAT network of host0: leases, names, the way out, and a port forward, which alone leads in. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { netnsPath } from '../../../src/kernel/netns.ts';
import { Lab } from '../../../src/lab/cluster/lab.ts';
import type { LabHost } from '../../../src/lab/hosts/lab-host.ts';
import { MeshError } from '../../../src/model/error.ts';
import type { Workload } from '../../../src/model/workload/workload.ts';
import { host0Client } from '../../../src/protocol/calls/control-client.ts';
import { pathsBelow } from '../../../src/protocol/documents/paths.ts';
import { runToEnd } from '../../kit/command.ts';
import { inside } from '../../kit/namespaces.ts';
import { guestCommandLine, type SmallGuest, smallGuest } from '../../kit/small-guest/small-guest.ts';
import { forAllTests } from '../for-all-tests.ts';
import { until } from '../until.ts';

const GUEST_MS = 60_000;
const MIB = 1024 * 1024;
const GATEWAY = '10.55.0.1';
const NETWORK = `name: lan
type: {kind: bridge}
hostAddress: {kind: given}
span: {kind: nodes, nodes: [host0]}
subnets: [{cidr: 10.55.0.0/24, hostAddress: ${GATEWAY}, dhcp: {ranges: [{first: 10.55.0.128, last: 10.55.0.254}]}}]
dns: {domain: lan.example}
routing:
  mode: nat
  rules: [{direction: in, match: {protocol: tcp, ports: {first: 123, last: 123}}, verdict: accept, forwardTo: {guest: web, port: 321}}]
`;
const GUESTS = ['web', 'two'] as const;

const shared = forAllTests();
let guest: SmallGuest;
let lab: Lab;
let host0: LabHost;
let outside: LabHost;
/** Addresses on the underlay. */
let [ofHost0, ofOutside] = ['', ''];

beforeAll(async () => {
  guest = await smallGuest();
  lab = shared.use(await Lab.up({ name: `natvm-${process.pid}`, nodes: 1, segments: 1 }));
  [host0, outside] = [lab.host('host0'), lab.host('node1')];
  [ofHost0, ofOutside] = [underlayOf(host0), underlayOf(outside)];
  const { code, stderr } = await lab.exec(host0, ['sh', '-c', `printf '%s' '${NETWORK}' | mesh network apply -`]);
  expect(stderr).toBe('');
  expect(code).toBe(0);
}, 120_000);

function underlayOf({ netns }: LabHost): string {
  const text = inside(netnsPath(netns), 'ip', '-o', '-4', 'address', 'show', 'scope', 'global');
  const address = / inet (10\.11\.[\d.]+)\//.exec(text)?.[1];
  if (address === undefined) throw new Error(`${netns} has no address on the underlay`);
  return address;
}

function workloadOf(name: (typeof GUESTS)[number]): Workload {
  const other = name === 'web' ? 'two' : 'web';
  const wishes = { name, dhcp: ['eth0'], serves: [321, 322], resolves: [`${other}.lan.example`], pings: [ofOutside] };
  return {
    name,
    uuid: `guest-${name}`,
    memoryBytes: 112 * MIB,
    cpu: { threads: 1, mode: 'host' },
    volumes: [],
    networks: [{ id: 'lan', network: 'lan', addresses: [], model: 'virtio' }],
    console: { serial: true, vnc: false },
    firmware: 'bios',
    restart: 'on-failure',
    place: { kind: 'any' },
    boot: { kernel: guest.kernel, initrd: guest.initrd, append: guestCommandLine(guest, wishes) },
  };
}

async function start(name: (typeof GUESTS)[number]): Promise<void> {
  const client = host0Client(pathsBelow(host0.root));
  const order = { path: { name }, body: { node: host0.name, workload: workloadOf(name) } };
  await until(`host0 can be given ${name}`, GUEST_MS, () =>
    client.ask('POST /v1/workloads/{name}/start', order).catch((error: unknown) => {
      if (error instanceof MeshError && error.retryable) return undefined;
      throw error;
    }),
  );
}

async function consoleOf(name: string): Promise<string> {
  const client = host0Client(pathsBelow(host0.root));
  const { id } = await client.ask('GET /v1/workloads/{name}', { path: { name } });
  const file = join(pathsBelow(host0.root).logs, 'workloads', `${id}.console.log`);
  return existsSync(file) ? readFileSync(file, 'latin1') : '';
}

/** What the guest says after these words. */
async function said(name: string, pattern: RegExp): Promise<string> {
  let console = '';
  try {
    return await until(`${name} says ${pattern.source}`, GUEST_MS, async () => {
      console = await consoleOf(name);
      return pattern.exec(console)?.[1];
    });
  } catch (cause) {
    throw new Error(console, { cause });
  }
}

/** Who answers at a TCP port; undefined when nobody does. */
function answer(address: string, port: number): string | undefined {
  const argv = ['busybox', 'nc', '-w', '2', address, String(port)];
  const { status, stdout } = runToEnd(argv, { netns: netnsPath(outside.netns) });
  return status === 0 && stdout !== '' ? stdout.trim() : undefined;
}

test('guests get leases, know the names of each other, and reach outside; only the port forward leads to one', async () => {
  await Promise.all(GUESTS.map(start));
  const [web, two] = await Promise.all(
    GUESTS.map((name) =>
      said(name, new RegExp(`guest: eth0 leased (10\\.55\\.0\\.\\d+) router ${GATEWAY} dns ${GATEWAY}\\s`)),
    ),
  );
  expect(web).not.toBe(two);
  expect(await said('web', /guest: two\.lan\.example is ([\d.]+)\s/)).toBe(two);
  expect(await said('two', /guest: web\.lan\.example is ([\d.]+)\s/)).toBe(web);
  const answers = new RegExp(`guest: (${ofOutside.replaceAll('.', '\\.')}) answers`);
  await Promise.all(GUESTS.map((name) => said(name, answers)));
  inside(netnsPath(outside.netns), 'ip', 'route', 'replace', '10.55.0.0/24', 'via', ofHost0);
  await until('the port leads to the guest', GUEST_MS, () => answer(ofHost0, 123) === 'web');
  for (const [address = '', port] of [
    [web, 321],
    [two, 321],
    [web, 322],
    [ofHost0, 322],
  ] as const)
    expect(answer(address, port), `${address}:${port}`).toBeUndefined();
  const pings = runToEnd(['ping', '-n', '-c1', '-W1', web ?? ''], { netns: netnsPath(outside.netns) });
  expect(pings.status).not.toBe(0);
}, 180_000);
