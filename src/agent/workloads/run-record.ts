/**
 * What the disk keeps of a workload on this node: how it was started last, or how it has ended. So the next agent knows the
 * emulator that runs, with the command line that it was started with, and starts nothing twice. One small file for each workload.
 */
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDirectory, writeDurable } from '../../disk/durable-file.ts';
import type { ErrorDocument } from '../../model/error.ts';
import { ACCELERATORS } from '../../protocol/documents/workload/assigned-workload.ts';
import { WorkloadIdShape } from '../../protocol/shapes/assigned-workload-shape.ts';
import { readDocument } from '../../protocol/shapes/document.ts';
import * as form from '../../protocol/shapes/form.ts';
import { ErrorShape } from '../../protocol/shapes/parts.ts';
import type { ProcessSpec } from '../../services/process/process-spec.ts';

/** The part of a process that the record of a run keeps: what its digest depends on. */
export type KeptSpec = Pick<ProcessSpec, 'name' | 'title' | 'argv' | 'label'> &
  Required<Pick<ProcessSpec, 'env' | 'directory' | 'outputFile' | 'stopSec' | 'outputMaxBytes'>> & {
    readonly taps?: readonly string[];
    readonly once: true;
  };

/** One workload, as the node has run it last. */
export interface RunRecord {
  readonly format: 1;
  readonly id: string;
  /** Of the assigned workload. */
  readonly generation: number;
  /** Counts the starts: another number is another process. */
  readonly start: number;
  /** How often the policy has started it again since the last start that was wanted. */
  readonly restarts: number;
  /** `started`: the emulator runs, or is being started. */
  readonly state: 'started' | 'stopped' | 'ended' | 'failed';
  /** The boot of the machine in which it was started. */
  readonly boot: string;
  /** The UUID that the monitor tells. */
  readonly uuid: string;
  readonly uuidWord: string;
  readonly name: string;
  readonly spec: KeptSpec;
  readonly memoryBytes: number;
  /** What the volumes in memory may come to take. */
  readonly volumeMemoryBytes: number;
  /** The files of the volumes in memory. Absent in a record of an earlier version. */
  readonly memoryVolumes?: readonly string[];
  /** The disks below the directory of volumes that were made for it, and go with it. Absent in a record of an earlier version. */
  readonly disks?: readonly string[];
  readonly accelerator: (typeof ACCELERATORS)[number];
  readonly acceleratorWhy?: string;
  readonly cpuMode: string;
  readonly why?: string;
  readonly error?: ErrorDocument;
}

const SUFFIX = '.run.json';
const TEXT_MAX = 4_000;
const RECORD_MAX_BYTES = 128 * 1024;
const WORDS_MAX = 512;

const text = form.string({ max: TEXT_MAX });

const KeptSpecShape: form.Shape<KeptSpec> = form.object({
  name: text,
  title: text,
  argv: form.mapped(form.listOf(text, WORDS_MAX), ([program = '', ...rest]): [string, ...string[]] => [
    program,
    ...rest,
  ]),
  label: form.exactOptional(text),
  env: form.recordOf(text, text, 16),
  directory: text,
  outputFile: text,
  outputMaxBytes: form.int(1),
  stopSec: form.int(0, 3_600),
  once: form.literal(true),
  taps: form.exactOptional(form.listOf(text, WORDS_MAX)),
});

const RunRecordShape: form.Shape<RunRecord> = form.object({
  format: form.literal(1),
  id: WorkloadIdShape,
  generation: form.int(1),
  start: form.int(1),
  restarts: form.int(0),
  state: form.oneOf(['started', 'stopped', 'ended', 'failed']),
  boot: text,
  uuid: text,
  uuidWord: form.string({ pattern: /^[\w.@+-]{1,200}$/ }),
  name: text,
  spec: KeptSpecShape,
  memoryBytes: form.int(0),
  volumeMemoryBytes: form.int(0),
  memoryVolumes: form.exactOptional(form.listOf(text, WORDS_MAX)),
  disks: form.exactOptional(form.listOf(text, WORDS_MAX)),
  accelerator: form.oneOf(ACCELERATORS),
  acceleratorWhy: form.exactOptional(text),
  cpuMode: text,
  why: form.exactOptional(text),
  error: form.exactOptional(ErrorShape),
});

/** The records of one directory. */
export class RunRecords {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** All records that can be read. What cannot be read is left out: a power cut damages one only where nothing runs any more. */
  async readAll(): Promise<RunRecord[]> {
    const names = await readdir(this.#directory).catch(() => []);
    const files = names.filter((name) => name.endsWith(SUFFIX));
    const records = await Promise.all(files.map((name) => readRecord(join(this.#directory, name))));
    return records.filter((record) => record !== undefined);
  }

  /** @throws MESH_DISK_REFUSED */
  async write(record: RunRecord): Promise<void> {
    await makeDirectory(this.#directory, 0o700);
    await writeDurable(this.#pathOf(record.id), `${JSON.stringify(record)}\n`, 0o600);
  }

  async remove(id: string): Promise<void> {
    await rm(this.#pathOf(id), { force: true });
  }

  #pathOf(id: string): string {
    return join(this.#directory, `${id}${SUFFIX}`);
  }
}

async function readRecord(path: string): Promise<RunRecord | undefined> {
  const written = await readFile(path, 'utf8').catch(() => '');
  return readDocument(RunRecordShape, written, RECORD_MAX_BYTES).document;
}
