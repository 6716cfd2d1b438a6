/** What commands print for the documents of a small cluster: tables, texts, JSON and exit codes. */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import * as documents from '../../test/cli/documents.ts';
import { type Answers, FakeDaemon } from '../../test/cli/fake-daemon.ts';
import { mesh, type Terminal } from '../../test/cli/mesh.ts';
import { parseMeshConf } from '../formats/conf/mesh-conf.ts';
import { orderedNetwork } from '../formats/network/ordered-network.ts';
import type { NetworkNumber } from '../model/network/number.ts';
import type { CatalogueView } from '../protocol/documents/catalogue.ts';
import { pathsBelow } from '../protocol/documents/paths.ts';

const AGENT: Answers = {
  'GET /v1/status': documents.agentStatus,
  'GET /v1/networks': documents.networks,
  'GET /v1/given': [],
  'GET /v1/plan': documents.plan,
  'GET /v1/drift': documents.drift,
  'GET /v1/explain?object=br456': documents.explanation,
  'GET /v1/events?follow=0': documents.agentEvents,
  'GET /metrics': documents.metrics,
  'GET /v1/ports': documents.ports,
  'PUT /v1/ports/tap0': documents.ports[0],
  'DELETE /v1/ports/tap0': {},
  'POST /v1/ping': documents.pong,
  'POST /v1/trace': documents.wellTraced,
  'GET /v1/doctor': documents.diagnosis,
  'POST /v1/doctor/fix': {
    ...documents.diagnosis,
    findings: documents.diagnosis.findings.slice(0, 1),
    fixed: [{ name: 'net/ipv4/conf/eth0/rp_filter', value: '2', before: '1' }],
  },
};

const HOST0: Answers = {
  'GET /v1/status': documents.host0Status,
  'GET /v1/nodes': documents.nodes,
  'GET /v1/machines': [],
  'GET /v1/networks': documents.networks.slice(0, 1),
  'GET /v1/catalogue': [],
  'GET /v1/refused-documents': [],
  'GET /v1/events?follow=0': documents.host0Events,
  'GET /metrics': documents.metrics.slice(0, 1),
};

const CATALOGUE: readonly CatalogueView[] = [
  ...documents.networks.slice(0, 1).map(({ network }) => ({ network, activity: { phase: 'active' } }) as const),
  {
    network: orderedNetwork(
      { name: 'blue', description: 'for tests' },
      { number: 0x1000 as NetworkNumber, name: 'blue' },
    ),
    activity: { phase: 'deleting', nodes: ['node1'] },
  },
];

let root: string;
let running: FakeDaemon[];

beforeAll(() => {
  vi.stubEnv('TZ', 'UTC');
});

afterAll(() => {
  vi.unstubAllEnvs();
});

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'mesh-cli-'));
  running = [];
});

afterEach(async () => {
  for (const daemon of running) await daemon.close();
  await rm(root, { recursive: true });
});

async function agent(answers: Answers = {}): Promise<FakeDaemon> {
  return listen(new FakeDaemon({ ...AGENT, ...answers }), pathsBelow(root).agentSock);
}

async function host0(answers: Answers = {}): Promise<FakeDaemon> {
  return listen(new FakeDaemon({ ...HOST0, ...answers }), pathsBelow(root).controlSock);
}

async function listen(daemon: FakeDaemon, sock: string): Promise<FakeDaemon> {
  await daemon.listen(sock);
  running.push(daemon);
  return daemon;
}

/** The command's answer, followed by its exit code unless that is 0. */
async function answer(line: string, terminal?: Terminal): Promise<string> {
  const { stdout, code } = await mesh(['--root', root, ...line.split(' ')], terminal);
  return code === 0 ? stdout : `${stdout}[exit ${code}]`;
}

