/**
 * The spaces of services in the kernel: network namespaces below one directory, in which all that begin with `meshwork-` are the
 * agent's. The agent has no monitor inside of them: what is in a namespace is read again after half a minute.
 */
import { closeSync, existsSync, lchownSync, mkdirSync, openSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { isNamedNetns, makeNamedNetns, nameNetnsOf, namesOfNetns, removeNamedNetns } from '../../kernel/named-netns.ts';
import { inNetns } from '../../kernel/netns.ts';
import type { KernelOperation } from '../../kernel/rtnl/operation.ts';
import { Rtnl } from '../../kernel/rtnl/rtnl.ts';
import { readSysctl, writeSysctl } from '../../kernel/sysctl.ts';
import type { Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import { isNetworkNumber, networkIdOf } from '../../model/network/number.ts';
import type { Item, ItemMap } from '../items/item.ts';
import { OUR_LINK_GROUP } from '../items/mark.ts';
import { leaseDirectory, type ServiceSpace, SPACE_LINK, spaceDirectory } from '../items/space/service-space.ts';
import { spaceKey } from '../items/space/space-item.ts';
import { announce, furnishRoutes, routeFlaws } from './inner-routes.ts';
import { makeOuter, type OuterNamespaces, outerFlaws, removeOuter } from './outer-places.ts';

/** Where the spaces are. */
export interface ServiceSpacesInput {
  /** The directory of the namespaces, in which all is the agent's. */
  readonly directory: string;
  /** For the directories of spaces (`spaceDirectory`). A reboot empties it. */
  readonly run: string;
  /** For the leases of guests (`leaseDirectory`). */
  readonly leases: string;
  readonly clock: Clock;
  /** Path of the namespace with the bridges; that of this process when absent. */
  readonly home?: string;
  /** Who owns the directories of spaces. Absent: root. */
  readonly owner?: { readonly uid: number; readonly gid: number };
}

const NAME = /^meshwork-([0-9a-f]{1,6})$/;
/** How long a look into a namespace holds. */
const LOOK_MS = 30_000;
/** What a router has: it forwards, and takes no advertisement of another one. Links get the defaults when they are made. */
const ROUTER_SETTINGS = [
  [['net', 'ipv4', 'ip_forward'], '1'],
  [['net', 'ipv6', 'conf', 'all', 'forwarding'], '1'],
  // When an address goes, others of its subnet stay.
  [['net', 'ipv4', 'conf', 'all', 'promote_secondaries'], '1'],
  [['net', 'ipv6', 'conf', 'default', 'forwarding'], '1'],
  [['net', 'ipv6', 'conf', 'default', 'accept_ra'], '0'],
  [['net', 'ipv6', 'conf', 'default', 'autoconf'], '0'],
  [['net', 'ipv6', 'conf', 'default', 'accept_redirects'], '0'],
  [['net', 'ipv4', 'conf', 'default', 'accept_redirects'], '0'],
] as const;

/** What a look asks for. Those of `default` have had their effect on the links. */
const KEPT_SETTINGS = ROUTER_SETTINGS.slice(0, 3);

/** A way out that could not be made. */
interface OuterFault {
  readonly space: ServiceSpace;
  readonly atMs: number;
  readonly error: MeshError;
}

interface Look {
  readonly space: ServiceSpace;
  readonly atMs: number;
  readonly flaws: readonly string[];
}

/** Makes, looks at and removes spaces. */
export class ServiceSpaces {
  readonly #input: ServiceSpacesInput;
  readonly #homePath: string;
  readonly #looks = new Map<string, Look>();
  /** The spaces that were made, by their names. */
  readonly #made = new Map<string, ServiceSpace>();
  /** By the names of spaces. */
  readonly #outerFaults = new Map<string, OuterFault>();
  #rtnl: Promise<Rtnl> | undefined;

  constructor(input: ServiceSpacesInput) {
    this.#input = input;
    this.#homePath = input.home ?? `/proc/${process.pid}/ns/net`;
  }

  /** The spaces that are there, each with how it differs from the desired one. Rejects never. */
  async observe(desired: ItemMap): Promise<Item[]> {
    const { directory } = this.#input;
    const items: Item[] = [];
    for (const name of namesOfNetns(directory)) {
      const number = Number.parseInt(NAME.exec(name)?.[1] ?? '', 16);
      if (!isNetworkNumber(number)) continue;
      const want = desired.get(spaceKey(name));
      const space = want?.kind === 'space' ? want.space : undefined;
      if (space !== undefined && !isNamedNetns(space.path)) continue;
      // One space that cannot be looked at must not keep the node from all else: it is made again, and that names the fault.
      const flaws = space === undefined ? [] : await this.#flawsOf(space).catch(unseen);
      items.push({ kind: 'space', network: networkIdOf(number), name, flaws });
    }
    return items;
  }

  /**
   * Gives spaces their names again in which servers still run. Names are mounts: where a service manager gives each run of the agent a
   * mount namespace of its own, as systemd does, the names of an earlier run are gone.
   * @param pidOf the process of this name, if it runs
   */
  nameAgain(desired: ItemMap, pidOf: (process: string) => number | undefined): void {
    for (const item of desired.values()) {
      if (item.kind !== 'process' || item.spec?.netns === undefined) continue;
      const { netns, name } = item.spec;
      const isSpace = dirname(netns) === this.#input.directory && NAME.test(basename(netns));
      const pid = isSpace && !isNamedNetns(netns) ? pidOf(name) : undefined;
      if (pid === undefined) continue;
      try {
        nameNetnsOf(pid, netns);
      } catch {
        // The process may just have ended. The space is made again, and that names the fault.
      }
    }
  }

  /** Makes a space, or puts right what there is of it. @throws MESH_KERNEL_REFUSED */
  async make(space: ServiceSpace): Promise<void> {
    this.#looks.delete(space.name);
    this.#made.delete(space.name);
    const home = await this.#home();
    // The server opens its file there before it gives up the rights of root.
    if (space.leases !== undefined) mkdirSync(space.leases, { recursive: true });
    if (!isNamedNetns(space.path)) {
      // The namespace of before has lost its name: its link leads nowhere.
      await this.#deletePort(home, space);
      makeNamedNetns(space.path, () => {
        for (const [path, value] of ROUTER_SETTINGS) writeSysctl(path, value);
      });
    }
    const inside = await Rtnl.open({ netns: space.path });
    try {
      await this.#join(space, home, inside);
      await this.#furnish(space, inside);
      await furnishRoutes(space, inside);
      const places = { path: space.path, inside, home };
      await this.#furnishOuter(space, places);
      await announce(space, inside);
      this.#made.set(space.name, space);
    } finally {
      await inside.close();
    }
  }

  /** Whether this space has been made, and no look since has seen it otherwise. */
  isInPlace(space: ServiceSpace): boolean {
    const look = this.#looks.get(space.name);
    return look === undefined ? this.#made.get(space.name) === space : look.space === space && look.flaws.length === 0;
  }

  /** Why a space has no way out, or not the whole of one; undefined where nothing is wrong. */
  outerFaultOf(name: string): MeshError | undefined {
    return this.#outerFaults.get(name)?.error;
  }

  /** Removes a space with its link. @throws MESH_KERNEL_REFUSED */
  async remove(name: string): Promise<void> {
    this.#looks.delete(name);
    this.#made.delete(name);
    this.#outerFaults.delete(name);
    this.#removeDirectory(spaceDirectory(this.#input.run, name));
    rmSync(leaseDirectory(this.#input.leases, name), { recursive: true, force: true });
    const path = join(this.#input.directory, name);
    if (isNamedNetns(path)) {
      const inside = await Rtnl.open({ netns: path });
      try {
        if ((await inside.link(SPACE_LINK)) !== undefined) await done(inside, { do: 'link-delete', link: SPACE_LINK });
      } finally {
        await inside.close();
      }
    }
    removeNamedNetns(path);
  }

  async close(): Promise<void> {
    await (await this.#rtnl?.catch(() => undefined))?.close();
  }

  async #home(): Promise<Rtnl> {
    const { home } = this.#input;
    const opening = this.#rtnl ?? Rtnl.open(home === undefined ? {} : { netns: home });
    this.#rtnl = opening;
    try {
      return await opening;
    } catch (thrown) {
      // The next step tries again.
      if (this.#rtnl === opening) this.#rtnl = undefined;
      throw thrown;
    }
  }

  async #flawsOf(space: ServiceSpace): Promise<readonly string[]> {
    return [...(await this.#flawsOutside(space)), ...(await this.#flawsInside(space))];
  }

  async #flawsOutside({ port, bridge, mtuBytes }: ServiceSpace): Promise<string[]> {
    const home = await this.#home();
    const link = await home.link(port);
    if (link === undefined) return [`${port} is not there`];
    const master = (await home.link(bridge))?.index;
    return [
      ...(link.master === master ? [] : [`${port} is not on ${bridge}`]),
      ...(link.up ? [] : [`${port} is down`]),
      ...(link.mtuBytes === mtuBytes ? [] : [`${port} mtu ${link.mtuBytes} → ${mtuBytes}`]),
    ];
  }

  async #flawsInside(space: ServiceSpace): Promise<readonly string[]> {
    const nowMs = this.#input.clock.nowMs();
    const known = this.#looks.get(space.name);
    if (known?.space === space && nowMs - known.atMs < LOOK_MS && known.flaws.length === 0) return known.flaws;
    const inside = await Rtnl.open({ netns: space.path });
    try {
      const flaws = [
        ...(await flawsOf(space, inside)),
        ...(await routeFlaws(space, inside)),
        ...(this.#waitsForOuter(space) ? [] : await outerFlaws(space.outer, { path: space.path, inside })),
        ...this.#directoryFlaws(space),
        ...(space.leases === undefined || existsSync(space.leases) ? [] : [`${space.leases} is not there`]),
      ];
      this.#looks.set(space.name, { space, atMs: nowMs, flaws });
      return flaws;
    } finally {
      await inside.close();
    }
  }

  /** What else is served in the space does without a way out. So its fault is kept, and the way is made again after a while. */
  async #furnishOuter(space: ServiceSpace, places: OuterNamespaces): Promise<void> {
    const { name, outer } = space;
    const directory = spaceDirectory(this.#input.run, name);
    try {
      if (outer === undefined) this.#removeDirectory(directory);
      else this.#makeDirectory(directory);
      if (outer !== undefined) await makeOuter(outer, places);
      else if ((await outerFlaws(undefined, places)).length > 0) await removeOuter(places);
      this.#outerFaults.delete(name);
    } catch (thrown) {
      this.#outerFaults.set(name, { space, atMs: this.#input.clock.nowMs(), error: MeshError.from(thrown) });
    }
  }

  #makeDirectory(directory: string): void {
    const { owner } = this.#input;
    mkdirSync(directory, { recursive: true });
    if (owner !== undefined) handOver(directory, owner);
  }

  /** A root with few capabilities removes nothing from a directory of another user. */
  #removeDirectory(directory: string): void {
    if (this.#input.owner !== undefined && existsSync(directory)) handOver(directory, { uid: 0, gid: 0 });
    rmSync(directory, { recursive: true, force: true });
  }

  #directoryFlaws(space: ServiceSpace): string[] {
    const { outer, name } = space;
    const directory = spaceDirectory(this.#input.run, name);
    if (existsSync(directory) === (outer !== undefined) || this.#waitsForOuter(space)) return [];
    return [outer === undefined ? `${directory} is there` : `${directory} is not there`];
  }

  #waitsForOuter(space: ServiceSpace): boolean {
    const fault = this.#outerFaults.get(space.name);
    return fault?.space === space && this.#input.clock.nowMs() - fault.atMs < LOOK_MS;
  }

  async #deletePort(home: Rtnl, { port }: ServiceSpace): Promise<void> {
    const link = await home.link(port);
    if (link === undefined) return;
    if (link.group !== OUR_LINK_GROUP || link.kind !== 'veth') throw foreign(port);
    await done(home, { do: 'link-delete', link: port });
  }

  /** Makes the veth inside, and moves one end to the bridge: so the other one is never seen outside. */
  async #join(space: ServiceSpace, home: Rtnl, inside: Rtnl): Promise<void> {
    const { port, bridge, mtuBytes, network } = space;
    const [group, alias] = [OUR_LINK_GROUP, `meshwork:service:${network}`];
    const [outer, inner] = [await home.link(port), await inside.link(SPACE_LINK)];
    if (outer === undefined || inner === undefined) {
      if (inner !== undefined) await done(inside, { do: 'link-delete', link: SPACE_LINK });
      else await this.#deletePort(home, space);
      await done(inside, { do: 'link-add', kind: 'veth', name: SPACE_LINK, peer: port });
      // A process that is killed after the move must find its own link outside, and not one of another program.
      await done(inside, { do: 'link-set', link: port, change: { group, alias } });
      const netnsFd = openSync(this.#homePath, 'r');
      try {
        await done(inside, { do: 'link-move', link: port, netnsFd });
      } finally {
        closeSync(netnsFd);
      }
    } else if (outer.group !== OUR_LINK_GROUP) throw foreign(port);
    // The move has set the address mode back.
    await done(home, { do: 'link-set', link: port, change: { group, alias, addressMode: 'none', mtuBytes } });
    await done(home, { do: 'link-set', link: port, change: { master: bridge, up: true } });
  }

  async #furnish({ mac, mtuBytes, addresses, path }: ServiceSpace, inside: Rtnl): Promise<void> {
    const link = SPACE_LINK;
    const before = await inside.link(link);
    const isSame = before?.mac === mac && before.mtuBytes === mtuBytes && before.up;
    if (!isSame) {
      await done(inside, { do: 'link-set', link, change: { addressMode: 'none', mac, mtuBytes } });
      await done(inside, { do: 'link-set', link, change: { up: true } });
    }
    const index = (await inside.link(link))?.index;
    const have = (await inside.addresses()).filter((one) => one.link === index);
    const isIn = (list: readonly { address: string; length: number }[], one: { address: string; length: number }) =>
      list.some(({ address, length }) => address === one.address && length === one.length);
    for (const { address, length } of have.filter((one) => !isIn(addresses, one)))
      await done(inside, { do: 'address-delete', link, address, length });
    for (const { address, length } of addresses.filter((one) => !isIn(have, one)))
      await done(inside, { do: 'address-add', link, address, length, ...(address.includes(':') && { nodad: true }) });
    inNetns(path, () => {
      for (const [setting, value] of KEPT_SETTINGS) if (readSysctl(setting) !== value) writeSysctl(setting, value);
    });
  }
}

/** Where this process may not give a directory away, tayga keeps its maps in memory alone. */
function handOver(directory: string, { uid, gid }: { readonly uid: number; readonly gid: number }): void {
  try {
    lchownSync(directory, uid, gid);
  } catch {
    // The directory is as it was.
  }
}

function unseen(thrown: unknown): string[] {
  return [`it cannot be looked at: ${MeshError.from(thrown).message}`];
}

/** What is not as wanted inside the namespace. */
async function flawsOf({ mac, mtuBytes, addresses, path }: ServiceSpace, inside: Rtnl): Promise<string[]> {
  const link = await inside.link(SPACE_LINK);
  if (link === undefined) return [`${SPACE_LINK} is not there`];
  const flaws: string[] = [];
  if (link.mac !== mac) flaws.push(`mac ${link.mac} → ${mac}`);
  if (link.mtuBytes !== mtuBytes) flaws.push(`mtu ${link.mtuBytes} → ${mtuBytes}`);
  if (!link.up) flaws.push(`${SPACE_LINK} is down`);
  const there = (await inside.addresses()).filter((one) => one.link === link.index);
  const have = there.map(({ address, length }) => `${address}/${length}`).sort();
  const want = addresses.map(({ address, length }) => `${address}/${length}`).sort();
  if (have.join() !== want.join()) flaws.push(`addresses ${have.join(' ') || 'none'} → ${want.join(' ') || 'none'}`);
  inNetns(path, () => {
    for (const [setting, value] of KEPT_SETTINGS)
      if (readSysctl(setting) !== value) flaws.push(`${setting.join('.')} is not ${value}`);
  });
  return flaws;
}

async function done(rtnl: Rtnl, operation: KernelOperation): Promise<void> {
  const [error] = await rtnl.apply([operation]);
  if (error !== undefined) throw error;
}

function foreign(link: string): MeshError {
  return new MeshError('MESH_KERNEL_FOREIGN_DEVICE', `another program has made the device ${link}`, {
    object: link,
    rule: 'The agent joins the namespace of a network’s services to its bridge by a veth of this name.',
    remedy: `Rename the device: \`ip link set ${link} name NAME\``,
  });
}
