/** Whether all hosts of a lab talk to each other, and how soon they do again. */
import type { Lab } from '../../src/lab/lab.ts';

/** The issue gives five seconds after whatever fault. */
const TALK_DEADLINE_MS = 25_000;

/**
 * Waits until every pair answers. @returns how long that took, ms
 * @throws MESH_LAB_FAILED with the pairs that do not
 */
export async function allTalk(lab: Lab): Promise<number> {
  const startMs = performance.now();
  await lab.ready({ deadlineMs: TALK_DEADLINE_MS });
  return Math.round(performance.now() - startMs);
}
