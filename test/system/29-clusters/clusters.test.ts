/** Labs of virtual machines, run as a user runs them: `mesh lab up TOPOLOGY` and `xc`, with the customisations of hooks and net set-ups. */
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { commandDirectory } from '../../../src/image/node/program-files.ts';
import { Lab } from '../../../src/lab/cluster/lab.ts';
import { LABS_DIRECTORY, readRecord } from '../../../src/lab/cluster/record.ts';
import { shippedFile } from '../../../src/lab/shipped-files.ts';
import { takeTurnToEmulate } from '../80-boot/emulation-lane.ts';
import { pageOf } from '../typist.ts';
import { until } from '../until.ts';

takeTurnToEmulate();

const name = `v${process.pid}`;
const place = mkdtempSync(join(tmpdir(), 'mw-clusters-'));
/** A machine boots in three seconds on an idle machine, and in ten times that beside other tests. */
const UP_MS = 240_000;
/** For tests that boot machines. */
const LONG_TEST = { timeout: UP_MS + 60_000 };

afterAll(async () => {
  rmSync(place, { recursive: true });
  if (readRecord(join(LABS_DIRECTORY, name)) !== undefined) await Lab.open(name).down();
});

function run(
  program: 'mesh' | 'xc',
  words: readonly string[],
  options: { input?: string; env?: Record<string, string> } = {},
) {
  const { input = '', env = {} } = options;
  const { status, stdout, stderr } = spawnSync(join(commandDirectory, program), words, {
    encoding: 'utf8',
    input,
    cwd: place,
    timeout: UP_MS,
    // PATH as that of a user who has installed the package.
    env: { ...process.env, PATH: `${commandDirectory}:${process.env.PATH}`, MESH_LAB: name, ...env },
  });
  return { status, stdout, stderr };
}

const lab = (...words: string[]) => run('mesh', ['lab', ...words]);
const on = (vm: string, ...words: string[]) => lab('exec', vm, '--', ...words);

/** All that a lab could leave: its namespaces, its directory, and emulators. */
function leftovers(): string[] {
  const namespaces = readdirSync('/run/netns').filter((each) => each.includes(`-${name}-`));
  const directories = existsSync(join(LABS_DIRECTORY, name)) ? [join(LABS_DIRECTORY, name)] : [];
  const processes = readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(`${LABS_DIRECTORY}/${name}/`);
    } catch {
      return false;
    }
  });
  return [...namespaces, ...directories, ...processes.map((pid) => `process ${pid}`)];
}