describe('networks and nodes', () => {
  test('a machine without networks says where their files go, and which files do not count', async () => {
    await agent({ 'GET /v1/networks': [] });
    const { nodeNetworks, host0Networks } = pathsBelow(root);
    expect(await answer('network list')).toBe(
      `There are no networks here yet. Each file ${nodeNetworks}/NAME.conf makes one, and \`mesh network conf NAME\` prints such a file.\n`,
    );
    await mkdir(host0Networks, { recursive: true });
    await writeFile(join(host0Networks, 'x.txt'), '');
    await writeFile(join(host0Networks, 'blue.conf'), '');
    const text = await answer('network list');
    expect(text).toContain(`Each file ${host0Networks}/NAME.conf makes one`);
    expect(text).toContain('\nIgnored, since no name ends in .conf: x.txt.\n');
    expect(await answer('network list --json')).toBe('[]\n');
  });

  test('the file of a new network is sound, with --json the network', async () => {
    const text = await answer('network conf blue');
    expect(parseMeshConf('blue.conf', Buffer.from(text))).toMatchObject({
      conf: { network: { name: 'blue' } },
      errors: [],
    });
    expect(JSON.parse(await answer('network conf blue --json'))).toMatchObject({
      name: 'blue',
      fabric: { kind: 'mesh' },
    });
    await expect(answer('network conf ../blue')).rejects.toMatchObject({ code: 'MESH_NET_NAME_INVALID' });
  });

  test('a table fits a terminal of 80 columns', async () => {
    await agent();
    expect(await answer('network list', { columns: 80 })).toMatchInlineSnapshot(`
      "NAME    STATE            TYPE  NUMBER  BRIDGE  PREFIX                    MEMBERS
      manage  ready            mesh     456  br456   fd42:2345:1234:9abc::/64        3
      blue    waiting: host0…  mesh      77  br77    fd42:0:0:b::/64                 2
      "
    `);
  });

  test('in a pipe nothing is shortened', async () => {
    await agent();
    expect(await answer('network list')).toMatchInlineSnapshot(`
      "NAME    STATE                                      TYPE  NUMBER  BRIDGE  PREFIX                    MEMBERS
      manage  ready                                      mesh     456  br456   fd42:2345:1234:9abc::/64        3
      blue    waiting: host0 has not answered in it yet  mesh      77  br77    fd42:0:0:b::/64                 2
      "
    `);
  });

  test('only a terminal with colours gets colours', async () => {
    await agent();
    expect(await answer('network list', { columns: 80, colors: true })).toContain('\x1b[32mready\x1b[39m');
    expect(await answer('network list', { columns: 80 })).not.toContain('\x1b');
    expect(await answer('network list', { colors: true })).not.toContain('\x1b');
  });

  test('--json is the document', async () => {
    await agent();
    expect(JSON.parse(await answer('network list --json'))).toEqual(documents.networks);
  });

  test('host0 is asked before the agent', async () => {
    await agent();
    await host0();
    expect(JSON.parse(await answer('network list --json'))).toHaveLength(1);
  });

  test('a document in the store that is no network is below the list, with its reason', async () => {
    const place = { file: '/v1/network/200', line: 1, column: 3, text: '{ some_network }' };
    const error = { code: 'MESH_CONF_SYNTAX', message: 'the document is no JSON', rule: 'It is JSON.', place };
    await host0({ 'GET /v1/refused-documents': [{ key: '/v1/network/200', error }] });
    const text = await answer('network list');
    expect(text).toContain('\nrefused /v1/network/200\n');
    expect(text).toContain('/v1/network/200:1:3');
    expect(text).toContain('{ some_network }\n');
  });

  test('host0 lists the networks of its catalogue beside the meshes', async () => {
    const holders = [{ node: 'node1', ports: ['vm1', 'vm2'] }];
    await host0({
      'GET /v1/catalogue': CATALOGUE,
      'GET /v1/catalogue/net-1000': { ...CATALOGUE[1], holders },
      'GET /v1/catalogue/net-1000/services': [],
    });
    expect(await answer('network list')).toMatchInlineSnapshot(`
      "NAME    STATE                     TYPE             NUMBER  BRIDGE  PREFIX                    MEMBERS
      manage  ready                     mesh                456  br456   fd42:2345:1234:9abc::/64        3
      blue    deleting: still on node1  vxlan, assigned  0x1000  br1000  –                               –
      "
    `);
    expect(await answer('network show 0x1000')).toMatchInlineSnapshot(`
      "network      blue
      description  for tests
      state        deleting: still on node1
      number       4096 (0x1000)
      type         vxlan, assigned
      underlay     ipv4
      mtu          1450 bytes
      devices      vxlan1000 in br1000
      nodes        node1: vm1, vm2
      span         on-demand
      source       store
      "
    `);
    expect(JSON.parse(await answer('network show blue --json'))).toEqual({ ...CATALOGUE[1], holders });
  });

  test('a change says what it does, or would do', async () => {
    const network = CATALOGUE[1]?.network;
    const changed = { change: 'changed', network, differences: ['mtuBytes 1450 → 1400'], warnings: [], dryRun: false };
    await host0({
      'PATCH /v1/catalogue/blue': changed,
      'PATCH /v1/catalogue/blue?dry-run=1': { ...changed, dryRun: true },
      'DELETE /v1/catalogue/blue?force=1': { ...changed, change: 'deleted', differences: [] },
    });
    expect(await answer('network edit blue --mtu 1400')).toMatchInlineSnapshot(`
      "blue (number 0x1000) is changed:
        mtuBytes 1450 → 1400
      "
    `);
    expect(await answer('network edit blue --mtu 1400 --plan')).toMatchInlineSnapshot(`
      "blue (number 0x1000) would be changed:
        mtuBytes 1450 → 1400
      "
    `);
    expect(await answer('network delete blue --force')).toMatchInlineSnapshot(`
      "blue (number 0x1000) is deleted.
      "
    `);
    // npm gives every script an EDITOR.
    for (const name of ['VISUAL', 'EDITOR']) vi.stubEnv(name, undefined);
    await expect(answer('network edit blue')).rejects.toMatchObject({ code: 'MESH_USAGE' });
  });

  test.each(['manage', 'mesh-456', '456', 'br456'])('a network is found by %s', async (name) => {
    await agent();
    expect(JSON.parse(await answer(`network show ${name} --json`))).toEqual(documents.networks[0]);
  });

  test('a network in full', async () => {
    await agent();
    expect(await answer('network show manage', { columns: 80 })).toMatchInlineSnapshot(`
      "network  manage
      state    ready
      host0    answers
      vni      456
      key      456
      prefix   fd42:2345:1234:9abc::/64
      mtu      1380 bytes
      devices  vxlan456 in br456
      here     02:2f:55:d5:07:f4 fd42:2345:1234:9abc:7647:6b77:cff:6931

      NAME   IPV4       MAC                IPV6
      host0  10.11.0.1  02:47:8b:9e:81:6e  fd42:2345:1234:9abc::1
      node1  10.11.0.2  02:2f:55:d5:07:f4  fd42:2345:1234:9abc:7647:6b77:cff:6931
      node2  10.12.0.2  02:65:f2:62:84:3c  fd42:2345:1234:9abc:3073:1bda:2511:a649
      "
    `);
  });

  test('the error for an unknown network names those that exist', async () => {
    await agent();
    await expect(answer('network show green')).rejects.toMatchObject({
      code: 'MESH_NET_UNKNOWN',
      remedy: 'It has manage, blue.',
    });
  });

  test('host0 lists every node', async () => {
    await host0();
    expect(await answer('node list', { columns: 80 })).toMatchInlineSnapshot(`
      "NAME   MACHINE   STATE          IPV4       MESHES
      host0  -         online         10.11.0.1  manage
      node1  10eff964  online         10.11.0.2  manage
      node2  2b1c0d3e  offline 1 min  10.12.0.2  manage
      "
    `);
  });

  test('a node lists the members of its networks', async () => {
    await agent();
    expect(await answer('node list', { columns: 80 })).toMatchInlineSnapshot(`
      "NAME   MACHINE  STATE   IPV4       MESHES
      host0  -        online  10.11.0.1  manage, blue
      node1  -        online  10.11.0.2  manage, blue
      node2  -        online  10.12.0.2  manage
      "
    `);
  });

  test.each(['node1', '10eff964'])('a node is found by %s', async (name) => {
    await host0();
    expect(await answer(`node info ${name}`, { columns: 80 })).toContain('10.11.0.2');
  });

  test('a node in full', async () => {
    await host0();
    expect(await answer('node info node1', { columns: 80 })).toMatchInlineSnapshot(`
      "node     node1
      machine  10eff964
      role     node
      state    online
      ipv4     10.11.0.2

      MESH    STATE  MAC                IPV6
      manage  ready  02:2f:55:d5:07:f4  fd42:2345:1234:9abc:7647:6b77:cff:6931
      "
    `);
  });
});

