/**
 * A network card under a bridge that takes over all that the card has. The way there is a trial: until it is confirmed no file of the
 * distribution changes, so a restart at any moment brings the old state, and the watcher brings it back without one.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { uptime } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { FileText } from '../formats/distribution/bridge-wish.ts';
import { Rtnl } from '../kernel/rtnl/rtnl.ts';
import { MeshError } from '../model/error.ts';
import type { Paths } from '../protocol/documents/paths.ts';
import { awaitEnd, processMarkOf, signalProcess } from '../services/process/process-mark.ts';
import { bootId } from '../services/process/process-record.ts';
import { dhcpClients } from './dhcp-clients.ts';
import { type ClientOrder, moveClients, orderOf, withLost } from './dhcp-move.ts';
import { nicFiles } from './nic-files.ts';
import { type BridgeName, fitCard, nicNames } from './nic-links.ts';
import { isDue, isOver, isWritten, reasonOf } from './nic-phase.ts';
import { isOfThisBoot, type NicRecord, NicRecords, secondsLeft, type Tool } from './nic-record.ts';
import { nothingToConfirm, nothingToUndo, portsInTheWay, unfitRoutes } from './nic-refusal.ts';
import {
  bridge,
  isBridged,
  linksHere,
  otherPorts,
  ROUTES_MAX,
  renamesWhileUp,
  routesOf,
  unbridge,
} from './nic-switch.ts';
import { alone, startWatcher } from './nic-watch.ts';
import { renameStarted } from './started-interfaces.ts';
import { mustBeKnown, stepsBack, textsOf, writeSteps } from './written-files.ts';

/** What is asked for. */
export interface BridgeOrder {
  readonly card: string;
  readonly name: BridgeName;
  readonly withinSec: number;
  readonly tool?: Tool;
}

/** What would be done. */
export interface BridgePlan {
  readonly record: NicRecord;
  /** Files for the administrator to write; then nothing else is done. */
  readonly printed: readonly FileText[];
  /** The card's addresses, as `address/length`. */
  readonly addresses: readonly string[];
  readonly routes: number;
  /** DHCP clients that start again on the bridge, by their programs. */
  readonly clients: readonly string[];
  /** What the administrator should know, as sentences. */
  readonly warnings: readonly string[];
}

const LOOK_MS = 250;
/** Far longer than the way takes, and shorter than a person waits for the network. */
const WORK_SEC = 30;
const TOOL_MS = 10_000;
const KILL_MS = 5_000;
const ETHERNET_MTU_BYTES = 1500;

/** The cards of this machine that are under bridges, or on their way. */
export class BridgedNics {
  readonly #paths: Paths;
  readonly #records: NicRecords;
  readonly #watcher: (card: string) => readonly string[];

  /** @param watcher the command line of the watcher of a card */
  constructor(paths: Paths, watcher: (card: string) => readonly string[]) {
    this.#paths = paths;
    this.#records = new NicRecords(paths);
    this.#watcher = watcher;
  }

  /** The record of a card; undefined if there is none. */
  record(card: string): Promise<NicRecord | undefined> {
    return this.#records.read(card);
  }

