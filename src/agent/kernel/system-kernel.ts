/** The real kernel behind the agent's interface: rtnetlink, the monitor, nftables, /proc/sys and the reaper. */

import { type KernelDump, type KernelReader, rtnlReader } from '../../kernel/mirror/kernel-reader.ts';
import { inNetns } from '../../kernel/netns.ts';
import { Nft } from '../../kernel/nft.ts';
import type { TableElements } from '../../kernel/nftables/element-batch.ts';
import { NftElements } from '../../kernel/nftables/nft-elements.ts';
import { KernelMonitor } from '../../kernel/rtnl/monitor.ts';
import type { FdbEntry, KernelEvent, Route } from '../../kernel/rtnl/objects.ts';
import type { KernelOperation } from '../../kernel/rtnl/operation.ts';
import { Reaper } from '../../kernel/rtnl/reaper.ts';
import { Rtnl } from '../../kernel/rtnl/rtnl.ts';
import { readSysctl, writeSysctl } from '../../kernel/sysctl.ts';
import { makeTap } from '../../kernel/tap/tap.ts';
import type { Ipv4 } from '../../model/address/ipv4.ts';
import { MeshError } from '../../model/error.ts';
import type { Subscribable } from '../../model/signal.ts';
import type { Operation } from '../items/item-kind.ts';
import { VXLAN_TABLE } from '../items/route.ts';
import { TABLE } from '../items/ruleset.ts';
import { type BorrowedSetting, BorrowedSettings } from './borrowed-settings.ts';
import { withRoom } from './crowded-table.ts';
import { isKeptRoute } from './kept-routes.ts';
import type { KernelPort } from './kernel-port.ts';
import { namingPortHolders } from './taken-port.ts';
import { namingTakenRoutes } from './taken-route.ts';

/** The routing tables besides the main one that the agent reads. */
const TABLES = [VXLAN_TABLE];

/** Where a kernel is. */
interface SystemKernelOptions {
  /** Path of the network namespace; absent: the process's own. */
  readonly netns?: string;
  /** The settings that are given back. Absent: none has been changed yet, and the record is lost with the process. */
  readonly settings?: BorrowedSettings;
}

/** The kernel of one network namespace. The process opens one, and closes it at its end. */
export class SystemKernel implements KernelPort {
  readonly #rtnl: Rtnl;
  readonly #reader: KernelReader;
  readonly #monitor: KernelMonitor;
  readonly #nft: Nft;
  readonly #elements: NftElements;
  readonly #reaper: Reaper;
  readonly #netns: string | undefined;
  readonly #settings: BorrowedSettings;

  private constructor(
    rtnl: Rtnl,
    monitor: KernelMonitor,
    nft: Nft,
    reaper: Reaper,
    { netns, settings = new BorrowedSettings() }: SystemKernelOptions,
  ) {
    this.#netns = netns;
    this.#settings = settings;
    this.#rtnl = rtnl;
    this.#reader = rtnlReader(rtnl, { keepsRoute: isKeptRoute, tables: TABLES });
    this.#monitor = monitor;
    this.#nft = nft;
    this.#elements = new NftElements(netns);
    this.#reaper = reaper;
  }

  /**
   * The monitor listens when this resolves, so `events` has every change that happens during a later dump.
   * @param onError called for each link that could not be deleted
   */
  static async open(onError: (error: MeshError) => void, options: SystemKernelOptions = {}): Promise<SystemKernel> {
    const place = options.netns === undefined ? {} : { netns: options.netns };
    const [rtnl, nft] = await Promise.all([Rtnl.open(place), Nft.open(place)]);
    const monitor = KernelMonitor.open({ ...place, ownPortIds: () => [rtnl.portId], tables: TABLES });
    return new SystemKernel(rtnl, monitor, nft, await Reaper.open(rtnl, onError), options);
  }

  get events(): Subscribable<KernelEvent> {
    return this.#monitor.events;
  }

  get rtnl(): Rtnl {
    return this.#rtnl;
  }

