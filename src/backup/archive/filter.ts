/**
 * The program by which the administrator encrypts backups, such as `age -r …`: bytes go into its standard input, and others come out
 * of its standard output. Its words are of the administrator who types the command, and a shell reads them.
 */
import { spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { MeshError } from '../../model/error.ts';

const SAID_MAX = 4_096;

/** A filter that runs. */
export interface Filter {
  readonly input: Writable;
  readonly output: Readable;
  /** Resolves when the program has ended well. @throws MESH_BACKUP_FILTER */
  readonly ended: Promise<void>;
  /** Ends the program. */
  readonly stop: () => void;
}

/** Starts a filter. */
export function startFilter(words: string): Filter {
  const child = spawn('/bin/sh', ['-c', words], { stdio: ['pipe', 'pipe', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = `${said}${text}`.slice(-SAID_MAX);
  });
  // A program that ends before it has read all is told of by its end.
  child.stdin.on('error', () => undefined);
  const ended = new Promise<void>((resolve, reject) => {
    const fail = (how: string) => reject(filterFailed(words, how, said));
    child.once('error', ({ message }) => fail(`cannot be started: ${message}`));
    child.once('close', (code, signal) => {
      if (code === 0) resolve();
      else fail(signal === null ? `ended with ${code}` : `was ended by ${signal}`);
    });
  });
  // Whoever awaits it later is told as well.
  ended.catch(() => undefined);
  return { input: child.stdin, output: child.stdout, ended, stop: () => void child.kill('SIGTERM') };
}

function filterFailed(words: string, how: string, said: string): MeshError {
  const last = said.trim().split('\n').at(-1) ?? '';
  return new MeshError('MESH_BACKUP_FILTER', `the filter ${how}${last === '' ? '' : `: ${last}`}`, {
    operation: 'filter backup',
    object: words,
    rule: 'A filter reads its standard input to the end, writes its standard output, and ends with 0.',
    remedy: 'Try the program by hand, with its input from a pipe. Nothing was changed.',
  });
}
