/** Commands on nodes, over SSH (image/ssh-command.ts): what they say, how they end, and why one could not be run. */
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

/** A node that can be commanded: it is there now, in the mesh that nodes are managed in. */
export interface CommandedNode {
  readonly name: string;
  readonly machine: MachineId;
  /** In that mesh. */
  readonly ipv6: Ipv6;
}

export interface RunOptions {
  /** What comes, as it comes; without it, it goes where this process's own goes. */
  readonly onOutput?: (stream: 'stdout' | 'stderr', chunk: Buffer) => void;
  /** The command's input stays open until this process ends: what follows something hears that nobody listens any more. */
  readonly holdsInput?: boolean;
}

/** A node is a member a little before it takes commands; nothing was sent by then. */
const REFUSED = /connection refused/i;
const REFUSED_PATIENCE_MS = 5_000;
const RETRY_MS = 250;
/** SSH's own, for what is no end of the command; also what it makes of a command that a signal ended. */
const SSH_FAILED = 255;

export class RemoteShell implements AsyncDisposable {
  readonly #stateDirectory: string;
  readonly #stderr: OutputStream;
  /** For known hosts, and for what ssh itself has to say. */
  readonly #directory: string;
  /** Ctrl-C ends what runs, and clears away. */
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
   * @returns the exit code of the command, or what Ctrl-C ends with
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
      if (giveUpAt === undefined) this.#stderr.write(`${printable(node.name)} takes no commands yet; waiting.\n`);
      giveUpAt ??= performance.now() + REFUSED_PATIENCE_MS;
      await sleep(RETRY_MS, undefined, { signal }).catch(() => {});
    }
    return this.#interrupt.exitCode;
  }

  /** @returns its exit code, `SSH_FAILED` also after Ctrl-C */
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

/** What ssh wrote when it could not go on, as what it means here. */
function sshError(node: CommandedNode, log: string): MeshError {
  const { name, machine, ipv6 } = node;
  const words = log.trim().split(/\r?\n/).at(-1) ?? '';
  const about = { operation: 'command node', object: machine };
  if (/host key|no matching/i.test(log)) {
    return new MeshError('MESH_NODE_IMPOSTOR', `whoever answers at ${ipv6} does not have the key of ${name}`, {
      ...about,
      rule: 'host0 gave this machine its host key, and talks to nobody else in its place. Nothing was sent.',
      remedy: `If the machine was booted from elsewhere, boot it from host0 (\`mesh node boot ${name} --follow\`). If not, somebody tries to be it: look for a second machine with \`mesh doctor\`.`,
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
    return new MeshError('MESH_NODE_NO_CONTROL', `${name} is in the mesh, and nothing takes commands there`, {
      ...about,
      rule: 'Nodes that boot from host0 take commands a few seconds after they have joined.',
      remedy: `Try again; if it stays so, see \`mesh node boot ${name}\` for how its last boot went.`,
      retryable: true,
    });
  }
  return new MeshError('MESH_NODE_OFFLINE', `no connection to ${name}, or none any more: ${words}`, {
    ...about,
    remedy: `Try \`mesh ping manage ${name}\`, and \`mesh node boot ${name}\` for how its last boot went.`,
    retryable: true,
  });
}

function neverGiven({ name, machine }: CommandedNode): MeshError {
  return new MeshError('MESH_NODE_NO_CONTROL', `${name} has never been given a host key by this host0`, {
    operation: 'command node',
    object: machine,
    rule: 'host0 commands the nodes that it boots: they get a key of their own with their secrets, and are known by it.',
    remedy: `Boot it from host0; until then use its own way in, on the machine itself.`,
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
