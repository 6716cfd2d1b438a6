/**
 * Two guests on two nodes of a lab, each with a card in a network of each kind: one whose peers host0 assigns, a mesh of `.conf` files, and
 * one whose VTEPs find each other by multicast.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { netnsPath } from '../../../src/kernel/netns.ts';
import { Lab } from '../../../src/lab/cluster/lab.ts';
import { residentsOf } from '../../../src/lab/cluster/residents.ts';
import type { LabHost } from '../../../src/lab/hosts/lab-host.ts';
import { parseIpv4 } from '../../../src/model/address/ipv4.ts';
import { parseMac } from '../../../src/model/address/mac.ts';
import { MeshError } from '../../../src/model/error.ts';
import type { Workload } from '../../../src/model/workload/workload.ts';
import { host0Client } from '../../../src/protocol/calls/control-client.ts';
import { pathsBelow } from '../../../src/protocol/documents/paths.ts';
import type { WorkloadView } from '../../../src/protocol/documents/workload/workload-view.ts';
import { findMark, type ProcessMark } from '../../../src/services/process/process-mark.ts';
import { SECOND_MESH, writeMesh } from '../../kit/lab-networks.ts';
import { inside } from '../../kit/namespaces.ts';
import { guestCommandLine, type SmallGuest, smallGuest } from '../../kit/small-guest/small-guest.ts';
import { isReady } from '../drift.ts';
import { countEchoesOn, echoesOn } from '../echo-counters.ts';
import { meshOn } from '../mesh-command.ts';
import { until } from '../until.ts';

/** A guest is ready after two seconds, and its neighbour answers a second later. */
export const GUEST_MS = 40_000;
/** host0 and nodes know of a change at once; a node that lost its channel is back within three seconds. */
export const KNOWN_MS = 25_000;
const MIB = 1024 * 1024;
const TAP = /^v[0-9a-f]+$/;

/** The guests. */
export const GUESTS = ['one', 'two'] as const;
/** One of them. */
export type GuestName = (typeof GUESTS)[number];

/** A card of each guest: its device in the guest, and what its network is on a node. */
interface Card {
  readonly device: string;
  readonly network: string;
  readonly links: readonly string[];
  /** A word of Ethernet addresses and a byte of IPv4 addresses. */
  readonly net: number;
}

/** The cards, in the order in which a guest finds them. */
export const CARDS: readonly Card[] = [
  { device: 'eth0', network: 'blue', links: ['br1001', 'vxlan1001'], net: 10 },
  { device: 'eth1', network: SECOND_MESH.name, links: ['br457', 'vxlan457'], net: 11 },
  { device: 'eth2', network: 'many', links: ['br1002', 'vxlan1002'], net: 12 },
];
const MULTICAST = 'name: many\\ntype: { kind: vxlan, underlay: ipv6, dev: eth0 }\\npeers: { kind: multicast }\\n';

const numberOf = (name: GuestName) => GUESTS.indexOf(name) + 1;
const hex = (byte: number) => byte.toString(16).padStart(2, '0');

/** The Ethernet address of a guest's card, and the addresses that follow. */
export function cardOf(name: GuestName, { net }: Card) {
  return {
    mac: parseMac(`02:00:00:00:${hex(net)}:${hex(numberOf(name))}`),
    ipv4: parseIpv4(`10.44.${net}.${numberOf(name)}`),
    linkLocal: `fe80::ff:fe00:${((net << 8) | numberOf(name)).toString(16)}`,
  };
}

/** The other guest. */
export const other = (name: GuestName): GuestName => (name === 'one' ? 'two' : 'one');

/** The lab with the nodes of both guests, and one more. Disposing of it takes it down. */
export class GuestPair implements AsyncDisposable {
  readonly lab: Lab;
  readonly #guest: SmallGuest;

  private constructor(lab: Lab, guest: SmallGuest) {
    this.lab = lab;
    this.#guest = guest;
  }

  /** Builds the lab with the three networks. No guest runs yet. */
  static async up(name: string): Promise<GuestPair> {
    const guest = await smallGuest();
    // host0 and three nodes: the third has no guest, and must be as if there were none.
    const lab = await Lab.up({ name, nodes: 3, segments: 1 });
    const pair = new GuestPair(lab, guest);
    try {
      for (const [at, host] of lab.hosts.entries()) pair.addIpv6(host, at);
      for (const host of lab.hosts) writeMesh(host, SECOND_MESH);
      await pair.mesh('network', 'create', 'blue');
      await pair.run('sh', '-c', `printf '${MULTICAST}' | mesh network apply -`);
      await Promise.all(
        lab.hosts.map(async (host) => {
          await until(`${host.name} has ${SECOND_MESH.name}`, KNOWN_MS, () => linksOf(host).includes('br457'));
          await isReady(host);
        }),
      );
      return pair;
    } catch (error) {
      await lab.down();
      throw error;
    }
  }

