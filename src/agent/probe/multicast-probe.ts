/**
 * Whether multicast passes: in the group of each network with multicast peers this node says hello, and remembers whom it hears.
 * One socket a device serves all groups there. A node without such a network has no socket and no alarm.
 */
import type { Ip } from '../../kernel/ip.ts';
import type { GroupSocket, GroupSocketPlace } from '../../kernel/multicast/group-socket.ts';
import type { Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import type { MachineWord } from '../../model/machine.ts';
import type { NetworkId } from '../../model/network/number.ts';
import { Signal, type Subscribable } from '../../model/signal.ts';
import { type Finding, findingOf, type HealthSource, objectOf } from '../../protocol/documents/finding.ts';
import type { GroupHearing } from '../../protocol/documents/node-assignment.ts';
import { HELLO_PORT } from '../../protocol/documents/tcp-ports.ts';
import type { GroupPlace } from './group-place.ts';
import { GroupWatch } from './group-watch.ts';
import { helloText, readHello } from './hello.ts';

/** What the probe needs. */
export interface MulticastProbeInput {
  readonly machine: MachineWord;
  readonly clock: Clock;
  readonly random: () => number;
  /** @throws MESH_KERNEL_REFUSED */
  readonly open: (place: GroupSocketPlace) => Pick<GroupSocket, 'join' | 'leave' | 'say' | 'close'>;
  /** The node's IPv4 address on a device, by which an IPv4 group is joined. */
  readonly ipv4On: (device: string) => Ip | undefined;
}

/** One group that is watched. */
interface Watched {
  readonly place: GroupPlace;
  readonly watch: GroupWatch;
}

/** The socket of one device, with the numbers of its networks. */
interface Ear {
  readonly socket: ReturnType<MulticastProbeInput['open']>;
  readonly byNumber: Map<string, GroupWatch>;
}

/** Watches the groups of a node. */
export class MulticastProbe implements HealthSource {
  readonly #input: MulticastProbeInput;
  readonly #watched = new Map<NetworkId, Watched>();
  readonly #ears = new Map<string, Ear>();
  readonly #faults = new Map<NetworkId, MeshError>();
  readonly #changes = new Signal<void>();
  /** Emits when `hearings` may have changed. */
  readonly changes: Subscribable<void> = this.#changes;

  constructor(input: MulticastProbeInput) {
    this.#input = input;
  }

  /** Watches exactly these groups from now on. */
  follow(places: readonly GroupPlace[]): void {
    const wanted = new Map(places.map((place) => [place.network, place]));
    for (const network of this.#faults.keys()) if (!wanted.has(network)) this.#faults.delete(network);
    for (const [network, { place }] of this.#watched) {
      if (!isSame(place, wanted.get(network))) this.#end(network);
    }
    for (const place of places) if (!this.#watched.has(place.network)) this.#begin(place);
    this.#closeUnused();
  }

  /** Whom this node hears, by network; undefined while it has no network with multicast peers. */
  get hearings(): Readonly<Record<NetworkId, GroupHearing>> | undefined {
    if (this.#watched.size === 0) return undefined;
    return Object.fromEntries([...this.#watched].map(([network, { watch }]) => [network, watch.hearing]));
  }

  health(): readonly Finding[] {
    const faults = [...this.#faults.values()].map((error) =>
      findingOf(error, { object: objectOf(error) ?? 'underlay' }),
    );
    const deaf = [...this.#watched.values()].flatMap(({ place, watch }) => deafFinding(place, watch.deaf));
    return [...faults, ...deaf];
  }

  close(): void {
    this.follow([]);
  }

  #begin(place: GroupPlace): void {
    const { network, number, group, hops, device } = place;
    try {
      const ear = this.#earOf(place);
      ear.socket.join(group, this.#input.ipv4On(device));
      const watch = new GroupWatch({
        ...this.#input,
        say: (hears) => {
          for (const limit of hops)
            ear.socket.say(group, limit, helloText({ number, machine: this.#input.machine, hops: limit, hears }));
        },
        onChange: () => this.#changes.emit(),
      });
      ear.byNumber.set(number, watch);
      this.#watched.set(network, { place, watch });
      this.#faults.delete(network);
    } catch (thrown) {
      this.#faults.set(network, unheard(place, thrown));
    }
  }

  #end(network: NetworkId): void {
    const watched = this.#watched.get(network);
    watched?.watch.close();
    this.#watched.delete(network);
    this.#faults.delete(network);
    if (watched !== undefined) {
      const ear = this.#ears.get(earKey(watched.place));
      ear?.byNumber.delete(watched.place.number);
      ear?.socket.leave(watched.place.group);
    }
    this.#changes.emit();
  }

  #earOf(place: GroupPlace): Ear {
    const key = earKey(place);
    const known = this.#ears.get(key);
    if (known !== undefined) return known;
    const byNumber = new Map<string, GroupWatch>();
    const { device, family } = place;
    const onText = (text: string) => {
      const hello = readHello(text);
      if (hello !== undefined) byNumber.get(hello.number)?.take(hello);
    };
    const ear = { socket: this.#input.open({ device, family, port: HELLO_PORT, onText }), byNumber };
    this.#ears.set(key, ear);
    return ear;
  }

  #closeUnused(): void {
    for (const [key, { socket, byNumber }] of this.#ears) {
      if (byNumber.size > 0) continue;
      socket.close();
      this.#ears.delete(key);
    }
  }
}

function earKey({ device, index, family }: GroupPlace): string {
  return `${family} ${device} ${index}`;
}

function isSame(place: GroupPlace, other: GroupPlace | undefined): boolean {
  if (other === undefined || earKey(place) !== earKey(other)) return false;
  return place.number === other.number && place.group === other.group && place.hops.join() === other.hops.join();
}

function unheard({ name, group, device }: GroupPlace, thrown: unknown): MeshError {
  return new MeshError('MESH_MULTICAST_SILENT', `the group ${group} cannot be joined on ${device}`, {
    object: name,
    cause: thrown,
    rule: 'The nodes of a network with multicast peers hear its group on their underlay.',
    remedy: `See the underlay: \`ip address show dev ${device}\`, and whether another program has UDP port ${HELLO_PORT}.`,
    retryable: true,
  });
}

function deafFinding({ name, group, device }: GroupPlace, deaf: readonly MachineWord[]): Finding[] {
  if (deaf.length === 0) return [];
  return [
    {
      code: 'MESH_MULTICAST_SILENT',
      severity: 'warning',
      object: name,
      message: `this node hears ${deaf.join(', ')} in ${group} on ${device}, and is not heard there`,
      remedy: `Multicast passes in one direction only: see the firewalls of these machines (UDP ${HELLO_PORT}), and MLD snooping of the switches between. \`mesh network show ${name}\` on host0 names all pairs.`,
    },
  ];
}
