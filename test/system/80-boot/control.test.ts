/**
 * host0 runs commands on its nodes over SSH: only in the mesh, only with its own key, and only on nodes with the host key that
 * it gave them.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { fetchFromHost0, type ListedNode } from '../../../src/cli/node/node-list.ts';
import { newPrivateKey, publicKeyOf } from '../../../src/formats/binary/openssh-key.ts';
import { authorizedKeysIn } from '../../../src/image/command-key.ts';
import { commandDirectory } from '../../../src/image/node/program-files.ts';
import { secretsOf } from '../../../src/image/overlay/machine-secrets.ts';
import { inNetns, netnsPath } from '../../../src/kernel/netns.ts';
import { Lab } from '../../../src/lab/cluster/lab.ts';
import type { LabHost } from '../../../src/lab/hosts/lab-host.ts';
import { parseMachineId } from '../../../src/model/machine.ts';
import { host0Client } from '../../../src/protocol/calls/control-client.ts';
import { pathsBelow } from '../../../src/protocol/documents/paths.ts';
import { readKeyFile } from '../../../src/protocol/shapes/key-file.ts';
import { inside } from '../../kit/namespaces.ts';
import { forAllTests } from '../for-all-tests.ts';
import { meshOn } from '../mesh-command.ts';
import { until } from '../until.ts';
import { NodeShell } from './node-shell.ts';

/** dropbear converts its key, starts and listens in a second. */
const LISTEN_DEADLINE_MS = 20_000;
const MESH = join(commandDirectory, 'mesh');

const shared = forAllTests();
let lab: Lab;
let host0: LabHost;
let node1: LabHost;
let node2: LabHost;
let state: string;

beforeAll(async () => {
  lab = shared.use(await Lab.up({ name: `control-${process.pid}`, nodes: 2, segments: 1 }));
  [host0, node1, node2] = [lab.host('host0'), lab.host('node1'), lab.host('node2')];
  state = pathsBelow(host0.root).state;
});
const mesh = (...words: readonly string[]) => lab.exec(host0, ['mesh', ...words]);
const listening = ({ netns }: LabHost) =>
  inside(netnsPath(netns), 'ss', '-Hltn', 'sport = :22')
    .split('\n')
    .flatMap((line) => line.split(/\s+/)[3] ?? []);

async function shellOn(host: LabHost, { secrets, keys }: { secrets?: Uint8Array; keys?: readonly string[] } = {}) {
  const shell = await NodeShell.start(host, {
    secrets: secrets ?? (await secretsOf(state, host.machine)),
    authorizedKeys: keys ?? (await authorizedKeysIn(state)),
  });
  await until('SSH listens', LISTEN_DEADLINE_MS, () => listening(host).length > 0);
  return shell;
}

test('a command on one node, on several, and in a pipe', async () => {
  await using _one = await shellOn(node1);
  expect(await mesh('node', 'ctl', '-n', 'node1', 'echo out; echo complaint >&2; exit 7')).toEqual({
    code: 7,
    stdout: 'out\n',
    stderr: 'complaint\n',
  });
  // The command reaches the node's shell as one text. It has no input, no terminal and no SSH agent.
  const { stdout } = await mesh('node', 'ctl', '-n', node1.machine, 'cat; tty; echo "$SSH_AUTH_SOCK"; id -un');
  expect(stdout).toBe('not a tty\n\nroot\n');
  expect((await mesh('node', 'ctl', '-n', 'node1', 'head -c 100000 /dev/zero | tr "\\0" "\\377"')).stdout).toHaveLength(
    100_000,
  );

  await using _two = await shellOn(node2);
  const both = await mesh('node', 'ctl', '--all', 'printf "a\\nb"; test $(hostname) = never');
  expect(both.code).toBe(1);
  expect(both.stdout.split('\n').sort()).toEqual(['', 'node1  a', 'node1  b', 'node2  a', 'node2  b']);
  const answer = await mesh('node', 'ctl', '-n', 'node2', '-n', 'node1', 'echo $((40+2)); exit 3', '--json');
  expect(JSON.parse(answer.stdout)).toEqual(
    [node2, node1].map(({ name, machine }) => ({ node: name, machine, exitCode: 3, stdout: '42\n', stderr: '' })),
  );
  expect(answer.code).toBe(3);
});

