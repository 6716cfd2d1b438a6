/** One viewer of a console: its output goes to a terminal, and what is typed goes to the guest, until the viewer leaves. */
import type { Readable } from 'node:stream';
import type { ControlClient } from '../../protocol/calls/control-client.ts';
import { TypedBytes } from './typed-bytes.ts';

/** What a session is between. */
export interface ConsoleSessionInput {
  readonly client: Pick<ControlClient<'host0'>, 'ask'>;
  /** The console. */
  readonly path: { readonly node: string; readonly workload: string };
  /** The output of the console. */
  readonly output: Readable;
  readonly terminal: { write(chunk: Buffer): void };
  /** What is typed; undefined only looks. */
  readonly keyboard: Readable | undefined;
  /** Whether the way out counts: what comes from a file has none. */
  readonly hasEscape: boolean;
  /** Whether what is typed goes to the guest. Otherwise only the way out counts. */
  readonly types: boolean;
  readonly signal: AbortSignal;
}

/** Why a session has ended. */
export type SessionEnd = 'left' | 'closed' | 'interrupted';

/** Ctrl-], which telnet and virsh have, too. */
const ESCAPE = 0x1d;

/** Runs until the viewer leaves, or the console goes away. @throws the error that the node answers with to what is typed */
export async function consoleSession(input: ConsoleSessionInput): Promise<SessionEnd> {
  const { client, path, output, terminal, keyboard, hasEscape, types, signal } = input;
  const { promise, resolve, reject } = Promise.withResolvers<SessionEnd>();
  const send = (body: { readonly base64: string }) => client.ask('PUT /v1/consoles/{node}/{workload}', { path, body });
  const typed = new TypedBytes({ send, source: keyboard, failed: reject });
  const typing = (chunk: Buffer | string): void => {
    const bytes = Buffer.from(chunk);
    const end = hasEscape ? bytes.indexOf(ESCAPE) : -1;
    if (types) typed.push(end < 0 ? bytes : bytes.subarray(0, end));
    if (end >= 0) void typed.sent.then(() => resolve('left'), reject);
  };
  const interrupted = (): void => resolve('interrupted');
  output.on('data', (chunk: Buffer) => terminal.write(chunk));
  output.once('close', () => resolve('closed'));
  output.on('error', () => output.destroy());
  keyboard?.on('data', typing);
  signal.addEventListener('abort', interrupted, { once: true });
  try {
    return await promise;
  } finally {
    keyboard?.off('data', typing);
    keyboard?.pause();
    signal.removeEventListener('abort', interrupted);
    output.destroy();
  }
}
