/** A namespace that plays a machine with one network card, and another one that is its neighbour on the wire. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TemporaryNetns, temporaryNetns } from '../../../src/kernel/netns.ts';
import { parseIpv6 } from '../../../src/model/address/ipv6.ts';
import { BIN, type Outcome, runCommand } from '../../cli/mesh.ts';
import { runToEnd } from '../../kit/command.ts';
import { carriesPackets, inside, ip } from '../../kit/namespaces.ts';
import { Pings } from '../pings.ts';
import { until } from '../until.ts';

export const MAC = '02:00:5e:10:00:01';
/** The addresses of the machine. */
export const HERE = { ipv4: '192.0.2.10', ipv6: parseIpv6('2001:db8:2::10') };
/** The server of names that leases tell. */
export const RESOLVER = '192.0.2.53';
const PING_PAUSE_MS = 20;

/** The files of ifupdown for the card with addresses of both families, a route with a metric, and a second address. */
export const INTERFACES = `# The card of this machine.
auto lo
iface lo inet loopback

auto eth0
iface eth0 inet static
    address ${HERE.ipv4}/24
    gateway 192.0.2.1
    metric 100
    up ip address add 192.0.2.11/24 dev $IFACE label $IFACE:1
    up ip route add 198.51.100.0/24 via 192.0.2.1 dev eth0 src 192.0.2.11 metric 7
    dns-nameservers 192.0.2.1

iface eth0 inet6 static
    address ${HERE.ipv6}/64
    dad-attempts 0
    autoconf 0
`;

/** Gives a command the machine's own /etc, /run and leases. ifupdown takes dhclient where there is one: $1 hides it. */
const ON_MACHINE = `[ -d "$0/own/etc" ] || { mkdir -p "$0/own" "$0/etc" "$0/var/lib/dhcp"; cp -a /etc "$0/own/etc"; touch "$0/etc/resolv.conf"; ln -sf "$0/etc/resolv.conf" "$0/own/etc/resolv.conf"; }
mkdir -p "$0/run" /var/lib/dhcp
[ -z "$1" ] || [ ! -e /usr/sbin/dhclient ] || mount --bind /dev/null /usr/sbin/dhclient
shift
mount --bind "$0/own/etc" /etc
mkdir -p "$0/etc/systemd/network" /etc/systemd/network
mount --bind "$0/etc/systemd/network" /etc/systemd/network
mount --bind "$0/var/lib/dhcp" /var/lib/dhcp
mount --bind "$0/run" /run
`;

/** Without a writable /sys, networkd does not wait for udev. It gives up the rights of root at its start. */
const NETWORKD = `mount -t sysfs -o ro sys /sys
for what in leases links lldp; do mkdir -p /run/systemd/netif/$what; done
chown -R systemd-network /run/systemd/netif
exec /lib/systemd/systemd-networkd
`;

/** The machine, its wire and its files. */
export class NicMachine implements AsyncDisposable {
  readonly root: string;
  readonly #client: 'udhcpc' | 'dhclient';
  #here: TemporaryNetns;
  #networkd: ChildProcess | undefined;
  readonly #there: TemporaryNetns;

  /** @param client the DHCP client that the machine has */
  constructor(
    files: Readonly<Record<string, string>> = { 'etc/network/interfaces': INTERFACES },
    client: 'udhcpc' | 'dhclient' = 'udhcpc',
  ) {
    this.#client = client;
    this.root = mkdtempSync(join(tmpdir(), 'nic-machine-'));
    this.#there = temporaryNetns();
    this.#here = this.#wired();
    for (const [path, text] of Object.entries(files)) this.write(path, text);
  }

  get netns(): string {
    return this.#here.path;
  }

  get neighbour(): string {
    return this.#there.path;
  }

  write(path: string, text: string): void {
    mkdirSync(dirname(join(this.root, path)), { recursive: true });
    writeFileSync(join(this.root, path), text);
  }

  read(path: string): string {
    return readFileSync(join(this.root, path), 'utf8');
  }

  /** Takes all that the kernel has, as a restart does. The files stay, except those that a restart empties. */
  async restart(tool: 'ifupdown' | 'networkd' = 'ifupdown'): Promise<void> {
    await this.#endNetworkd();
    for (const pid of processesOf(this.root)) process.kill(pid, 'SIGKILL');
    inside(this.neighbour, 'ip', 'link', 'delete', 'wire');
    this.#here.close();
    rmSync(join(this.root, 'run'), { recursive: true, force: true });
    this.#here = this.#wired();
    if (tool === 'networkd') await this.networkd();
    else this.start();
  }