  /** The underlay has IPv6, too, over which multicast goes. @param at the number of the host */
  addIpv6(host: LabHost, at: number): void {
    const { device = '' } = host.ports[0] ?? {};
    inside(netnsPath(host.netns), 'ip', 'address', 'add', `fd00:11::${at + 1}/64`, 'dev', device, 'nodad');
  }

  /** The node on which a guest is. */
  nodeOf(name: GuestName): LabHost {
    return this.lab.host(`node${numberOf(name)}`);
  }

  get nodes(): readonly LabHost[] {
    return GUESTS.map((name) => this.nodeOf(name));
  }

  get client() {
    return host0Client(pathsBelow(this.lab.host('host0').root));
  }

  /** Runs a command of host0's administrator. @returns its output */
  async run(...words: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.lab.exec(this.lab.host('host0'), words);
    if (code !== 0) throw new Error(`${words.join(' ')}: ${stdout}${stderr}`);
    return stdout;
  }

  async mesh(...words: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await meshOn(this.lab.host('host0'), ...words);
    if (code !== 0) throw new Error(`${words.join(' ')}: ${stdout}${stderr}`);
    return stdout;
  }

  /** A guest with all cards, which looks for the other one in each network. */
  workloadOf(name: GuestName): Workload {
    const there = CARDS.map((card) => ({ ...cardOf(other(name), card), device: card.device }));
    const append = guestCommandLine(this.#guest, {
      name,
      addresses: CARDS.map((card) => [card.device, `${cardOf(name, card).ipv4}/24`] as const),
      pings: there.flatMap(({ ipv4, linkLocal, device }) => [ipv4, `${linkLocal}%${device}`]),
      steady: there.map(({ ipv4 }) => ipv4),
    });
    return {
      ...this.idle(name),
      memoryBytes: 112 * MIB,
      networks: CARDS.map((card) => {
        const { mac, ipv4 } = cardOf(name, card);
        const addresses = [{ address: ipv4, length: 24 }];
        return { id: card.network, network: card.network, mac, addresses, model: 'virtio' };
      }),
      boot: { kernel: this.#guest.kernel, initrd: this.#guest.initrd, append },
    };
  }

  /** A machine without a card and without anything to boot: its firmware finds nothing, and it runs on. */
  idle(name: string, more: Partial<Workload> = {}): Workload {
    return {
      name,
      uuid: `guest-${name}`,
      memoryBytes: 64 * MIB,
      cpu: { threads: 1, mode: 'host' },
      volumes: [],
      networks: [],
      console: { serial: true, vnc: false },
      firmware: 'bios',
      restart: 'on-failure',
      place: { kind: 'any' },
      ...more,
    };
  }

  /** Orders a start. A member opens its channel a moment after it has joined. */
  async start(node: LabHost, workload: Workload): Promise<void> {
    const { name } = workload;
    const order = { path: { name }, body: { node: node.name, workload } };
    await until(`${node.name} can be given ${name}`, KNOWN_MS, () =>
      this.client.ask('POST /v1/workloads/{name}/start', order).catch(unless('MESH_NODE_UNKNOWN', 'MESH_NODE_OFFLINE')),
    );
  }

  viewOf(name: string): Promise<WorkloadView> {
    return this.client.ask('GET /v1/workloads/{name}', { path: { name } });
  }

  /** Waits until host0 shows the workload in a state. It may have been killed, and not be there again yet. */
  async hasState(name: string, state: WorkloadView['state'], deadlineMs = GUEST_MS): Promise<WorkloadView> {
    let seen: WorkloadView | undefined;
    try {
      return await until(`${name} is ${state}`, deadlineMs, async () => {
        seen = await this.viewOf(name).catch(unless('MESH_NOT_RUNNING'));
        return seen?.state === state && seen;
      });
    } catch (cause) {
      throw new Error(`${cause}: ${JSON.stringify(seen)}`, { cause });
    }
  }

  /**
   * Waits until host0 shows the workload as running, with this many restarts. For a moment after a fault, host0 shows what it heard last.
   * @returns the emulator
   */
  running(name: string, restarts = 0): Promise<ProcessMark> {
    return until(`${name} runs, with ${restarts} restarts`, GUEST_MS, async () => {
      const { run } = await this.hasState(name, 'running');
      return run?.restarts === restarts && run.pid !== undefined && findMark(run.pid);
    });
  }

  /** What the guest has said on its console. */
  async consoleOf(name: GuestName): Promise<string> {
    const { id } = await this.viewOf(name);
    const file = join(pathsBelow(this.nodeOf(name).root).logs, 'workloads', `${id}.console.log`);
    return existsSync(file) ? readFileSync(file, 'latin1') : '';
  }

