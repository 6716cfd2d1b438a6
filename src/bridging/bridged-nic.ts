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
import { isRunning, processMarkOf } from '../services/process/process-mark.ts';
import { bootId } from '../services/process/process-record.ts';
import { dhcpClients, moveClient } from './dhcp-clients.ts';
import { nicFiles } from './nic-files.ts';
import { type BridgeName, fitCard, nicNames } from './nic-links.ts';
import { isOfThisBoot, type NicRecord, NicRecords, secondsLeft, type Tool } from './nic-record.ts';
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
      deadlineUptimeSec: uptime() + withinSec,
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
      const { record } = plan;
      await this.#records.write(record);
      startWatcher(record.card, this.#watcher(record.card), {
        directory: this.#directory,
        outputFile: this.#logOf(record.card),
      });
      try {
        await bridge(record);
        await writeSteps(this.#paths.root, record.trialFiles);
        await this.#tellTool(record);
        await this.#moveClients(record, record.card, record.bridge);
      } catch (thrown) {
        await this.#goBack(record, MeshError.from(thrown).message);
        throw thrown;
      }
      const { worker: _, ...rest } = record;
      const trial: NicRecord = { ...rest, phase: 'trial', deadlineUptimeSec: uptime() + order.withinSec };
      await this.#records.write(trial);
      return { ...plan, record: trial };
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
      if (record === undefined || record.phase === 'returned') throw nothingToUndo(card, record);
      const ports = otherPorts(await linksHere(), record);
      if (ports.length > 0) {
        throw new MeshError('MESH_NIC_UNFIT', `${record.bridge} has other ports: ${ports.join(', ')}`, {
          operation: 'take a card out from under its bridge',
          object: record.bridge,
          rule: 'The guests at these ports would lose the network.',
          remedy: 'Unplug the guests first.',
        });
      }
      if (isWritten(record)) await mustBeKnown(this.#paths.root, [...record.before, ...record.steps]);
      return await this.#goBack(record, 'it was undone by a command');
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
      if (isDue(record)) await alone(this.#lock, () => this.#finish(card));
      else await sleep(LOOK_MS);
    }
  }

  /** Ends what a command left, if it is still so now that no other process works on the card. */
  async #finish(card: string): Promise<void> {
    const record = await this.#records.read(card);
    if (record === undefined || !isDue(record)) return;
    // A restart while the files were written may have brought the old state: then all of them say that again.
    const goesOn = record.phase === 'confirming' && (isOfThisBoot(record) || isBridged(await linksHere(), record));
    if (goesOn) await this.#keep(record);
    else await this.#goBack(record, record.why ?? reasonOf(record));
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
    const { worker: _, ...kept } = record;
    await this.#records.write({ ...kept, phase: 'kept' });
    return { ...kept, phase: 'kept' };
  }

  /** The files first: from then on a restart brings the old state, too. */
  async #goBack(record: NicRecord, why: string): Promise<NicRecord> {
    const { root } = this.#paths;
    const wasWritten = isWritten(record);
    await this.#records.write({ ...record, phase: 'returning', why, worker: processMarkOf(process.pid) });
    if (wasWritten) await writeSteps(root, stepsBack(record.steps, record.before));
    await writeSteps(
      root,
      record.trialFiles.map(({ path }) => ({ path })),
    );
    await unbridge(record);
    if (record.tool === 'ifupdown' && wasWritten) await renameStarted(root, record.bridge, record.card);
    await this.#tellTool(record);
    await this.#moveClients(record, record.bridge, record.card);
    const { worker: _, ...rest } = record;
    const returned: NicRecord = { ...rest, phase: 'returned', why };
    await this.#records.write(returned);
    return returned;
  }

  async #moveClients({ trialFiles }: NicRecord, from: string, to: string): Promise<void> {
    // A tool with files of its own for the trial has its client in itself.
    if (trialFiles.length > 0) return;
    const clients = dhcpClients(from);
    if (clients.length === 0) return;
    const link = (await linksHere()).find(({ name }) => name === to);
    const lease = link && (await addressesOf(link.index, true))[0]?.replace(/\/.*/, '');
    const place = { from, to, directory: this.#directory, ...(lease !== undefined && { address: lease }) };
    await Promise.all(clients.map((client) => moveClient(client, place)));
  }

  /** Only the tool of this machine itself reads its files: below another root there is none. */
  async #tellTool({ trialFiles }: NicRecord): Promise<void> {
    if (trialFiles.length === 0 || this.#paths.root !== '/') return;
    await promisify(execFile)('networkctl', ['reload']);
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

/** Whether files of the distribution may say the bridge. */
function isWritten({ phase, steps }: NicRecord): boolean {
  return steps.length > 0 && (phase === 'kept' || phase === 'confirming' || phase === 'returning');
}

/** Whether the watcher must act: the time is over, or the process that worked on the card has ended. */
function isDue(record: NicRecord): boolean {
  if (record.phase === 'trial') return secondsLeft(record) <= 0;
  if (record.phase === 'kept' || record.phase === 'returned') return false;
  return record.worker === undefined || !isRunning(record.worker);
}

function reasonOf({ phase }: NicRecord): string {
  return phase === 'trial'
    ? 'it was not confirmed in time'
    : 'the command that made the bridge ended before it was done';
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

function unfitRoutes(card: string, count: number): MeshError {
  const many = count > ROUTES_MAX;
  return new MeshError(
    'MESH_NIC_UNFIT',
    many ? `${count} routes lead by ${card}` : `routes by ${card} have nexthop objects`,
    {
      operation: 'put under a bridge',
      object: card,
      rule: many ? `At most ${ROUTES_MAX} routes are moved at once.` : 'A nexthop object is bound to its device.',
      remedy: many
        ? 'Stop the routing daemon, and start it again on the bridge.'
        : 'Write the routes without `nhid`, and remove the objects (`ip nexthop`).',
    },
  );
}

function nothingToConfirm(card: string, record: NicRecord | undefined): MeshError {
  const what =
    record === undefined
      ? `${card} is on no trial`
      : record.phase === 'returned'
        ? `${card} went back: ${record.why ?? 'nobody knows why'}`
        : !isOfThisBoot(record)
          ? `${card} went back when the machine was restarted`
          : `${card} goes back now: it was not confirmed in time`;
  return new MeshError('MESH_OBJECT_UNKNOWN', what, {
    operation: 'keep a bridge',
    object: card,
    remedy: `Put it under the bridge again: \`mesh node bridge-nic ${card}\`, perhaps with more time (--within).`,
  });
}

function nothingToUndo(card: string, record: NicRecord | undefined): MeshError {
  return new MeshError(
    'MESH_OBJECT_UNKNOWN',
    record === undefined
      ? `${card} is under no bridge of this command`
      : `${card} is back already: ${record.why ?? ''}`,
    {
      operation: 'take a card out from under its bridge',
      object: card,
      remedy: 'See `ip link show master BRIDGE` for the ports of a bridge.',
    },
  );
}
