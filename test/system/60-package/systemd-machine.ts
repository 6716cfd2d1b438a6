/**
 * A Debian machine that systemd runs: this machine's own files under an overlay that is discarded, one NIC at a bridge,
 * and namespaces that end with its systemd. Its cgroups are below one of its own.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { type Outcome, runCommand } from '../../cli/mesh.ts';
import { until } from '../until.ts';

/**
 * $1 is where all of it is mounted, $2 a directory that is visible inside, $3 the group of the machine's processes, $4 its name,
 * $5 the address of its NIC, $6 the namespace with the bridge `lan0`.
 */
const SCRIPT = `
set -e
mkdir "$3"
echo $$ >"$3/cgroup.procs"
exec unshare --pid --fork --mount --net --uts --ipc --cgroup --kill-child sh -c '
set -e
mount -t tmpfs none "$1"
mkdir "$1/upper" "$1/work" "$1/root"
root=$1/root
mount -t overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" none "$root"
mount -t proc proc "$root/proc"
mount -t sysfs sys "$root/sys"
mount -t cgroup2 cgroup "$root/sys/fs/cgroup"
for directory in run dev etc/systemd/system; do mount -t tmpfs none "$root/$directory"; done
mkdir -p "$root/dev/pts" "$root/dev/shm" "$root/dev/net" "$root$2"
for device in null zero full random urandom tty net/tun; do
  : >"$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
mount --bind "$2" "$root$2"
rm -rf "$root/host0" "$root/var/lib/meshwork" "$root/var/log/meshwork" "$root/var/log/journal"
printf "[Unit]\\nWants=systemd-journald.service\\n" >"$root/etc/systemd/system/machine.target"
: >"$root/etc/fstab"
echo "$3" >"$root/etc/hostname"
# It would empty the copy of /tmp file by file.
ln -s /dev/null "$root/etc/systemd/system/systemd-tmpfiles-setup.service"
# Each change by dpkg would index all pages of this machine.
rm -f "$root/var/lib/man-db/auto-update"
# apt would read the list of all packages there are, for each command.
rm -rf "$root/var/lib/apt/lists"
mkdir -p "$root/var/lib/apt/lists/partial"
ip link set lo up
ip link add eth0 type veth peer name "$3" netns "$5"
nsenter --net="$5" ip link set "$3" master lan0 up
ip address add "$4" dev eth0
ip link set eth0 up
exec chroot "$root" /usr/bin/env -i container=lxc PATH=/usr/sbin:/usr/bin /lib/systemd/systemd --system \\
  --unit=machine.target --show-status=no </dev/null
' sh "$1" "$2" "$4" "$5" "$6"
`;

const START_DEADLINE_MS = 60_000;

/** What makes machines differ. */
export interface SystemdMachinePlan {
  readonly name: string;
  /** Of its `eth0`, with the length of the subnet's prefix. */
  readonly address: string;
  /** The namespace with the bridge `lan0`, to which `eth0` leads. */
  readonly segment: string;
}

/** The machine, while its systemd runs. */
export class SystemdMachine implements AsyncDisposable {
  readonly #holder: ChildProcess;
  readonly #mountPoint: string;
  readonly #group: string;
  /** The pid of its systemd outside. */
  #init = 0;

  private constructor(holder: ChildProcess, mountPoint: string, group: string) {
    this.#holder = holder;
    this.#mountPoint = mountPoint;
    this.#group = group;
  }

  /** Starts the machine. @param shared a directory of this machine that is visible inside at the same path */
  static async open(shared: string, { name, address, segment }: SystemdMachinePlan): Promise<SystemdMachine> {
    const mountPoint = mkdtempSync(join(tmpdir(), 'mw-systemd-'));
    const group = join(cgroup2(), basename(mountPoint));
    const holder = spawn('sh', ['-c', SCRIPT, 'sh', mountPoint, shared, group, name, address, segment], {
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    const machine = new SystemdMachine(holder, mountPoint, group);
    try {
      await until('systemd runs', START_DEADLINE_MS, () => machine.#isUp());
    } catch (error) {
      await machine[Symbol.asyncDispose]();
      throw error;
    }
    return machine;
  }

  async #isUp(): Promise<boolean> {
    const { pid, exitCode } = this.#holder;
    if (exitCode !== null) throw new Error('no systemd: see above');
    this.#init = Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim() || 0);
    if (this.#init === 0) return false;
    return (await this.run('systemctl', 'is-active', 'machine.target').catch(() => undefined))?.stdout === 'active\n';
  }

  /** Runs a command inside, whatever its exit code. */
  run(...argv: readonly string[]): Promise<Outcome> {
    const { PATH, LANG } = process.env;
    const words = ['-i', `PATH=${PATH}`, `LANG=${LANG ?? 'C.UTF-8'}`, 'HOME=/root', ...argv];
    const target = ['--target', String(this.#init), '--all', '--root', '--wd'];
    return runCommand('nsenter', [...target, '--', '/usr/bin/env', ...words]);
  }

  /** Runs a command inside. @returns its output @throws Error if it fails */
  async mustRun(...argv: readonly string[]): Promise<string> {
    const { stdout, stderr, code } = await this.run(...argv);
    if (code !== 0) throw new Error(`${argv.join(' ')} ends with ${code}: ${stdout}${stderr}`);
    return stdout;
  }

  /** Ends all its processes, and removes what was made for them. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#holder.exitCode === null) {
      const exit = once(this.#holder, 'exit');
      // Its kernel ends all processes of the machine with it.
      if (this.#init > 0) process.kill(this.#init, 'SIGKILL');
      else this.#holder.kill('SIGKILL');
      await exit;
    }
    const isGone = () => {
      try {
        execFileSync('find', [this.#group, '-depth', '-type', 'd', '-exec', 'rmdir', '{}', '+'], { stdio: 'ignore' });
        rmdirSync(this.#mountPoint);
        return true;
      } catch {
        // The last processes are still ending.
        return false;
      }
    };
    await until('the machine is gone', START_DEADLINE_MS, isGone);
  }
}

/** Where this machine has the cgroups of version 2. */
function cgroup2(): string {
  return execFileSync('findmnt', ['-n', '-t', 'cgroup2', '-o', 'TARGET'], { encoding: 'utf8' }).split('\n')[0] ?? '';
}