describe('a lab of the topology default', () => {
  test('comes up by one command, and shows its accelerator', LONG_TEST, () => {
    const { status, stdout, stderr } = lab('up', 'default', '--nodes', '1', '--routers', '1');
    expect(status, stderr).toBe(0);
    expect(stdout).toMatch(/^vm-001 {2}nets 0, 1\nvm-201 {2}nets 0, 1, 2\nAll 2 answer after \d+\.\d s\.\n$/);
    expect(stderr).toMatch(/^Accelerator: (?:KVM\.|none, QEMU interprets \(TCG\)\. \S.*)$/m);
    expect(stderr).toMatch(/^vm-201 answers after \d+\.\d s$/m);
  });

  test('its machines answer on all three nets with the addresses of the formula', () => {
    for (const address of ['192.168.0.1', '192.168.0.201', 'fd00::c0a8:c9', '192.168.2.201', 'fd00::c0a8:2c9']) {
      expect(lab('exec', 'host0', '--', 'ping', '-c1', '-W5', address), address).toMatchObject({ status: 0 });
    }
    for (const address of ['192.168.1.201', 'fd00::c0a8:1c9']) {
      expect(on('vm-001', 'ping', '-c1', '-W5', address), address).toMatchObject({ status: 0 });
    }
    // This machine is not in the cluster net.
    expect(lab('exec', 'host0', '--', 'ip', '-4', '-br', 'address', 'show', 'dev', 'xcbr1').stdout).not.toContain(
      '192.168',
    );
    // The router forwards between the cluster net and the external net.
    expect(on('vm-001', 'ping', '-c1', '-W5', '192.168.2.201')).toMatchObject({ status: 0 });
  });

  test('its nets are networks of its host0', () => {
    const { stdout } = lab('exec', 'host0', '--', 'mesh', 'network', 'list');
    for (const bridge of ['xcbr0', 'xcbr1', 'xcbr2'])
      expect(stdout).toMatch(new RegExp(`^${bridge} +ready +bridge`, 'm'));
    expect(lab('exec', 'host0', '--', 'mesh', 'drift').status).toBe(0);
  });

  test('commands, files, consoles and terminals', () => {
    expect(on('vm-201', 'sh', '-c', 'hostname; exit 7')).toMatchObject({ status: 7, stdout: 'vm-201\n' });
    expect(lab('ssh', '1', '--', 'hostname; echo "$LAB_NUMBER of $LAB_NODES"').stdout).toBe('vm-001\n1 of 1\n');
    writeFileSync(join(place, 'note'), 'from here\n');
    expect(lab('cp', 'note', 'vm-001:/tmp/there').status).toBe(0);
    expect(lab('cp', 'vm-001:/tmp/there', 'vm-201:/tmp').status).toBe(0);
    expect(lab('cp', 'vm-201:/tmp/there', 'back').status).toBe(0);
    expect(readFileSync(join(place, 'back'), 'utf8')).toBe('from here\n');
    expect(lab('cp', 'vm-001:/tmp/nothing', '.')).toMatchObject({
      status: 5,
      stderr: expect.stringContaining('nothing was copied'),
    });
    // The end of the input leaves the console, as Ctrl-] does.
    const typed = run('mesh', ['lab', 'console', 'vm-001'], { input: 'echo "it is $((6 * 7))"\n\n' });
    expect(typed.status).toBe(0);
    const net = lab(
      'exec',
      'host0',
      '--',
      'sh',
      '-c',
      '(echo "echo it is \\$((6 * 7))"; sleep 3) | busybox telnet 192.168.0.1',
    );
    expect(net.stdout).toContain('it is 42');
  });

  test('what passes on a net is captured', async () => {
    const tcpdump = spawn(join(commandDirectory, 'mesh'), [
      'lab',
      'capture',
      '1',
      '-w',
      join(place, 'net.pcap'),
      '--count',
      '2',
      'icmp',
      '--name',
      name,
    ]);
    let said = '';
    tcpdump.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    const ended = new Promise((resolve) => tcpdump.once('close', resolve));
    await until('tcpdump listens', 30_000, () => said.includes('listening on xcbr1'));
    expect(on('vm-001', 'ping', '-c1', '-W5', '192.168.1.201').status).toBe(0);
    expect(await ended).toBe(0);
    const { stdout } = spawnSync('tcpdump', ['-n', '-r', join(place, 'net.pcap')], { encoding: 'utf8' });
    expect(stdout).toContain('192.168.1.1 > 192.168.1.201: ICMP echo request');
  });

  test('grows and shrinks, is drawn and listed', LONG_TEST, () => {
    expect(lab('scale', '2')).toMatchObject({ status: 0, stdout: 'vm-002 answers\n' });
    expect(on('vm-002', 'ping', '-c1', '-W5', '192.168.1.1').status).toBe(0);
    const picture = lab('graph').stdout;
    for (const shown of ['<svg', 'xcbr0', 'vm-002', 'vm-201', 'external']) expect(picture).toContain(shown);
    expect(lab('scale', '1')).toMatchObject({ status: 0, stdout: 'vm-002 is off\n' });
    const { stdout, status } = lab('status', '--json');
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      topology: 'default',
      nets: [0, 1, 2],
      machines: [
        { name: 'vm-001', ipv4: ['192.168.0.1', '192.168.1.1'], pid: expect.any(Number) },
        { name: 'vm-201', role: 'router', ipv6: ['fd00::c0a8:c9', 'fd00::c0a8:1c9', 'fd00::c0a8:2c9'] },
      ],
    });
    expect(lab('list').stdout).toMatch(new RegExp(`^${name} +kept +vms`, 'm'));
  });

  test('is taken down whole', () => {
    expect(lab('down').status).toBe(0);
    expect(leftovers()).toEqual([]);
  });
});

