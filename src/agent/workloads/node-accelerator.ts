/** The accelerator of this machine and the models of its emulator, asked for once in each boot of the machine. */
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Clock } from '../../model/clock.ts';
import { ACCELERATORS } from '../../protocol/documents/workload/assigned-workload.ts';
import { readDocument } from '../../protocol/shapes/document.ts';
import * as form from '../../protocol/shapes/form.ts';
import { findProgram } from '../../services/process/program-path.ts';
import { type AcceleratorProbe, probeAccelerator } from '../../services/qemu/accelerator.ts';
import { QEMU } from '../../services/qemu/qemu-spec.ts';

const FILE = 'accelerator.json';
const HELP_MS = 10_000;
const MODELS_MAX = 1_024;

const KeptShape: form.Shape<AcceleratorProbe> = form.object({
  accelerator: form.oneOf(ACCELERATORS),
  why: form.exactOptional(form.string({ max: 1_000 })),
});

/** Asks the machine. */
export class NodeAccelerator {
  readonly #file: string;
  readonly #clock: Clock;
  #asked: Promise<AcceleratorProbe> | undefined;

  /** @param run a directory that a reboot empties */
  constructor(run: string, clock: Clock) {
    this.#file = join(run, FILE);
    this.#clock = clock;
  }

  /** Resolves with the accelerator. Rejects never. */
  probe(): Promise<AcceleratorProbe> {
    this.#asked ??= this.#ask();
    return this.#asked;
  }

  async #ask(): Promise<AcceleratorProbe> {
    const kept = readDocument(KeptShape, await readFile(this.#file, 'utf8').catch(() => '')).document;
    if (kept !== undefined) return kept;
    const found = await probeAccelerator(this.#clock);
    // Without the file, the next agent asks again.
    await writeFile(this.#file, JSON.stringify(found), { mode: 0o640 }).catch(() => undefined);
    return found;
  }
}

/** The CPU models that the emulator knows; undefined when it does not say. */
export async function cpuModels(): Promise<string[] | undefined> {
  if (findProgram(QEMU) === undefined) return undefined;
  try {
    const { stdout } = await promisify(execFile)(QEMU, ['-cpu', 'help'], { timeout: HELP_MS });
    return modelsIn(stdout);
  } catch {
    return undefined;
  }
}

/** The models in the text of `-cpu help`: the list ends at the first empty line, and CPU features follow. */
export function modelsIn(text: string): string[] {
  const [list = ''] = text.split('\n\n');
  return list
    .split('\n')
    .flatMap((line) => /^x86 (\S+)/.exec(line)?.[1] ?? [])
    .slice(0, MODELS_MAX);
}
