/**
 * What is on disk of a supervised process, so that a restarted supervisor adopts the process. A record decides which process
 * gets signals: one that another user could have written, or that is of an earlier boot of the machine, counts for nothing.
 */
import { closeSync, constants, fstatSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { readDocument } from '../../protocol/shapes/document.ts';
import * as form from '../../protocol/shapes/form.ts';
import { type ProcessMark, ProcessMarkShape } from './process-mark.ts';
import { STOP_SIGNALS } from './process-spec.ts';

/** The process, and how it was started. */
export interface ProcessRecord extends ProcessMark {
  /** The digest of its spec (`specDigest`). */
  readonly fingerprint: string;
  readonly label: string;
  /** The boot of the machine that `startTime` counts from. Absent in a record of an earlier version. */
  readonly boot?: string;
  /** The digest of what it has read again last. */
  readonly reread?: string;
  /** It has shown that it does its work. */
  readonly ready?: boolean;
  /** The directory of its cgroup. */
  readonly group?: string;
  readonly stopSignal?: (typeof STOP_SIGNALS)[number];
  readonly stopSec?: number;
}

/** A record, or why there is none that counts. Both are absent when there is no file. */
export interface RecordReading {
  readonly record?: ProcessRecord;
  /** The end of a sentence about the file, where somebody should look at it. */
  readonly fault?: string;
}

/** The end of the name of a record's file; the name of the process stands before it. */
export const RECORD_SUFFIX = '.process.json';

const RECORD_MAX_BYTES = 64 * 1024;
/** Like other state, for root and its group. */
const RECORD_MODE = 0o640;
/** Write permission for users who are neither the owner nor of the group. */
const OTHERS_WRITE = 0o002;

const ProcessRecordShape: form.Shape<ProcessRecord> = form.object({
  ...ProcessMarkShape.fields,
  fingerprint: form.string(),
  label: form.string(),
  boot: form.exactOptional(form.string()),
  reread: form.exactOptional(form.string()),
  ready: form.exactOptional(form.boolean()),
  group: form.exactOptional(form.string()),
  stopSignal: form.exactOptional(form.oneOf(STOP_SIGNALS)),
  stopSec: form.exactOptional(form.int(0, 3600)),
});

/** The id of this boot of the machine (random(4)); the empty text where the kernel shows none. */
export function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return '';
  }
}

/** Reads the record in a file. Its process may have ended. Never throws. */
export function readProcessRecord(file: string): RecordReading {
  try {
    // A link may lead to a file of others, and opening a pipe would wait for its writer for ever.
    const descriptor = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      return recordIn(descriptor);
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    const code = codeOf(error);
    if (code === 'ENOENT') return {};
    return { fault: code === 'ELOOP' ? 'is a symbolic link' : `cannot be read (${code})` };
  }
}

function recordIn(descriptor: number): RecordReading {
  const stat = fstatSync(descriptor);
  if (!stat.isFile()) return { fault: 'is no plain file' };
  if (stat.uid !== 0 && stat.uid !== process.geteuid?.()) return { fault: `belongs to the user ${stat.uid}` };
  if ((stat.mode & OTHERS_WRITE) !== 0) return { fault: 'can be written by every user' };
  if (stat.size > RECORD_MAX_BYTES) return { fault: 'is too long' };
  // A power cut damages a record, but after a power cut no process runs any more either.
  const text = readFileSync(descriptor, 'utf8');
  const { document: record, fault } = readDocument(ProcessRecordShape, text, RECORD_MAX_BYTES);
  if (record === undefined) return { fault: fault ?? 'is no record' };
  // After a power cut, that is no news.
  return record.boot === undefined || record.boot === bootId() ? { record } : {};
}

/** Replaces the record in one step, also where the path is a link. @throws an error of the file system, such as a full disk */
export function writeProcessRecord(file: string, record: ProcessRecord): void {
  const draft = `${file}.new`;
  rmSync(draft, { force: true, recursive: true });
  try {
    writeFileSync(draft, JSON.stringify(record), { flag: 'wx', mode: RECORD_MODE });
    renameSync(draft, file);
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