test('a hook adds a fourth net, and a net set-up puts the machines on Open vSwitch', LONG_TEST, () => {
  const [, hook = ''] = /```sh\n(# my_experiment\/xcluster\.hook\n[\s\S]*?)```/.exec(pageOf('docs/clusters.md')) ?? [];
  expect(hook).toContain('cmd_mystart');
  writeFileSync(join(place, 'xcluster.hook'), hook);
  writeFileSync(
    join(place, 'ovs'),
    `#!/bin/sh\necho "$1 $2" >>"$LAB_DIR/calls"\nexec ${shippedFile('net-setup', 'ovs')} "$1" "$2"\n`,
  );
  chmodSync(join(place, 'ovs'), 0o755);
  const env = { XCLUSTER_HOOK: join(place, 'xcluster.hook'), __net_setup: join(place, 'ovs') };
  const { status, stderr } = run('xc', ['mystart', '--nvm=2', '--nrouters=0'], { env });
  expect(status, stderr).toBe(0);
  expect(
    readFileSync(join(LABS_DIRECTORY, name, 'calls'), 'utf8')
      .trim()
      .split('\n')
      .toSorted(),
  ).toEqual([...['1 0', '1 1', '1 3', '2 0', '2 1', '2 3']]);
  expect(lab('exec', 'host0', '--', 'mesh', 'network', 'list').stdout).toMatch(/^xcbr3 +ready +bridge/m);
  expect(on('vm-001', 'cat', '/sys/class/net/eth2/address').stdout).toBe('02:00:00:01:03:01\n');
  expect(on('vm-001', 'ping', '-c2', '-W5', '192.168.1.2').status).toBe(0);
  const bridges = lab(
    'exec',
    'host0',
    '--',
    'sh',
    '-c',
    `ovs-vsctl --db=unix:${LABS_DIRECTORY}/${name}/ovs/db.sock list-ports ovs1`,
  );
  expect(bridges.stdout).toBe('ovs1_t1\novs1_t2\n');
  expect(run('xc', ['stop']).status).toBe(0);
  expect(leftovers()).toEqual([]);
});

test(
  'links, an MTU and IPv6 alone are as the topology says, and /tmp has room when the root is full',
  LONG_TEST,
  async () => {
    const topology = [
      'roles:',
      '  node: { count: 1, nets: [0, 1] }',
      '  router: { count: 1, nets: [0, 1, 2] }',
      'overlays: [cluster-net, external-net, routers, mtu, ipv6-only]',
      'links:',
      '  - { net: 1, machine: vm-201, lossPercent: 100, rateMbit: 10 }',
      '',
    ].join('\n');
    writeFileSync(join(place, 'links.yaml'), topology);
    const { status, stderr } = lab('up', 'links.yaml');
    expect(status, stderr).toBe(0);
    expect(on('vm-201', 'cat', '/sys/class/net/eth1/mtu', '/sys/class/net/eth2/mtu').stdout).toBe('1280\n1280\n');
    expect(on('vm-201', 'sh', '-c', 'ip address show dev eth1 | grep "inet "')).toMatchObject({
      status: 1,
      stdout: '',
    });
    expect(on('vm-201', 'sh', '-c', 'dd if=/dev/zero of=/full bs=64k; echo room >/tmp/room').stderr).toContain(
      'No space left',
    );
    expect(on('vm-201', 'cat', '/tmp/room').stdout).toBe('room\n');
    const shaped = lab('exec', 'host0', '--', 'tc', 'qdisc', 'show', 'dev', 'xcbr1_t201').stdout;
    expect(shaped).toMatch(/^qdisc tbf .* rate 10Mbit/);
    const ask = () => on('vm-001', 'ping', '-c1', '-W2', 'fd00::c0a8:1c9').status;
    expect(ask()).toBe(1);
    expect(lab('exec', 'host0', '--', 'nft', 'delete table netdev loss_xcbr1_t201').status).toBe(0);
    // The first echo may go with the search for the neighbour that the loss has made fail.
    await until('vm-201 answers', 30_000, () => ask() === 0);
    expect(lab('down').status).toBe(0);
    expect(leftovers()).toEqual([]);
  },
);

