/**
 * The path of a packet inside a mesh: the neighbour entry or a solicitation (RFC 4861), the FDB entries of the VXLAN,
 * the underlay, the receiver's rules, and the learning of the receiver's VXLAN (vxlan_snoop). Entries and rules come
 * from the simulated kernels, so a missing entry cuts a machine off.
 */
import type { Link } from '../../src/kernel/rtnl/objects.ts';
import type { Ipv4 } from '../../src/model/address/ipv4.ts';
import type { Ipv6 } from '../../src/model/address/ipv6.ts';
import type { Mac } from '../../src/model/address/mac.ts';
import type { Clock } from '../../src/model/clock.ts';
import type { Station, Underlay } from './underlay.ts';

/** The bridge that a packet has reached, and its machine. */
export interface ReachedBridge {
  readonly station: Station;
  readonly bridge: Link;
}

/**
 * An unconfirmed neighbour entry is dropped after DELAY_FIRST_PROBE_TIME and three probes; then comes a multicast
 * solicitation.
 */
const UNCONFIRMED_MS = 8_000;

/**
 * Sends packets through the meshes of a cluster. A packet takes no time here; callers add the delay of the underlay.
 */
export class MeshPath {
  readonly #underlay: Underlay;
  readonly #clock: Clock;
  /** Since when a learnt neighbour entry has led nowhere. */
  readonly #unconfirmedMs = new Map<string, number>();

  constructor(underlay: Underlay, clock: Clock) {
    this.#underlay = underlay;
    this.#clock = clock;
  }

  /**
   * Sends a packet from the bridge `device` and an answer back.
   * @returns the bridge that answered; undefined when none did
   */
  roundTrip(from: Station, device: string, source: Ipv6, to: Ipv6): ReachedBridge | undefined {
    const there = this.oneWay(from, device, source, to);
    if (there === undefined) return undefined;
    const back = this.oneWay(there.station, there.bridge.name, to, source);
    return back?.station === from ? there : undefined;
  }

  /**
   * Sends a packet from the bridge `device`.
   * @returns the bridge with the address `to`; undefined when the packet is lost
   */
  oneWay(from: Station, device: string, source: Ipv6, to: Ipv6): ReachedBridge | undefined {
    const bridge = upBridge(from, device);
    if (bridge === undefined || !has(from, bridge, source)) return undefined;
    if (has(from, bridge, to)) return { station: from, bridge };
    const known = this.#neighbour(from, bridge, to);
    const mac = known ?? this.#solicit(from, bridge, source, to);
    if (mac === undefined) return undefined;
    const arrived = this.#frame(from, bridge, mac).find((reached) => has(reached.station, reached.bridge, to));
    if (known !== undefined) this.#note(from, bridge, to, arrived !== undefined);
    return arrived;
  }