  /** What `start` would do. @throws MESH_NIC_UNFIT, MESH_USAGE, MESH_ALREADY_MADE, MESH_OBJECT_UNKNOWN */
  async plan({ card, name, withinSec, tool }: BridgeOrder): Promise<BridgePlan> {
    const names = nicNames(card, name);
    await this.#mustBeFree(card);
    const links = await linksHere();
    const link = fitCard(links, names, isWireless(card));
    const { mac, mtuBytes, addressMode } = link;
    const routes = await routesOf(link);
    if (routes.some(({ byNexthopObject }) => byNexthopObject) || routes.length > ROUTES_MAX)
      throw unfitRoutes(card, routes.length);
    const wish = { ...names, mac, ...(mtuBytes !== ETHERNET_MTU_BYTES && { mtuBytes }) };
    const { printed, ...files } = await nicFiles(this.#paths.root, link.index, wish, tool);
    const record: NicRecord = {
      ...names,
      ...files,
      phase: 'switching',
      mac,
      mtuBytes,
      addressMode,
      steps: [...files.steps],
      trialFiles: [...files.trialFiles],
      before: await textsOf(this.#paths.root, files.steps),
      deadlineUptimeSec: uptime() + Math.max(withinSec, WORK_SEC),
      boot: bootId(),
      worker: processMarkOf(process.pid),
    };
    const clients = dhcpClients(card).map(({ program }) => program);
    const addresses = await addressesOf(link.index);
    return { record, printed, addresses, routes: routes.length, clients, warnings: await warningsOf(record) };
  }

  /**
   * Puts the card under its bridge, on trial. If that fails, the card is as before when this rejects.
   * @throws as `plan`, and MESH_KERNEL_REFUSED, MESH_DISK_REFUSED
   */
  async start(order: BridgeOrder): Promise<BridgePlan> {
    return await alone(this.#lock, async () => {
      await this.#finish(order.card);
      const plan = await this.plan(order);
      if (plan.printed.length > 0) return plan;
      const { card, bridge: to, trialFiles } = plan.record;
      const here = { from: card, to: card, directory: this.#directory };
      // A tool with files of its own for the trial has its client in itself.
      const clients = trialFiles.length > 0 ? [] : dhcpClients(card);
      let record: NicRecord = { ...plan.record, clients: clients.map((client) => orderOf(client, here)) };
      await this.#records.write(record);
      this.#startWatcher(card);
      try {
        await bridge(record, async (bridgeIndex) => {
          record = { ...record, bridgeIndex };
          await this.#records.write(record);
        });
        await writeSteps(this.#paths.root, trialFiles);
        await this.#tellTool(record);
        const orders = clients.map((client) => orderOf(client, { ...here, to }));
        await this.#moveClients(orders, card, to);
        const { worker: _, ...rest } = record;
        const trial: NicRecord = { ...rest, phase: 'trial', deadlineUptimeSec: uptime() + order.withinSec };
        await this.#records.write(trial);
        return { ...plan, record: trial };
      } catch (thrown) {
        await this.#goBack(record, MeshError.from(thrown).message);
        throw thrown;
      }
    });
  }

  /** Keeps the bridge: writes the files of the distribution. @throws MESH_OBJECT_UNKNOWN, MESH_NIC_UNFIT, MESH_DISK_REFUSED */
  async confirm(card: string): Promise<NicRecord> {
    return await alone(this.#lock, async () => {
      const record = await this.#records.read(card);
      if (record?.phase === 'kept') return record;
      if (record?.phase !== 'trial' || !isOfThisBoot(record) || secondsLeft(record) <= 0)
        throw nothingToConfirm(card, record);
      await mustBeKnown(this.#paths.root, record.before);
      return await this.#keep(record);
    });
  }

  /** Brings the card back, from its trial or from a bridge that was kept. @throws MESH_OBJECT_UNKNOWN, MESH_NIC_UNFIT */
  async undo(card: string): Promise<NicRecord> {
    return await alone(this.#lock, async () => {
      const record = await this.#records.read(card);
      if (record === undefined || record.phase === 'returned' || isOver(record)) throw nothingToUndo(card, record);
      const ports = otherPorts(await linksHere(), record);
      if (ports.length > 0) {
        throw portsInTheWay(record.bridge, ports);
      }
      if (isWritten(record)) await mustBeKnown(this.#paths.root, [...record.before, ...record.steps]);
      // The watcher of the trial has ended when the bridge was kept. A machine whose disk is full goes back without one.
      const why = 'it was undone by a command';
      return await this.#goBack(record, why, () => this.#startWatcher(card));
    });
  }

  /** Forgets a card without any change. */
  async forget(card: string): Promise<void> {
    await alone(this.#lock, () => this.#records.remove(card));
  }

  /** Watches a card until it is kept or back. The watcher's own process runs this. */
  async watch(card: string): Promise<void> {
    for (;;) {
      const record = await this.#records.read(card);
      if (record === undefined || !isOfThisBoot(record) || record.phase === 'kept' || record.phase === 'returned')
        return;
      if (!isDue(record)) await sleep(LOOK_MS);
      else {
        await overrule(record);
        // It may be that the disk takes no record of the end.
        if (await alone(this.#lock, () => this.#finish(card))) return;
      }
    }
  }

  /** Ends what a command left, if it is still so now that no other process works on the card. @returns whether it did */
  async #finish(card: string): Promise<boolean> {
    const record = await this.#records.read(card);
    if (record === undefined || !isDue(record)) return false;
    const why = record.why ?? reasonOf(record);
    // A restart while the files were written may have brought the old state: then all of them say that again.
    const goesOn = record.phase === 'confirming' && (isOfThisBoot(record) || isBridged(await linksHere(), record));
    if (goesOn) {
      await mustBeKnown(this.#paths.root, [...record.before, ...record.steps]);
      await this.#keep(record);
    } else if (isOfThisBoot(record)) await this.#goBack(record, why);
    else await this.#returned(record, `${why}, and the machine was restarted${await this.#filesBack(record)}`);
    return true;
  }

  async #keep(record: NicRecord): Promise<NicRecord> {
    const { root } = this.#paths;
    await this.#records.write({ ...record, phase: 'confirming', worker: processMarkOf(process.pid) });
    await writeSteps(root, record.steps);
    await writeSteps(
      root,
      record.trialFiles.map(({ path }) => ({ path })),
    );
    if (record.tool === 'ifupdown') await renameStarted(root, record.card, record.bridge);
    // From now on the tool of the distribution makes the bridge, and starts its clients.
    const { worker: _, bridgeIndex: __, clients: ___, ...kept } = record;
    await this.#records.write({ ...kept, phase: 'kept' });
    return { ...kept, phase: 'kept' };
  }

  /** The files first: from then on a restart brings the old state, too. @param begun is called when the record says so */
  async #goBack(record: NicRecord, why: string, begun: () => void = () => undefined): Promise<NicRecord> {
    const { root } = this.#paths;
    const { card, bridge: from, trialFiles, bridgeIndex, ...rest } = record;
    const written = isWritten(record);
    const move = { from, to: card, directory: this.#directory };
    const running = trialFiles.length > 0 ? [] : dhcpClients(from).map((client) => orderOf(client, move));
    const clients = withLost(running, record.clients ?? []);
    const returning: NicRecord = {
      ...{ ...rest, card, bridge: from, trialFiles, written, clients, why },
      ...(bridgeIndex !== undefined && isOfThisBoot(record) && { bridgeIndex }),
      phase: 'returning',
      boot: bootId(),
      deadlineUptimeSec: uptime() + WORK_SEC,
      worker: processMarkOf(process.pid),
    };
    await this.#note(returning, written);
    begun();
    const left = await this.#filesBack(record);
    await writeSteps(
      root,
      trialFiles.map(({ path }) => ({ path })),
    );
    await unbridge(returning);
    if (record.tool === 'ifupdown' && written) await renameStarted(root, from, card);
    await this.#tellTool(record);
    await this.#moveClients(clients, from, card);
    return await this.#returned(returning, `${why}${left}`);
  }

  async #returned(record: NicRecord, why: string): Promise<NicRecord> {
    const { worker: _, bridgeIndex: __, clients: ___, ...rest } = record;
    const returned: NicRecord = { ...rest, phase: 'returned', why };
    await this.#note(returned, isWritten(record));
    return returned;
  }

  /** A full disk does not keep a card from its way back, unless files of the distribution must go back with it. */
  async #note(record: NicRecord, mustLast: boolean): Promise<void> {
    try {
      await this.#records.write(record);
    } catch (thrown) {
      if (mustLast || !(thrown instanceof MeshError) || thrown.code !== 'MESH_DISK_REFUSED') throw thrown;
    }
  }

  /** Brings the files back, unless others have written them meanwhile. @returns what to say of files that stay */
  async #filesBack(record: NicRecord): Promise<string> {
    const { root } = this.#paths;
    if (!isWritten(record)) return '';
    try {
      await mustBeKnown(root, [...record.before, ...record.steps]);
    } catch (thrown) {
      if (!(thrown instanceof MeshError) || thrown.code !== 'MESH_NIC_UNFIT') throw thrown;
      return `; the files stay, since ${thrown.message}`;
    }
    await writeSteps(root, stepsBack(record.steps, record.before));
    return '';
  }

  async #moveClients(orders: readonly ClientOrder[], from: string, to: string): Promise<void> {
    if (orders.length === 0) return;
    const link = (await linksHere()).find(({ name }) => name === to);
    const lease = link && (await addressesOf(link.index, true))[0]?.replace(/\/.*/, '');
    await moveClients(orders, { from, to, directory: this.#directory }, lease);
  }

  #startWatcher(card: string): void {
    startWatcher(card, this.#watcher(card), { directory: this.#directory, outputFile: this.#logOf(card) });
  }

  /** Only the tool of this machine itself reads its files: below another root there is none. */
  async #tellTool({ trialFiles }: NicRecord): Promise<void> {
    if (trialFiles.length === 0 || this.#paths.root !== '/') return;
    await promisify(execFile)('networkctl', ['reload'], { timeout: TOOL_MS, killSignal: 'SIGKILL' });
  }

  /** @throws MESH_ALREADY_MADE while the card is on its way or under a bridge */
  async #mustBeFree(card: string): Promise<void> {
    const record = await this.#records.read(card);
    if (record === undefined || record.phase === 'returned') return;
    // Its command was killed before it changed anything, or a restart has brought the old state.
    if (isDue(record)) return;
    if (record.phase !== 'kept' && !isOfThisBoot(record)) return;
    if (record.phase === 'kept' && !isBridged(await linksHere(), record) && record.steps.length === 0) return;
    const isKept = record.phase === 'kept';
    throw new MeshError(
      'MESH_OBJECT_UNKNOWN',
      isKept ? `${card} is under ${record.bridge} already` : `${card} is on its way to ${record.bridge}`,
      {
        object: card,
        remedy: isKept
          ? `Go back with \`mesh node bridge-nic ${card} --undo\`.`
          : `Keep the bridge with \`mesh node bridge-nic ${card} --confirm\`, or go back with --undo.`,
      },
    );
  }

  /** Of files that a restart empties. */
  get #directory(): string {
    return join(this.#paths.run, 'bridged-nics');
  }

  get #lock(): string {
    return join(this.#directory, 'lock');
  }

  #logOf(card: string): string {
    return join(this.#paths.logs, `bridge-nic-${card}.log`);
  }
}

/** Ends a command that hangs: it has the lock. */
async function overrule({ phase, worker }: NicRecord): Promise<void> {
  if (phase === 'confirming' || worker === undefined || worker.pid === process.pid) return;
  signalProcess(worker, 'SIGKILL');
  await awaitEnd([worker], KILL_MS);
}

function isWireless(card: string): boolean {
  return ['wireless', 'phy80211'].some((name) => existsSync(`/sys/class/net/${card}/${name}`));
}

/** @param leased only those whose time is limited, where there are some */
async function addressesOf(link: number, leased = false): Promise<string[]> {
  const rtnl = await Rtnl.open();
  try {
    const own = (await rtnl.addresses()).filter((address) => address.link === link);
    const text = (addresses: typeof own) => addresses.map(({ address, length }) => `${address}/${length}`);
    if (!leased) return text(own);
    const ipv4 = own.filter(({ family }) => family === 4);
    return text(ipv4.toSorted((one, other) => Number(other.fading ?? false) - Number(one.fading ?? false)));
  } finally {
    await rtnl.close();
  }
}

async function warningsOf({ card, cardAfter, bridge: name, tool }: NicRecord): Promise<string[]> {
  return [
    ...(cardAfter !== card && !(await renamesWhileUp())
      ? [`This kernel gives ${card} another name only while it is down: the link is lost for some seconds.`]
      : []),
    ...(name !== card
      ? [`Firewall rules and programs that name ${card} do not see its packets any more: they must name ${name}.`]
      : []),
    ...(tool === 'none' ? ['Nothing is written: a restart of the machine brings the old state.'] : []),
  ];
}
