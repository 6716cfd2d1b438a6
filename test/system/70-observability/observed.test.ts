/** Metrics, health and events show what happens to a mesh; a stream of events begins with a snapshot. */
import { writeFile } from 'node:fs/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { followEvents } from '../../../src/cli/here/event-follow.ts';
import { Lab } from '../../../src/lab/cluster/lab.ts';
import type { LabHost } from '../../../src/lab/hosts/lab-host.ts';
import { agentClient, type ControlClient, host0Client } from '../../../src/protocol/calls/control-client.ts';
import { pathsBelow } from '../../../src/protocol/documents/paths.ts';
import { METRICS_PORTS } from '../../../src/protocol/documents/tcp-ports.ts';
import type { MeshEvent } from '../../../src/protocol/journal/event.ts';
import { AGENT_ROUTES } from '../../../src/protocol/routes/agent-routes.ts';
import { CONTROL_ROUTES } from '../../../src/protocol/routes/control-routes.ts';
import { readExposition } from '../../metrics/exposition-parser.ts';
import { isReady, noDrift } from '../drift.ts';
import { forAllTests } from '../for-all-tests.ts';
import { becomesAgain, kernelPicture } from '../kernel-picture.ts';
import { until } from '../until.ts';
import { servedRoute, unservedRoutes } from './served-routes.ts';

const REPAIR_DEADLINE_MS = 15_000;
const RESTART_DEADLINE_MS = 20_000;
/** Nine seconds of silence, with room for a busy machine. */
const DROP_DEADLINE_MS = 45_000;

const shared = forAllTests();
let lab: Lab;

beforeAll(async () => {
  lab = shared.use(await Lab.up({ name: `observed-${process.pid}`, nodes: 2, segments: 1 }));
});

/** The sum of a metric's samples that have these labels, now. */
async function metric(
  client: ControlClient,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): Promise<number> {
  const families = readExposition(await client.text('GET /metrics', { accept: 'text/plain' }));
  const samples = [...families.values()].flatMap((family) => family.samples).filter((sample) => sample.name === name);
  return samples
    .filter((sample) => Object.entries(labels).every(([label, value]) => sample.labels[label] === value))
    .reduce((sum, { value }) => sum + value, 0);
}

