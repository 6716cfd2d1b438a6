/**
 * Pollers carry no proof of which boot they are, so two machines with one identity look like one that moves to and fro.
 * Whoever makes the third move is the newcomer: the first machine was at home when it began.
 */
import { MEMBER_SILENCE_MS } from '../../protocol/documents/membership.ts';

const MOVES = 3;

export class MoveWatch {
  #movedMs: number[] = [];

  /** @returns whether this move is one too many; a refused move counts too, so the newcomer stays out as long as it tries */
  note(nowMs: number): boolean {
    this.#movedMs = [...this.#movedMs.filter((ms) => nowMs - ms <= MEMBER_SILENCE_MS), nowMs].slice(-MOVES);
    return this.#movedMs.length >= MOVES;
  }
}
