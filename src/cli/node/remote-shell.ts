/** Runs commands on nodes over SSH (image/ssh-command.ts), and explains why one could not be run. */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { commandKeyIn } from '../../image/command-key.ts';
import { hostKeyOf } from '../../image/overlay/machine-secrets.ts';
import { knownHostLine, sshCommand } from '../../image/ssh-command.ts';
import type { Ipv6 } from '../../model/address/ipv6.ts';
import { MeshError } from '../../model/error.ts';
import type { MachineId } from '../../model/machine.ts';
import type { Context, OutputStream } from '../context.ts';
import { Interrupt } from '../print/interrupt.ts';
import { printable } from '../print/printable.ts';

/** A node that can be commanded: it is online in the mesh that carries commands. */
export interface CommandedNode {
  readonly name: string;
  readonly machine: MachineId;
  /** Its address in that mesh. */
  readonly ipv6: Ipv6;
}

/** Where the output of a command goes, and whether it has an input. */
export interface RunOptions {
  /** Called with each piece of output; without it, output goes to this process's stdout and stderr. */
  readonly onOutput?: (stream: 'stdout' | 'stderr', chunk: Buffer) => void;
  /** The command's stdin stays open until this process ends, so that the command can notice that end. Else stdin is empty. */
  readonly holdsInput?: boolean;
}

/** A node is a member a little before its SSH server listens. Nothing has been sent then, so that trying again is safe. */
const REFUSED = /connection refused/i;
const REFUSED_PATIENCE_MS = 5_000;
const RETRY_MS = 250;
/** ssh's exit code when ssh itself fails, and also when a signal ended the command. */
const SSH_FAILED = 255;

/** Runs commands on any number of nodes, until it is disposed. */
export class RemoteShell implements AsyncDisposable {
  readonly #stateDirectory: string;
  readonly #stderr: OutputStream;
  /** Temporary: files of known hosts, and the messages of ssh itself. */
  readonly #directory: string;
  /** Ctrl-C ends the running ssh processes; then the directory is removed. */
  readonly #interrupt = new Interrupt();

  private constructor({ paths, stderr }: Context, directory: string) {
    this.#stateDirectory = paths.state;
    this.#stderr = stderr;
    this.#directory = directory;
  }

  static async open(context: Context): Promise<RemoteShell> {
    return new RemoteShell(context, await mkdtemp(join(tmpdir(), 'mesh-ssh-')));
  }

