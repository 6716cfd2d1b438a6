/** How soon all hosts of a lab reach each other again after a fault, and are listed by host0. */
import type { Lab } from '../../src/lab/cluster/lab.ts';
import type { LabHost } from '../../src/lab/hosts/lab-host.ts';
import { formatMemberLine } from '../../src/protocol/documents/membership.ts';
import { until } from './until.ts';

/** Five times the five seconds that are promised after any fault. */
const DEADLINE_MS = 25_000;

/**
 * Waits until every pair answers. @returns how long that took, in ms
 * @throws MESH_LAB_FAILED with the pairs that do not answer
 */
export async function allTalk(lab: Lab): Promise<number> {
  const startMs = performance.now();
  await lab.ready({ deadlineMs: DEADLINE_MS });
  return Math.round(performance.now() - startMs);
}

/**
 * Waits until host0 lists exactly `nodes`. @returns how long that took, in ms
 * @param asker the host that fetches the list, inside the mesh
 */
export async function areListed(lab: Lab, asker: LabHost, nodes: readonly LabHost[]): Promise<number> {
  const startMs = performance.now();
  const lines = nodes.map(({ member }) => formatMemberLine(member)).toSorted();
  await until(`host0 lists ${nodes.map(({ name }) => name).join(', ')} alone`, DEADLINE_MS, async () => {
    // While host0 starts, the list cannot be fetched.
    const list = await lab.memberList(asker).catch(() => '');
    return list.split('\n').slice(1, -1).toSorted().join() === lines.join();
  });
  return Math.round(performance.now() - startMs);
}
