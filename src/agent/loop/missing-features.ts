/**
 * The features that the kernel lacks. They are tested when a step keeps failing, and only once. The test takes a third
 * of a second, so it does not run at every start, and a kernel does not gain or lose features while the agent runs.
 */
import type { Feature } from '../../kernel/probe.ts';
import type { Finding } from '../../protocol/documents/finding.ts';
import { findingEvent } from '../../protocol/journal/finding-event.ts';
import type { Journal } from '../../protocol/journal/journal.ts';

interface MissingFeaturesInput {
  readonly journal: Journal;
  /** Absent for a simulated kernel. */
  readonly probe?: () => Promise<readonly Feature[]>;
}

/** Runs the test on demand, writes each missing feature to the journal, and keeps them as findings. */
export class MissingFeatures {
  readonly #input: MissingFeaturesInput;
  #looked = false;
  #missing: readonly Feature[] = [];

  constructor(input: MissingFeaturesInput) {
    this.#input = input;
  }

  /** Starts the test, unless it was started before. The journal and `findings` have the result. */
  look(): void {
    if (this.#looked) return;
    this.#looked = true;
    void this.#probe();
  }

  get findings(): Finding[] {
    return this.#missing.map(({ name, costs, why, remedy }) => ({
      code: 'MESH_KERNEL_UNSUPPORTED',
      severity: 'warning',
      object: name,
      message: `this kernel cannot do «${name}»${why === undefined ? '' : ` (${why})`}. ${costs}`,
      remedy:
        remedy ??
        'Load the module (`modprobe`), or install the full kernel of the distribution; then restart the agent.',
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

/** The absent features that cost something. Not br_netfilter: our rules work with and without it. */
export function missing(features: readonly Feature[]): Feature[] {
  return features.filter(({ name, present }) => !present && name !== 'br_netfilter');
}