  /**
   * Runs a command on one node, and waits for its end. May be called for several nodes at the same time.
   * @returns the exit code of the command; 130 after Ctrl-C
   * @throws MESH_NODE_NO_CONTROL, MESH_NODE_IMPOSTOR, MESH_NODE_OFFLINE, MESH_KEY_DAMAGED
   */
  async run(node: CommandedNode, command: string, options: RunOptions = {}): Promise<number> {
    const hostKey = await hostKeyOf(this.#stateDirectory, node.machine);
    if (hostKey === undefined) throw neverGiven(node);
    const key = commandKeyIn(this.#stateDirectory);
    const knownHosts = join(this.#directory, `${node.machine}.known`);
    const sshLog = join(this.#directory, `${node.machine}.log`);
    await writeFile(knownHosts, knownHostLine(node.machine, hostKey));
    const argv = sshCommand({ ...node, key, knownHosts }, command, ['-T', '-E', sshLog]);
    const { signal } = this.#interrupt;
    let giveUpAt: number | undefined;
    while (!signal.aborted) {
      await writeFile(sshLog, '');
      const code = await this.#ssh(argv, options);
      if (signal.aborted) break;
      if (code !== SSH_FAILED) return code;
      const log = await readFile(sshLog, 'utf8');
      if (log.trim() === '') return code;
      if (!REFUSED.test(log) || performance.now() > (giveUpAt ?? Infinity)) throw sshError(node, log);
      if (giveUpAt === undefined) this.#stderr.write(`${printable(node.name)} does not take commands yet; waiting.\n`);
      giveUpAt ??= performance.now() + REFUSED_PATIENCE_MS;
      await sleep(RETRY_MS, undefined, { signal }).catch(() => {});
    }
    return this.#interrupt.exitCode;
  }

  /** @returns the exit code of ssh; SSH_FAILED also after Ctrl-C */
  #ssh([ssh = '', ...words]: readonly string[], { onOutput, holdsInput }: RunOptions): Promise<number> {
    const ours = onOutput === undefined ? 'inherit' : 'pipe';
    const { signal } = this.#interrupt;
    const child = spawn(ssh, words, { stdio: [holdsInput ? 'pipe' : 'ignore', ours, ours], signal });
    for (const stream of ['stdout', 'stderr'] as const) {
      child[stream]?.on('data', (chunk: Buffer) => onOutput?.(stream, chunk));
    }
    return new Promise((resolve, reject) => {
      child.once('error', (cause) => (signal.aborted ? undefined : reject(noSsh(cause))));
      child.once('close', (status) => resolve(status ?? SSH_FAILED));
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#interrupt[Symbol.dispose]();
    await rm(this.#directory, { recursive: true, force: true });
  }
}

/** The error for the last words of an ssh that failed. */
function sshError(node: CommandedNode, log: string): MeshError {
  const { name, machine, ipv6 } = node;
  const words = log.trim().split(/\r?\n/).at(-1) ?? '';
  const about = { operation: 'command node', object: machine };
  if (/host key|no matching/i.test(log)) {
    return new MeshError('MESH_NODE_IMPOSTOR', `the host that answers at ${ipv6} does not have the key of ${name}`, {
      ...about,
      rule: 'host0 gave this machine its host key, and talks only to a host that has this key. Nothing was sent.',
      remedy: `If the machine was booted from elsewhere, boot it from host0 (\`mesh node boot ${name} --follow\`). If not, another host pretends to be this machine: look for it with \`mesh doctor\`.`,
    });
  }
  if (/permission denied|authentications/i.test(log)) {
    return new MeshError('MESH_NODE_NO_CONTROL', `${name} does not take host0's key`, {
      ...about,
      rule: "A node takes commands from the keys that its overlay names; host0's is among them.",
      remedy: `Run \`mesh system configure\`, and boot ${name} again at the machine: its overlay was compiled before host0 had this key.`,
    });
  }
  if (REFUSED.test(log)) {
    return new MeshError('MESH_NODE_NO_CONTROL', `${name} is in the mesh, but does not take commands`, {
      ...about,
      rule: 'Nodes that boot from host0 take commands a few seconds after they have joined.',
      remedy: `Try again; if that does not help, see \`mesh node boot ${name}\` for how its last boot went.`,
      retryable: true,
    });
  }
  return new MeshError('MESH_NODE_OFFLINE', `the connection to ${name} failed or ended: ${words}`, {
    ...about,
    remedy: `Try \`mesh ping manage ${name}\`, and \`mesh node boot ${name}\` for how its last boot went.`,
    retryable: true,
  });
}

function neverGiven({ name, machine }: CommandedNode): MeshError {
  return new MeshError('MESH_NODE_NO_CONTROL', `${name} has never been given a host key by this host0`, {
    operation: 'command node',
    object: machine,
    rule: 'host0 commands the nodes that it boots: each gets a host key with its secrets, and host0 recognises it by this key.',
    remedy: 'Boot it from host0; until then, log in on the machine itself.',
  });
}

function noSsh(cause: Error): MeshError {
  return new MeshError('MESH_PROCESS_NOT_STARTED', `ssh cannot be run: ${cause.message}`, {
    operation: 'command node',
    object: 'ssh',
    remedy: 'Install it: apt-get install openssh-client, or apk add openssh-client.',
    cause,
  });
}
