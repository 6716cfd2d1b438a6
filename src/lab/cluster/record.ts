/**
 * `lab.json`: the size and the owner of a lab. It is written before anything of the lab is made, so that after a crash
 * the next command can remove exactly what belongs to the lab.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { link, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { syncDirectory, writeDurable } from '../../disk/durable-file.ts';
import { MeshError } from '../../model/error.ts';
import { readDocument } from '../../protocol/shapes/document.ts';
import * as form from '../../protocol/shapes/form.ts';
import { isRunning, type ProcessMark, ProcessMarkShape, processMarkOf } from '../../services/process/process-mark.ts';
import { type LabSize, type MachineSettings, planTopology } from '../hosts/topology.ts';

/** The default directory of labs: a reboot empties it, as it removes the namespaces. */
export const LABS_DIRECTORY = '/run/meshwork-lab';

/** The content of `lab.json`. */
export interface LabRecord extends LabSize {
  /** The process that builds and uses the lab. */
  readonly owner: ProcessMark;
  /** True once the owner has handed the lab to the user (`--keep`): the lab then exists until `mesh lab down`. */
  readonly kept: boolean;
}

const HOSTS_MAX = 10_000;
const MachineSettingsShape: form.Shape<MachineSettings> = form.object({
  firmware: form.listOf(form.oneOf(['bios', 'uefi']), HOSTS_MAX),
  foreignDhcp: form.otherwise(form.boolean(), false),
  templateUuid: form.otherwise(form.boolean(), false),
});
const LabRecordShape: form.Shape<LabRecord> = form.object({
  name: form.string(),
  nodes: form.int(),
  segments: form.int(),
  machines: form.exactOptional(MachineSettingsShape),
  store: form.exactOptional(form.literal('etcd')),
  routers: form.exactOptional(form.int()),
  owner: ProcessMarkShape,
  kept: form.boolean(),
});

function recordPath(directory: string): string {
  return join(directory, 'lab.json');
}

/**
 * Writes the record of a new lab that this process owns.
 * @throws MESH_ALREADY_RUNNING if there is already a record
 */
export async function claimLab(directory: string, size: LabSize): Promise<void> {
  const { name } = size;
  const record: LabRecord = { ...sizeOf(size), owner: processMarkOf(process.pid), kept: false };
  const draft = `${recordPath(directory)}.${process.pid}`;
  await writeDurable(draft, recordText(record));
  try {
    // link(2), unlike rename(2), never replaces an existing file: only one of two processes succeeds.
    await link(draft, recordPath(directory));
  } catch (cause) {
    if (!isErrno(cause, 'EEXIST')) throw cause;
    throw new MeshError('MESH_ALREADY_RUNNING', `another process has just started the lab ${name}`, {
      object: name,
      cause,
      remedy: 'Use another --name, or wait until that lab is down.',
    });
  } finally {
    await rm(draft);
  }
  await syncDirectory(directory);
}

/** Marks the lab in `directory` as handed to the user. Does nothing without a record. */
export async function keepLab(directory: string): Promise<void> {
  const record = readRecord(directory);
  if (record !== undefined) await writeDurable(recordPath(directory), recordText({ ...record, kept: true }));
}

/** Refuses to build over a lab that was handed to the user. @throws MESH_ALREADY_RUNNING */
export function refuseKept(record: LabRecord): void {
  if (!record.kept) return;
  throw new MeshError('MESH_ALREADY_RUNNING', `the lab ${record.name} is up, and was kept`, {
    object: record.name,
    remedy: `Take it down with \`mesh lab down --name ${record.name}\`, or use another --name.`,
  });
}

/** Refuses to touch a lab while another process builds or uses it. @throws MESH_ALREADY_RUNNING */
export function refuseLiving(record: LabRecord): void {
  if (!hasOtherOwner(record)) return;
  throw new MeshError('MESH_ALREADY_RUNNING', `process ${record.owner.pid} is at work on the lab ${record.name}`, {
    object: record.name,
    remedy: 'Wait until it is done, end it (Ctrl-C), or use another --name.',
  });
}

/** Whether a living process other than this one owns the lab. */
function hasOtherOwner(record: LabRecord): boolean {
  return !record.kept && record.owner.pid !== process.pid && isRunning(record.owner);
}

/**
 * The record in `directory`; undefined if there is none.
 * @throws MESH_LAB_FAILED if the file is not a record of a lab
 */
export function readRecord(directory: string): LabRecord | undefined {
  let text: string;
  try {
    text = readFileSync(recordPath(directory), 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
  try {
    return parseRecord(text);
  } catch (cause) {
    throw new MeshError('MESH_LAB_FAILED', `${recordPath(directory)} is not the record of a lab`, {
      object: recordPath(directory),
      cause,
      remedy: `Delete the lab's namespaces (\`ip netns list\`) by hand, then remove ${dirname(recordPath(directory))}.`,
    });
  }
}

/** The records of all labs below `directory`, by name. A lab whose record cannot be read is left out. */
export function labRecords(directory = LABS_DIRECTORY): LabRecord[] {
  let names: string[];
  try {
    names = readdirSync(directory);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  }
  return names.sort().flatMap((name) => {
    try {
      return readRecord(join(directory, name)) ?? [];
    } catch {
      return [];
    }
  });
}

/** `kept`: handed to the user. `in use`: a process builds or uses it. `left behind`: that process has ended without it. */
export function stateOfLab(record: LabRecord): 'kept' | 'in use' | 'left behind' {
  if (record.kept) return 'kept';
  return isRunning(record.owner) ? 'in use' : 'left behind';
}

/** MESH_OBJECT_UNKNOWN, with the labs that there are as the remedy. */
export function noLab(name: string, present: readonly LabRecord[]): MeshError {
  const option = name === 'default' ? '' : ` --name ${name}`;
  const names = present.map((record) => record.name).join(', ');
  return new MeshError('MESH_OBJECT_UNKNOWN', `there is no lab ${name}`, {
    object: name,
    remedy:
      names === ''
        ? `There are no labs here. \`mesh lab up --keep${option}\` starts one.`
        : `These labs exist: ${names}. Name one with --name.`,
  });
}

/** What a lab follows from, without what a caller has beside it. */
function sizeOf({ name, nodes, segments, machines, store, routers }: LabSize): LabSize {
  return {
    name,
    nodes,
    segments,
    ...(machines !== undefined && { machines }),
    ...(store !== undefined && { store }),
    ...(routers !== undefined && { routers }),
  };
}

function parseRecord(text: string): LabRecord {
  const { document, fault } = readDocument(LabRecordShape, text);
  if (fault !== undefined) throw new TypeError(`it ${fault}`);
  planTopology(document);
  return document;
}

function recordText(record: LabRecord): string {
  return `${JSON.stringify(record, null, 2)}\n`;
}

function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
