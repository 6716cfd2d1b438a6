/** Machines on segments: a namespace for each machine, a bridge for each segment, and the real processes of host0. */
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, globSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { programFile } from '../../../src/image/node/program-files.ts';
import { inNetns, type TemporaryNetns, temporaryNetns } from '../../../src/kernel/netns.ts';
import type { BootView, ScanView, SegmentView } from '../../../src/protocol/documents/boot-views.ts';
import type { MachineView } from '../../../src/protocol/documents/machine-view.ts';
import { pathsBelow } from '../../../src/protocol/documents/paths.ts';
import type { TimelineView } from '../../../src/protocol/documents/timeline-view.ts';
import type { Host0Status, NodeView } from '../../../src/protocol/documents/views.ts';
import { request } from '../../../src/protocol/http/http.ts';
import type { MeshEvent } from '../../../src/protocol/journal/event.ts';
import { nodeOptionsOf } from '../../../src/services/process/node-options.ts';
import {
  isRunning,
  type ProcessMark,
  processMarkOf,
  signalProcess,
} from '../../../src/services/process/process-mark.ts';
import { inside, ip } from '../../kit/namespaces.ts';
import { readUnit } from '../60-package/unit-file.ts';
import { retainedKbOf } from '../retained-memory.ts';
import { until } from '../until.ts';

/** host0 runs with the capabilities of its packaged service. */
const UNIT = readFileSync(new URL('../../../packaging/systemd/meshwork-host0.service', import.meta.url), 'utf8');
const AS_A_SERVICE = readUnit(UNIT, {}).argv.slice(0, 3);

/** The namespaces and processes of one test file. */
export class BootBench {
  readonly #directory = mkdtempSync(join(tmpdir(), 'mw-boot-'));
  readonly #namespaces: TemporaryNetns[] = [];
  readonly #hosts: BootHost[] = [];
  readonly #children: ChildProcess[] = [];
  readonly #segment = this.machine();