  /** Starts the network from the files, by the ifupdown of the distribution. */
  start(): void {
    mkdirSync(join(this.root, 'run/network'), { recursive: true });
    this.ifupdown('ifup', '-a');
    carriesPackets(this.netns, 'eth0');
  }

  /** Starts systemd-networkd in place of what the machine has of it: it reads all files again. It ends with the machine. */
  async networkd(): Promise<void> {
    await this.#endNetworkd();
    const argv = this.#onMachine('sh', '-ec', NETWORKD);
    this.#networkd = spawn(argv[0], argv.slice(1), { stdio: 'ignore' });
  }

  async #endNetworkd(): Promise<void> {
    const running = this.#networkd;
    this.#networkd = undefined;
    if (running === undefined || running.exitCode !== null || running.signalCode !== null) return;
    const end = once(running, 'exit');
    running.kill('SIGKILL');
    await end;
  }

  /** Runs `ifup` or `ifdown` on the files of the machine. */
  ifupdown(program: 'ifup' | 'ifdown', ...words: readonly string[]): void {
    const place = ['-i', join(this.root, 'etc/network/interfaces'), '--state-dir', join(this.root, 'run/network')];
    const argv = this.#onMachine(program, ...place, ...words);
    const { status, stderr } = runToEnd(argv);
    if (status !== 0) throw new Error(`${argv.join(' ')}: ${stderr}`);
  }

  /** Runs `mesh` on the machine. */
  mesh(...words: readonly string[]): Promise<Outcome> {
    const [program, ...rest] = this.#onMachine(BIN, '--root', this.root, ...words);
    return runCommand(program, rest);
  }

  /** Starts `mesh node bridge-nic` on the machine, to be killed. */
  begin(...words: readonly string[]): ChildProcess {
    const [program, ...rest] = this.#onMachine(BIN, '--root', this.root, 'node', 'bridge-nic', ...words);
    return spawn(program, rest, { stdio: 'ignore' });
  }

  /** Pings the machine's IPv6 address from its neighbour. */
  pings(): Promise<Pings> {
    return Pings.start(this.neighbour, HERE.ipv6);
  }

  /** What the kernel says of addresses, routes and rules, without lifetimes and the indexes of devices. */
  picture(): string {
    const lines = [
      ['ip', '-o', 'address', 'show', 'scope', 'global'],
      ['ip', '-4', 'route'],
      ['ip', '-6', 'route'],
      ['ip', 'rule'],
    ].map((command) => inside(this.netns, ...command).replaceAll(/^\d+: | valid_lft.*$|@\S+/gm, ''));
    return lines
      .map((text) =>
        text
          .split('\n')
          .map((line) => line.trimEnd().replaceAll(/ {2,}/g, ' '))
          .toSorted()
          .join('\n'),
      )
      .join('\n');
  }

  /** The phase of the record of the card. */
  phase(): string | undefined {
    try {
      return /"phase": "(\w+)"/.exec(this.read('var/lib/meshwork/bridged-nics/eth0.json'))?.[1];
    } catch {
      return undefined;
    }
  }

  /** A DHCP server on the wire. */
  dhcpServer(): DhcpServer {
    return new DhcpServer(this.neighbour);
  }

  /** The devices for which DHCP clients run on the machine. */
  dhcpClients(): readonly string[] {
    return clientsIn(this.netns).map(({ link }) => link);
  }

  /** Whether no command and no watcher runs. */
  isIdle(): boolean {
    return processesOf(this.root).length === 0;
  }

  /** Kills the watcher, and not the shell that starts it again. @returns whether there was one */
  killWatcher(): boolean {
    const { stdout } = runToEnd(['pgrep', '-f', `^[^ ]*node .*[-]-root ${this.root} node bridge-nic eth0 --watch`]);
    const pids = stdout.split('\n').filter((line) => line !== '');
    for (const pid of pids) process.kill(Number(pid), 'SIGKILL');
    return pids.length > 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // A watcher looks at the record, and ends when there is none.
    rmSync(join(this.root, 'var/lib/meshwork/bridged-nics'), { recursive: true, force: true });
    await this.#endNetworkd();
    for (const { pid } of clientsIn(this.netns)) process.kill(pid, 'SIGKILL');
    await until('no process of the machine is left', 20_000, () => processesOf(this.root).length === 0);
    this.#here.close();
    this.#there.close();
    rmSync(this.root, { recursive: true, force: true });
  }

  /**
   * The command in the namespace of the machine, with directories of the machine in place of those that DHCP clients write to: their
   * scripts must not take the resolver from the machine that runs the test.
   */
  #onMachine(...argv: readonly string[]): [string, ...string[]] {
    const bound = [
      'sh',
      '-ec',
      `${ON_MACHINE}exec "$@"`,
      this.root,
      this.#client === 'udhcpc' ? 'hidden' : '',
      ...argv,
    ];
    return ['nsenter', `--net=${this.netns}`, 'unshare', '--mount', '--propagation', 'private', ...bound];
  }

  /** A new namespace with a card on the wire of the neighbour. */
  #wired(): TemporaryNetns {
    const here = temporaryNetns();
    ip(here.path, `link add eth0 address ${MAC} type veth peer name wire netns ${this.#there.path}`, 'link set lo up');
    ip(
      this.#there.path,
      'link set wire addrgenmode none',
      'link set wire up',
      'address add 192.0.2.1/24 dev wire',
      'address add 2001:db8:2::1/64 dev wire nodad',
      'address add fe80::1/64 dev wire nodad',
    );
    return here;
  }
}

