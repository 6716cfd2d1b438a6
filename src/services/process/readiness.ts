/** Readiness: what shows that a process does its work, and not only that it runs. */
import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { connect } from 'node:net';

/** The sign of a process that is ready, and how long it may take. */
export type ReadySign = { readonly withinSec?: number } /** There is a file, such as a pid file. */ & (
  | { readonly kind: 'file'; readonly path: string }
  /** A Unix socket takes connections and, where `says` is given, sends this text first: QEMU's monitor says `"QMP"`. */
  | { readonly kind: 'socket'; readonly path: string; readonly says?: string }
  /** A line of its output has this text. */
  | { readonly kind: 'line'; readonly text: string }
);

/** How long a process may take to become ready when its spec does not say. */
export const READY_WITHIN_SEC = 10;
/** An answer of a socket that is longer is no greeting, and one that takes longer is none either. */
const GREETING_MAX_BYTES = 4_096;
const GREETING_MS = 1_000;
const OUTPUT_MAX_BYTES = 256 * 1024;

/** The output of a process, from the place in its file where the process began to write. */
export interface Output {
  readonly file: string;
  readonly fromByte: number;
}

/** Whether a process shows the sign now. Never rejects. */
export async function isReady(readiness: ReadySign, output: Output): Promise<boolean> {
  switch (readiness.kind) {
    case 'file':
      return statSync(readiness.path, { throwIfNoEntry: false }) !== undefined;
    case 'line':
      return textOf(output)
        .split('\n')
        .slice(0, -1)
        .some((line) => line.includes(readiness.text));
    case 'socket':
      return await answers(readiness.path, readiness.says);
  }
}

function answers(path: string, says: string | undefined): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    let heard = '';
    const finish = (ready: boolean) => {
      socket.destroy();
      resolve(ready);
    };
    socket.setTimeout(GREETING_MS, () => finish(false));
    socket.on('error', () => finish(false));
    socket.on('close', () => finish(false));
    socket.on('connect', () => says === undefined && finish(true));
    socket.on('data', (bytes) => {
      heard += bytes.toString('latin1');
      if (says !== undefined && heard.includes(says)) finish(true);
      else if (heard.length > GREETING_MAX_BYTES) finish(false);
    });
  });
}

/** The beginning of the output. A file that was emptied since begins anew. */
function textOf({ file, fromByte }: Output): string {
  let descriptor: number;
  try {
    descriptor = openSync(file, 'r');
  } catch {
    return '';
  }
  try {
    const { size } = fstatSync(descriptor);
    const start = size < fromByte ? 0 : fromByte;
    const bytes = Buffer.alloc(Math.min(OUTPUT_MAX_BYTES, size - start));
    return bytes.subarray(0, readSync(descriptor, bytes, 0, bytes.length, start)).toString('utf8');
  } finally {
    closeSync(descriptor);
  }
}