async function nodes(which: (node: ListedNode) => boolean): Promise<ListedNode[]> {
  return (await fetchFromHost0(host0Client(pathsBelow(host0.root)))).filter(which);
}

async function refusal(node: string): Promise<unknown[]> {
  const { code, stderr, stdout } = await mesh('node', 'ctl', '-n', node, 'touch /marks/in');
  expect(stdout).toBe('');
  return [code, /\[(MESH_\w+)\]/.exec(stderr)?.[1]];
}

test('each reason why a node takes no command has its own error', async () => {
  expect(await refusal('node9')).toEqual([6, 'MESH_NODE_UNKNOWN']);
  expect(await refusal('host0')).toEqual([2, 'MESH_USAGE']);
  await secretsOf(state, node2.machine);
  {
    // The host key of another machine, at the right address.
    await using two = await shellOn(node2, { secrets: await secretsOf(join(state, 'other'), node2.machine) });
    expect(await refusal('node2')).toEqual([4, 'MESH_NODE_IMPOSTOR']);
    expect(two.isMarked('in')).toBe(false);
  }
  await until('SSH is gone', LISTEN_DEADLINE_MS, () => listening(node2).length === 0);
  expect(await refusal('node2')).toEqual([4, 'MESH_NODE_NO_CONTROL']);
  {
    const other = publicKeyOf(newPrivateKey('other'), 'other') ?? '';
    await using two = await shellOn(node2, { keys: [other] });
    expect(await refusal('node2')).toEqual([4, 'MESH_NODE_NO_CONTROL']);
    expect(two.isMarked('in')).toBe(false);
  }
  // host0 notices that the node is silent while the next tests run.
  await lab.stop(node2, 'agent');
});

test('a node reboots after it has answered', async () => {
  await using one = await shellOn(node1);
  const { code, stdout } = await mesh('node', 'reboot', 'node1', '--json');
  expect([code, JSON.parse(stdout)]).toEqual([0, [{ node: 'node1', machine: node1.machine }]]);
  await until('it reboots', LISTEN_DEADLINE_MS, () => one.isMarked('reboot'));
});

test('a log is followed until the reader ends', async () => {
  await using _one = await shellOn(node1);
  const { stdout } = await mesh('node', 'logview', 'node1', '--lines', '1000', '--json');
  expect(stdout.split('\n').some((line) => line !== '' && JSON.parse(line).kind === 'started')).toBe(true);
  const tails = () =>
    spawnSync('pgrep', ['-f', '^tail -n 5 -F /var/log/meshwork/agent.log$'], { encoding: 'utf8' }).stdout;
  const words = ['--root', host0.root, 'node', 'logview', 'node1', '-n', '5', '--follow'];
  const follow = inNetns(netnsPath(host0.netns), () => spawn(MESH, words, { stdio: ['ignore', 'pipe', 'inherit'] }));
  let shown = '';
  follow.stdout.setEncoding('utf8').on('data', (text: string) => {
    shown += text;
  });
  await until('it follows', LISTEN_DEADLINE_MS, () => tails() !== '' && shown !== '');
  appendFileSync(join(pathsBelow(node1.root).logs, 'agent.log'), 'a new \x1b[2Jline\n');
  await until('the new line', LISTEN_DEADLINE_MS, () => shown.includes('a new \\x1b[2Jline\n'));
  follow.kill('SIGINT');
  const [code] = await once(follow, 'exit');
  expect(code).toBe(130);
  await until('its tail ends', LISTEN_DEADLINE_MS, () => tails() === '');
});

