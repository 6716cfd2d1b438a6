/** Debian's libvirtd in namespaces of its own, for a comparison in one run. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TemporaryNetns, temporaryNetns } from '../src/kernel/netns.ts';
import { until } from '../test/system/until.ts';

const SCRIPT = join(import.meta.dirname, '../test/system/28-libvirt/libvirtd.sh');
const DEADLINE_MS = 30_000;

/** A libvirtd that serves networks in its own namespace. */
export class LibvirtDaemon implements AsyncDisposable {
  readonly #place: TemporaryNetns;
  readonly #shell: ChildProcess;
  readonly socket: string;

  private constructor(place: TemporaryNetns, shell: ChildProcess, socket: string) {
    this.#place = place;
    this.#shell = shell;
    this.socket = socket;
  }

  static async start(): Promise<LibvirtDaemon> {
    const place = temporaryNetns();
    const words = ['--mount', '--pid', '--fork', '--kill-child', '--mount-proc', 'sh', SCRIPT, 'sleep', '3600'];
    const shell = spawn('nsenter', [`--net=${place.path}`, 'unshare', ...words], { stdio: 'ignore' });
    try {
      const socket = await until('libvirtd listens', DEADLINE_MS, () => {
        const [child] = childrenOf(shell.pid);
        const path = `/proc/${child}/root/run/libvirt/libvirt-sock`;
        return child !== undefined && existsSync(path) ? path : undefined;
      });
      return new LibvirtDaemon(place, shell, socket);
    } catch (error) {
      shell.kill('SIGKILL');
      place.close();
      throw error;
    }
  }

  get netns(): string {
    return this.#place.path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = new Promise((resolve) => this.#shell.once('exit', resolve));
    this.#shell.kill('SIGKILL');
    await ended;
    this.#place.close();
  }
}

function childrenOf(pid: number | undefined): string[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean);
  } catch {
    return [];
  }
}
