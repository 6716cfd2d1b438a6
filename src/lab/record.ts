/**
 * `lab.json`: what a lab is made of, written before anything of it is made, so that whoever comes after a crash can
 * take down that, and only that.
 */
import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { MeshError } from '../model/error.ts';
import { isRunning, markOf, type ProcessMark } from './process-mark.ts';
import { type LabSize, planTopology } from './topology.ts';

/** Where labs live unless told otherwise: gone with a reboot, as namespaces are. */
export const LABS_DIRECTORY = '/run/meshwork-lab';

export interface LabRecord extends LabSize {
  /** Who builds and uses the lab. */
  readonly owner: ProcessMark;
  /** True once the owner has handed the lab to the user (`--keep`): it then lives until `mesh lab down`. */
  readonly kept: boolean;
}

export function recordPath(directory: string): string {
  return join(directory, 'lab.json');
}

/**
 * Takes the lab's directory for this process.
 * @throws MESH_ALREADY_RUNNING when there is a record already, whoever's it is
 */
export function claimLab(directory: string, size: LabSize): void {
  const record: LabRecord = { ...size, owner: markOf(process.pid), kept: false };
  mkdirSync(directory, { recursive: true, mode: 0o755 });
  const draft = writeDraft(directory, record);
  try {
    linkSync(draft, recordPath(directory));
  } catch (cause) {
    if (!isErrno(cause, 'EEXIST')) throw cause;
    throw new MeshError('MESH_ALREADY_RUNNING', `the lab ${size.name} was started by somebody else just now`, {
      object: size.name,
      cause,
      remedy: 'Use another --name, or wait until that lab is down.',
    });
  } finally {
    rmSync(draft);
  }
  syncDirectory(directory);
}

/** Marks the lab in `directory` as the user's. */
export function keepLab(directory: string): void {
  const record = readRecord(directory);
  if (record === undefined) return;
  renameSync(writeDraft(directory, { ...record, kept: true }), recordPath(directory));
  syncDirectory(directory);
}

/** True when a living process, other than this one, is at work on the lab. */
export function hasOtherOwner(record: LabRecord): boolean {
  return !record.kept && record.owner.pid !== process.pid && isRunning(record.owner);
}

/**
 * The record in `directory`, undefined when there is none.
 * @throws MESH_LAB_FAILED when it is not one that we wrote
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
      remedy: `See what \`ip netns list\` shows of the lab, delete that by hand, then remove ${dirname(recordPath(directory))}.`,
    });
  }
}

function parseRecord(text: string): LabRecord {
  const { name, nodes, segments, owner, kept } = JSON.parse(text) as Record<string, unknown>;
  if (typeof name !== 'string' || typeof nodes !== 'number' || typeof segments !== 'number')
    throw new TypeError('size');
  planTopology({ name, nodes, segments });
  const { pid, startTime } = (owner ?? {}) as Record<string, unknown>;
  if (!Number.isInteger(pid) || typeof startTime !== 'string' || typeof kept !== 'boolean')
    throw new TypeError('owner');
  return { name, nodes, segments, owner: { pid: pid as number, startTime }, kept };
}

function writeDraft(directory: string, record: LabRecord): string {
  const draft = join(directory, `lab.json.${process.pid}`);
  const file = openSync(draft, 'w', 0o644);
  try {
    writeFileSync(file, `${JSON.stringify(record, null, 2)}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  return draft;
}

function syncDirectory(directory: string): void {
  const handle = openSync(directory, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
