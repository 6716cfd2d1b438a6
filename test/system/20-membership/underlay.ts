/**
 * Two segments that meet in host0, hosts on them, and host0's mesh devices, which the test makes in place of host0's
 * agent.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { programFile } from '../../../src/image/node/program-files.ts';
import { inNetns, type TemporaryNetns, temporaryNetns } from '../../../src/kernel/netns.ts';
import { outcomeOf } from '../../../src/kernel/posix-spawn.ts';
import { parseMachineId } from '../../../src/model/machine.ts';
import { type MemberAddresses, memberAddresses } from '../../../src/model/network/member.ts';
import type { Mesh } from '../../../src/model/network/mesh.ts';
import { pathsBelow } from '../../../src/protocol/documents/paths.ts';
import type { MeshEvent } from '../../../src/protocol/journal/event.ts';
import { inside, ip } from '../../kit/namespaces.ts';
import { manage } from '../../kit/networks.ts';
import { until as untilWithin } from '../until.ts';

/** host0's membership API in the mesh `manage`. */
export const URL_IN_MESH = 'http://[fd42:2345:1234:9abc::1]:8000/';

const POLLER = new URL('poller.sh', import.meta.url).pathname;
/** Five times the duration of the slowest step on a busy machine. */
const DEADLINE_MS = 15_000;

/** An HTTP response as curl shows it. */
export interface Answer {
  readonly status: number;
  readonly headers: string;
  readonly body: string;
}

/** A host at `10.11.<segment>.<number>`, in its own network namespace. */
export class Host {
  readonly netns: string;
  readonly ipv4: string;
  readonly addresses: MemberAddresses;
  readonly machine: string;

  constructor(netns: string, ipv4: string, machine: string) {
    this.netns = netns;
    this.ipv4 = ipv4;
    this.machine = machine;
    this.addresses = memberAddresses(manage, parseMachineId(machine));
  }

  spawn(command: string, ...rest: readonly string[]): ChildProcess {
    return inNetns(this.netns, () => spawn(command, rest, { stdio: ['ignore', 'pipe', 'inherit'] }));
  }

  run(...command: readonly string[]): string {
    return inside(this.netns, ...command);
  }

  /** Undefined when there is no answer. */
  async get(url: string, ...options: readonly string[]): Promise<Answer | undefined> {
    const words = ['curl', '-sig', '--max-time', '2', ...options, url];
    const { stdout } = await outcomeOf(words, { netns: this.netns });
    const [headers = '', ...body] = stdout.split('\r\n\r\n');
    const status = Number(/^HTTP\/1.1 ([0-9]+)/.exec(headers)?.[1]);
    return Number.isNaN(status) ? undefined : { status, headers, body: body.join('\r\n\r\n') };
  }

  /** The entries for `other`: two FDB entries of its Ethernet address, a neighbour entry, and a flood entry. */
  entriesFor(other: Host): string[] {
    const entries = [
      ...this.run('bridge', 'fdb', 'show', 'dev', manage.type.device).split('\n'),
      ...this.run('ip', 'neighbour', 'show', 'dev', manage.bridge.name).split('\n'),
    ];
    const { bridgeMac } = other.addresses;
    const learnt = (entry: string) => !/extern_learn|PERMANENT|permanent/.test(entry);
    return entries.filter(
      (entry) => (entry.includes(bridgeMac) || entry.includes(` ${other.ipv4} `)) && !learnt(entry),
    );
  }
}

