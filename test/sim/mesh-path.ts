/**
 * What happens to a packet inside a mesh: the neighbour entry or a solicitation (RFC 4861), the entries of the VXLAN, the
 * underlay, the other side's rules, and what its VXLAN learns on the way (vxlan_snoop). Entries and rules come from the
 * simulated kernels, so whoever forgets one cuts somebody off.
 */
import type { Link } from '../../src/kernel/rtnl/objects.ts';
import type { Ipv4 } from '../../src/model/address/ipv4.ts';
import type { Ipv6 } from '../../src/model/address/ipv6.ts';
import type { Mac } from '../../src/model/address/mac.ts';
import type { Clock } from '../../src/model/clock.ts';
import type { Station, Underlay } from './underlay.ts';

/** Where something came out: a machine and its bridge. */
export interface Place {
  readonly station: Station;
  readonly bridge: Link;
}

/** A neighbour that nobody confirms any more is asked for aloud after DELAY_FIRST_PROBE_TIME and three probes. */
const UNCONFIRMED_MS = 8_000;

export class MeshPath {
  readonly #underlay: Underlay;
  readonly #clock: Clock;
  /** Since when a learnt neighbour has led nowhere. */
  readonly #unconfirmedMs = new Map<string, number>();

  constructor(underlay: Underlay, clock: Clock) {
    this.#underlay = underlay;
    this.#clock = clock;
  }

  /** There and back. @returns who answered */
  roundTrip(from: Station, device: string, source: Ipv6, to: Ipv6): Place | undefined {
    const there = this.oneWay(from, device, source, to);
    if (there === undefined) return undefined;
    const back = this.oneWay(there.station, there.bridge.name, to, source);
    return back?.station === from ? there : undefined;
  }

  /** A packet from the bridge `device`. @returns where it arrived */
  oneWay(from: Station, device: string, source: Ipv6, to: Ipv6): Place | undefined {
    const bridge = upBridge(from, device);
    if (bridge === undefined || !has(from, bridge, source)) return undefined;
    if (has(from, bridge, to)) return { station: from, bridge };
    const known = this.#neighbour(from, bridge, to);
    const mac = known ?? this.#solicit(from, bridge, source, to);
    if (mac === undefined) return undefined;
    const arrived = this.#frame(from, bridge, mac).find((place) => has(place.station, place.bridge, to));
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

  /** Asks everybody for the Ethernet address of `to`; whoever has it learns the asker's, and answers to it alone. */
  #solicit(from: Station, bridge: Link, source: Ipv6, to: Ipv6): Mac | undefined {
    let answer: Mac | undefined;
    for (const place of this.#frame(from, bridge, 'everybody')) {
      if (!has(place.station, place.bridge, to)) continue;
      learn(place, source, bridge.mac, 'stale');
      const back = this.#frame(place.station, place.bridge, bridge.mac);
      if (!back.some(({ station }) => station === from)) continue;
      learn({ station: from, bridge }, to, place.bridge.mac, 'reachable');
      answer = place.bridge.mac;
    }
    return answer;
  }

  /** An Ethernet frame with the bridge's own address as its source. */
  #frame(from: Station, bridge: Link, destination: Mac | 'everybody'): Place[] {
    const places: Place[] = [];
    for (const port of from.kernel.links.values()) {
      const { vxlan } = port;
      if (vxlan === undefined || port.master !== bridge.index || !port.up) continue;
      for (const target of targets(from, port, destination)) {
        const local = (vxlan.local ?? from.kernel.routeTo(target)?.source) as Ipv4 | undefined;
        const station = local === undefined ? undefined : this.#underlay.send(from, local, target);
        if (station === undefined || local === undefined) continue;
        const arrived = arrive(station, vxlan.vni, bridge.mac, local);
        if (arrived !== undefined && (destination === 'everybody' || arrived.mac === destination)) {
          places.push({ station, bridge: arrived });
        }
      }
    }
    return places;
  }
}

/** Where the VXLAN `port` sends a frame for `destination`. */
function* targets({ kernel }: Station, port: Link, destination: Mac | 'everybody'): Iterable<Ipv4> {
  const known = destination === 'everybody' ? undefined : kernel.entry(port.index, destination);
  // A packet may change the entries as it arrives; who gets it was decided before.
  for (const entry of known === undefined ? [...kernel.floodsOf(port.index)] : [known]) {
    if (entry.remoteVtep !== undefined) yield entry.remoteVtep as Ipv4;
  }
}

/** @returns the bridge that the frame comes out of */
function arrive({ kernel }: Station, vni: number, source: Mac, outer: Ipv4): Link | undefined {
  const reception = kernel.reception(vni, outer);
  if (reception === undefined) return undefined;
  const { port, bridge } = reception;
  const entry = kernel.entry(port.index, source);
  if (entry !== undefined && entry.remoteVtep !== outer) {
    // A frame of that address from elsewhere: a permanent entry stands, and the frame is dropped.
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

function learn({ station, bridge }: Place, address: Ipv6, mac: Mac, state: 'stale' | 'reachable'): void {
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
