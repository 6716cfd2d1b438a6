/** The accelerator of this machine and the models of its emulator, asked for with the first guest in each boot of the machine. */
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Clock } from '../../model/clock.ts';
import { ACCELERATORS } from '../../protocol/documents/workload/assigned-workload.ts';
import { readDocument } from '../../protocol/shapes/document.ts';
import * as form from '../../protocol/shapes/form.ts';
import { findProgram } from '../../services/process/program-path.ts';
import { type AcceleratorProbe, KVM, kvmClosed, probeAccelerator } from '../../services/qemu/accelerator.ts';
import { QEMU } from '../../services/qemu/qemu-spec.ts';

const FILE = 'accelerator.json';
const HELP_MS = 10_000;
const MODELS_MAX = 1_024;

/** What a machine can do for guests. */
export interface EmulatorProbe extends AcceleratorProbe {
  /** The CPU models of the emulator; absent when it does not say. */
  readonly cpuModes?: readonly string[];
}

const KeptShape: form.Shape<EmulatorProbe> = form.object({
  accelerator: form.oneOf(ACCELERATORS),
  why: form.exactOptional(form.string({ max: 1_000 })),
  cpuModes: form.exactOptional(form.listOf(form.string({ max: 100 }), MODELS_MAX)),
});

/** Asks the machine, when there is a reason to. */
export class NodeAccelerator {
  readonly #file: string;
  readonly #clock: Clock;
  #asked: Promise<EmulatorProbe> | undefined;

  /** @param run a directory that a reboot empties */
  constructor(run: string, clock: Clock) {
    this.#file = join(run, FILE);
    this.#clock = clock;
  }

  /** Resolves with what the machine can do. It starts QEMU once in each boot. Rejects never. */
  probe(): Promise<EmulatorProbe> {
    this.#asked ??= this.#ask();
    return this.#asked;
  }

  /**
   * Resolves with what is known without a start of QEMU. Before the first guest, KVM counts as absent: an emulated guest takes more memory
   * of the node, so a place that has room for one has room for the other, too. Rejects never.
   */
  async known(): Promise<EmulatorProbe> {
    if (this.#asked !== undefined) return await this.#asked;
    const kept = await this.#kept();
    return kept ?? { accelerator: 'tcg', why: kvmClosed() ?? 'KVM is tried with the first guest after a boot.' };
  }

  async #kept(): Promise<EmulatorProbe | undefined> {
    const kept = readDocument(KeptShape, await readFile(this.#file, 'utf8').catch(() => '')).document;
    // The module was loaded since.
    const hasCome = kept?.accelerator === 'tcg' && kept.why?.includes(KVM) === true && kvmClosed() === undefined;
    return hasCome ? undefined : kept;
  }

  async #ask(): Promise<EmulatorProbe> {
    const kept = await this.#kept();
    // An agent of an earlier version has kept no models.
    if (kept?.cpuModes !== undefined) return kept;
    const found = kept ?? (await probeAccelerator(this.#clock));
    const cpuModes = await cpuModels();
    const all = { ...found, ...(cpuModes !== undefined && { cpuModes }) };
    // Without the file, the next agent asks again.
    await writeFile(this.#file, JSON.stringify(all), { mode: 0o640 }).catch(() => undefined);
    return all;
  }
}

/** The CPU models that the emulator knows; undefined when it does not say. */
async function cpuModels(): Promise<string[] | undefined> {
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
