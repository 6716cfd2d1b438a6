/** What every command gets: the paths of this machine's files, the global options, and the streams for its answer. */
import { resolve } from 'node:path';
import { type Paths, pathsBelow } from '../protocol/documents/paths.ts';
import { terminalJson } from '../protocol/documents/terminal-text.ts';
import type { DaemonName } from '../protocol/http/service-manager.ts';
import { type ColorStream, type Paint, paintFor } from './print/color.ts';
import type { Page } from './print/table.ts';

/** The part of stdout and stderr that commands use; `tty.WriteStream` has it. */
export interface OutputStream extends ColorStream {
  readonly columns?: number;
  write(text: string | Uint8Array): unknown;
}

/** The process that runs the command line: its streams, and the programs that it starts. src/main/cli.ts or a test gives it. */
export interface Host {
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  /** Paths of the programs of host0's daemon and of the agent. */
  readonly entries: Readonly<Record<DaemonName, string>>;
}

/** The options that every command takes. */
export interface GlobalOptions {
  readonly root: string;
  readonly host0Dir?: string;
  readonly json?: boolean;
}

/** One run of a command: its paths, its global options, its answer and its exit code. `createProgram` makes it. */
export class Context {
  /** The exit code if no error is thrown. A command whose answer is bad news, such as drift, sets 1. */
  exitCode = 0;
  readonly #host: Host;
  readonly #options: () => GlobalOptions;

  /** @param options is called only inside actions, after the command line has been parsed */
  constructor(host: Host, options: () => GlobalOptions) {
    this.#host = host;
    this.#options = options;
  }

  /** Absolute paths, since the processes that we start have another working directory. */
  get paths(): Paths {
    const { root } = this.#options();
    const named = this.host0Dir;
    return pathsBelow(resolve(root), named === undefined ? undefined : resolve(named));
  }

  /** The value of --host0-dir or MESH_HOST0_DIR as it was written; undefined if neither is set. */
  get host0Dir(): string | undefined {
    // A file of settings may leave the variable empty: that counts as not set.
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

  /** Prints the command's answer: the document with `--json`, else the text for people. */
  answer(document: unknown, text: () => string): void {
    this.print(this.json ? `${terminalJson(document, 2)}\n` : text());
  }

  /** Prints one document of a stream: one line of JSON with `--json`, else the text for people. */
  emit(document: unknown, text: () => string): void {
    this.print(this.json ? `${terminalJson(document)}\n` : text());
  }

  print(text: string | Uint8Array): void {
    this.#host.stdout.write(text);
  }
}
