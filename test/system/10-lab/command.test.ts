/** The commands `mesh lab …`, run as a user runs them. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { commandDirectory } from '../../../src/image/node/program-files.ts';
import { Lab } from '../../../src/lab/cluster/lab.ts';
import { LABS_DIRECTORY } from '../../../src/lab/cluster/record.ts';
import { isReady } from '../drift.ts';
import { pageOf } from '../typist.ts';

const command = join(commandDirectory, 'mesh');
const name = `m${process.pid}`;

function mesh(words: readonly string[], options: { uid?: number; input?: string } = {}) {
  const { status, stdout, stderr } = spawnSync(command, words, { encoding: 'utf8', ...options });
  return { status, stdout, stderr };
}

test.each(['up', 'down', 'status'])('lab %s without root fails before it does anything', (verb) => {
  const { status, stdout, stderr } = mesh(['lab', verb, '--name', name], { uid: 65534 });
  expect(status).toBe(4);
  expect(stdout).toBe('');
  expect(stderr).toMatch(/^error: only root may build and use labs \[MESH_NOT_ROOT\]$/m);
  expect(stderr).toMatch(/remedy: .*sudo/);
  expect(existsSync(join(LABS_DIRECTORY, name))).toBe(false);
});

test('an unknown lab is an error', () => {
  expect(mesh(['lab', 'status', '--name', name])).toMatchObject({ status: 6, stdout: '' });
});

describe('a lab that was kept', () => {
  let up: ReturnType<typeof mesh>;

  beforeAll(() => {
    up = mesh(['lab', 'up', '--name', name, '--keep']);
  });
  afterAll(async () => {
    if (existsSync(join(LABS_DIRECTORY, name))) await Lab.open(name).down();
  });

  test('is shown with its members, every pair, and the throughput', () => {
    expect(up.status).toBe(0);
    expect(up.stdout).toContain(
      'Members, as http://[fd42:2345:1234:9abc::1]:8000/ lists them to node1:\nhost0 10.11.0.1 ',
    );
    expect(up.stdout).toMatch(/^host0 +\.( +\d+\.\d\d){3}$/m);
    expect(up.stdout).toMatch(/^node3( +\d+\.\d\d){3} +\.$/m);
    expect(up.stdout).toContain('12 of 12 pairs answer');
    expect(up.stdout).toMatch(/^node1 → node2 carries \d+(\.\d+)? Gbit\/s over the mesh\.$/m);
    expect(up.stderr).toMatch(/^waiting until every pair answers 12 of 12, \d+\.\d\d s$/m);
    expect(up.stderr).toContain(`mesh lab exec --name ${name} node1 -- mesh status`);
  });

  test('runs commands with their own input, output and exit code', () => {
    const exec = (...words: string[]) =>
      mesh(['lab', 'exec', '--name', name, 'node1', '--', ...words], { input: 'in' });
    expect(exec('sh', '-c', 'cat; echo err >&2; exit 7')).toEqual({ status: 7, stdout: 'in', stderr: 'err\n' });
    expect(exec('ip', '-o', 'link', 'show', 'dev', 'br456').stdout).toContain('br456');
    expect(exec('sh', '-c', 'command -v mesh').stdout.trim()).toBe(command);
    expect(exec('no-such-program').status).toBe(6);
  });

  test('shows its hosts, their processes and the members', () => {
    const { status, stdout } = mesh(['lab', 'status', '--name', name, '--json']);
    expect(status).toBe(0);
    const hosts = JSON.parse(stdout).hosts as { name: string; member: boolean; processes: { pid: number | null }[] }[];
    expect(hosts.map((host) => host.name)).toEqual(['host0', 'node1', 'node2', 'node3']);
    expect(hosts.every((host) => host.member)).toBe(true);
    expect(hosts.flatMap((host) => host.processes).every(({ pid }) => pid !== null)).toBe(true);
  });

  test('restarts a host behind the firewall of docs/firewall.md, which lets all of Meshwork through', async () => {
    const [, rules = ''] = /```nft\n(table [\s\S]*?)```/.exec(pageOf('docs/firewall.md')) ?? [];
    const lab = Lab.open(name);
    for (const host of lab.hosts) {
      const exec = ['lab', 'exec', '--name', name, host.name, '--', 'nft', '-f', '-'];
      expect(mesh(exec, { input: rules })).toMatchObject({ status: 0 });
    }
    const before = lab.process(lab.host('node1'), 'agent')?.pid;
    for (const host of ['host0', 'node1']) {
      expect(mesh(['lab', 'restart', '--name', name, host])).toMatchObject({
        status: 0,
        stdout: expect.stringMatching(/Started the agent \(pid \d+\)\.\n$/),
      });
    }
    expect(lab.process(lab.host('node1'), 'agent')?.pid).not.toBe(before);
    for (const host of lab.hosts) await isReady(host);
    await lab.ready();
    // Trace asks the agents of all hops.
    const trace = mesh(['lab', 'exec', '--name', name, 'node1', '--', 'mesh', 'trace', 'manage', 'node1', 'node2']);
    expect(trace, trace.stdout + trace.stderr).toMatchObject({ status: 0 });
  });

  test('is taken down once', () => {
    expect(mesh(['lab', 'down', '--name', name]).status).toBe(0);
    expect(existsSync(join(LABS_DIRECTORY, name))).toBe(false);
    expect(mesh(['lab', 'down', '--name', name]).status).toBe(6);
  });
});
