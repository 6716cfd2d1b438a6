/**
 * A Debian machine to install packages on: this machine's own files under an overlay that takes all changes and is
 * discarded, in a mount namespace that ends with its last process. Its systemctl only logs its arguments, and calls
 * every unit inactive.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Makes `/run/systemd/system` too: without it the package's scripts do not call systemctl. */
const SCRIPT = `
set -e
mount -t tmpfs none "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" none "$1/root"
mount --rbind /proc "$1/root/proc"
mount --rbind /dev "$1/root/dev"
# What runs on this machine itself has its marks there: a removal of the package would end it.
mount -t tmpfs none "$1/root/run"
rm -rf "$1/root/var/lib/meshwork"
mkdir -p "$1/root$2" "$1/root/run/systemd/system"
mount --bind "$2" "$1/root$2"
# Each change by dpkg would index all pages of this machine.
rm -f "$1/root/var/lib/man-db/auto-update"
rm -f "$1/root/usr/bin/systemctl"
printf '#!/bin/sh\\n[ "$1" = show ] && exec echo inactive\\necho "$*" >>/systemctl.log\\n' >"$1/root/usr/bin/systemctl"
chmod 755 "$1/root/usr/bin/systemctl"
: >"$1/root/systemctl.log"
echo ready
exec chroot "$1/root" cat
`;

/** The root, while its holding process runs. */
export class DebianRoot implements AsyncDisposable {
  readonly #holder: ChildProcess;
  readonly #mountPoint: string;

  private constructor(holder: ChildProcess, mountPoint: string) {
    this.#holder = holder;
    this.#mountPoint = mountPoint;
  }

  /** Makes the root. @param shared a directory of this machine that is visible inside at the same path */
  static async open(shared: string): Promise<DebianRoot> {
    const mountPoint = mkdtempSync(join(tmpdir(), 'mw-debian-root-'));
    const holder = spawn('unshare', ['--mount', 'sh', '-c', SCRIPT, 'sh', mountPoint, shared], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const ready = await Promise.race([once(holder.stdout, 'data'), once(holder, 'exit')]);
    if (!String(ready[0]).startsWith('ready')) throw new Error('no Debian root: see above');
    return new DebianRoot(holder, mountPoint);
  }

  /** The command line that runs `argv` inside. */
  inside(argv: readonly string[]): string[] {
    return ['nsenter', '--target', String(this.#holder.pid), '--mount', '--root', '--wd', '--', ...argv];
  }

  /** Runs a command inside. @returns its output @throws Error if it fails */
  run(...argv: readonly string[]): string {
    const [command = '', ...rest] = this.inside(argv);
    return execFileSync(command, rest, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  }

  /** The text of a file inside. */
  read(path: string): string {
    return readFileSync(`/proc/${this.#holder.pid}/root${path}`, 'utf8');
  }

  /** The arguments of all calls of systemctl since the last call of this. */
  systemctlCalls(): string[] {
    const calls = this.read('/systemctl.log').split('\n').slice(0, -1);
    this.run('truncate', '--size=0', '/systemctl.log');
    return calls;
  }

  /** May be called only when no process runs inside any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    const exit = once(this.#holder, 'exit');
    this.#holder.stdin?.end();
    await exit;
    rmdirSync(this.#mountPoint);
  }
}