test('after a kill -9 in mid-start, down leaves nothing', LONG_TEST, async () => {
  const child = spawn(join(commandDirectory, 'mesh'), [
    'lab',
    'up',
    'default',
    '--nodes',
    '1',
    '--routers',
    '0',
    '--name',
    name,
  ]);
  const ended = new Promise((resolve) => child.once('close', resolve));
  await until('an emulator runs', 60_000, () => existsSync(join(LABS_DIRECTORY, name, 'vm-001', 'qmp.sock')));
  child.kill('SIGKILL');
  await ended;
  expect(leftovers()).not.toEqual([]);
  expect(lab('down').status).toBe(0);
  expect(leftovers()).toEqual([]);
});

test('the tests of a directory run on a lab of their own, and are reported as TAP and JUnit', LONG_TEST, () => {
  writeFileSync(
    join(place, 'test.yaml'),
    `topology: default
nodes: 1
routers: 0
steps:
  - { name: its name, on: vm-001, run: hostname, says: ^vm-001$ }
  - { name: its host, on: host0, run: ping -c1 -W1 192.168.0.1, withinSec: 30 }
  - { name: a wrong hope, on: vm-001, run: exit 3, withinSec: 1 }
`,
  );
  const { status, stdout, stderr } = lab('test', '.', '--junit', 'result.xml', '--artifacts', 'kept');
  expect(status, stdout + stderr).toBe(1);
  expect(stdout).toMatch(/^TAP version 14\n1\.\.3\nok 1 - its name\nok 2 - its host\nnot ok 3 - a wrong hope\n/);
  expect(readFileSync(join(place, 'result.xml'), 'utf8')).toContain('<failure message="ended with 3, not with 0"/>');
  expect(readFileSync(join(place, 'kept/vm-001.console'), 'utf8')).toContain('lab: ready vm-001');
  expect(leftovers()).toEqual([]);
});

describe('what does not come up', () => {
  test('a machine is named with the end of its console and a cause, and nothing is left', LONG_TEST, () => {
    const topology = ['roles:', '  node: { count: 1, nets: [0] }', 'overlays: [./breaks-init]', ''].join('\n');
    writeFileSync(join(place, 'broken.yaml'), topology);
    spawnSync(
      'sh',
      ['-c', 'mkdir -p breaks-init && printf "#!/bin/nothing\\n" >breaks-init/init && chmod +x breaks-init/init'],
      { cwd: place },
    );
    const { status, stderr } = lab('up', 'broken.yaml');
    expect(status).toBe(5);
    expect(stderr).toMatch(/^error: vm-001 does not come up: an overlay has replaced \/init/m);
    expect(stderr).toMatch(/The end of the console of vm-001:[\s\S]*(?:No working init|Failed to execute)/);
    expect(stderr).toMatch(/remedy: Leave overlays out/);
    expect(leftovers()).toEqual([]);
  });

  test('a net set-up that fails stops the lab with its own words, and nothing is left', () => {
    writeFileSync(join(place, 'bad'), '#!/bin/sh\necho "no such switch" >&2\nexit 3\n');
    chmodSync(join(place, 'bad'), 0o755);
    const { status, stderr } = lab('up', 'default', '--nodes', '1', '--routers', '0', '--net-setup', './bad');
    expect(status).toBe(1);
    expect(stderr).toMatch(/^error: .*\/bad 1 0 ended with 3: no such switch \[MESH_LAB_NET_SETUP\]$/m);
    expect(leftovers()).toEqual([]);
  });

  test('a topology with a fault is told before anything is built', () => {
    writeFileSync(join(place, 'wrong.yaml'), 'roles:\n  node: { count: 2, nets: [1] }\n');
    const { status, stderr } = lab('up', 'wrong.yaml');
    expect(status).toBe(1);
    expect(stderr).toMatch(/wrong\.yaml:2:21: error: roles\.node\.nets does not fit \[MESH_LAB_TOPOLOGY\]/);
    expect(leftovers()).toEqual([]);
  });
});
