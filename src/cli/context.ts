/** What every command is given: where the machine's files are, how to answer, and what the process can show. */
import { resolve } from 'node:path';
import { type Paths, pathsBelow } from '../protocol/documents/paths.ts';
import type { DaemonName } from '../protocol/http/control-client.ts';
import { type ColorStream, type Paint, paintFor } from './print/color.ts';
import type { Page } from './print/table.ts';

/** What we ask of stdout and stderr. */
export interface OutputStream extends ColorStream {
  readonly columns?: number;
  write(text: string | Uint8Array): unknown;
}

/** The process around the command line, given by the composition root (and by tests). */
export interface Host {
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  /** The programs of the two long-running processes, which are started by path. */
  readonly entries: Readonly<Record<DaemonName, string>>;
}

/** The options that every command takes. */
export interface GlobalOptions {
  readonly root: string;
  readonly host0Dir?: string;
  readonly json?: boolean;
}

export class Context {
  /** What the process ends with when no error was thrown; 1 where the answer is «not well». */
  exitCode = 0;
  readonly #host: Host;
  readonly #options: () => GlobalOptions;

  /** @param options is called only inside actions, when the command line has been parsed */
  constructor(host: Host, options: () => GlobalOptions) {
    this.#host = host;
    this.#options = options;
  }

  /** Absolute: what is started from here has another working directory. */
  get paths(): Paths {
    const { root } = this.#options();
    const named = this.host0Dir;
    return pathsBelow(resolve(root), named === undefined ? undefined : resolve(named));
  }

  /** host0's directory as it was named, if it was. */
  get host0Dir(): string | undefined {
    // A variable that a file of settings leaves empty is none.
    return this.#options().host0Dir || undefined;
  }

  get json(): boolean {
    return this.#options().json ?? false;
  }

  get entries(): Host['entries'] {
    return this.#host.entries;
  }

  get paint(): Paint {
    return paintFor(this.#host.stdout);
  }

  get page(): Page {
    const { isTTY, columns } = this.#host.stdout;
    return { width: isTTY ? columns : undefined, paint: this.paint };
  }

  get stderr(): OutputStream {
    return this.#host.stderr;
  }

  /** The command's answer: the document with `--json`, else the text for people. */
  answer(document: unknown, text: () => string): void {
    this.print(this.json ? `${JSON.stringify(document, null, 2)}\n` : text());
  }

  /** One document of a stream: a line of JSON, or the text for people. */
  emit(document: unknown, text: () => string): void {
    this.print(this.json ? `${JSON.stringify(document)}\n` : text());
  }

  print(text: string | Uint8Array): void {
    this.#host.stdout.write(text);
  }
}
