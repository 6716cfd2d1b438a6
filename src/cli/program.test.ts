/** The command line as a whole: exit codes, errors, completion and help. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import * as documents from '../../test/cli/documents.ts';
import { FakeDaemon } from '../../test/cli/fake-daemon.ts';
import { BIN, commandLine, mesh, meshProcess, runCommand, wholeTree } from '../../test/cli/mesh.ts';
import { VERSION } from '../model/version.ts';
import { pathsBelow } from '../protocol/documents/paths.ts';
import { leavesOf } from './pages/command-leaf.ts';

let root: string;
let agent: FakeDaemon;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'mesh-program-'));
  agent = new FakeDaemon({
    'GET /v1/networks': documents.networks,
    'GET /v1/given': [],
    'GET /v1/drift': documents.drift,
    'GET /v1/ports': documents.ports,
    'GET /v1/events?follow=0': Array.from({ length: 5000 }, () => documents.agentEvents[1]),
  });
  await agent.listen(pathsBelow(root).agentSock);
  vi.stubEnv('MESH_ROOT', root);
});

afterAll(async () => {
  vi.unstubAllEnvs();
  await agent.close();
  await rm(root, { recursive: true });
});

/** In this process, which takes a tenth of the time that a process of its own takes. */
const run = (...words: string[]) => commandLine(words);
const runProcess = (...words: string[]) => meshProcess(words, { cwd: root, env: { MESH_ROOT: root } });

describe('the command line', () => {
  test('--version is the version of the package', async () => {
    expect(await runProcess('--version')).toEqual({ stdout: `meshwork ${manifest.version}\n`, stderr: '', code: 0 });
    expect(VERSION).toBe(manifest.version);
  });

  test.each([
    '-v',
    'version',
    '--root . --version',
  ])('`mesh %s` prints the version, with --json as a document', async (line) => {
    const words = line.split(' ');
    expect(await run(...words)).toMatchObject({ stdout: `meshwork ${manifest.version}\n`, code: 0 });
    const { stdout } = await run(...words, '--json');
    expect(JSON.parse(stdout)).toEqual({ name: 'meshwork', version: manifest.version });
  });

  test('help for a command that does not exist says so', async () => {
    for (const line of ['help nosuch', 'nosuch --help', 'nosuch help'])
      expect(await run(...line.split(' ')), line).toMatchObject({
        stdout: '',
        stderr: expect.stringContaining("unknown command 'nosuch'"),
        code: 2,
      });
    expect(await run('help', 'netwrok')).toMatchObject({ stderr: expect.stringContaining('network?'), code: 2 });
    for (const line of ['network nosuch --help', 'help network nosuch', 'network help nosuch'])
      expect(await run(...line.split(' ')), line).toMatchObject({
        stderr: expect.stringContaining('See `mesh network --help`.'),
        code: 2,
      });
  });

  test('help for a command in the forms of other programs', async () => {
    const { stdout } = await run('network', 'show', '--help');
    expect(stdout).toContain('Usage: mesh network show');
    for (const line of ['help network show', 'network help show', 'network show -h'])
      expect(await run(...line.split(' ')), line).toEqual({ stdout, stderr: '', code: 0 });
  });

  test('`ls` lists', async () => {
    expect(await run('network', 'ls')).toEqual(await run('network', 'list'));
  });

  test('an unknown noun, verb or option suggests the nearest one; exit code 2', async () => {
    const noun = await run('netwrok', 'list');
    expect(noun).toMatchObject({ stdout: '', code: 2 });
    expect(noun.stderr).toContain("unknown command 'netwrok'");
    expect(noun.stderr).toContain('Did you mean network?');
    expect(await run('network', 'lits')).toMatchObject({ stderr: expect.stringContaining('list?'), code: 2 });
    expect(await run('status', '--jsn')).toMatchObject({ stderr: expect.stringContaining('--json?'), code: 2 });
  });

  test('a missing verb or argument is wrong usage', async () => {
    expect(await run('network')).toMatchObject({ stdout: '', stderr: expect.stringContaining('Usage:'), code: 2 });
    expect(await run('network', 'show')).toMatchObject({ stderr: expect.stringContaining('network'), code: 2 });
    const count = await run('ping', 'manage', 'node2', '-c', '0');
    expect(count).toMatchObject({ stderr: expect.stringContaining('See `mesh ping --help`.'), code: 2 });
  });

  test('help goes to stdout, with exit code 0', async () => {
    expect(await run('help', 'network')).toMatchObject({ stdout: expect.stringContaining('check'), code: 0 });
    expect(await run('--help')).toMatchObject({ stdout: expect.stringContaining('--root'), code: 0 });
  });

  test('an error goes to stderr, with --json to stdout as a document', async () => {
    const nowhere = ['--root', join(root, 'nowhere'), 'plan'];
    expect(await runProcess(...nowhere)).toMatchObject({
      stdout: '',
      stderr: expect.stringContaining('the agent is not running [MESH_NOT_RUNNING]'),
      code: 3,
    });
    const { stdout, stderr, code } = await runProcess(...nowhere, '--json');
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'MESH_NOT_RUNNING' } });
    expect({ stderr, code }).toEqual({ stderr: '', code: 3 });
  });

  test('exit codes tell drift from a network that does not exist', async () => {
    expect(await run('drift')).toMatchObject({ code: 1 });
    expect(await run('network', 'show', 'green')).toMatchObject({ code: 6 });
  });

  test('a reader that closes the pipe is no error', async () => {
    const child = spawn(BIN, ['events'], {
      env: { ...process.env, MESH_ROOT: root },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let complaints = '';
    child.stderr.on('data', (chunk) => {
      complaints += chunk;
    });
    child.stdout.once('data', () => child.stdout.destroy());
    const [code] = await once(child, 'close');
    expect({ code, complaints }).toEqual({ code: 0, complaints: '' });
  });
});

