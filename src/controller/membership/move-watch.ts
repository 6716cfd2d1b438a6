/**
 * Polls do not say which boot of a machine they come from. So two pollers with one identity look like one machine that
 * moves to and fro. The one that makes the third move is the newcomer: the first machine was in its place at the start.
 */
import { MEMBER_SILENCE_MS } from '../../protocol/documents/membership.ts';

const MOVES = 3;

/** Counts the moves of one poller. */
export class MoveWatch {
  #movedMs: number[] = [];

  /**
   * Notes a move.
   * @returns whether it is the third within nine seconds. Refused moves count, too, so that the newcomer stays out as long as it tries
   */
  note(nowMs: number): boolean {
    this.#movedMs = [...this.#movedMs.filter((ms) => nowMs - ms <= MEMBER_SILENCE_MS), nowMs].slice(-MOVES);
    return this.#movedMs.length >= MOVES;
  }
}
