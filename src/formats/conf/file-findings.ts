/** What is not well with a machine's network files, the same in `mesh status` of a node and of host0. */
import type { MeshError } from '../../model/error.ts';
import { type Finding, findingOf, objectOf } from '../../protocol/documents/finding.ts';

interface FileFaults {
  /** While there is any, what was in force stays in force. */
  readonly errors: readonly MeshError[];
  readonly warnings: readonly MeshError[];
}

/** The faults as findings, each about its file; one that names no file is about all of them together. */
export function fileFindings({ errors, warnings }: FileFaults): Finding[] {
  return [
    ...errors.map((error) => findingOf(error, { object: objectOf(error) ?? 'network files' })),
    ...warnings.map((error) => findingOf(error, { object: objectOf(error) ?? 'network files', severity: 'warning' })),
  ];
}
