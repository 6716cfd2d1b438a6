/**
 * host0 is backed up while it runs, and restored on a box whose network card has another name. While the first one lives on the same
 * wire, the box serves nobody; when that one is gone, the box is host0, and a port that is younger than the backup is adopted.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { netnsPath } from '../../../src/kernel/netns.ts';
import { Lab } from '../../../src/lab/cluster/lab.ts';
import type { LabHost } from '../../../src/lab/hosts/lab-host.ts';
import { host0Client } from '../../../src/protocol/calls/control-client.ts';
import { pathsBelow } from '../../../src/protocol/documents/paths.ts';
import { shownCommands } from '../../cli/console-block.ts';
import { BIN } from '../../cli/mesh.ts';
import { inside } from '../../kit/namespaces.ts';
import { isReady } from '../drift.ts';
import { forAllTests } from '../for-all-tests.ts';
import { Guest } from '../guest.ts';
import { meshOn } from '../mesh-command.ts';
import { PingSet } from '../ping-set.ts';
import { pageOf } from '../typist.ts';
import { until } from '../until.ts';

/** A restored host0 looks three times, for a second and a half each; nodes look for host0 each three. */
const DEADLINE_MS = 40_000;
/** The card of the new box. */
const CARD = 'enp7s0';

const shared = forAllTests();
let lab: Lab;
let host0: LabHost;
let node1: LabHost;
/** The machine of node2, with another card and another disk. */
let box: LabHost;
let backup: string;

beforeAll(async () => {
  lab = shared.use(await Lab.build({ name: `restore-${process.pid}`, nodes: 2, segments: 1 }));
  [host0, node1] = [lab.host('host0'), lab.host('node1')];
  writeFileSync(join(pathsBelow(host0.root).host0, 'host0.conf'), `boot_mode="${cardOf(host0)}=observe" # this wire\n`);
  await lab.startAll();
  await lab.ready();
  backup = join(lab.directory, 'host0.backup');
  shared.use(Guest.behind(node1, 'vm1', 'fd99::11'));
  shared.use(Guest.behind(node1, 'vm2', 'fd99::12'));
});

const cardOf = ({ ports }: LabHost): string => ports[0]?.device ?? '';
const addressOf = ({ ports }: LabHost): string => ports[0]?.ipv4 ?? '';
const ipOn = (host: LabHost, ...words: readonly string[]) => inside(netnsPath(host.netns), 'ip', ...words);

/** The words of a command of the page that begins so, for the file of this test. */
function typed(begin: string): readonly string[] {
  const shown = shownCommands(pageOf('docs/backup.md')).filter(({ text }) => text.startsWith(begin));
  const [only, ...more] = shown.filter(({ text }) => begin.includes('--plan') || !text.includes('--plan'));
  expect({ begin, command: only?.text, more }).toMatchObject({ command: expect.anything(), more: [] });
  const [, ...words] = (only?.text ?? '').replace('/root/host0.backup', backup).split(' ');
  return words;
}

/** Runs a command as a process on a host, and reads what it answers. */
async function mesh(host: LabHost, ...words: readonly string[]) {
  const { code, stdout, stderr } = await lab.exec(host, [BIN, '--root', host.root, '--json', ...words]);
  if (code !== 0) throw new Error(`${words.join(' ')}: ${stderr}${stdout}`);
  return stdout.trim() === '' ? undefined : JSON.parse(stdout);
}

/** host0 places a port on the node. */
async function plug(port: string): Promise<void> {
  const { code, stderr } = await meshOn(host0, 'port', 'create', 'blue', '--node', 'node1', '--device', port);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
}

async function portsOn(host: LabHost): Promise<string> {
  const { stdout } = await meshOn(host, '--json', 'port', 'list', '--all');
  const list: unknown = JSON.parse(stdout || '[]');
  return Array.isArray(list)
    ? list
        .map((port) => `${port.interface} ${port.node}`)
        .toSorted()
        .join()
    : stdout;
}

function keysOf({ root }: LabHost): readonly string[] {
  const { state } = pathsBelow(root);
  return ['installation', 'command'].map((name) => readFileSync(join(state, 'keys', name), 'utf8'));
}

const isUp = (host: LabHost) => ipOn(host, '-6', 'address').includes('::1/64');

test('a backup of the running host0, with a port that comes after it', async () => {
  await until('blue is made', DEADLINE_MS, async () => (await meshOn(host0, 'network', 'create', 'blue')).code === 0);
  await plug('vm1');
  await until('host0 knows the port', DEADLINE_MS, async () => (await portsOn(host0)) === 'vm1 node1');
  expect(await mesh(host0, ...typed('mesh system backup'))).toMatchObject({ skipped: [] });
  await plug('vm2');
  await until('host0 knows both ports', DEADLINE_MS, async () => (await portsOn(host0)) === 'vm1 node1,vm2 node1');
  const { code, stdout } = await meshOn(host0, 'system', 'diff', backup);
  expect(code).toBe(1);
  expect(stdout).toMatch(/^port +\S+ +now only/m);
});

