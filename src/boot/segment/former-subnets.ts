/**
 * The subnets of the segments in the file of earlier versions, `<state>/boot/subnets.json`. The store has them now; the file is
 * read once, and stays for an earlier version.
 */
import { type SubnetAllocation, SubnetAllocationShape } from '../../controller/pools/subnet-book.ts';
import { StateFile, type StateForm } from '../../disk/state-file.ts';
import type { Finding, HealthSource } from '../../protocol/documents/finding.ts';
import * as form from '../../protocol/shapes/form.ts';

const ALLOCATIONS_MAX = 4_096;

const BOOK_FILE: StateForm<readonly (SubnetAllocation | undefined)[]> = {
  version: 1,
  // An entry that is spoilt is left out.
  shape: form.listOf(form.otherwise(SubnetAllocationShape, undefined), ALLOCATIONS_MAX),
  holds: 'the subnets of the segments',
  remedy: 'host0 gives out subnets anew, perhaps others. Boot the nodes again that host0 does not reach any more.',
  comesBack: false,
};

/** The file of an earlier version. */
export class FormerSubnets implements HealthSource {
  readonly #file: StateFile<readonly (SubnetAllocation | undefined)[]>;

  constructor(path: string) {
    this.#file = new StateFile(path, BOOK_FILE);
  }

  /** What is in the file; nothing if there is none. Never rejects. */
  async read(): Promise<readonly SubnetAllocation[]> {
    return ((await this.#file.read()) ?? []).flatMap((allocation) => allocation ?? []);
  }

  /** A finding if the file was damaged when it was read. */
  health(): readonly Finding[] {
    return this.#file.health();
  }
}