/** The namespaces and processes of one test; disposing removes them. */
export class Underlay {
  readonly root = mkdtempSync(join(tmpdir(), 'mw-host0-'));
  readonly paths = pathsBelow(this.root);
  readonly #namespaces: TemporaryNetns[] = [];
  readonly #children = new Set<ChildProcess>();
  readonly #segment = this.#namespace();
  readonly host0 = new Host(this.#namespace(), '10.11.0.1', '00000000');
  /** The journal of all host0 processes so far. */
  readonly journal: MeshEvent[] = [];

  constructor() {
    ip(this.#segment, 'link add seg0 type bridge', 'link add seg1 type bridge', 'link set seg0 up', 'link set seg1 up');
    ip(this.host0.netns, 'link set lo up');
    this.#plug(this.host0, 'eth0', 0, '10.11.0.1');
    this.#plug(this.host0, 'eth1', 1, '10.11.1.1');
    inside(this.host0.netns, 'sysctl', '-qw', 'net.ipv4.ip_forward=1');
    mkdirSync(this.paths.host0Networks, { recursive: true });
    this.writeNetwork(manage);
    this.makeDevices();
  }

  writeNetwork({ name, number, hostAddress: { prefix, key } }: Mesh): void {
    writeFileSync(
      join(this.paths.host0Networks, `${name}.conf`),
      `name=${name}\nprefix=${prefix}\nvni=${number}\nkey=${key}\n`,
    );
  }

  removeNetwork({ name }: Mesh): void {
    rmSync(join(this.paths.host0Networks, `${name}.conf`));
  }

  /** host0's own devices in the mesh. */
  makeDevices(): void {
    const { vtepMac, bridgeMac, ipv6, linkLocal } = memberAddresses(manage, 'host0');
    const {
      type: { device: vxlan },
      bridge: { name: bridge },
    } = manage;
    ip(
      this.host0.netns,
      `link add ${bridge} address ${bridgeMac} mtu 1380 type bridge`,
      `link set ${bridge} addrgenmode none alias meshwork:bridge:${manage.id}`,
      `link set ${bridge} up`,
      `link add ${vxlan} address ${vtepMac} mtu 1380 type vxlan id 456 dstport 4789`,
      `link set ${vxlan} addrgenmode none alias meshwork:vxlan:${manage.id}`,
      `link set ${vxlan} master ${bridge}`,
      `link set ${vxlan} up`,
      `address add ${ipv6}/64 dev ${bridge} nodad`,
      `address add ${linkLocal}/64 dev ${bridge} nodad`,
    );
  }

  removeDevices(): void {
    ip(this.host0.netns, `link del ${manage.type.device}`, `link del ${manage.bridge.name}`);
  }

  addHost(segment: 0 | 1, number: number, machine: string): Host {
    const host = new Host(this.#namespace(), `10.11.${segment}.${number}`, machine);
    ip(host.netns, 'link set lo up');
    this.#plug(host, 'eth0', segment, host.ipv4);
    return host;
  }

  /** Makes the host a member with `poller.sh`. */
  poll(host: Host, name: string): ChildProcess {
    const { ipv4, machine, netns } = host;
    const gateway = ipv4.replace(/[0-9]+$/, '1');
    const { prefix, key } = manage.hostAddress;
    const args = [POLLER, manage.name, prefix, String(manage.number), key, machine, gateway, name];
    return this.#keep(inNetns(netns, () => spawn('sh', args, { stdio: ['ignore', 'ignore', 'inherit'] })));
  }

  /** Starts the daemon; resolves when its journal has the event `started`. */
  async startHost0(): Promise<ChildProcess> {
    const child = this.#keep(
      this.host0.spawn(
        process.execPath,
        '--disable-warning=ExperimentalWarning',
        programFile('host0'),
        '--root',
        this.root,
        '--name',
        'host0',
      ),
    );
    let rest = '';
    const before = this.journal.length;
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) this.journal.push(JSON.parse(line) as MeshEvent);
    });
    await until('host0 has started', () => {
      if (child.exitCode !== null) throw new Error(`host0 ended with code ${child.exitCode}`);
      return this.journal.slice(before).some(({ kind }) => kind === 'started');
    });
    return child;
  }

  /** Follows a stream on host0. @returns a function that gives the text received so far */
  follow(url: string, ...options: readonly string[]): () => string {
    const curl = this.#keep(this.host0.spawn('curl', '-sgN', ...options, url));
    let heard = '';
    curl.stdout?.setEncoding('utf8').on('data', (text: string) => {
      heard += text;
    });
    return () => heard;
  }

  async control<T>(route: string, ...options: readonly string[]): Promise<T> {
    const answer = await this.host0.get(`http://control${route}`, '--unix-socket', this.paths.controlSock, ...options);
    return JSON.parse(answer?.body ?? '') as T;
  }

  async end(child: ChildProcess, signal: NodeJS.Signals = 'SIGKILL'): Promise<number | null> {
    this.#children.delete(child);
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
    const exited = once(child, 'exit');
    child.kill(signal);
    const [code] = (await exited) as [number | null];
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children) await this.end(child);
    for (const netns of this.#namespaces) netns.close();
    rmSync(this.root, { recursive: true, force: true });
  }

  #keep(child: ChildProcess): ChildProcess {
    this.#children.add(child);
    return child;
  }

  #namespace(): string {
    const netns = temporaryNetns();
    this.#namespaces.push(netns);
    return netns.path;
  }

  #plug(host: Host, device: string, segment: 0 | 1, ipv4: string): void {
    const underlayEnd = `p${ipv4.replaceAll('.', '-')}`.slice(0, 15);
    ip(this.#segment, `link add ${underlayEnd} type veth peer name ${device} netns ${host.netns}`);
    ip(this.#segment, `link set ${underlayEnd} master seg${segment} up`);
    ip(host.netns, `address add ${ipv4}/24 dev ${device}`, `link set ${device} up`);
  }
}

/** Waits until `holds`; throws after 15 s. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  await untilWithin(what, DEADLINE_MS, holds);
}
