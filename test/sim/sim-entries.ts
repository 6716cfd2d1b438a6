/**
 * The neighbour entries of a simulated kernel, and the FDB entries of its VXLANs and bridges (neighbour.c,
 * vxlan_core.c, br_fdb.c).
 */
import { entryKey } from '../../src/kernel/rtnl/object-keys.ts';
import type { FdbEntry, KernelEvent, Link, Neighbour } from '../../src/kernel/rtnl/objects.ts';
import { isIpv4 } from '../../src/model/address/ipv4.ts';
import { FLOOD_MAC, type Mac } from '../../src/model/address/mac.ts';
import type { Errno, Of } from './sim-operation.ts';

/** Adds, replaces and deletes entries with the same results and events as the real kernel. */
export class SimEntries {
  readonly neighbours = new Map<string, Neighbour>();
  readonly fdb = new Map<string, FdbEntry>();
  /** An index of the `self` entries by VXLAN and Ethernet address: every packet needs one. */
  readonly #byMac = new Map<number, Map<Mac, FdbEntry>>();
  /** An index of the flood entries by link: every broadcast needs them. */
  readonly #floods = new Map<number, Map<string, FdbEntry>>();
  readonly #links: ReadonlyMap<number, Link>;
  readonly #emit: (event: KernelEvent) => void;

  constructor(links: ReadonlyMap<number, Link>, emit: (event: KernelEvent) => void) {
    this.#links = links;
    this.#emit = emit;
  }

  neighbour(link: number, address: string): Neighbour | undefined {
    return this.neighbours.get(`${link} ${address}`);
  }

  /** The entry of a VXLAN's own table for an Ethernet address. */
  entry(link: number, mac: Mac): FdbEntry | undefined {
    return this.#byMac.get(link)?.get(mac);
  }

  floodsOf(link: number): Iterable<FdbEntry> {
    return this.#floods.get(link)?.values() ?? [];
  }

  replaceNeighbour(link: Link, { address, mac, protocol }: Of<'neighbour-replace'>): undefined {
    const family = isIpv4(address) ? 4 : 6;
    this.putNeighbour({ family, link: link.index, address, mac, state: 'permanent', externLearn: true, protocol });
    return undefined;
  }

  deleteNeighbour(link: Link, address: string): Errno {
    const neighbour = this.neighbour(link.index, address);
    if (neighbour === undefined) return 'ENOENT';
    this.dropNeighbour(neighbour);
    return undefined;
  }

  putNeighbour(neighbour: Neighbour): void {
    this.neighbours.set(`${neighbour.link} ${neighbour.address}`, neighbour);
    this.#emit({ type: 'neighbour', removed: false, neighbour, echo: false });
  }

  dropNeighbour(neighbour: Neighbour): void {
    if (!this.neighbours.delete(`${neighbour.link} ${neighbour.address}`)) return;
    this.#emit({ type: 'neighbour', removed: true, neighbour, echo: false });
  }

  flushNeighbours(link: number): void {
    for (const neighbour of [...this.neighbours.values()]) if (neighbour.link === link) this.dropNeighbour(neighbour);
  }

  change(link: Link, operation: Of<'fdb-replace' | 'fdb-append' | 'fdb-delete'>): Errno {
    const { table, mac, remoteVtep, udpPort, externLearn, sticky = false } = operation;
    if (table === 'master' ? link.master === 0 : link.vxlan === undefined) return 'ENOTSUP';
    const state = table === 'master' && externLearn ? 'dynamic' : operation.state;
    const common = { table, link: link.index, mac, state, externLearn, sticky };
    const entry: FdbEntry = {
      ...common,
      ...(remoteVtep !== undefined && { remoteVtep }),
      ...(udpPort !== undefined && { udpPort }),
    };
    const present = this.fdb.get(entryKey(entry));
    if (operation.do === 'fdb-delete') {
      const others = mac === FLOOD_MAC && (this.#floods.get(link.index)?.size ?? 0) > 0;
      if (present === undefined) return others ? undefined : 'ENOENT';
      // Deleting an entry with another remote VTEP than it has succeeds, and does nothing (__vxlan_fdb_delete).
      if (remoteVtep === undefined || present.remoteVtep === remoteVtep) this.#drop(present);
      return undefined;
    }
    if (operation.do === 'fdb-replace' && mac === FLOOD_MAC) return 'ENOTSUP';
    if (operation.do === 'fdb-append' && present !== undefined) return undefined;
    if (table === 'master') this.#leaveOtherPorts(link, mac);
    // A VXLAN's entry that was added by a request keeps its state when it is replaced (vxlan_fdb_update_existing).
    const kept = table === 'self' && present?.externLearn === true ? present.state : state;
    this.put({ ...entry, state: kept });
    return undefined;
  }

  put(entry: FdbEntry): void {
    this.fdb.set(entryKey(entry), entry);
    if (entry.mac === FLOOD_MAC && entry.remoteVtep !== undefined) {
      const floods = this.#floods.get(entry.link) ?? new Map<string, FdbEntry>();
      this.#floods.set(entry.link, floods.set(entry.remoteVtep, entry));
    } else if (entry.table === 'self') {
      const byMac = this.#byMac.get(entry.link) ?? new Map<Mac, FdbEntry>();
      this.#byMac.set(entry.link, byMac.set(entry.mac, entry));
    }
    this.#emit({ type: 'fdb', removed: false, entry, echo: false });
  }

  /** A VXLAN that goes down loses all entries that are not permanent. */
  linkDown(index: number): void {
    for (const entry of [...this.fdb.values()]) {
      if (entry.link === index && entry.table === 'self' && entry.state !== 'permanent') this.#drop(entry);
    }
  }

  /** A bridge forgets what it has learnt at a port: neither what was added with our mark, nor what is permanent. */
  portFlushed(index: number): void {
    for (const entry of [...this.fdb.values()]) {
      const isLearnt = entry.table === 'master' && entry.state === 'dynamic' && !entry.externLearn;
      if (entry.link === index && isLearnt) this.#drop(entry);
    }
  }

  /** A port that leaves a bridge takes its entries with it. */
  portLeft(index: number): void {
    for (const entry of [...this.fdb.values()]) if (entry.link === index && entry.table === 'master') this.#drop(entry);
  }

  /** Removes all entries of a deleted link, without events: the kernel announces none. */
  linkGone(index: number): void {
    for (const [key, { link }] of this.neighbours) if (link === index) this.neighbours.delete(key);
    for (const [key, { link }] of this.fdb) if (link === index) this.fdb.delete(key);
    this.#floods.delete(index);
    this.#byMac.delete(index);
  }

  /** Removes the entries for `mac` at other ports of the bridge, which has one entry for an address. */
  #leaveOtherPorts({ index, master }: Link, mac: Mac): void {
    for (const port of this.#links.values()) {
      if (port.master === master && port.index !== index) this.fdb.delete(`${port.index} master ${mac}`);
    }
  }

  #drop(entry: FdbEntry): void {
    this.fdb.delete(entryKey(entry));
    if (entry.mac === FLOOD_MAC) this.#floods.get(entry.link)?.delete(entry.remoteVtep ?? '');
    else if (entry.table === 'self') this.#byMac.get(entry.link)?.delete(entry.mac);
    this.#emit({ type: 'fdb', removed: true, entry, echo: false });
  }
}
