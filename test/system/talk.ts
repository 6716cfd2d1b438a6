/** How soon the hosts of a lab all talk to each other again, and whether the list says so too. */
import type { Lab } from '../../src/lab/cluster/lab.ts';
import type { LabHost } from '../../src/lab/hosts/lab-host.ts';
import { formatMemberLine } from '../../src/protocol/documents/membership.ts';
import { until } from './until.ts';

/** Five times the five seconds that are promised after whatever fault. */
const DEADLINE_MS = 25_000;

/**
 * Waits until every pair answers. @returns how long that took, ms
 * @throws MESH_LAB_FAILED with the pairs that do not
 */
export async function allTalk(lab: Lab): Promise<number> {
  const startMs = performance.now();
  await lab.ready({ deadlineMs: DEADLINE_MS });
  return Math.round(performance.now() - startMs);
}

/**
 * Waits until host0 lists `nodes` and nobody else. @returns how long that took, ms
 * @param asker who asks, inside the mesh
 */
export async function areListed(lab: Lab, asker: LabHost, nodes: readonly LabHost[]): Promise<number> {
  const startMs = performance.now();
  const lines = nodes.map(({ member }) => formatMemberLine(member)).toSorted();
  await until(`host0 lists ${nodes.map(({ name }) => name).join(', ')} alone`, DEADLINE_MS, async () => {
    // While host0 comes up, nobody answers.
    const list = await lab.memberList(asker).catch(() => '');
    return list.split('\n').slice(1, -1).toSorted().join() === lines.join();
  });
  return Math.round(performance.now() - startMs);
}