describe('this machine', () => {
  test('status of a healthy node', async () => {
    await agent();
    expect(await answer('status', { columns: 80 })).toMatchInlineSnapshot(`
      "node     node1
      machine  10eff964
      agent    0.1.0, up 3 min
      host0    10.11.0.1, answers in 1 of 2 networks
      kernel   42 items, all in place

      NETWORK  STATE    BRIDGE  ADDRESS                                 MEMBERS
      blue     waiting  br77    fd42::b:fbab:92f7:488a:1e17                   2
      manage   ready    br456   fd42:2345:1234:9abc:7647:6b77:cff:6931        3

      blue    host0, node1; waiting: host0 has not answered in it yet
      manage  host0, node1, node2

      Healthy: nothing needs attention.
      [exit 1]"
    `);
  });

  test('status of a host0 with an error', async () => {
    await agent({ 'GET /v1/status': documents.unwellStatus });
    await host0();
    expect(await answer('status', { columns: 100 })).toMatchInlineSnapshot(`
      "node      node1
      machine   10eff964
      agent     0.1.0, up 3 min
      host0     0.1.0, here, up 2 h 5 min, 2 nodes online, member list 5f1e.12
      segments  10.11.0.0/24 on eth1
      kernel    42 items, 3 being made, 1 failed

      NETWORK  STATE    BRIDGE  ADDRESS                                 MEMBERS
      blue     waiting  br77    fd42::b:fbab:92f7:488a:1e17                   2
      manage   ready    br456   fd42:2345:1234:9abc:7647:6b77:cff:6931        3

      blue    host0, node1; waiting: host0 has not answered in it yet
      manage  host0, node1, node2

      error MESH_KERNEL_VNI_BUSY vxlan77: VNI 77 is taken by vx-old, which is not ours
        → Remove it with \`ip link del vx-old\`, or give the mesh another vni.
      [exit 1]"
    `);
  });

  test('the plan: one line for each step', async () => {
    await agent();
    expect(await answer('plan')).toMatchInlineSnapshot(`
      "+ ip link add vxlan456 type vxlan id 456 dstport 4789
      ~ ip link set br456 mtu 1380  # mtu 1400 → 1380
      - bridge fdb del 02:2f:55:d5:07:f4 dev vxlan456

      3 steps to do.
      "
    `);
  });

  test('an empty plan says so', async () => {
    await agent({ 'GET /v1/plan': { steps: [] } });
    expect(await answer('plan')).toMatchInlineSnapshot(`
      "Nothing to do: everything is as it should be.
      "
    `);
  });

  test('drift has exit code 1', async () => {
    await agent();
    expect(await answer('drift')).toMatchInlineSnapshot(`
      "~ ip link set br456 mtu 1380  # mtu 1400 → 1380

      1 step would put the kernel right.
      The agent's own picture of the kernel was wrong in 2 items.
      [exit 1]"
    `);
  });

  test('no drift has exit code 0', async () => {
    await agent({ 'GET /v1/drift': documents.noDrift });
    expect(await answer('drift')).toMatchInlineSnapshot(`
      "No drift: the kernel is as it should be.
      "
    `);
  });

  test('an explanation', async () => {
    await agent();
    expect(await answer('explain br456')).toMatchInlineSnapshot(`
      "br456, of network manage
        /var/pxen/networks/manage.conf makes the mesh manage
          a mesh has a bridge that workloads plug into

      STATE    KERNEL OBJECT, AS THE COMMAND THAT WOULD MAKE IT
      ready    ip link add br456 type bridge
      missing  ip addr add fd42:2345:1234:9abc:7647:6b77:cff:6931/64 dev br456 nodad
      "
    `);
  });

  test('a trace without a fault', async () => {
    const daemon = await agent();
    expect(await answer('trace manage node1 host0')).toMatchInlineSnapshot(`
      "node1 (fd42:2345:1234:9abc:7647:6b77:cff:6931) → host0 (fd42:2345:1234:9abc::1) in manage
      ✓ node1  bridge entry  02:47:8b:9e:81:6e is behind vxlan456
      ✓ node1  route         10.11.0.1 is direct through eth0 from 10.11.0.2
      ✓ host0  firewall      table inet meshwork takes VXLAN of VNI 456 from 10.11.0.2
      ✓ the way back: 1 hop as wanted

      Every hop is as wanted. If packets are lost all the same: \`mesh ping manage host0\` and \`mesh doctor\`.
      "
    `);
    expect(daemon.asked[0]?.body).toBe('{"network":"manage","from":"node1","to":"host0"}');
  });

  test('a trace with a fault names the hop, and has exit code 1', async () => {
    await agent({ 'POST /v1/trace': documents.badlyTraced });
    expect(await answer('trace manage node1 host0')).toMatchInlineSnapshot(`
      "node1 (fd42:2345:1234:9abc:7647:6b77:cff:6931) → host0 (fd42:2345:1234:9abc::1) in manage
      ✓ node1  bridge entry  02:47:8b:9e:81:6e is behind vxlan456
      ✗ node1  vxlan entry   02:47:8b:9e:81:6e leads to 10.11.0.77
                             wanted: 02:47:8b:9e:81:6e leads to 10.11.0.1
                             → node1's agent puts this back within a second.

      The way back, where it is not as wanted
      ? host0  agent         its agent does not answer: connect ECONNREFUSED
                             → On host0: \`mesh status\` shows whether the agent runs.
      [exit 1]"
    `);
  });

  test.each([
    ['capture manage -o x --filter tcp|udp', 'MESH_USAGE'],
    ['capture nothing -o x', 'MESH_NET_UNKNOWN'],
    ['capture manage -o x --for 4000', 'MESH_USAGE'],
    ['capture manage -o x --count none', 'MESH_USAGE'],
  ])('%s is refused before anything is written', async (line, code) => {
    await agent();
    await expect(answer(line.replace(' x', ` ${join(root, 'x')}`))).rejects.toMatchObject({ code });
    expect(existsSync(join(root, 'x'))).toBe(false);
  });

  test('a ping', async () => {
    const daemon = await agent();
    expect(await answer('ping manage node2 -c 5')).toMatchInlineSnapshot(`
      "network  manage
      from     node1 fd42:2345:1234:9abc:7647:6b77:cff:6931
      to       node2 fd42:2345:1234:9abc:3073:1bda:2511:a649
      path     br456 → vxlan456 → 10.12.0.2
      vtep     10.11.0.2 → 10.12.0.2
      loss     20 % (4 of 5 came back)
      rtt      0.21 / 0.30 / 0.50 ms (min / avg / max)
      mtu      1380 bytes, proved end to end
      "
    `);
    expect(JSON.parse(daemon.asked.at(-1)?.body ?? '')).toEqual({
      network: 'manage',
      node: 'node2',
      count: 5,
      intervalMs: 200,
    });
  });

  test('a ping that proves too small an MTU has exit code 1', async () => {
    await agent({ 'POST /v1/ping': { ...documents.pong, mtu: { provedBytes: 1280, promisedBytes: 1380 } } });
    expect(await answer('ping manage node2')).toMatchInlineSnapshot(`
      "network  manage
      from     node1 fd42:2345:1234:9abc:7647:6b77:cff:6931
      to       node2 fd42:2345:1234:9abc:3073:1bda:2511:a649
      path     br456 → vxlan456 → 10.12.0.2
      vtep     10.11.0.2 → 10.12.0.2
      loss     20 % (4 of 5 came back)
      rtt      0.21 / 0.30 / 0.50 ms (min / avg / max)
      mtu      only 1280 of 1380 bytes came through: check the MTU of the underlay
      [exit 1]"
    `);
  });

  test("the agent's error is thrown unchanged", async () => {
    await agent({ 'POST /v1/ping': documents.unknownNode });
    await expect(answer('ping manage node9')).rejects.toMatchObject(documents.unknownNode.toJSON());
  });

  test('events of both processes in the order of time', async () => {
    await agent();
    await host0();
    expect(await answer('events')).toMatchInlineSnapshot(`
      "Nov 21 06:12:02  warning  host0  member refused    a second machine says that it is 10eff964 (MESH_MEMBER_DOUBLE)
                       → Give one of the two another id with --machine.
      Nov 21 06:12:03  info     agent  link repaired     vxlan456 was deleted by another program and is restored
      "
    `);
  });

  test('events of a level and above, as lines of JSON', async () => {
    await agent();
    await host0();
    const lines = (await answer('events --level warning --json')).trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line))).toEqual(documents.host0Events);
  });

  test('the last events, and the events since a time', async () => {
    await agent();
    await host0();
    expect(await answer('events -n 1')).toMatch(/^Nov 21 06:12:03.*\n$/);
    expect(await answer('events -n 0')).toBe('');
    expect(await answer('events -n 1 --level warning')).toMatch(/^Nov 21 06:12:02/);
    expect(await answer('events --since 2026-11-21T06:12:02.500Z')).toMatch(/^Nov 21 06:12:03.*\n$/);
    expect(await answer('events --since 1min')).toBe('');
    await expect(answer('events --since yesterday')).rejects.toThrow('2026-11-30T08:15');
    await expect(answer('events --follow --since 1h')).rejects.toThrow('--follow');
  });

  test('metrics of both processes, without zeros and buckets', async () => {
    await agent();
    await host0();
    expect(await answer('metrics')).toMatchInlineSnapshot(`
      "PROCESS  METRIC                                                  VALUE
      host0    meshwork_members{network="manage"}                          3
      agent    meshwork_members{network="manage"}                          3
      agent    meshwork_reconcile_duration_seconds     2 times, 6.17 ms each
      agent    meshwork_http_request_duration_seconds      3 times, 1 s each
      agent    meshwork_state_directory_free_bytes                   3.0 GiB
      agent    process_start_time_seconds                    Nov 21 06:12:00
      "
    `);
  });

  test('metrics of one process as JSON', async () => {
    await agent();
    const document: unknown = JSON.parse(await answer('metrics --json --process agent'));
    expect(document).toEqual([{ process: 'agent', metrics: documents.metrics }]);
  });
});