describe('what the system refuses', () => {
  /** Runs a script whose words `mesh` are this checkout's. */
  const shell = (script: string) =>
    runCommand('unshare', ['--mount', 'sh', '-c', script.replaceAll('mesh ', `${BIN} `)], {
      cwd: root,
      env: { MESH_ROOT: root },
    });

  test.each([
    'genid machine 8',
    '--json network list',
    '--help',
    'events',
  ])('an answer of `mesh %s` that cannot be written', async (line) => {
    expect(await shell(`mesh ${line} > /dev/full`)).toEqual({
      stdout: '',
      stderr:
        'error: the answer on standard output: no space is left [MESH_DISK_REFUSED]\n' +
        '  while: write: the answer on standard output\n' +
        '  remedy: Make room on the disk.\n',
      code: 5,
    });
  });

  test('a message that cannot be written leaves its exit code', async () => {
    expect(await shell('mesh network show green 2> /dev/full')).toEqual({ stdout: '', stderr: '', code: 6 });
  });

  test.each(['status', 'system status', 'network list'])('a root that is a file, for `mesh %s`', async (line) => {
    const { stderr, code } = await shell(`touch file; mesh --root file ${line}`);
    expect(stderr).toMatch(/^error: .*\/file\/run\/.*: a part of the path is not a directory \[MESH_DISK_REFUSED\]$/m);
    expect(stderr).not.toContain('    at ');
    expect(code).toBe(5);
  });

  test.each([
    // Room for no file, and room for a file but not for its content.
    'size=1m,nr_inodes=3',
    'size=4k',
  ])('a /run that is full (%s), for `mesh agent run`', async (limits) => {
    const mount = `mkdir -p run; mount -t tmpfs -o ${limits} none run; mkdir run/meshwork`;
    const fill = 'echo full >run/filler; head -c 9999 /dev/zero >>run/filler 2>/dev/null';
    const { stderr, code } = await shell(`${mount}; ${fill}; mesh agent run --host0 192.0.2.9`);
    expect(stderr).toMatch(/^error: .*no space is left \[MESH_DISK_REFUSED\]$/m);
    expect(stderr).toMatch(/^ {2}remedy: Make room on the disk\.$/m);
    expect(stderr).not.toContain('    at ');
    expect(code).toBe(5);
  });

  test.each([
    'system start',
    'node adopt 10eff964 node1',
    'system image node',
  ])('a root that is read-only, for `mesh %s`', async (line) => {
    const mount = 'mkdir -p ro; mount -t tmpfs none ro; mkdir -p ro/host0/machines; mount -o remount,ro ro';
    const { stderr, code } = await shell(`${mount}; mesh --root ro ${line}`);
    expect(stderr).toMatch(/^error: .*the file system is read-only \[MESH_DISK_REFUSED\]$/m);
    expect(stderr).not.toContain('    at ');
    expect(code).toBe(5);
  });
});

