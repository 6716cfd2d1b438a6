/** The record of a card that is under a bridge, or on its way: what is needed to go back, on disk before the first change. */
import { readdir, rm } from 'node:fs/promises';
import { uptime } from 'node:os';
import { join } from 'node:path';
import { StateFile, type StateForm } from '../disk/state-file.ts';
import { type Mac, parseMac } from '../model/address/mac.ts';
import type { Paths } from '../protocol/documents/paths.ts';
import * as form from '../protocol/shapes/form.ts';
import { type ProcessMark, ProcessMarkShape } from '../services/process/process-mark.ts';
import { bootId } from '../services/process/process-record.ts';
import type { ClientOrder } from './dhcp-move.ts';

/**
 * How far a card is on its way:
 * - `switching`: the command changes the kernel now. If the command ends meanwhile, the card goes back.
 * - `trial`: the card is under the bridge, and goes back at the deadline. No file of the distribution is changed yet.
 * - `confirming`: the files are being written. If the command ends meanwhile, the watcher finishes.
 * - `kept`: the card is under the bridge, also after a restart.
 * - `returning`: the files and then the kernel are brought back. If the command ends meanwhile, the watcher finishes.
 * - `returned`: nothing is changed any more; the record tells why.
 */
export const PHASES = ['switching', 'trial', 'confirming', 'kept', 'returning', 'returned'] as const;
/** One of them. */
export type Phase = (typeof PHASES)[number];

/** The tools that configure cards. `none`: nothing is written, and a restart brings the old state. */
export const NETWORK_TOOLS = ['ifupdown', 'networkd', 'ifcfg', 'networkmanager', 'none'] as const;
/** One of them. */
export type Tool = (typeof NETWORK_TOOLS)[number];

/** Far more files than a card has. */
const STEPS_MAX = 64;

const StepShape = form.object({
  path: form.string(),
  /** Absent: there is no file. */
  text: form.exactOptional(form.string()),
});

/** Far more DHCP clients than a card has. */
const CLIENTS_MAX = 16;
const WORDS_MAX = 256;

const ClientShape = form.object({
  program: form.oneOf(['udhcpc', 'dhclient']),
  argv: form.listOf(form.string(), WORDS_MAX),
  script: form.exactOptional(form.string()),
});

const RecordShape = form.object({
  phase: form.oneOf(PHASES),
  card: form.string({ max: 15 }),
  cardAfter: form.string({ max: 15 }),
  bridge: form.string({ max: 15 }),
  /** The name that the bridge has before the card gives its name away. */
  bridgeBefore: form.string({ max: 15 }),
  mac: form.string({ max: 17 }),
  mtuBytes: form.int(0),
  addressMode: form.oneOf(['eui64', 'none', 'stable-privacy', 'random']),
  tool: form.oneOf(NETWORK_TOOLS),
  /** The writes that make the bridge last, in their order. */
  steps: form.listOf(StepShape, STEPS_MAX),
  /** What the files of `steps` were before. */
  before: form.listOf(StepShape, STEPS_MAX),
  /** The writes of files that a restart removes, for tools that must know of the bridge at once. */
  trialFiles: form.listOf(StepShape, STEPS_MAX),
  /** Seconds of the machine's uptime at which the card goes back. */
  deadlineUptimeSec: form.number(),
  boot: form.string(),
  /** The process that works on the card in the phases that are short. */
  worker: form.exactOptional(ProcessMarkShape),
  /** Why the card went back, as a sentence. */
  why: form.exactOptional(form.string()),
  /** The kernel's number of the bridge of a trial. Absent: the bridge is made, or may have been made again by the distribution's tool. */
  bridgeIndex: form.exactOptional(form.int(1)),
  /** Whether a file of `steps` was written, in the phase `returning`. */
  written: form.exactOptional(form.boolean()),
  /** The DHCP clients that run on the card when it is back. */
  clients: form.exactOptional(form.listOf(ClientShape, CLIENTS_MAX)),
});

/** One record. */
export interface NicRecord extends Omit<form.TypeOf<typeof RecordShape>, 'mac' | 'clients'> {
  readonly mac: Mac;
  readonly worker?: ProcessMark;
  readonly why?: string;
  readonly bridgeIndex?: number;
  readonly written?: boolean;
  readonly clients?: readonly ClientOrder[];
}

const RECORD: StateForm<form.TypeOf<typeof RecordShape>> = {
  version: 1,
  shape: RecordShape,
  holds: 'how a network card goes back',
  remedy: 'Restart the machine: unless the bridge was confirmed, that brings the old state.',
  comesBack: false,
};

/** The records of a machine. */
export class NicRecords {
  readonly #directory: string;

  constructor(paths: Pick<Paths, 'state'>) {
    this.#directory = join(paths.state, 'bridged-nics');
  }

  /** The record of a card; undefined if there is none. @throws MESH_STATE_DAMAGED, MESH_STATE_LATER */
  async read(card: string): Promise<NicRecord | undefined> {
    const file = this.#file(card);
    const record = await file.read();
    if (file.trouble !== undefined) throw file.trouble;
    return record && { ...record, mac: parseMac(record.mac) };
  }

  /** Replaces the record of a card; durable when it resolves. @throws MESH_DISK_REFUSED */
  async write(record: NicRecord): Promise<void> {
    const file = this.#file(record.card);
    await file.read();
    const { clients, ...rest } = record;
    const orders = clients?.map(({ argv, ...client }) => ({ ...client, argv: [...argv] }));
    await file.write({ ...rest, ...(orders !== undefined && { clients: orders }) });
  }

  async remove(card: string): Promise<void> {
    await rm(this.#path(card), { force: true });
  }

  /** The cards that have a record. */
  async cards(): Promise<string[]> {
    const names = await readdir(this.#directory).catch(() => []);
    return names.flatMap((name) => /^(.+)\.json$/.exec(name)?.[1] ?? []).toSorted();
  }

  #file(card: string): StateFile<form.TypeOf<typeof RecordShape>> {
    return new StateFile(this.#path(card), RECORD);
  }

  #path(card: string): string {
    return join(this.#directory, `${card}.json`);
  }
}

/** Whether the record is of this run of the machine. What the kernel had before a restart is gone. */
export function isOfThisBoot({ boot }: NicRecord): boolean {
  return boot === bootId();
}

/** The seconds until the card goes back. */
export function secondsLeft({ deadlineUptimeSec }: NicRecord): number {
  return deadlineUptimeSec - uptime();
}
