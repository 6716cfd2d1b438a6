/** Every command for networks of Debian's virsh, and python3-libvirt, at host0 and at Debian's libvirtd: the answers are the same. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';

const HERE = import.meta.dirname;
const HOST0 = join(HERE, '../../../src/main/host0.ts');
const MESH = join(HERE, '../../../src/main/cli.ts');
const DEADLINE_MS = 180_000;

let directory: string;
let ours: string;
let theirs: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'virsh-'));
  for (const name of ['root', 'ours', 'theirs']) await mkdir(join(directory, name));
  const virsh = ['sh', join(HERE, 'virsh.sh')];
  const root = join(directory, 'root');
  const sock = join(root, 'run/meshwork/libvirt/network-sock');
  ours = await inNamespaces('sh', join(HERE, 'host0.sh'), root, HOST0, ...virsh, sock, join(directory, 'ours'));
  const run = ['sh', join(HERE, 'libvirtd.sh'), ...virsh, '/run/libvirt/libvirt-sock', join(directory, 'theirs')];
  theirs = await inNamespaces(...run);
}, DEADLINE_MS);

afterAll(() => rm(directory, { recursive: true, force: true }));

test('all commands of virsh, and python3-libvirt, answer as with libvirtd', () => {
  expect(normal(theirs)).toContain('Network inner started');
  expect(normal(ours).split('\n')).toEqual(normal(theirs).split('\n'));
});

test(
  'virsh hears of changes by mesh, and net-edit keeps what only Meshwork knows',
  async () => {
    const [root, folder] = [join(directory, 'second'), join(directory, 'events')];
    await mkdir(folder);
    const sock = join(root, 'run/meshwork/libvirt/network-sock');
    const events = ['sh', join(HERE, 'events.sh'), sock, folder, MESH, root];
    const output = await inNamespaces('sh', join(HERE, 'host0.sh'), root, HOST0, ...events);
    const told = [...output.matchAll(/^event 'lifecycle' for network green: (\w+)$/gm)].map(([, kind]) => kind);
    expect(told).toEqual(['Defined', 'Started', 'Stopped', 'Started', 'Stopped', 'Undefined']);
    const linesOf = (which: string) =>
      [...output.matchAll(new RegExp(`^${which}: *(.*)$`, 'gm'))].map(([, line = '']) => line.replaceAll('"', "'"));
    const added = linesOf('after').filter((line) => !linesOf('before').includes(line));
    expect(linesOf('before')).toContain("<mesh:span kind='on-demand'/>");
    expect(linesOf('before').filter((line) => !linesOf('after').includes(line))).toEqual([]);
    // A definition by virsh gives the bridge an Ethernet address, as libvirt does.
    expect(added.map(normal)).toEqual(['<!-- changed -->', "<mac address='MAC'/>"]);
  },
  DEADLINE_MS,
);

test(
  'with libvirt=system, clients find host0 by network:///system, and make ports as virtqemud does',
  async () => {
    const [root, folder] = [join(directory, 'third'), join(directory, 'plain')];
    await mkdir(folder);
    const run = ['env', 'LIBVIRT=system', 'sh', join(HERE, 'host0.sh'), root, HOST0];
    const output = await inNamespaces(...run, 'sh', join(HERE, 'system-socket.sh'), root, folder);
    const lines = output.split('\n').filter((line) => line !== '' && line !== 'main');
    expect(lines).toEqual([
      '$ virsh -r -c network:///system net-define red.xml',
      'error: Failed to define network from red.xml',
      'error: operation forbidden: read only access prevents virNetworkDefineXML',
      'exit code 1',
      '$ virsh -c network:///system net-define red.xml',
      'Network red defined from red.xml',
      'exit code 0',
      '$ virsh -c network:///system net-start red',
      'Network red started',
      'exit code 0',
      '$ virsh -r -c network:///system net-list --name',
      'red',
      'exit code 0',
      '$ virsh -r -c network:///system net-destroy red',
      'error: Failed to destroy network red',
      'error: operation forbidden: read only access prevents virNetworkDestroy',
      'exit code 1',
      "<plug type='network' bridge='virbr7'/>",
      "<network connections='1'>",
      '106',
      'True',
      '0 1',
      'exit code 0',
    ]);
  },
  DEADLINE_MS,
);

/** Runs a command with a network, mounts and processes of its own: what is left of it ends with it. */
async function inNamespaces(...command: readonly string[]): Promise<string> {
  const words = ['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc', ...command];
  const env = { ...process.env, PATH: `${join(process.execPath, '..')}:${process.env.PATH}` };
  const { stdout } = await promisify(execFile)('unshare', words, { env, timeout: DEADLINE_MS, maxBuffer: 2 ** 24 });
  return stdout;
}

/** UUIDs, Ethernet addresses and bridges that a daemon chose are its own. */
function normal(text: string): string {
  return (
    text
      .replaceAll(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'UUID')
      .replaceAll(/52:54:00(?::[0-9a-f]{2}){3}/g, 'MAC')
      .replaceAll(/virbr\d+/g, 'BRIDGE')
      // A network of Meshwork's own, which libvirtd has not.
      .replaceAll(/^ main +active .*\n/gm, '')
      .replaceAll(/^main\n/gm, '')
      .replaceAll(/\/tmp\/virsh-[^/]*\/\w+/g, 'FOLDER')
  );
}