/** The DHCP clients in a namespace, each with its device. */
function clientsIn(netns: string): readonly { readonly pid: number; readonly link: string }[] {
  const own = readlinkSync(netns);
  const { stdout } = runToEnd(['pgrep', '-x', 'udhcpc|dhclient']);
  return stdout.split('\n').flatMap((pid) => {
    try {
      if (pid === '' || readlinkSync(`/proc/${pid}/ns/net`) !== own) return [];
      const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1);
      // dhclient has its device as the last word, and a switch -i of its own.
      const link = words[0]?.endsWith('dhclient') ? words.at(-1) : words[words.indexOf('-i') + 1];
      return link === undefined ? [] : [{ pid: Number(pid), link }];
    } catch {
      // The process has ended meanwhile.
      return [];
    }
  });
}

/** dnsmasq in a namespace, with addresses from 192.0.2.100 on. */
export class DhcpServer implements Disposable {
  readonly #child: ChildProcess;
  #said = '';

  constructor(netns: string) {
    const words = ['--keep-in-foreground', '--port=0', '--log-dhcp', '--log-facility=-', '--dhcp-authoritative'];
    const range = [
      '--dhcp-range=192.0.2.100,192.0.2.150,1h',
      '--interface=wire',
      `--dhcp-option=6,${RESOLVER}`,
      '--dhcp-leasefile=/dev/null',
      '--conf-file=/dev/null',
    ];
    this.#child = spawn('nsenter', [`--net=${netns}`, 'dnsmasq', ...words, ...range, '--no-ping', '--user=root']);
    this.#child.stderr?.on('data', (chunk: Buffer) => {
      this.#said += chunk.toString('utf8');
    });
  }

  /** How often it has given a lease. */
  acknowledged(): number {
    return this.#said.split('DHCPACK(').length - 1;
  }

  [Symbol.dispose](): void {
    this.#child.kill('SIGKILL');
  }
}

/** The processes that have the directory in their command line. */
function processesOf(root: string): readonly number[] {
  const { stdout } = runToEnd(['pgrep', '-f', `[-]-root ${root}`]);
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map(Number);
}

/** Pings an IPv4 address, and tells the longest time without an answer. */
export class Ipv4Pings implements Disposable {
  readonly #child: ChildProcess;
  readonly #answered: number[] = [];
  #rest = '';

  private constructor(netns: string, address: string) {
    this.#child = spawn('nsenter', [`--net=${netns}`, 'ping', '-n', '-i', `${PING_PAUSE_MS / 1000}`, address]);
    this.#child.stdout?.on('data', (chunk: Buffer) => {
      const lines = (this.#rest + chunk.toString('utf8')).split('\n');
      this.#rest = lines.pop() ?? '';
      for (const line of lines) {
        const number = /icmp_seq=(\d+) ttl/.exec(line)?.[1];
        if (number !== undefined) this.#answered.push(Number(number));
      }
    });
  }

  /** Resolves after the first answer. */
  static async start(netns: string, address: string): Promise<Ipv4Pings> {
    const pings = new Ipv4Pings(netns, address);
    await until(`${address} answers`, 10_000, () => pings.#answered.length > 0);
    return pings;
  }

  /** The most pings in a row without an answer, up to now, and how many of them are a second. */
  async mostLost(): Promise<number> {
    const now = this.#answered.length;
    await until('another answer', 10_000, () => this.#answered.length > now);
    return this.#answered.reduce(
      (most, number, at) => Math.max(most, number - (this.#answered[at - 1] ?? number - 1) - 1),
      0,
    );
  }

  static readonly perSecond = 1000 / PING_PAUSE_MS;

  [Symbol.dispose](): void {
    this.#child.kill('SIGKILL');
  }
}
