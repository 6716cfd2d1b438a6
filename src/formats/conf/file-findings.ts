/** Findings about a machine's network files, for `mesh status` on nodes and on host0. */
import type { MeshError } from '../../model/error.ts';
import { type Finding, findingOf, objectOf } from '../../protocol/documents/finding.ts';

interface FileFaults {
  /** While there are errors, the last accepted files stay in force. */
  readonly errors: readonly MeshError[];
  readonly warnings: readonly MeshError[];
}

/** The faults as findings. The object of each is its file, or `network files` if the error names none. */
export function fileFindings({ errors, warnings }: FileFaults): Finding[] {
  return [
    ...errors.map((error) => findingOf(error, { object: objectOf(error) ?? 'network files' })),
    ...warnings.map((error) => findingOf(error, { object: objectOf(error) ?? 'network files', severity: 'warning' })),
  ];
}