  #neighbour({ kernel }: Station, bridge: Link, address: Ipv6): Mac | undefined {
    const entry = kernel.neighbour(bridge.index, address);
    return entry?.state === 'failed' ? undefined : entry?.mac;
  }

  #note({ name, kernel }: Station, bridge: Link, address: Ipv6, answered: boolean): void {
    const entry = kernel.neighbour(bridge.index, address);
    const key = `${name} ${bridge.index} ${address}`;
    if (answered || entry === undefined || entry.state === 'permanent') {
      this.#unconfirmedMs.delete(key);
      return;
    }
    const nowMs = this.#clock.nowMs();
    const sinceMs = this.#unconfirmedMs.get(key) ?? nowMs;
    this.#unconfirmedMs.set(key, sinceMs);
    if (nowMs - sinceMs < UNCONFIRMED_MS) return;
    this.#unconfirmedMs.delete(key);
    kernel.forgetNeighbour(entry);
  }

  /**
   * Floods a solicitation for the Ethernet address of `to`. The machine that has `to` learns the sender's and answers
   * it.
   */
  #solicit(from: Station, bridge: Link, source: Ipv6, to: Ipv6): Mac | undefined {
    let answer: Mac | undefined;
    for (const reached of this.#frame(from, bridge, 'flood')) {
      if (!has(reached.station, reached.bridge, to)) continue;
      learn(reached, source, bridge.mac, 'stale');
      const back = this.#frame(reached.station, reached.bridge, bridge.mac);
      if (!back.some(({ station }) => station === from)) continue;
      learn({ station: from, bridge }, to, reached.bridge.mac, 'reachable');
      answer = reached.bridge.mac;
    }
    return answer;
  }

  /** Sends an Ethernet frame with the bridge's own address as its source. @returns the bridges that it reached */
  #frame(from: Station, bridge: Link, destination: Mac | 'flood'): ReachedBridge[] {
    const bridges: ReachedBridge[] = [];
    for (const port of from.kernel.links.values()) {
      const { vxlan } = port;
      if (vxlan === undefined || port.master !== bridge.index || !port.up) continue;
      for (const target of targets(from, port, destination)) {
        const local = (vxlan.local ?? from.kernel.routeTo(target)?.source) as Ipv4 | undefined;
        const station = local === undefined ? undefined : this.#underlay.send(from, local, target);
        if (station === undefined || local === undefined) continue;
        const arrived = arrive(station, vxlan.vni, bridge.mac, local);
        if (arrived !== undefined && (destination === 'flood' || arrived.mac === destination)) {
          bridges.push({ station, bridge: arrived });
        }
      }
    }
    return bridges;
  }
}

/** The remote VTEPs to which the VXLAN `port` sends a frame for `destination`. */
function* targets({ kernel }: Station, port: Link, destination: Mac | 'flood'): Iterable<Ipv4> {
  const known = destination === 'flood' ? undefined : kernel.entry(port.index, destination);
  // The flood entries are copied first: an arriving packet may change them, and that must not change its receivers.
  for (const entry of known === undefined ? [...kernel.floodsOf(port.index)] : [known]) {
    if (entry.remoteVtep !== undefined) yield entry.remoteVtep as Ipv4;
  }
}

/**
 * Receives a frame at a station.
 * @param outer source address of the VXLAN packet
 * @returns the bridge that gets the frame; undefined when the frame is dropped
 */
function arrive({ kernel }: Station, vni: number, source: Mac, outer: Ipv4): Link | undefined {
  const receiver = kernel.receiverOf(vni, outer);
  if (receiver === undefined) return undefined;
  const { port, bridge } = receiver;
  const entry = kernel.entry(port.index, source);
  if (entry !== undefined && entry.remoteVtep !== outer) {
    // The frame comes from another VTEP than the entry says. A permanent entry stays, and the frame is dropped.
    if (entry.state === 'permanent') return undefined;
    kernel.learnEntry({ ...entry, remoteVtep: outer });
  } else if (entry === undefined && port.vxlan?.learning === true) {
    kernel.learnEntry({
      table: 'self',
      link: port.index,
      mac: source,
      remoteVtep: outer,
      state: 'dynamic',
      externLearn: false,
      sticky: false,
    });
  }
  return bridge;
}

function learn({ station, bridge }: ReachedBridge, address: Ipv6, mac: Mac, state: 'stale' | 'reachable'): void {
  const present = station.kernel.neighbour(bridge.index, address);
  if (present?.state === 'permanent' || (present?.mac === mac && present.state === state)) return;
  station.kernel.learnNeighbour({
    family: 6,
    link: bridge.index,
    address,
    mac,
    state,
    externLearn: false,
    protocol: 0,
  });
}

function upBridge({ kernel }: Station, device: string): Link | undefined {
  const bridge = kernel.linkNamed(device);
  return bridge?.up === true && bridge.kind === 'bridge' ? bridge : undefined;
}

function has({ kernel }: Station, bridge: Link, address: Ipv6): boolean {
  return kernel.addresses.has(`${bridge.index} ${address}`);
}