describe('network check', () => {
  const before = process.cwd();
  beforeAll(() => process.chdir(root));
  afterAll(() => process.chdir(before));

  test('sound files are listed', async () => {
    await writeFile(join(root, 'sound.conf'), 'name=manage\nprefix=fd42:2345:1234:9abc::/64\nvni=456\nkey=456\n');
    expect(await run('network', 'check', 'sound.conf')).toMatchInlineSnapshot(`
      {
        "code": 0,
        "stderr": "",
        "stdout": "FILE        CHECK  NETWORK  VNI  PREFIX
      sound.conf  ok     manage   456  fd42:2345:1234:9abc::/64
      ",
      }
    `);
  });

  test('every fault of every file is shown at its place', async () => {
    await writeFile(join(root, 'faulty.conf'), 'name=manage\nprefix=fd42:2345:1234::/48\nvni=0456\n');
    expect(await run('network', 'check', 'faulty.conf')).toMatchInlineSnapshot(`
      {
        "code": 1,
        "stderr": "",
        "stdout": "faulty.conf:2:8: error: prefix is not a /64 [MESH_NET_PREFIX_NOT_64]
        2 | prefix=fd42:2345:1234::/48
          |        ^
        rule: A mesh's prefix is an IPv6 network of exactly 64 bits.
        write: prefix=fd42:2345:1234::/64

      faulty.conf:3:5: error: vni "0456" has leading zeros [MESH_NET_NUMBER_FORM]
        3 | vni=0456
          |     ^
        rule: A number is written without leading zeros: addresses are derived from its text.
        write: vni=456

      faulty.conf:4:1: error: key is missing [MESH_CONF_KEY_MISSING]
        4 |
          | ^
        rule: A mesh has a key, the number from which the addresses of its members are made.
        remedy: Copy the line from the file of this mesh on host0; for a new mesh, \`mesh network conf NAME\` prints one
      ",
      }
    `);
    const document = JSON.parse((await run('network', 'check', 'faulty.conf', '--json')).stdout);
    expect(document).toMatchObject({ ok: false, accepted: [] });
    expect(document.errors.map((error: { code: string }) => error.code)).toMatchInlineSnapshot(`
      [
        "MESH_NET_PREFIX_NOT_64",
        "MESH_NET_NUMBER_FORM",
        "MESH_CONF_KEY_MISSING",
      ]
    `);
  });

  test('a file that is not there, and no file', async () => {
    expect(await run('network', 'check', 'none.conf')).toMatchObject({
      stderr: expect.stringContaining('there is no file none.conf'),
      code: 6,
    });
    const directory = await run('network', 'check', '.');
    expect(directory).toMatchObject({
      stderr: expect.stringContaining('. cannot be read: not a regular file'),
      code: 5,
    });
    expect(directory.stderr).not.toContain('remove');
  });
});

