/** Commands on the hosts of a lab: inside the host's namespace, or, on an emulated machine, over SSH from host0. */
import type { ChildProcess, SpawnOptions } from 'node:child_process';
import { appendFileSync, rmSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { commandKeyIn, makeCommandKey } from '../../image/command-key.ts';
import { hostKeyOf, makeHostKey } from '../../image/overlay/machine-secrets.ts';
import { shellWords } from '../../image/shell-words.ts';
import { knownHostLine, sshCommand, sshSettings } from '../../image/ssh-command.ts';
import { netnsPath } from '../../kernel/netns.ts';
import { outcomeOf } from '../../kernel/posix-spawn.ts';
import { EchoSocket } from '../../kernel/sockets/echo.ts';
import { MeshError } from '../../model/error.ts';
import { pathsBelow } from '../../protocol/documents/paths.ts';
import type { HostEcho } from './host-echo.ts';
import { hostEnvironment, spawnInside } from './host-process.ts';
import type { LabHost } from './lab-host.ts';

/** The result of a command on a host. */
export interface CommandOutcome {
  /** As exitCode returns it. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts a command on a host. On an emulated machine it runs over SSH, and ends with 255 if the mesh does not carry it. */
export function spawnOn(
  host: LabHost,
  host0: LabHost,
  argv: readonly string[],
  options: SpawnOptions & { readonly terminal?: boolean },
): ChildProcess {
  const { terminal = false, ...rest } = options;
  if (host.emulated === undefined) return spawnInside(host.netns, argv, { env: hostEnvironment(host.root), ...rest });
  return spawnInside(host0.netns, remotely(host0, host, argv, terminal), rest);
}

/** Runs a command on a host, and returns its exit code and output. */
export async function execOn(host: LabHost, host0: LabHost, argv: readonly string[]): Promise<CommandOutcome> {
  if (host.emulated === undefined) {
    try {
      return await outcomeOf(argv, { netns: netnsPath(host.netns), env: hostEnvironment(host.root) });
    } catch (cause) {
      throw noSuchCommand(argv[0] ?? '', cause);
    }
  }
  const child = spawnOn(host, host0, argv, { stdio: ['ignore', 'pipe', 'pipe'] });
  if (child.stdout === null || child.stderr === null) throw new TypeError('no pipes');
  const [code, stdout, stderr] = await Promise.all([exitCode(child), text(child.stdout), text(child.stderr)]);
  return { code, stdout, stderr };
}

/** Sends echoes: from the namespace itself, or, for an emulated machine, by running `ping` inside it over SSH. */
export function openEcho(host: LabHost, host0: LabHost): HostEcho {
  if (host.emulated === undefined) return EchoSocket.open({ netns: netnsPath(host.netns) });
  return {
    echo: async (to) => {
      const { code, stdout } = await execOn(host, host0, ['ping', '-c', '1', '-W', '1', to]);
      const ms = / time=([\d.]+) ms/.exec(stdout)?.[1];
      return code === 0 && ms !== undefined ? Number(ms) : undefined;
    },
    close: () => {},
  };
}

/**
 * Waits for the end of a command. @returns its exit code, or 128 plus the number of the signal that ended it, as in a
 * shell; see signal(7)
 * @throws MESH_OBJECT_UNKNOWN if the command cannot be started
 */
export function exitCode(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('error', (cause) => reject(noSuchCommand(child.spawnfile, cause)));
    child.once('close', (code, signal) => resolve(code ?? 128 + constants.signals[signal ?? 'SIGKILL']));
  });
}

function noSuchCommand(command: string, cause: unknown): MeshError {
  return new MeshError('MESH_OBJECT_UNKNOWN', `${command} cannot be run`, {
    object: command,
    cause,
    remedy: 'Write a command of this machine after --; the hosts of a lab share its programs.',
  });
}

/** Makes the keys that host0 would make when the machines boot, and writes each machine's host key to the known hosts. */
export async function makeKeys(host0: LabHost, machines: readonly LabHost[]): Promise<void> {
  const { state } = pathsBelow(host0.root);
  await makeCommandKey(state);
  for (const { machine } of machines) {
    await makeHostKey(state, machine);
    appendFileSync(knownHosts(host0), knownHostLine(machine, (await hostKeyOf(state, machine)) ?? ''));
  }
}

/** Forgets the SSH connection that commands share: its machine has been switched off. */
export function forgetConnection({ root }: LabHost): void {
  rmSync(connectionSocket(root), { force: true });
}

/** The ssh command to run on host0 so that `argv` runs on the machine. */
function remotely(host0: LabHost, host: LabHost, argv: readonly string[], terminal: boolean): string[] {
  const { machine, member, root } = host;
  const login = {
    machine,
    ipv6: member.ipv6,
    key: commandKeyIn(pathsBelow(host0.root).state),
    knownHosts: knownHosts(host0),
  };
  const settings = sshSettings({
    // A handshake takes long on an emulated machine; many commands share one.
    ControlMaster: 'auto',
    ControlPath: connectionSocket(root),
    ControlPersist: '20',
    ServerAliveCountMax: '1',
  });
  return sshCommand(login, shellWords(argv), [terminal ? '-t' : '-T', ...settings]);
}

function connectionSocket(root: string): string {
  return join(root, 'ssh.sock');
}

function knownHosts({ root }: LabHost): string {
  return join(root, 'known_hosts');
}
