/** Real members of etcd for tests, on loopback or in network namespaces, which end with the test. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EtcdPlace } from '../../src/store/etcd/etcd-place.ts';
import { runToEnd } from './command.ts';

/** Where a member listens. */
export interface EtcdMemberInput {
  readonly name: string;
  readonly host: string;
  readonly clientPort: number;
  readonly peerPort: number;
  /** The path of the network namespace that the member runs in. */
  readonly netns?: string;
  /** Further options, such as those for TLS. */
  readonly options?: readonly string[];
  readonly isSecure?: boolean;
}

/** A member waits a moment for its peers, on a machine that is busy. */
const START_MS = 30_000;
const POLL_MS = 20;

/** Members of one etcd. */
export class EtcdCluster {
  readonly members: readonly EtcdMember[];
  readonly #directory = mkdtempSync(join(tmpdir(), 'mw-etcd-'));

  private constructor(inputs: readonly EtcdMemberInput[]) {
    const cluster = inputs.map(({ name, host, peerPort }) => `${name}=http://${hostText(host)}:${peerPort}`).join(',');
    this.members = inputs.map((input) => new EtcdMember(input, cluster, join(this.#directory, input.name)));
  }

  /** Starts the members, and waits until they answer. */
  static async start(inputs: readonly EtcdMemberInput[]): Promise<EtcdCluster> {
    const cluster = new EtcdCluster(inputs);
    try {
      for (const member of cluster.members) member.start();
      for (const member of cluster.members) await member.answers();
      return cluster;
    } catch (error) {
      await cluster.close();
      throw error;
    }
  }

  /** One member on loopback, at free ports. */
  static async single(options: readonly string[] = [], isSecure = false): Promise<EtcdCluster> {
    const [clientPort, peerPort] = [await freePort(), await freePort()];
    return EtcdCluster.start([{ name: 'm1', host: '127.0.0.1', clientPort, peerPort, options, isSecure }]);
  }

  /** Where clients find the members. */
  get place(): EtcdPlace {
    return { endpoints: this.members.map(({ input: { host, clientPort } }) => ({ host, port: clientPort })) };
  }

  /** Ends the members, and removes what they wrote. */
  async close(): Promise<void> {
    for (const member of this.members) await member.kill();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

/** One member. */
export class EtcdMember {
  readonly input: EtcdMemberInput;
  readonly #argv: readonly string[];
  #process: ChildProcess | undefined;

  constructor(input: EtcdMemberInput, cluster: string, directory: string) {
    this.input = input;
    const { name, host, clientPort, peerPort, netns, options = [], isSecure = false } = input;
    const client = `${isSecure ? 'https' : 'http'}://${hostText(host)}:${clientPort}`;
    const peer = `http://${hostText(host)}:${peerPort}`;
    this.#argv = [
      ...(netns === undefined ? [] : ['nsenter', `--net=${netns}`]),
      ...['etcd', '--name', name, '--data-dir', directory, '--logger', 'zap', '--log-level', 'error', '--pre-vote'],
      ...['--listen-client-urls', client, '--advertise-client-urls', client],
      ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer, '--initial-cluster', cluster],
      ...options,
    ];
  }

  /** Starts the member, for the first time or again with what it has on its disk. */
  start(): void {
    const [program = '', ...args] = this.#argv;
    this.#process = spawn(program, args, { stdio: 'ignore' });
  }

  /** Resolves when the member serves. @throws Error when it does not */
  async answers(): Promise<void> {
    const deadline = performance.now() + START_MS;
    while (this.#process?.exitCode === null && performance.now() < deadline) {
      if (this.input.isSecure === true || this.ctl('endpoint', 'health', '--dial-timeout=1s').status === 0) return;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    throw new Error(`etcd ${this.input.name} does not answer (exit code ${this.#process?.exitCode})`);
  }

  /** `etcdctl`, which asks this member. */
  ctl(...args: readonly string[]): { readonly status: number; readonly stdout: string; readonly stderr: string } {
    const { host, clientPort, netns } = this.input;
    const argv = ['env', 'ETCDCTL_API=3', 'etcdctl', '--endpoints', `http://${hostText(host)}:${clientPort}`, ...args];
    return runToEnd(argv, netns === undefined ? {} : { netns });
  }

  /** Runs `etcdctl watch -w=json --prefix`. `seen` is what it has shown so far, as `put KEY` and `delete KEY`. */
  watch(prefix: string): { seen(): readonly string[]; close(): void } {
    const { host, clientPort, netns } = this.input;
    const words = ['--endpoints', `http://${hostText(host)}:${clientPort}`, 'watch', '-w=json', '--prefix', prefix];
    const [program = '', ...args] = [
      ...(netns === undefined ? [] : ['nsenter', `--net=${netns}`]),
      'etcdctl',
      ...words,
    ];
    const env = { ...process.env, ETCDCTL_API: '3' };
    const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'ignore'] });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (part: string) => {
      text += part;
    });
    const seen = () =>
      Array.from(text.matchAll(/\{(?:"type":(\d),)?"kv":\{"key":"([^"]+)"/g), ([, type, key = '']) => {
        return `${type === '1' ? 'delete' : 'put'} ${Buffer.from(key, 'base64')}`;
      });
    return { seen, close: () => void child.kill() };
  }

  /** kill -9. Resolves when the process is gone. */
  async kill(): Promise<void> {
    const process = this.#process;
    if (process === undefined || process.exitCode !== null || process.signalCode !== null) return;
    process.kill('SIGKILL');
    await once(process, 'exit');
  }
}

/** A port that nobody listens at. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  if (address === null || typeof address === 'string') throw new Error('no port is free');
  return address.port;
}

const hostText = (host: string): string => (host.includes(':') ? `[${host}]` : host);