  /** Waits until the guest has said this more than `times` times. */
  async hears(name: GuestName, said: string, times = 0): Promise<void> {
    await until(`${name} says more than ${times} times: ${said}`, GUEST_MS, async () => {
      return (await this.consoleOf(name)).split(said).length - 1 > times;
    });
  }

  /** Waits until each guest has had more answers to its pings each 50 ms, in each network. */
  async pingsGoOn(): Promise<void> {
    const words = GUESTS.flatMap((name) =>
      CARDS.map((card) => [name, `guest: ${cardOf(other(name), card).ipv4} is pinged`] as const),
    );
    const before = await Promise.all(
      words.map(async ([name, said]) => (await this.consoleOf(name)).split(said).length),
    );
    await Promise.all(words.map(([name, said], at) => this.hears(name, said, (before[at] ?? 0) + 1)));
  }

  /** From now on, the kernels count the echo requests that leave each guest, and those that come to each. */
  async countEchoes(): Promise<void> {
    await this.#heldStill(async () => {
      for (const host of this.nodes) {
        countEchoesOn(
          host,
          guestLinks(host).filter((link) => TAP.test(link)),
        );
      }
    });
  }

  /** The echo requests of all guests that have not come to the other one since `countEchoes`, by the guest that has sent them. */
  lostEchoes(): Promise<Record<GuestName, number>> {
    return this.#heldStill(async () => {
      const [one, two] = this.nodes.map(echoesOn);
      return { one: (one?.sent ?? 0) - (two?.came ?? 0), two: (two?.sent ?? 0) - (one?.came ?? 0) };
    });
  }

  /** Holds both guests still meanwhile: no packet is on its way. */
  async #heldStill<T>(body: () => Promise<T>): Promise<T> {
    for (const name of GUESTS) await this.mesh('workload', 'pause', '-w', name);
    for (const name of GUESTS) await this.hasState(name, 'paused');
    try {
      return await body();
    } finally {
      for (const name of GUESTS) await this.mesh('workload', 'resume', '-w', name);
    }
  }

  /**
   * Reboots a node, as far as a lab can: its processes, links and run files are gone, and what is on its disk is from another boot.
   * @param meanwhile happens while the node is off
   */
  async reboot(node: LabHost, meanwhile: () => Promise<void>): Promise<void> {
    await this.lab.stop(node, 'agent', 'SIGKILL');
    await meanwhile();
    const directory = join(pathsBelow(node.root).state, 'workloads');
    for (const name of readdirSync(directory)) {
      const file = join(directory, name);
      const record: unknown = JSON.parse(readFileSync(file, 'utf8'));
      writeFileSync(file, JSON.stringify({ ...Object(record), boot: '00000000-0000-4000-8000-000000000000' }));
    }
    await this.lab.rebootHost(node);
    this.addIpv6(node, this.lab.hosts.indexOf(node));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.lab.down();
  }
}

/** Takes a refusal of these codes for no answer. */
function unless(...codes: readonly string[]): (error: unknown) => undefined {
  return (error) => {
    if (error instanceof MeshError && codes.includes(error.code)) return undefined;
    throw error;
  };
}

/** The emulators that run on a host. */
export function emulatorsOn(host: LabHost): readonly number[] {
  const residents = residentsOf([host.netns], host.root);
  return residents.map(({ pid }) => pid).filter((pid) => readFileSync(`/proc/${pid}/comm`, 'utf8').startsWith('qemu'));
}

/** The names of the links of a host. */
function linksOf(host: LabHost): readonly string[] {
  const text = inside(netnsPath(host.netns), 'ip', '-br', 'link');
  return text.split('\n').map((line) => line.split(/[\s@]/)[0] ?? '');
}

/** The devices of a host that are there for guests: those of blue and many, and taps. */
export const guestLinks = (host: LabHost) =>
  linksOf(host)
    .filter((link) => /^(?:(?:vxlan|br)100\d|v[0-9a-f]+)$/.test(link))
    .toSorted();

/**
 * The entries of a host's kernel that name a card of a guest, without those that a mesh of files has learnt itself: the kernel forgets
 * these after five minutes.
 */
export function guestEntries(host: LabHost): readonly string[] {
  const macs = GUESTS.flatMap((name) => CARDS.map((card) => cardOf(name, card).mac));
  const netns = netnsPath(host.netns);
  const entries = `${inside(netns, 'bridge', 'fdb', 'show')}${inside(netns, 'ip', 'neighbour', 'show')}`;
  const isLearnt = (line: string) => line.includes('dev vxlan457') && !/extern_learn|static|permanent/.test(line);
  return entries.split('\n').filter((line) => macs.some((mac) => line.includes(mac)) && !isLearnt(line));
}
