/** A lab: what it builds, what it leaves alone, and what it removes. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { Lab, type LabOptions } from '../../../src/lab/cluster/lab.ts';
import { LABS_DIRECTORY } from '../../../src/lab/cluster/record.ts';
import { parseIpv4 } from '../../../src/model/address/ipv4.ts';
import { isRunning, processMarkOf } from '../../../src/services/process/process-mark.ts';

const name = `t${process.pid}`;
const directory = join(LABS_DIRECTORY, name);
const size: LabOptions = { name, nodes: 3, segments: 2 };

afterEach(async () => {
  if (existsSync(directory)) await Lab.open(name).down();
});

function namespaces(): string[] {
  return execFileSync('ip', ['netns', 'list'], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line.startsWith(`mw-${name}-`));
}

async function reaches(lab: Lab, from: string, ipv4: string): Promise<boolean> {
  return (await lab.exec(lab.host(from), ['ping', '-c', '1', '-W', '0.3', ipv4])).code === 0;
}

describe('the underlay', () => {
  test('joins the hosts of a segment, keeps segments apart, and changes nothing on this machine', async () => {
    const before = execFileSync('ip', ['-json', 'link', 'show']).toString();
    await using lab = await Lab.build(size);
    expect(await reaches(lab, 'host0', '10.11.0.2')).toBe(true);
    expect(await reaches(lab, 'host0', '10.11.1.2')).toBe(true);
    expect(await reaches(lab, 'node1', '10.11.0.3')).toBe(true);
    expect(await reaches(lab, 'node1', '10.11.1.2')).toBe(false);
    expect((await lab.exec(lab.host('node1'), ['ip', 'route', 'show', 'default'])).stdout).toBe('');
    expect(execFileSync('ip', ['-json', 'link', 'show']).toString()).toBe(before);
    await lab.down();
    expect(namespaces()).toEqual([]);
    expect(existsSync(directory)).toBe(false);
  });

  test('can be cut and healed', async () => {
    await using lab = await Lab.build(size);
    const node1 = lab.host('node1');
    await lab.cutCables(node1);
    expect(await reaches(lab, 'host0', '10.11.0.2')).toBe(false);
    await lab.healCables(node1);
    expect(await reaches(lab, 'host0', '10.11.0.2')).toBe(true);
    await lab.cutCables(lab.host('host0'));
    expect(await reaches(lab, 'node2', '10.11.1.1')).toBe(false);
    expect(await reaches(lab, 'node1', '10.11.0.3')).toBe(true);
  });

  test('lets a node change its address', async () => {
    await using lab = await Lab.build(size);
    await lab.setIpv4(lab.host('node1'), parseIpv4('10.11.0.77'));
    expect(lab.host('node1').member.ipv4).toBe('10.11.0.77');
    expect(await reaches(lab, 'host0', '10.11.0.77')).toBe(true);
    expect(await reaches(lab, 'node1', '10.11.0.3')).toBe(true);
    const { stdout } = await lab.exec(lab.host('node1'), ['ip', '-4', '-oneline', 'address', 'show', 'eth0']);
    expect(stdout.match(/inet \S+/g)).toEqual(['inet 10.11.0.77/24']);
    expect((await lab.exec(lab.host('host0'), ['ip', 'neighbour', 'show', '10.11.0.2'])).stdout).toBe('');
  });

  test('uses only permanent neighbour entries, which the kernel never removes', async () => {
    await using lab = await Lab.build(size);
    await reaches(lab, 'host0', '10.11.0.2');
    const { stdout } = await lab.exec(lab.host('host0'), ['ip', '-4', 'neighbour', 'show']);
    expect(stdout.trim().split('\n')).toHaveLength(3);
    expect(stdout.match(/PERMANENT/g)).toHaveLength(3);
  });
});

describe('hosts', () => {
  test('run commands in their own network and root', async () => {
    await using lab = await Lab.build(size);
    const host = lab.host('node2');
    expect(await lab.exec(host, ['sh', '-c', 'echo $MESH_ROOT; exit 7'])).toEqual({
      code: 7,
      stdout: `${host.root}\n`,
      stderr: '',
    });
    expect((await lab.exec(host, ['sh', '-c', 'kill -TERM $$'])).code).toBe(143);
    await expect(lab.exec(host, ['no-such-program'])).rejects.toMatchObject({ code: 'MESH_OBJECT_UNKNOWN' });
    expect(() => lab.host('node4')).toThrow(expect.objectContaining({ code: 'MESH_OBJECT_UNKNOWN' }));
  });

  test('stop and start their processes, and come back from a reboot with their state', async () => {
    await using lab = await Lab.build(size);
    const node1 = lab.host('node1');
    const first = lab.start(node1, 'agent');
    expect(() => lab.start(node1, 'agent')).toThrow(expect.objectContaining({ code: 'MESH_ALREADY_RUNNING' }));
    await lab.stop(node1, 'agent');
    expect(isRunning(first)).toBe(false);
    expect(lab.process(node1, 'agent')).toBeUndefined();

    const second = lab.start(node1, 'agent');
    await lab.exec(node1, [
      'sh',
      '-c',
      'ip link add left0 type dummy; mkdir -p $MESH_ROOT/run/meshwork $MESH_ROOT/var/lib',
    ]);
    await lab.exec(node1, ['sh', '-c', 'echo x >$MESH_ROOT/run/meshwork/x; echo x >$MESH_ROOT/var/lib/x']);
    await lab.rebootHost(node1);
    expect(isRunning(second)).toBe(false);
    expect(lab.process(node1, 'agent')).toBeDefined();
    expect((await lab.exec(node1, ['ip', 'link', 'show', 'left0'])).code).toBe(1);
    expect(existsSync(join(node1.root, 'run/meshwork/x'))).toBe(false);
    expect(existsSync(join(node1.root, 'var/lib/x'))).toBe(true);
    expect(await reaches(lab, 'host0', '10.11.0.2')).toBe(true);
  });

  test('have a machine id that is the same each time', async () => {
    const idOf = async () => {
      await using lab = await Lab.build(size);
      return readFileSync(join(lab.host('node1').root, 'etc/meshwork/machine'), 'utf8');
    };
    const id = await idOf();
    expect(id).toMatch(/^[0-9a-f]{8}\n$/);
    expect(await idOf()).toBe(id);
  });
});

test('a process is recognised by its start time, not only by its number', () => {
  const self = processMarkOf(process.pid);
  expect(isRunning(self)).toBe(true);
  expect(isRunning({ ...self, startTime: '1' })).toBe(false);
});

test('a kept lab is taken down only explicitly', async () => {
  const lab = await Lab.build(size);
  await lab.keep();
  await expect(Lab.build(size)).rejects.toMatchObject({ code: 'MESH_ALREADY_RUNNING' });
  expect(namespaces()).toHaveLength(5);
  await Lab.open(name).down();
  expect(namespaces()).toEqual([]);
});
