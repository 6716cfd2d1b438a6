/**
 * What the kernel cannot do. It is tried out when a step keeps failing, and once: not at every start, since that takes a
 * third of a second, and a kernel does not gain or lose features while the agent runs.
 */
import type { Feature } from '../../kernel/probe.ts';
import type { Finding } from '../../protocol/documents/finding.ts';
import { findingEvent } from '../../protocol/journal/finding-event.ts';
import type { Journal } from '../../protocol/journal/journal.ts';

export interface MissingFeaturesInput {
  readonly journal: Journal;
  /** Absent where the kernel is not a real one. */
  readonly probe?: () => Promise<readonly Feature[]>;
}

export class MissingFeatures {
  readonly #input: MissingFeaturesInput;
  #looked = false;
  #missing: readonly Feature[] = [];

  constructor(input: MissingFeaturesInput) {
    this.#input = input;
  }

  look(): void {
    if (this.#looked) return;
    this.#looked = true;
    void this.#probe();
  }

  get findings(): Finding[] {
    return this.#missing.map(({ name, costs, why }) => ({
      code: 'MESH_KERNEL_UNSUPPORTED',
      severity: 'warning',
      object: name,
      message: `this kernel cannot do «${name}»${why === undefined ? '' : ` (${why})`}. ${costs}`,
      remedy: 'Load the module (`modprobe`), or install the full kernel of the distribution; then restart the agent.',
    }));
  }

  async #probe(): Promise<void> {
    const { probe, journal } = this.#input;
    try {
      this.#missing = missing((await probe?.()) ?? []);
    } catch (thrown) {
      journal.failure('probe failed', thrown);
    }
    for (const finding of this.findings) journal.record(findingEvent('feature missing', finding));
  }
}

/** br_netfilter is no feature that we need: our rules are right with it on and off. */
export function missing(features: readonly Feature[]): Feature[] {
  return features.filter(({ name, present }) => !present && name !== 'br_netfilter');
}
