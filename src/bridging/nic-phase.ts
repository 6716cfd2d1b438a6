/** What follows from the phase of a record: who must act, and what may have been written. */
import { isRunning } from '../services/process/process-mark.ts';
import { isOfThisBoot, type NicRecord, secondsLeft } from './nic-record.ts';

/** Whether files of the distribution may say the bridge. */
export function isWritten({ phase, steps, written = false }: NicRecord): boolean {
  return steps.length > 0 && (phase === 'kept' || phase === 'confirming' || written);
}

/** Whether a restart has ended the trial. */
export function isOver(record: NicRecord): boolean {
  return !isOfThisBoot(record) && !isWritten(record);
}

/** Whether the watcher must act: the time is over, or the process that worked on the card has ended. */
export function isDue(record: NicRecord): boolean {
  if (record.phase === 'kept' || record.phase === 'returned') return false;
  if (!isOfThisBoot(record)) return true;
  if (record.phase !== 'confirming' && secondsLeft(record) <= 0) return true;
  if (record.phase === 'trial') return false;
  return record.worker === undefined || !isRunning(record.worker);
}

/** Why the card goes back, as a sentence. */
export function reasonOf({ phase }: NicRecord): string {
  return phase === 'trial'
    ? 'it was not confirmed in time'
    : 'the command that made the bridge ended before it was done';
}
