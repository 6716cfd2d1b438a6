/**
 * Runs the image's `shell-server` on a node of a lab. It finds the files of the node where a booted machine has them. Its root
 * is an overlay above this machine's root, which does not change.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { unpackTar } from 'modern-tar';
import { netnsPath } from '../../../src/kernel/netns.ts';
import type { LabHost } from '../../../src/lab/hosts/lab-host.ts';

const SHELL_SERVER = new URL('../../../src/image/node/scripts/shell-server', import.meta.url).pathname;
/** Stands in for `reboot`: a command on the node must never find that of this machine. */
const REBOOT = '#!/bin/sh\necho rebooted >/marks/reboot\n';
const ENTER = `
set -e
mount -t tmpfs tmpfs /mnt
mkdir /mnt/upper /mnt/work /mnt/root
cp -a "$1/root/." /mnt/upper/
mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work /mnt/root
mount --rbind /dev /mnt/root/dev
mount -t proc proc /mnt/root/proc
mount --bind "$1/marks" /mnt/root/marks
mount --bind "$2" /mnt/root/var/log/meshwork
exec chroot /mnt/root sh /usr/lib/meshwork/boot/shell-server
`;

/** What a node has got from host0. */
export interface NodeFiles {
  /** The tar that host0 serves. */
  readonly secrets: Uint8Array;
  readonly authorizedKeys: readonly string[];
}

/** A running shell server; disposing of it kills its processes. */
export class NodeShell implements AsyncDisposable {
  readonly #directory: string;
  readonly #process: ChildProcess;

  private constructor(directory: string, child: ChildProcess) {
    this.#directory = directory;
    this.#process = child;
  }

  static async start({ netns, root }: LabHost, { secrets, authorizedKeys }: NodeFiles): Promise<NodeShell> {
    const directory = mkdtempSync(join(tmpdir(), 'mw-node-shell-'));
    const put = (path: string, content: string | Uint8Array, permissions = 0o644) => {
      mkdirSync(dirname(join(directory, path)), { recursive: true });
      writeFileSync(join(directory, path), content);
      chmodSync(join(directory, path), permissions);
    };
    for (const { header, data = new Uint8Array() } of await unpackTar(secrets)) {
      put(join('root', header.name), data, header.mode);
    }
    put('root/root/.ssh/authorized_keys', authorizedKeys.map((line) => `${line}\n`).join(''), 0o600);
    for (const path of ['root', 'root/.ssh']) chmodSync(join(directory, 'root', path), 0o700);
    for (const path of ['usr/sbin/reboot', 'usr/bin/reboot']) put(join('root', path), REBOOT, 0o755);
    cpSync(join(root, 'var/pxen/networks'), join(directory, 'root/var/pxen/networks'), { recursive: true });
    cpSync(SHELL_SERVER, join(directory, 'root/usr/lib/meshwork/boot/shell-server'));
    for (const path of ['marks', 'root/marks', 'root/var/log/meshwork', 'root/etc/dropbear']) {
      mkdirSync(join(directory, path), { recursive: true });
    }
    const own = ['unshare', '--mount', '--pid', '--fork', '--kill-child', 'sh', '-c', ENTER, 'sh'];
    const words = [`--net=${netnsPath(netns)}`, ...own, directory, join(root, 'var/log/meshwork')];
    return new NodeShell(directory, spawn('nsenter', words, { stdio: ['ignore', 'ignore', 'inherit'] }));
  }

  /** Whether a command on the node left this file in /marks. */
  isMarked(name: string): boolean {
    return existsSync(join(this.#directory, 'marks', name));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      const exited = once(this.#process, 'exit');
      this.#process.kill('SIGKILL');
      await exited;
    }
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
