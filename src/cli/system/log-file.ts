/** Reads the log files of the two daemons. An event is a line of JSON; other lines are printed text, such as a stack trace. */

import { once } from 'node:events';
import { type FSWatcher, watch } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { quietJson, visible } from '../../protocol/documents/terminal-text.ts';
import type { MeshEvent } from '../../protocol/journal/event.ts';
import { LOG_MAX_BYTES, olderLogOf } from '../../protocol/journal/log-rotation.ts';
import { readDocument } from '../../protocol/shapes/document.ts';
import { MeshEventShape } from '../../protocol/shapes/view-shapes.ts';
import type { Paint } from '../print/color.ts';
import { eventLine } from '../print/event-line.ts';

/** A longer line is shown as it is. */
const LINE_MAX_LENGTH = 1024 * 1024;
/** Bytes at the end of a file that are read for its last lines. */
const TAIL_BYTES = LOG_MAX_BYTES;

/** The last `count` lines of a log and of the older log beside it, oldest first; none if the log does not exist. */
export async function lastLines(file: string, count: number): Promise<string[]> {
  if (count === 0) return [];
  const lines = await linesAtEnd(file);
  if (lines.length >= count) return lines.slice(-count);
  return [...(await linesAtEnd(olderLogOf(file))), ...lines].slice(-count);
}

async function linesAtEnd(file: string): Promise<string[]> {
  await using log = await openIfThere(file);
  if (log === undefined) return [];
  const { size } = await log.stat();
  const start = Math.max(0, size - TAIL_BYTES);
  return (await readFrom(log, start, size)).split('\n').slice(start > 0 ? 1 : 0, -1);
}

/**
 * The lines that are added to a log from now on, without end. The log need not exist yet. It may be truncated, replaced, or
 * rotated: then the rest of its lines is read from the older log.
 * @param directory the directory of the log, which must exist: it is watched
 */
export async function* newLines(file: string, directory: string): AsyncGenerator<string> {
  const watcher: FSWatcher = watch(directory);
  let changed = false;
  watcher.on('change', () => {
    changed = true;
  });
  let position = (await stateOf(file)).size;
  let older = await stateOf(olderLogOf(file));
  const added = async (from: string): Promise<string[]> => {
    await using log = await openIfThere(from);
    const size = (await log?.stat())?.size ?? 0;
    if (log === undefined || size <= position) return [];
    const text = await readFrom(log, position, size);
    // A line that is still being written is read again when it has its end.
    const whole = text.slice(0, text.lastIndexOf('\n') + 1);
    position += Buffer.byteLength(whole);
    return whole.split('\n').slice(0, -1);
  };
  try {
    for (;;) {
      changed = false;
      const { size } = await stateOf(file);
      const rotated = await stateOf(olderLogOf(file));
      if (rotated.stamp !== older.stamp && size < rotated.size) {
        yield* await added(olderLogOf(file));
        older = rotated;
        position = 0;
      } else if (size < position) position = 0;
      yield* await added(file);
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
  return event === undefined ? `${visible(line)}\n` : eventLine(event, paint);
}

/** A line for programs: an event as it is in the log, other text unchanged but for control characters. */
export function logJson(line: string): string {
  return `${eventOf(line) === undefined ? visible(line) : quietJson(line)}\n`;
}

function eventOf(line: string): MeshEvent | undefined {
  return line.startsWith('{') ? readDocument(MeshEventShape, line, LINE_MAX_LENGTH).document : undefined;
}

async function openIfThere(file: string): Promise<FileHandle | undefined> {
  try {
    return await open(file, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** The size of a file, 0 if there is none, and a stamp that differs between a file and the one that replaces it. */
async function stateOf(file: string): Promise<{ readonly size: number; readonly stamp: string }> {
  await using log = await openIfThere(file);
  if (log === undefined) return { size: 0, stamp: '' };
  const { size, ino, mtimeNs } = await log.stat({ bigint: true });
  return { size: Number(size), stamp: `${ino} ${mtimeNs}` };
}

async function readFrom(log: FileHandle, start: number, end: number): Promise<string> {
  const { buffer, bytesRead } = await log.read(Buffer.alloc(end - start), 0, end - start, start);
  return buffer.toString('utf8', 0, bytesRead);
}
