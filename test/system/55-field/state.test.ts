/** State files that a failing disk has damaged, a store that takes nothing, a full disk of logs: the mesh goes on, and says what is lost. */
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { Lab } from '../../../src/lab/cluster/lab.ts';
import type { LabHost } from '../../../src/lab/hosts/lab-host.ts';
import { agentClient, host0Client } from '../../../src/protocol/calls/control-client.ts';
import type { Finding } from '../../../src/protocol/documents/finding.ts';
import { pathsBelow } from '../../../src/protocol/documents/paths.ts';
import { readinessOf } from '../../../src/protocol/documents/readiness.ts';
import { isReady, noDrift } from '../drift.ts';
import { forAllTests } from '../for-all-tests.ts';
import { Guest } from '../guest.ts';
import { meshOn } from '../mesh-command.ts';
import { PingSet } from '../ping-set.ts';
import { SmallDisk } from '../small-disk.ts';
import { until } from '../until.ts';

/** The members are written ten seconds after they have changed; the store is looked at every five. */
const DEADLINE_MS = 50_000;

const shared = forAllTests();
let lab: Lab;
let host0: LabHost;
let node1: LabHost;
let port: string;

beforeAll(async () => {
  lab = shared.use(await Lab.up({ name: `state-${process.pid}`, nodes: 2, segments: 1 }));
  [host0, node1] = [lab.host('host0'), lab.host('node1')];
  const guest = shared.use(Guest.behind(node1, 'tap0', 'fd42:2345:1234:9abc:9::1'));
  port = guest.port;
  await meshOn(node1, 'port', 'plug', 'manage', port);
});

const stateOf = (host: LabHost, file: string) => join(pathsBelow(host.root).state, file);

async function findingsOf(host: LabHost): Promise<readonly Finding[]> {
  const paths = pathsBelow(host.root);
  const status = host === host0 ? host0Client(paths).ask('GET /v1/status') : agentClient(paths).ask('GET /v1/status');
  return (await status).health;
}

/** The files below the state directory that the findings name. */
async function toldFiles(host: LabHost): Promise<string[]> {
  const { state } = pathsBelow(host.root);
  const objects = (await findingsOf(host)).map(({ object }) => object);
  return objects.flatMap((object) => (object.startsWith(state) ? [object.slice(state.length + 1)] : [])).sort();
}

/** Each part of a process tells of its own file, some only after the mesh is there. */
async function tells(host: LabHost, files: readonly string[]): Promise<void> {
  await until(`${host.name} tells of ${files}`, DEADLINE_MS, async () => {
    const told = await toldFiles(host);
    return files.every((file) => told.includes(file));
  });
}

async function allAreReady(): Promise<void> {
  for (const host of lab.hosts) await isReady(host);
  await noDrift(lab.hosts);
}

async function stopAll(): Promise<void> {
  await lab.stop(host0, 'agent');
  // An orderly end: the file of the store is whole without its log of changes.
  await lab.stop(host0, 'host0', 'SIGTERM');
  await lab.stop(node1, 'agent');
}

function startAll(): void {
  lab.start(host0, 'host0');
  for (const host of [host0, node1]) lab.start(host, 'agent');
}

test('all state files of a cluster are damaged: it comes up, each file is told, and what the findings say heals', async () => {
  await until('node1 has written down its members', DEADLINE_MS, () => existsSync(stateOf(node1, 'members.json')));
  using pings = await PingSet.start([host0, node1]);
  await stopAll();
  const ports = stateOf(node1, 'ports.json');
  writeFileSync(ports, readFileSync(ports, 'utf8').replace(port, 'tap7'));
  truncateSync(stateOf(node1, 'members.json'), 100);
  const store = readFileSync(stateOf(host0, 'store.db'));
  writeFileSync(stateOf(host0, 'store.db'), store.fill(0, 4096, 8192));
  for (const [file, text] of [
    ['overlays/index.json', '{'],
    ['keys/tokens', 'x'],
    ['boot/subnets.json', ''],
    ['networks.accepted.json', '\0\0\0\0'],
  ] as const) {
    mkdirSync(dirname(stateOf(host0, file)), { recursive: true });
    writeFileSync(stateOf(host0, file), text);
  }
  startAll();
  await allAreReady();
  await tells(node1, ['ports.json']);
  await tells(host0, ['keys/tokens', 'overlays/index.json', 'store.db']);
  const codes = [...(await findingsOf(host0)), ...(await findingsOf(node1))].map(({ code }) => code);
  expect(codes).not.toContain('MESH_INTERNAL');
  await until('all nodes are members', DEADLINE_MS, async () => {
    const { nodesOnline } = await host0Client(pathsBelow(host0.root)).ask('GET /v1/status');
    return nodesOnline === lab.hosts.length;
  });
  expect(await pings.lost()).toEqual({});

  // As the remedies say.
  await meshOn(node1, 'port', 'plug', 'manage', port);
  rmSync(`${ports}.damaged`);
  for (const file of ['store.db', 'keys/tokens', 'boot/subnets.json']) {
    rmSync(`${stateOf(host0, file)}.damaged`, { recursive: true, force: true });
  }
  await lab.exec(host0, ['mesh', 'system', 'configure']);
  await until('the findings are over', DEADLINE_MS, async () => {
    const left = [...(await toldFiles(host0)).filter((file) => file !== 'store.db'), ...(await toldFiles(node1))];
    return left.length === 0;
  });
});

test('on a full disk of state and logs nothing ends, host0 is not ready, and is ready again when there is room', async () => {
  await stopAll();
  const { state, logs } = pathsBelow(host0.root);
  const disk = new SmallDisk(join(host0.root, 'var'), 8 * 1024 * 1024);
  // Without its installation secret, host0 would know no key of its nodes.
  const keys = join(host0.root, 'keys');
  cpSync(join(state, 'keys'), keys, { recursive: true });
  disk.mount();
  try {
    for (const directory of [state, logs]) mkdirSync(directory, { recursive: true });
    chmodSync(state, 0o711);
    cpSync(keys, join(state, 'keys'), { recursive: true });
    startAll();
    await allAreReady();
    disk.fill();
    const client = host0Client(pathsBelow(host0.root));
    const isTold = async () =>
      (await findingsOf(host0)).some(
        ({ code, object }) => code === 'MESH_STORE_BROKEN' && object === join(state, 'store.db'),
      );
    await until('the store is told to take nothing', DEADLINE_MS, isTold);
    expect(readinessOf(await client.ask('GET /v1/status')).ready).toBe(false);
    // Events enough for each log.
    await lab.stop(node1, 'agent', 'SIGTERM').catch(() => undefined);
    lab.start(node1, 'agent');
    for (const program of ['host0', 'agent'] as const) expect(lab.process(host0, program), program).toBeDefined();
    disk.clear();
    await until('the store takes changes again', DEADLINE_MS, async () => !(await isTold()));
    await allAreReady();
    await until('host0 has no error', DEADLINE_MS, async () => {
      return (await findingsOf(host0)).every(({ severity }) => severity !== 'error');
    });
  } finally {
    await stopAll();
    disk.unmount();
    startAll();
  }
});