describe('ports', () => {
  test('a list', async () => {
    await agent();
    expect(await answer('port list')).toMatchInlineSnapshot(`
      "INTERFACE  NETWORK  STATE    MTU          REFUSED
      tap0       manage   plugged  1500 > 1380  1204 member-mac, 3 router
      tap1       manage   wanted   –            –
      "
    `);
  });

  test('plug', async () => {
    const daemon = await agent();
    expect(await answer('port plug manage tap0')).toBe('tap0 is plugged into manage.\n');
    expect(daemon.asked).toEqual([{ method: 'PUT', path: '/v1/ports/tap0', body: '{"network":"manage"}' }]);
  });

  test('an interface that is down, when it is plugged and in the list', async () => {
    const [port] = documents.ports;
    const down = { ...port, down: true };
    await agent({ 'PUT /v1/ports/tap0': down, 'GET /v1/ports': [down] });
    expect(await answer('port plug manage tap0')).toBe(
      'tap0 is plugged into manage.\nIt is down, and no frame passes until it is up: `ip link set tap0 up`.\n',
    );
    expect(await answer('port list')).toContain('plugged, down');
  });

  test('unplug', async () => {
    const daemon = await agent();
    expect(await answer('port unplug tap0')).toBe('tap0 is no longer plugged.\n');
    expect(daemon.asked).toEqual([{ method: 'DELETE', path: '/v1/ports/tap0', body: '' }]);
  });
});

