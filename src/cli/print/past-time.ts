/** The parser of options that take a time in the past: how long ago, or when. */
import { InvalidArgumentError } from 'commander';

const UNITS_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, min: 60_000, h: 3_600_000, d: 86_400_000 };

/**
 * For commander's `argParser`: `10min`, `2h` as so long ago, or a date with a time, in the time zone of this process.
 * @returns ISO 8601, UTC
 * @throws InvalidArgumentError, which commander reports as a wrong command line
 */
export function pastTime(text: string): string {
  const [, count = '', unit = ''] = /^(\d{1,9}) ?(s|m|min|h|d)(?: ago)?$/.exec(text) ?? [];
  const ago = UNITS_MS[unit];
  const isDate = /^\d{4}-\d\d-\d\d(?:$|[T ]\d\d:\d\d)/.test(text);
  // A date without a time is UTC for JavaScript, but a date with a time is local: midnight makes both local.
  const when = ago === undefined ? new Date(text.length === 10 ? `${text}T00:00` : text) : agoFrom(Number(count) * ago);
  if ((ago === undefined && !isDate) || Number.isNaN(when.getTime())) {
    throw new InvalidArgumentError('It must be a time such as 30s, 10min, 2h or 3d, or 2026-11-30T08:15.');
  }
  return when.toISOString();
}

function agoFrom(ms: number): Date {
  return new Date(Date.now() - ms);
}