async function run(host: LabHost, script: string): Promise<string> {
  const { code, stdout, stderr } = await lab.exec(host, ['sh', '-c', script]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout;
}

/** The members that a follower knows, from the snapshot and the events after it. */
class Picture {
  readonly members = new Set<string>();
  snapshots = 0;
  readonly told: string[] = [];

  take({ kind, object = '', snapshot, seq, time }: MeshEvent): void {
    if (kind === 'snapshot') {
      this.snapshots++;
      this.members.clear();
    }
    if (snapshot === undefined) this.told.push(`${time} ${seq}`);
    if (kind === 'member joined') this.members.add(object);
    if (kind === 'member left' || kind === 'member dropped') this.members.delete(object);
  }
}

describe('drift', () => {
  test('made by another program is counted when found and when repaired, and the cache missed nothing', async () => {
    const host = lab.host('node1');
    const client = agentClient(pathsBelow(host.root));
    const before = await kernelPicture(lab, host);
    const found = await metric(client, 'meshwork_drift_found_items_total');
    const passes = await metric(client, 'meshwork_reconcile_duration_seconds_count');
    await run(host, 'bridge fdb flush dev vxlan456 self; ip link set vxlan456 mtu 1300; ip link delete br456');
    await until('all that was found is repaired', REPAIR_DEADLINE_MS, async () => {
      const repaired = await metric(client, 'meshwork_drift_repaired_items_total');
      const foundNow = await metric(client, 'meshwork_drift_found_items_total');
      return foundNow > found && repaired === foundNow && (await metric(client, 'meshwork_drift_open_items')) === 0;
    });
    await becomesAgain(lab, host, before);
    await noDrift([host]);
    expect(await metric(client, 'meshwork_drift_repaired_items_total', { kind: 'link' })).toBeGreaterThan(0);
    expect(await metric(client, 'meshwork_reconcile_duration_seconds_count')).toBeGreaterThan(passes);
    expect(await metric(client, 'meshwork_reconcile_steps_total', { outcome: 'done' })).toBeGreaterThan(0);
    expect(await metric(client, 'meshwork_audit_missed_items_total')).toBe(0);
    expect(await metric(client, 'meshwork_audit_difference_items')).toBe(0);
  });
});

test('both processes serve the routes of their tables, and print the same tables', async () => {
  const { root } = lab.host('host0');
  for (const [client, table] of [
    [host0Client(pathsBelow(root)), CONTROL_ROUTES],
    [agentClient(pathsBelow(root)), AGENT_ROUTES],
  ] as const) {
    expect(await unservedRoutes(client, table)).toEqual([]);
    const { paths } = JSON.parse((await servedRoute(client, 'GET /v1/openapi.json')).text);
    const printed = Object.entries<object>(paths).flatMap(([path, item]) =>
      Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(printed.toSorted()).toEqual(Object.keys(table).toSorted());
  }
  // What host0's daemon asks of its own node is on the agent's socket, too.
  expect(await unservedRoutes(agentClient(pathsBelow(root)), { 'PUT /unplug': {}, 'GET /path': {} })).toEqual([]);
});

describe('host0', () => {
  test('measures its answers by route', async () => {
    const client = host0Client(pathsBelow(lab.host('host0').root));
    const name = 'meshwork_http_request_duration_seconds_count';
    const route = { api: 'control', route: '/v1/nodes', status: '200' };
    const before = await metric(client, name, route);
    await client.ask('GET /v1/nodes');
    expect(await metric(client, name, route)).toBe(before + 1);
    const { status } = await servedRoute(client, 'GET /v1/nothing');
    expect(status).toBe(404);
    expect(await metric(client, name, { route: 'other', status: '404' })).toBe(1);
    expect(await metric(client, name, { api: 'membership', route: '/self', status: '200' })).toBeGreaterThan(0);
    expect(await metric(client, 'meshwork_members', { network: 'manage' })).toBe(3);
    expect(
      await metric(client, 'meshwork_store_transaction_duration_seconds_count', { outcome: 'done' }),
    ).toBeGreaterThan(1);
  });

  test('is followed over its restart without a gap, and serves metrics in the mesh when configured', async () => {
    const host = lab.host('host0');
    const paths = pathsBelow(host.root);
    const client = host0Client(paths);
    const picture = new Picture();
    const over = new AbortController();
    let away = 0;
    const following = followEvents(client, {
      signal: over.signal,
      onEvent: (event) => picture.take(event),
      onAway: () => away++,
    });
    try {
      await until('the snapshot is there', REPAIR_DEADLINE_MS, () => picture.members.size === 2);
      const [conf = ''] = paths.host0Conf;
      await writeFile(conf, 'metrics="manage"\n');
      await lab.stop(host, 'host0', 'SIGKILL');
      await until('the follower has noticed', REPAIR_DEADLINE_MS, () => away === 1);
      await lab.stop(lab.host('node2'), 'agent', 'SIGKILL');
      lab.start(host, 'host0');
      await until('the follower knows who is left', DROP_DEADLINE_MS, () => {
        return picture.snapshots > 1 && [...picture.members].join() === 'node1';
      });
      lab.start(lab.host('node2'), 'agent');
      await until('the follower knows who came', RESTART_DEADLINE_MS, () => picture.members.has('node2'));
      expect(new Set(picture.told).size).toBe(picture.told.length);
    } finally {
      over.abort();
      await following;
    }
    for (const each of lab.hosts) await isReady(each);
    expect(await metric(client, 'meshwork_member_changes_total', { change: 'leave' })).toBe(1);
    expect(await metric(client, 'meshwork_member_changes_total', { change: 'join' })).toBe(1);

    const url = (address: string) => `http://${address}:${METRICS_PORTS.host0}/metrics`;
    const answer = await run(lab.host('node1'), `curl -sgf '${url(`[${host.member.ipv6}]`)}'`);
    expect(readExposition(answer).get('meshwork_members')?.samples).toMatchObject([{ value: 3 }]);
    const { code } = await lab.exec(lab.host('node1'), ['curl', '-sf', '--max-time', '2', url(host.member.ipv4)]);
    expect(code).toBe(7);
  });

  test('is live, and not ready while its own agent is away', async () => {
    const host = lab.host('host0');
    const { controlSock } = pathsBelow(host.root);
    const ask = async (path: string) => {
      const answer = await run(host, `curl -s -w '\\n%{http_code}' --unix-socket ${controlSock} http://host0${path}`);
      const [body = '', code] = answer.trim().split('\n');
      return { code, ...JSON.parse(body) };
    };
    expect(await ask('/ready')).toMatchObject({ code: '200', ready: true });
    await lab.stop(host, 'agent', 'SIGKILL');
    await until('host0 misses it', REPAIR_DEADLINE_MS, async () => (await ask('/ready')).code === '503');
    expect(await ask('/ready')).toMatchObject({ ready: false, parts: [{ part: 'agent', code: 'MESH_NOT_RUNNING' }] });
    expect(await ask('/health')).toMatchObject({ code: '200', live: true, process: 'host0' });
    lab.start(host, 'agent');
    await until('it is ready again', RESTART_DEADLINE_MS, async () => (await ask('/ready')).code === '200');
  });
});