  constructor() {
    // dnsmasq reads its files as its own user.
    chmodSync(this.#directory, 0o755);
    writeFileSync(join(this.#directory, 'udhcpc.sh'), UDHCPC_SCRIPT, { mode: 0o755 });
  }

  /** Makes a namespace for a machine. @returns its path */
  machine(): string {
    const namespace = temporaryNetns();
    this.#namespaces.push(namespace);
    ip(namespace.path, 'link set lo up');
    return namespace.path;
  }

  /** Makes a segment. */
  segment(name: string): void {
    ip(this.#segment, `link add ${name} up type bridge mcast_snooping 0`);
    inside(
      this.#segment,
      'sysctl',
      '-qw',
      'net.bridge.bridge-nf-call-iptables=0',
      `net.ipv6.conf.${name}.disable_ipv6=1`,
    );
  }

  /** The namespace with the bridges of the segments, to which emulated machines are connected. */
  get bridges(): string {
    return this.#segment;
  }

  /** Lets a segment run spanning tree: cards that are plugged from now on pass nothing for 4 s, others go on. */
  spanningTree(segment: string): void {
    ip(this.#segment, `link set ${segment} type bridge forward_delay 200 stp_state 1`);
  }

  /** Plugs new network cards of a machine into segments. @param segments the segment of each card */
  plug(machine: string, segments: Readonly<Record<string, string>>): void {
    const ends = Object.entries(segments).map(([device, segment]) => ({ device, segment, end: `p${this.#ends++}` }));
    ip(
      this.#segment,
      ...ends.map(
        ({ device, segment, end }) =>
          `link add ${end} master ${segment} up type veth peer name ${device} netns ${machine}`,
      ),
    );
    // No link-local address: the cards send no packets of their own.
    ip(machine, ...ends.flatMap(({ device }) => [`link set ${device} addrgenmode none`, `link set ${device} up`]));
  }
  #ends = 0;

  /** Connects two segments by a cable. */
  join(one: string, other: string): void {
    const end = `j${this.#ends++}`;
    ip(
      this.#segment,
      `link add ${end} master ${one} up type veth peer name ${end}b`,
      `link set ${end}b master ${other} up`,
    );
  }

  /** Prepares host0 on a machine; its processes are started by the test. */
  host0(name: string, machine: string, conf: string): BootHost {
    const host = new BootHost(join(this.#directory, name), machine, conf);
    this.#hosts.push(host);
    return host;
  }

  /** Starts a foreign DHCP server on eth0 of a new machine. @param subnet the first three bytes of its /24 */
  foreignServer(
    segment: string,
    subnet: string,
    ...more: readonly string[]
  ): { readonly netns: string; leases(): string; stop(): void } {
    const netns = this.machine();
    this.plug(netns, { eth0: segment });
    ip(netns, `address add ${subnet}.1/24 dev eth0`);
    const range = `--dhcp-range=${subnet}.100,${subnet}.150,600`;
    const { leases, stop } = this.dnsmasq(netns, range, '--dhcp-option=option:domain-name,office.example', ...more);
    return { netns, leases, stop };
  }

  /** Starts a dnsmasq that is not host0's. */
  dnsmasq(netns: string, ...options: readonly string[]): { leases(): string; stop(): void } {
    const leases = join(this.#directory, `foreign-${this.#children.length}.leases`);
    writeFileSync(leases, '');
    const child = this.#run(netns, [
      ...['dnsmasq', '--keep-in-foreground', '--pid-file', '--port=0', '--conf-file=/dev/null', '--no-ping'],
      ...['--user=root', `--dhcp-leasefile=${leases}`, ...options],
    ]);
    return { leases: () => readFileSync(leases, 'utf8'), stop: () => void child.kill('SIGKILL') };
  }

  /** Asks for an address with busybox's client, once. @returns what the server told, by variable of udhcpc's script */
  udhcpc(machine: string, device = 'eth0'): Record<string, string> {
    const script = join(this.#directory, 'udhcpc.sh');
    const said = inside(machine, 'udhcpc', '-i', device, '-n', '-q', '-f', '-t', '5', '-T', '1', '-s', script);
    return Object.fromEntries(
      said
        .split('\n')
        .flatMap((line) => /^(\w+)=(.*)$/.exec(line)?.slice(1, 3) ?? [])
        .reduce<string[][]>(pairwise, []),
    );
  }

  async close(): Promise<void> {
    for (const child of this.#children) child.kill('SIGKILL');
    for (const host of this.#hosts) await host.close();
    for (const namespace of this.#namespaces) namespace.close();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #run(netns: string, [program = '', ...rest]: readonly string[]): ChildProcess {
    const child = inNetns(netns, () => spawn(program, rest, { stdio: 'ignore' }));
    this.#children.push(child);
    return child;
  }
}

const UDHCPC_SCRIPT = `#!/bin/sh
[ "$1" = bound ] || exit 0
for name in ip subnet mask serverid domain lease ntpsrv router; do eval "echo $name=\\$$name"; done
`;

function pairwise(pairs: string[][], word: string): string[][] {
  const last = pairs.at(-1);
  if (last?.length === 1) last.push(word);
  else pairs.push([word]);
  return pairs;
}

/** One host0 with its daemon and its agent. */
export class BootHost {
  readonly root: string;
  /** The directory `/host0`, outside the root as on its own drive. */
  readonly host0Dir: string;
  readonly netns: string;
  readonly #running = new Map<'host0' | 'agent', ChildProcess>();

  constructor(root: string, netns: string, conf: string) {
    this.root = root;
    this.host0Dir = `${root}.drive`;
    this.netns = netns;
    mkdirSync(join(this.host0Dir, 'network'), { recursive: true });
    // The package makes these directories.
    mkdirSync(join(root, 'var/lib'), { recursive: true });
    mkdirSync(pathsBelow(root).state, { mode: 0o711 });
    this.configure(conf);
  }

  /** Writes host0.conf. The bench's bridges have no spanning tree, and forward at once, unless `conf` says otherwise. */
  configure(conf: string): void {
    const settle = conf.includes('port_settle_sec') ? '' : 'port_settle_sec="0"\n';
    writeFileSync(join(this.host0Dir, 'host0.conf'), `${conf}${settle}`);
  }

  /**
   * @param umask as octal digits: that of the init system that starts the program
   */
  start(program: 'host0' | 'agent', umask = '0027'): void {
    const log = openSync(join(this.root, `${program}.log`), 'a');
    const node = [process.execPath, ...nodeOptionsOf(program), programFile(program)];
    const own = program === 'agent' ? ['--on-host0'] : ['--host0-dir', this.host0Dir];
    const words = [...node, '--root', this.root, '--name', 'host0', ...own];
    const shell = ['sh', '-c', `umask ${umask} && exec "$@"`, 'sh'];
    const [command = '', ...rest] = [...(program === 'host0' ? AS_A_SERVICE : []), ...shell, ...words];
    const child = inNetns(this.netns, () => spawn(command, rest, { detached: true, stdio: ['ignore', log, log] }));
    this.#running.set(program, child);
  }

  /** Ends a process. Resolves when it is gone. */
  async end(program: 'host0' | 'agent', signal: NodeJS.Signals): Promise<void> {
    const child = this.#running.get(program);
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await gone;
  }

  boot(): Promise<BootView> {
    return this.#ask('GET', '/v1/boot') as Promise<BootView>;
  }

  /** All boots, the newest first. */
  boots(): Promise<TimelineView[]> {
    return this.#ask('GET', '/v1/boots') as Promise<TimelineView[]>;
  }

  scan(): Promise<ScanView> {
    return this.#ask('POST', '/v1/scan') as Promise<ScanView>;
  }

  status(): Promise<Host0Status> {
    return this.#ask('GET', '/v1/status') as Promise<Host0Status>;
  }

  machines(): Promise<MachineView[]> {
    return this.#ask('GET', '/v1/machines') as Promise<MachineView[]>;
  }

  nodes(): Promise<NodeView[]> {
    return this.#ask('GET', '/v1/nodes') as Promise<NodeView[]>;
  }

  /** What a process holds on to. */
  retainedKb(program: 'host0' | 'agent'): Promise<number> {
    const pid = this.#running.get(program)?.pid;
    return retainedKbOf(pid === undefined ? undefined : processMarkOf(pid), this.netns);
  }

  /** Waits until the segment of a NIC is as wanted. @param what for the error */
  segment(
    device: string,
    what: string,
    is: (segment: SegmentView) => boolean,
    deadlineMs = 30_000,
  ): Promise<SegmentView> {
    return until(`${device}: ${what}`, deadlineMs, async () => {
      const view = await this.boot().catch(() => undefined);
      return view?.segments.find((segment) => segment.nics.includes(device) && is(segment));
    });
  }

  /** The journal of the daemon. */
  events(): MeshEvent[] {
    const lines = readFileSync(join(this.root, 'host0.log'), 'utf8').split('\n');
    return lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as MeshEvent);
  }

  addresses(device: string): string[] {
    const [link] = JSON.parse(inside(this.netns, 'ip', '-j', '-4', 'address', 'show', device)) as [
      { addr_info?: { local: string; prefixlen: number }[] }?,
    ];
    return (link?.addr_info ?? []).map(({ local, prefixlen }) => `${local}/${prefixlen}`);
  }

  /** Ends all processes, with those that outlive the daemon, which its records name. */
  async close(): Promise<void> {
    for (const program of ['agent', 'host0'] as const) await this.end(program, 'SIGKILL');
    const records = globSync(join(pathsBelow(this.root).state, '**/*.process.json'));
    // On a full disk, some records are empty.
    const texts = records.map((file) => readFileSync(file, 'utf8')).filter((text) => text.endsWith('}'));
    const marks = texts.map((text) => JSON.parse(text) as ProcessMark);
    for (const mark of marks) signalProcess(mark, 'SIGKILL');
    await until('dnsmasq has ended', 5_000, () => !marks.some(isRunning));
  }

  #ask(method: string, path: string): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const socketPath = pathsBelow(this.root).controlSock;
      const asked = request({ socketPath, path, method, agent: false }, (answer) => {
        let text = '';
        answer.setEncoding('utf8');
        answer.on('data', (part: string) => {
          text += part;
        });
        answer.on('end', () => resolve(text === '' ? undefined : JSON.parse(text)));
      });
      asked.on('error', reject);
      asked.end();
    });
  }
}
