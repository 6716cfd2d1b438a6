/**
 * Runs one step of a node's boot as a node does: the script of the image, by busybox, as the first process of a PID
 * namespace, with a given kernel command line and uptime. Its root is an overlay above this machine's root, which does not
 * change.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BOOT_SCRIPTS } from '../../../src/image/node/program-files.ts';
import { inNetns } from '../../../src/kernel/netns.ts';

/** Checks first that it is process 1 of its own namespace: otherwise `reboot` would reboot this machine. */
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

/** A running step; disposing of it kills its processes. */
export class NodeStep implements AsyncDisposable {
  /** Its output so far. */
  said = '';
  /** Its exit status, or the signal that ended it. The kernel ends a namespace that reboots with SIGHUP. */
  readonly ended: Promise<number | NodeJS.Signals | null>;
  readonly #directory: string;
  readonly #process: ChildProcess;

  /** @param command for a shell on the node @param upSec the uptime that the node sees */
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