describe('a socket that does not answer', () => {
  test('no process listens', async () => {
    await expect(answer('status')).rejects.toMatchObject({
      code: 'MESH_NOT_RUNNING',
      message: 'the agent is not running',
      remedy: 'Start it with `mesh system start`, or in the foreground with `mesh agent run`.',
    });
  });

  test('a user who is not root may not reach it', async () => {
    await agent();
    // With this, the modules of the command are loaded: a checkout may be for root only, as the directory of the socket is.
    await answer('status');
    process.seteuid?.(65534);
    try {
      await expect(answer('status')).rejects.toMatchObject({
        code: 'MESH_NOT_ROOT',
        exitCode: 4,
        message: 'you may not talk to the agent',
        remedy: 'Run the command as root, for example with sudo.',
      });
    } finally {
      process.seteuid?.(0);
    }
  });

  test('another program listens', async () => {
    await agent({ 'GET /v1/plan': undefined });
    await expect(answer('plan')).rejects.toMatchObject({ code: 'MESH_INTERNAL' });
  });
});

describe('the doctor', () => {
  test('says what it found, why it matters and what to do', async () => {
    await agent();
    expect(await answer('doctor')).toMatchInlineSnapshot(`
      "error udp-4789: no answer in manage from host0 (10.11.0.1), while the same machines answer on the underlay
        why: UDP 4789 does not pass between them and this machine, so nothing of the mesh does.
        → Let UDP 4789 through.

      warning rp-filter: rp_filter is strict on eth0, and 7 packets were dropped by it since boot
        why: VXLAN packets vanish without a trace.
        → Make it loose.

      \`mesh doctor --fix\` can fix 1 of 2.
      [exit 1]"
    `);
  });

  test('says what it has set', async () => {
    await agent();
    expect(await answer('doctor --fix')).toMatchInlineSnapshot(`
      "set net/ipv4/conf/eth0/rp_filter = 2 (it was 1)
      This lasts until the next boot: write it to /etc/sysctl.d to keep it.

      error udp-4789: no answer in manage from host0 (10.11.0.1), while the same machines answer on the underlay
        why: UDP 4789 does not pass between them and this machine, so nothing of the mesh does.
        → Let UDP 4789 through.
      [exit 1]"
    `);
  });

  test('prints one line for a healthy machine', async () => {
    await agent({ 'GET /v1/doctor': { ...documents.diagnosis, findings: [] } });
    expect(await answer('doctor')).toMatchInlineSnapshot(`
      "Healthy: 3 checks found nothing.
      "
    `);
  });
});
