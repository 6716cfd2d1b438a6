/** Which router is the active one of a network: it has what exists once, such as the address of NAT44. Pure. */
import type { MachineWord } from '../../model/machine.ts';

/**
 * A router is given up so long after its last sign of life. Channels are known to be dead after 9 to 12 s; a restarted agent is back
 * within 4 s. The rest until the promised 13 s is for the store and for the assignment of the next one.
 */
export const GIVEN_UP_AFTER_MS = 12_000;

/** A node that can be the active router. */
export interface RouterCandidate {
  readonly machine: MachineWord;
  /** Its channel stands. */
  readonly stands: boolean;
  /** When it last gave a sign of life. */
  readonly lastSignMs: number;
  /** The networks of which it is the active router already. */
  readonly load: number;
}

/** What is chosen. */
export interface RouterChoice {
  /** Undefined while there is no candidate that lives. */
  readonly active: MachineWord | undefined;
  /** When to look again although nothing is told; undefined: no need. */
  readonly lookAtMs?: number;
}

/**
 * The active router stays while it lives, so that connections through it live as long as they can. Of the others, the one with the
 * fewest networks is next. While no other one lives, the silent one stays: there is nothing better.
 */
export function chooseRouter(
  current: MachineWord | undefined,
  candidates: readonly RouterCandidate[],
  nowMs: number,
): RouterChoice {
  const own = candidates.find(({ machine }) => machine === current);
  if (own?.stands) return { active: own.machine };
  const givenUpMs = own === undefined ? nowMs : own.lastSignMs + GIVEN_UP_AFTER_MS;
  if (own !== undefined && nowMs < givenUpMs) return { active: own.machine, lookAtMs: givenUpMs };
  const [next] = candidates.filter(({ stands }) => stands).toSorted(byLoad);
  return { active: next?.machine ?? own?.machine };
}

function byLoad(a: RouterCandidate, b: RouterCandidate): number {
  return a.load - b.load || (a.machine < b.machine ? -1 : 1);
}
