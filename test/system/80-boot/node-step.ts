/**
 * A step of a node's boot as the node takes it: the image's own script, run by busybox as the first process, with the
 * kernel's command line and a system that has just started. Its root lies above this machine's, which stays as it is.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BOOT_SCRIPTS } from '../../../src/image/node/program-files.ts';
import { inNetns } from '../../../src/kernel/netns.ts';

/** Where it is not the first process of a namespace of its own, `reboot` would mean this machine. */
const ENTER = `
set -e
test $$ = 1
mount -t tmpfs tmpfs /mnt
mkdir -p /mnt/work /mnt/root /mnt/upper/usr/lib/meshwork/boot /mnt/upper/bb
cp "$2"/* /mnt/upper/usr/lib/meshwork/boot
busybox --install -s /mnt/upper/bb
mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work /mnt/root
for directory in run dev tmp; do mount -t tmpfs tmpfs /mnt/root/$directory; done
mknod -m 666 /mnt/root/dev/null c 1 3
mount -t proc proc /mnt/root/proc
for file in cmdline uptime; do mount --bind "$1/$file" /mnt/root/proc/$file; done
exec chroot /mnt/root /bb/env PATH=/bb /bb/sh -c "$3"
`;

export class NodeStep implements AsyncDisposable {
  /** What it has written to its boot log. */
  said = '';
  /** How it ended: with a status, or by the signal by which the kernel ends a namespace that reboots, SIGHUP. */
  readonly ended: Promise<number | NodeJS.Signals | null>;
  readonly #directory: string;
  readonly #process: ChildProcess;

  /** @param command of a shell on the node @param upSec how long it has been up */
  constructor(netns: string, commandLine: string, command: string, upSec = 5) {
    this.#directory = mkdtempSync(join(tmpdir(), 'mw-node-step-'));
    writeFileSync(join(this.#directory, 'cmdline'), `${commandLine}\n`);
    writeFileSync(join(this.#directory, 'uptime'), `${upSec}.00 4.00\n`);
    const own = ['--mount', '--pid', '--fork', '--kill-child', 'sh', '-c', ENTER, 'sh'];
    this.#process = inNetns(netns, () =>
      spawn('unshare', [...own, this.#directory, BOOT_SCRIPTS, command], { stdio: ['ignore', 'pipe', 'pipe'] }),
    );
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      stream?.on('data', (text) => {
        this.said += text;
      });
    }
    this.ended = once(this.#process, 'close').then(([status, signal]) => status ?? signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.ended;
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