test('SSH listens in the mesh only, and takes only host0’s key', async () => {
  await using _one = await shellOn(node1);
  const [view] = await nodes(({ name }) => name === 'node1');
  if (view === undefined || view.role === 'machine') throw new TypeError('node1 is a member');
  const ipv6 = view.meshes[0]?.ipv6;
  expect(listening(node1)).toEqual([`[${ipv6}]:22`]);
  const ssh = (address: string, ...options: string[]) =>
    spawnSync(
      'nsenter',
      [
        ...[`--net=${netnsPath(host0.netns)}`, 'ssh', '-F', 'none', '-o', 'BatchMode=yes', '-o', 'IdentityAgent=none'],
        ...['-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null', '-o', 'ConnectTimeout=5'],
        ...['-o', 'LogLevel=ERROR', ...options, `root@${address}`, 'echo in'],
      ],
      { encoding: 'utf8' },
    );
  const key = ['-o', 'IdentitiesOnly=yes', '-i', join(state, 'keys/command')];
  expect(ssh(`${ipv6}`, ...key).stdout).toBe('in\n');
  expect(ssh(view.ipv4, ...key).stderr).toMatch(/Connection refused/);
  expect(ssh(`${ipv6}`, '-o', 'IdentitiesOnly=yes', '-i', '/dev/null').stderr).toMatch(/Permission denied/);
  expect(ssh(`${ipv6}`, '-o', 'PreferredAuthentications=password,keyboard-interactive').stderr).toMatch(
    /Permission denied \(publickey\)/,
  );
});

test('host0 knows the inventory of its nodes', async () => {
  const [found] = await until('an inventory', LISTEN_DEADLINE_MS, async () => {
    const known = await nodes(({ name, hardware }) => name === 'node1' && hardware?.inventory !== undefined);
    return known.length > 0 && known;
  });
  expect(parseMachineId(found?.hardware?.machine ?? '')).toBe(node1.machine);
  expect(found?.hardware?.inventory?.cpu.threads).toBeGreaterThan(0);
  expect((await meshOn(host0, 'node', 'info', 'node1')).stdout).toMatch(/^cpu .*threads?$/m);
});

test('a command on a node that is gone fails at once', async () => {
  await until(
    'node2 is gone',
    30_000,
    async () => (await nodes(({ name, online }) => name === 'node2' && !online)).length > 0,
  );
  expect(await refusal('node2')).toEqual([3, 'MESH_NODE_OFFLINE']);
});

test('with admission=token, a node is a member with the key that host0 gave it, and with no other', async () => {
  writeFileSync(pathsBelow(host0.root).host0Conf[0] ?? '', 'admission="token"\n');
  await lab.stop(host0, 'host0');
  lab.start(host0, 'host0');
  const revoke = async () => (await meshOn(host0, 'node', 'revoke', node2.machine)).code === 0;
  await until('host0 takes the keys of node2 away', LISTEN_DEADLINE_MS, revoke);
  const online = (wanted: string) => nodes(({ name, online }) => name === wanted && online);
  const isProven = async () =>
    (await online('node1')).some((node) => 'channel' in node && node.channel?.state === 'standing');
  await until('node1 stays a member by its channel', LISTEN_DEADLINE_MS, isProven);
  lab.start(node2, 'agent');
  const events = async () => (await meshOn(host0, 'events', '--json')).stdout;
  await until('node2 is refused', LISTEN_DEADLINE_MS, async () => (await events()).includes('has no valid key'));
  expect(await online('node2')).toEqual([]);
  // The agent takes the new key without a restart.
  const { stdout: text } = await meshOn(host0, 'node', 'enroll', 'node2', '--machine', node2.machine);
  writeFileSync(pathsBelow(node2.root).keyFile, text, { mode: 0o600 });
  await until('node2 is in', LISTEN_DEADLINE_MS, async () => (await online('node2')).length > 0);
  const secrets = [text, readFileSync(pathsBelow(node1.root).keyFile, 'utf8')].map(
    (file) => readKeyFile(file).document,
  );
  for (const host of lab.hosts) {
    const { logs } = pathsBelow(host.root);
    const written = readdirSync(logs).map((log) => readFileSync(join(logs, log), 'utf8'));
    for (const { key } of secrets.flatMap((known) => known ?? [])) {
      expect(written.join()).not.toContain(Buffer.from(key).toString('hex'));
    }
  }
});