  async apply(operations: readonly Operation[]): Promise<readonly (MeshError | undefined)[]> {
    const errors: (MeshError | undefined)[] = [];
    for (let start = 0; start < operations.length; ) {
      let end = start + 1;
      while (end < operations.length && channelOf(operations[end]) === channelOf(operations[start])) end++;
      errors.push(...(await this.#applyRun(operations.slice(start, end))));
      start = end;
    }
    return errors;
  }

  /** @param run operations of one channel */
  async #applyRun(run: readonly Operation[]): Promise<readonly (MeshError | undefined)[]> {
    const first = run[0];
    if (first?.do === 'sysctl') {
      await this.#noteBorrowed(run);
      return this.#inNetns(() => run.map((operation) => attempt(() => writeSetting(operation))));
    }
    if (first?.do === 'sysctl-return') return this.#returnSettings(run);
    if (first?.do === 'nft') return this.#transactAll(run);
    if (first?.do === 'tap-make') return run.map((operation) => attempt(() => makeTapOf(operation, this.#netns)));
    if (first?.do === 'delete-deferred') {
      const links = run.flatMap((operation) => (operation.do === 'delete-deferred' ? [operation.link] : []));
      return this.#reaper.deferDelete(links);
    }
    const operations = await Promise.all(run.filter(isRtnl).map((operation) => this.#adopting(operation)));
    const errors = await withRoom(this.#rtnl, operations, await this.#rtnl.apply(operations));
    return namingTakenRoutes(operations, await namingPortHolders(this.#rtnl, this.#netns, operations, errors));
  }

  async #noteBorrowed(run: readonly Operation[]): Promise<void> {
    const settings: BorrowedSetting[] = [];
    for (const operation of run) {
      if (operation.do !== 'sysctl' || operation.borrowed !== true) continue;
      const { path, value } = operation;
      const before = await this.readSysctl(path);
      if (before !== undefined && before !== value) settings.push({ path, before, value });
    }
    await this.#settings.note(settings);
  }

  async #returnSettings(run: readonly Operation[]): Promise<readonly (MeshError | undefined)[]> {
    const paths = run.flatMap((operation) => (operation.do === 'sysctl-return' ? [operation.path] : []));
    const errors = this.#inNetns(() => paths.map((path) => attempt(() => this.#returnSetting(path))));
    await this.#settings.forget(paths.filter((_, at) => errors[at] === undefined));
    return errors;
  }

  #returnSetting(path: readonly string[]): void {
    const setting = this.#settings.of(path);
    if (setting !== undefined && settingNow(path) === setting.value) writeSysctl(path, setting.before);
  }

  /**
   * Turns the create of a VXLAN into a change when a link with a deferred delete still holds the VNI: that link is used
   * again. The operation that follows each create sets its alias and state.
   */
  async #adopting(operation: KernelOperation): Promise<KernelOperation> {
    if (operation.do !== 'link-add' || operation.vxlan === undefined) return operation;
    const { name, mac, mtuBytes, group, master, vxlan } = operation;
    if (!(await this.#reaper.rescue({ name, ...vxlan }))) return operation;
    return {
      do: 'link-set',
      link: name,
      change: {
        ...(mac !== undefined && { mac }),
        ...(mtuBytes !== undefined && { mtuBytes }),
        ...(group !== undefined && { group }),
        ...(master !== undefined && { master }),
        vxlan: { learning: vxlan.learning, df: vxlan.df, ...(vxlan.local !== undefined && { local: vxlan.local }) },
      },
    };
  }

  /**
   * Makes all changes in one transaction: a join changes elements of both tables. Changes of elements alone go by netlink.
   * If that is refused, nft runs the scripts, one after the other, so that each has its own error in nft's words; and the
   * loop reads the tables again.
   */
  async #transactAll(run: readonly Operation[]): Promise<readonly (MeshError | undefined)[]> {
    const operations = run.flatMap((operation) => (operation.do === 'nft' ? [operation] : []));
    const elements = operations.flatMap((operation) => operation.elements ?? []);
    if (elements.length === run.length && (await this.#changeElements(elements))) return run.map(() => undefined);
    const script = operations.map((operation) => operation.script).join('');
    if (run.length > 1 && (await this.#transact({ do: 'nft', script })) === undefined) return run.map(() => undefined);
    return Promise.all(run.map((operation) => this.#transact(operation)));
  }

  /** @returns whether the kernel has taken the change */
  async #changeElements(elements: readonly TableElements[]): Promise<boolean> {
    try {
      return await this.#elements.change(elements);
    } catch {
      return false;
    }
  }

  async #transact(operation: Operation): Promise<MeshError | undefined> {
    if (operation.do !== 'nft') return undefined;
    try {
      await this.#nft.run(operation.script);
      return undefined;
    } catch (error) {
      return MeshError.from(error);
    }
  }

  dump(matters: (entry: FdbEntry) => boolean): Promise<KernelDump> {
    return this.#reader.dump(matters);
  }

  routes(): Promise<readonly Route[]> {
    return this.#reader.routes();
  }

  ipv4Routes(matters: (route: Route) => boolean): Promise<readonly Route[]> {
    return this.#rtnl.ipv4Routes(matters);
  }

  drainEvents(): void {
    this.#monitor.drain();
  }

  routeTo(destination: Ipv4, udpPort?: number): Promise<Route> {
    return this.#rtnl.routeTo(destination, udpPort);
  }

  listRuleset(family: 'inet' | 'bridge'): Promise<string | undefined> {
    return this.#nft.list(family, TABLE);
  }

  listBridgeSet(name: string): Promise<string> {
    return this.#nft.listSet('bridge', TABLE, name);
  }

  listInetSet(name: string): Promise<string> {
    return this.#nft.listSet('inet', TABLE, name);
  }

  /** The text of all nft tables of this namespace, ours and others'. */
  ruleset(): Promise<string> {
    return this.#nft.ruleset();
  }

  /** How many packets a named counter of our table has counted; undefined when there is no such counter. */
  counted(family: 'inet' | 'bridge', counter: string): Promise<number | undefined> {
    return this.#nft.packets(family, TABLE, counter);
  }

  /** Undefined also for a kernel without the setting: the error of the write says so. */
  async readSysctl(path: readonly string[]): Promise<string | undefined> {
    return this.#inNetns(() => settingNow(path));
  }

  /** Enters the namespace: /proc/sys shows the settings of the namespace that the reading thread is in. */
  #inNetns<T>(body: () => T): T {
    return this.#netns === undefined ? body() : inNetns(this.#netns, body);
  }

  async close(): Promise<void> {
    this.#monitor.close();
    await this.#reaper.close();
    await Promise.all([this.#rtnl.close(), this.#nft.close(), this.#elements.close()]);
  }
}

function isRtnl(operation: Operation): operation is KernelOperation {
  return channelOf(operation) === 'rtnl';
}

const CHANNELS = ['sysctl', 'sysctl-return', 'nft', 'tap-make', 'delete-deferred'] as const;

function channelOf(operation: Operation | undefined): (typeof CHANNELS)[number] | 'rtnl' {
  return CHANNELS.find((channel) => channel === operation?.do) ?? 'rtnl';
}

/** Undefined for a setting of a device that is gone. */
function settingNow(path: readonly string[]): string | undefined {
  try {
    return readSysctl(path);
  } catch {
    return undefined;
  }
}

function makeTapOf(operation: Operation, netns: string | undefined): void {
  if (operation.do !== 'tap-make') return;
  const { link, mac } = operation;
  makeTap(link, { mac, ...(netns !== undefined && { netns }) });
}

function writeSetting(operation: Operation): void {
  if (operation.do === 'sysctl') writeSysctl(operation.path, operation.value);
}

function attempt(body: () => void): MeshError | undefined {
  try {
    body();
    return undefined;
  } catch (error) {
    return MeshError.from(error);
  }
}