describe('completion', () => {
  /** In this process. The library prints on its console, and looks for `--` among its arguments. */
  const complete = async (...words: string[]) => {
    const { argv } = process;
    let printed = '';
    const log = vi.spyOn(console, 'log').mockImplementation((text) => {
      printed += `${text}\n`;
    });
    process.argv = [...argv.slice(0, 2), 'complete', ...words];
    try {
      const { stdout, ...rest } = await run('complete', ...words);
      return { ...rest, stdout: `${printed}${stdout}` };
    } finally {
      process.argv = argv;
      log.mockRestore();
    }
  };
  const names = (stdout: string) =>
    stdout.split('\n').flatMap((line) => (line === '' || line.startsWith(':') ? [] : [line.split('\t')[0]]));
  const completions = async (...words: string[]) => names((await complete('--', ...words)).stdout);

  test.each(['bash', 'zsh', 'fish'])('there is a script for %s', async (shell) => {
    const { stdout, code } = await complete(shell);
    expect(code).toBe(0);
    expect(stdout).toContain('mesh complete -- ');
  });

  test('nouns and verbs', async () => {
    expect(await completions('ne')).toEqual(['network']);
    expect(await completions('network', '')).toEqual([
      'list',
      'show',
      'create',
      'edit',
      'start',
      'stop',
      'apply',
      'plan',
      'delete',
      'service',
      'wait',
      'leases',
      'define',
      'undefine',
      'autostart',
      'events',
      'check',
      'conf',
    ]);
    expect(await completions('system', 'st')).toEqual(['start', 'stop', 'status']);
  });

  test('options', async () => {
    expect(await completions('events', '--')).toEqual([
      '--follow',
      '--level',
      '--lines',
      '--since',
      '--help',
      '--json',
      '--host0-dir',
      '--root',
    ]);
    expect(await completions('events', '--level', 'w')).toEqual(['warning']);
  });

  test('shells: those whose scripts are tried, and no others', async () => {
    expect(await completions('complete', '')).toEqual(['bash', 'zsh', 'fish']);
    expect((await complete('--', 'comp')).stdout).toContain('complete\tPrint the completion script');
    expect(await complete('powershell')).toMatchObject({ code: 2 });
  });

  test('directories behind --root, before and after the noun', async () => {
    expect((await complete('--', '--root', '')).stdout).toBe(':0\n');
    expect((await complete('--', 'network', 'list', '--root', '/t')).stdout).toBe(':0\n');
  });

  test('objects that can be explained', async () => {
    expect(await completions('explain', 'b')).toEqual(['br456', 'blue', 'br77']);
    expect(await completions('explain', 'node')).toEqual(['node1', 'node2']);
  });

  test('members of a list behind --nodes, without those that it has', async () => {
    expect(await completions('capture', 'manage', '--nodes', 'node1,')).toEqual(['node1,host0', 'node1,node2']);
  });

  test('plugged ports for unplug; for plug the interfaces without an IPv4 address that are not plugged', async () => {
    expect(await completions('port', 'unplug', '')).toEqual(['tap0', 'tap1']);
    const links =
      'ip link add br456 type bridge; ip link add tap0 type bridge; ip link add tap2 type bridge; ' +
      'ip link add eth0 type bridge; ip addr add 10.11.0.9/24 dev eth0; ip link set eth0 up';
    const { stdout } = await runCommand(
      'unshare',
      ['--net', 'sh', '-c', `${links}; ${BIN} complete -- port plug manage ''`],
      { cwd: root, env: { MESH_ROOT: root } },
    );
    expect(stdout.split('\t')[0]).toBe('tap2');
    expect(stdout.trimEnd().split('\n')).toHaveLength(2);
  });

  test('labs, and the hosts of the lab that is named', async () => {
    const record = { name: 'try', nodes: 2, segments: 1, kept: true, owner: { pid: 2, startTime: '1' } };
    const inLab = async (line: string) => {
      const place = 'mount -t tmpfs none /run; mkdir -p /run/meshwork-lab/try';
      const script = `${place}; echo '${JSON.stringify(record)}' > /run/meshwork-lab/try/lab.json; ${BIN} complete -- ${line}`;
      const { stdout } = await runCommand('unshare', ['--mount', 'sh', '-c', script], { cwd: root });
      return names(stdout);
    };
    expect(await inLab("lab status --name ''")).toEqual(['try']);
    expect(await inLab("lab exec --name try ''")).toEqual(['host0', 'node1', 'node2']);
    expect(await inLab("lab exec ''")).toEqual([]);
  });

  test('networks and nodes', async () => {
    expect(names((await runProcess('complete', '--', 'network', 'show', '')).stdout)).toEqual(['manage', 'blue']);
    expect(await completions('network', 'show', '')).toEqual(['manage', 'blue']);
    expect(await completions('ping', 'manage', 'n')).toEqual(['node1', 'node2']);
  });

  test('nodes after --node; files only where a file is wanted', async () => {
    expect(await completions('node', 'ctl', '-n', 'node')).toEqual(['node1', 'node2']);
    const { stdout, stderr } = await complete('--', 'network', 'check', '');
    expect({ stdout, stderr }).toEqual({ stdout: ':0\n', stderr: '' });
    expect((await complete('--', 'capture', 'manage', '--output', './p')).stdout).toBe(':0\n');
    expect((await complete('--', 'node', 'preview', 'node1', '--file', '')).stdout).toBe(':36\n');
  });

  test('without a running process: no names and no error', async () => {
    vi.stubEnv('MESH_ROOT', '/nowhere');
    onTestFinished(() => void vi.stubEnv('MESH_ROOT', root));
    const { stdout, stderr } = await complete('--', 'network', 'show', '');
    expect({ stdout, stderr }).toEqual({ stdout: ':36\n', stderr: '' });
  });
});

describe('help', () => {
  const commands = (command: Command): Command[] => [command, ...command.commands.flatMap(commands)];

  test('every command says what it does, and shows an example', async () => {
    for (const command of commands(await wholeTree())) {
      expect(command.description(), command.name()).not.toBe('');
      if (command.commands.length > 0) continue;
      let help = '';
      command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp();
      expect(help, command.name()).toContain('$ mesh ');
    }
  });

  test('fits a terminal of 80 columns; only an example may be longer', async () => {
    for (const { path } of leavesOf(await wholeTree())) {
      const { stdout } = await mesh([...path.slice(1), '--help']);
      expect(stdout).toContain(`Usage: ${path.join(' ')}`);
      expect(stdout.split('\n').filter((line) => line.length > 80 && !line.startsWith('  $ '))).toEqual([]);
    }
  });
});
