/** Reads the log files of the two daemons. An event is a line of JSON; other lines are printed text, such as a stack trace. */

import { once } from 'node:events';
import { type FSWatcher, watch } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { MeshEvent } from '../../protocol/journal/event.ts';
import type { Paint } from '../print/color.ts';
import { eventLine } from '../print/event-line.ts';
import { printable } from '../print/printable.ts';

/** Bytes at the end of a file that are read for its last lines. */
const TAIL_BYTES = 4 * 1024 * 1024;

/** The last `count` lines of a file, oldest first; none if the file does not exist. */
export async function lastLines(file: string, count: number): Promise<string[]> {
  await using log = await openIfThere(file);
  if (log === undefined) return [];
  const { size } = await log.stat();
  const start = Math.max(0, size - TAIL_BYTES);
  const lines = (await readFrom(log, start, size)).split('\n').slice(start > 0 ? 1 : 0, -1);
  return count === 0 ? [] : lines.slice(-count);
}

/**
 * The lines that are added to a file from now on, without end. The file need not exist yet, and may be truncated or replaced.
 * @param directory the directory of the file, which must exist: it is watched
 */
export async function* newLines(file: string, directory: string): AsyncGenerator<string> {
  const watcher: FSWatcher = watch(directory);
  let changed = false;
  watcher.on('change', () => {
    changed = true;
  });
  let position = await sizeOf(file);
  try {
    for (;;) {
      changed = false;
      const size = await sizeOf(file);
      if (size < position) position = 0;
      await using log = await openIfThere(file);
      if (log !== undefined && size > position) {
        const text = await readFrom(log, position, size);
        // A line that is still being written is read again when it has its end.
        const whole = text.slice(0, text.lastIndexOf('\n') + 1);
        position += Buffer.byteLength(whole);
        yield* whole.split('\n').slice(0, -1);
      }
      if (!changed) await once(watcher, 'change');
    }
  } finally {
    watcher.close();
  }
}

/** Merges the lines of several logs in the order of time. A line that is no event stays behind the event before it. */
export function mergedLines(logs: readonly (readonly string[])[]): string[] {
  const timed = logs.flatMap((lines) => {
    let time = '';
    return lines.map((line) => {
      time = eventOf(line)?.time ?? time;
      return { time, line };
    });
  });
  return timed.sort((a, b) => (a.time < b.time ? -1 : Number(a.time > b.time))).map(({ line }) => line);
}

/** A line for people: an event in columns, other text unchanged but for control characters. */
export function logLine(line: string, paint: Paint): string {
  const event = eventOf(line);
  return event === undefined ? `${printable(line)}\n` : eventLine(event, paint);
}

function eventOf(line: string): MeshEvent | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    const parsed = JSON.parse(line) as Partial<MeshEvent>;
    const whole = [parsed.time, parsed.level, parsed.source, parsed.kind, parsed.message].every(
      (field) => typeof field === 'string',
    );
    return whole ? (parsed as MeshEvent) : undefined;
  } catch {
    return undefined;
  }
}

async function openIfThere(file: string): Promise<FileHandle | undefined> {
  try {
    return await open(file, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

async function sizeOf(file: string): Promise<number> {
  await using log = await openIfThere(file);
  return log === undefined ? 0 : (await log.stat()).size;
}

async function readFrom(log: FileHandle, start: number, end: number): Promise<string> {
  const { buffer, bytesRead } = await log.read(Buffer.alloc(end - start), 0, end - start, start);
  return buffer.toString('utf8', 0, bytesRead);
}
