/** One event of the journal, as people read it in `mesh events` and `mesh system logview`. */
import type { EventLevel, MeshEvent } from '../../protocol/journal/event.ts';
import type { Paint, Tone } from './color.ts';
import { printable } from './printable.ts';

/** From the least important to the most important: `--level` shows a level and those after it. */
export const LEVELS: readonly EventLevel[] = ['debug', 'info', 'warning', 'error'];

const TONES: Record<EventLevel, Tone | undefined> = {
  debug: 'quiet',
  info: undefined,
  warning: 'warning',
  error: 'bad',
};

/** The event's line, and a line below it for its remedy. An event of a snapshot shows `now` instead of a time. */
export function eventLine(event: MeshEvent, paint: Paint): string {
  const { level, source, kind, message, code, remedy } = event;
  const tone = TONES[level];
  const word = level.padEnd(7);
  const parts = [
    paint('quiet', event.snapshot ? 'now'.padEnd(15) : localTime(event.time)),
    tone === undefined ? word : paint(tone, word),
    source.padEnd(5),
    printable(kind).padEnd(16),
    printable(message) + (code === undefined ? '' : ` (${code})`) + moreText(event),
  ];
  const below = remedy === undefined ? '' : `${' '.repeat(17)}→ ${printable(remedy)}\n`;
  return `${parts.join('  ')}\n${below}`;
}

function moreText({ suppressed = 0 }: MeshEvent): string {
  return suppressed === 0 ? '' : `, and ${suppressed} more of the same`;
}

/** `Nov 21 06:12:03`, in the time zone of this process. @param time ISO 8601; anything else is shown as it is */
export function localTime(time: string): string {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return printable(time).padEnd(15);
  const day = date.toLocaleString('en-US', { month: 'short' });
  const pad = (number: number) => String(number).padStart(2, '0');
  const clock = [date.getHours(), date.getMinutes(), date.getSeconds()].map(pad).join(':');
  return `${day} ${String(date.getDate()).padStart(2)} ${clock}`;
}