test('restored on another box, beside the first host0, it waits, says why, and disturbs nobody', async () => {
  const node2 = lab.host('node2');
  await lab.stop(node2, 'agent');
  ipOn(node2, 'link', 'delete', 'vxlan456');
  ipOn(node2, 'link', 'delete', 'br456');
  const [port] = node2.ports;
  if (port === undefined) throw new Error('node2 has no card');
  ipOn(node2, 'link', 'set', port.device, 'down');
  ipOn(node2, 'link', 'set', port.device, 'name', CARD);
  ipOn(node2, 'link', 'set', CARD, 'up');
  const root = join(lab.directory, 'box');
  mkdirSync(join(root, 'var/log/meshwork'), { recursive: true });
  box = { ...node2, role: 'host0', name: 'box', root, ports: [{ ...port, device: CARD }] };

  const plan = await mesh(box, ...typed('mesh system restore /root/host0.backup --plan'));
  expect(plan.nics).toEqual([expect.objectContaining({ from: cardOf(host0), to: CARD, reason: 'the only one left' })]);
  expect(existsSync(pathsBelow(root).host0)).toBe(false);
  await mesh(box, ...typed('mesh system restore'));
  expect(readFileSync(join(pathsBelow(root).host0, 'host0.conf'), 'utf8')).toBe(
    `boot_mode="${CARD}=observe" # this wire\n`,
  );
  expect(keysOf(box)).toEqual(keysOf(host0));

  using pings = await PingSet.start([node1, host0], [host0, node1]);
  lab.start(box, 'host0');
  lab.start(box, 'agent');
  const heard = await until('it has heard the first one', DEADLINE_MS, async () => {
    const view = await host0Client(pathsBelow(root))
      .ask('GET /v1/leadership')
      .catch(() => undefined);
    return view?.state === 'waits' && view.leader !== undefined && view;
  });
  expect(heard.why).toContain('mesh host0 take-over');
  expect(heard.why).toMatch(new RegExp(`it answers .*${addressOf(host0)}`));
  const { code, stderr } = await meshOn(box, 'network', 'create', 'red');
  expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining('MESH_HOST0_STANDBY') });
  expect(isUp(box)).toBe(false);
  expect(await pings.lost()).toEqual({});
  expect(await portsOn(host0)).toBe('vm1 node1,vm2 node1');
});

test('when the first one is gone, the box is host0, the node follows, and the younger port is adopted', async () => {
  await lab.stop(host0, 'host0');
  await lab.stop(host0, 'agent');
  await lab.cutCables(host0);
  await until('the box leads', DEADLINE_MS, async () => {
    const view = await host0Client(pathsBelow(box.root))
      .ask('GET /v1/leadership')
      .catch(() => undefined);
    return view?.state === 'leads';
  });
  // The new box gets the address of the old one, as the page says.
  ipOn(box, 'address', 'delete', `${addressOf(box)}/24`, 'dev', CARD);
  ipOn(box, 'address', 'add', `${addressOf(host0)}/24`, 'dev', CARD);
  ipOn(node1, 'neighbour', 'delete', addressOf(host0), 'dev', cardOf(node1));
  ipOn(box, 'neighbour', 'flush', 'dev', CARD);
  await until('the node is a member', DEADLINE_MS, async () => {
    const nodes = await host0Client(pathsBelow(box.root))
      .ask('GET /v1/nodes')
      .catch(() => []);
    return nodes.some(({ name, online }) => name === 'node1' && online);
  });
  let last = '';
  const orphans = async (): Promise<string> => {
    const { stdout, stderr } = await meshOn(box, '--json', 'node', 'orphans', 'list');
    const list: unknown = JSON.parse(stdout || '[]');
    last = Array.isArray(list) ? list.map(({ node, id }) => `${node} ${id}`).join() : `${stdout}${stderr}`;
    return last;
  };
  await until('the younger port is an orphan', DEADLINE_MS, async () => (await orphans()) === 'node1 vm2').catch(
    (cause: unknown) => {
      throw new Error(last, { cause });
    },
  );
  expect(await portsOn(box)).toBe('vm1 node1');
  expect((await meshOn(box, 'node', 'orphans', 'adopt', 'vm2')).code).toBe(0);
  await until('both ports are known', DEADLINE_MS, async () => (await portsOn(box)) === 'vm1 node1,vm2 node1');
  await until('there is no orphan', DEADLINE_MS, async () => (await orphans()) === '');
  // A node with an orphan has a finding until it is adopted.
  await isReady(node1);
  expect(existsSync(join(pathsBelow(box.root).state, 'restored.json'))).toBe(false);
});
