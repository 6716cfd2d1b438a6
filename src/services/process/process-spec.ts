/** How a supervised process shall run: plain data, so that specs can be compared, printed and recorded. */
import { createHash } from 'node:crypto';
import type { ReadySign } from './readiness.ts';

/** The signals that may tell a process to end. */
export const STOP_SIGNALS = ['SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGKILL'] as const;

/** One supervised process. */
export interface ProcessSpec {
  /** Identifies the process among those of one launcher, and names its files: letters, digits and `. _ @ + -`. */
  readonly name: string;
  /** For people: `dnsmasq for segment eth1`. */
  readonly title: string;
  /** The program and its arguments. The program is looked for in PATH. Everybody on the machine can read arguments: no secrets. */
  readonly argv: readonly [program: string, ...rest: string[]];
  /** The environment; that of this process when absent. */
  readonly env?: Readonly<Record<string, string>>;
  /** The working directory; `/` when absent. */
  readonly directory?: string;
  /** Path of the network namespace that the process runs in; that of this process when absent. */
  readonly netns?: string;
  /** The user that the process runs as; root when absent. */
  readonly user?: { readonly uid: number; readonly gid: number };
  /** A text that the process reads from its standard input, for example a secret: at most 64 KiB. Absent: nothing. */
  readonly stdin?: string;
  /** The file that standard output and standard error are appended to. `DIRECTORY/NAME.log` when absent. */
  readonly outputFile?: string;
  /** A larger output is copied to `FILE.1`, and the file is emptied. 1 MiB when absent. */
  readonly outputMaxBytes?: number;
  /** Digests of what the process reads when it starts, such as its configuration. Another digest means another process. */
  readonly reads?: readonly string[];
  /** What the process reads again on a signal. Another digest means this signal, and no other process. */
  readonly rereads?: { readonly signal: NodeJS.Signals; readonly digest: string };
  /** How the process shows that it does its work. Absent: it is ready when it runs. */
  readonly readiness?: ReadySign;
  /** The signal that tells the process to end: SIGTERM when absent. */
  readonly stopSignal?: (typeof STOP_SIGNALS)[number];
  /** How long the process may take to end, until it is killed: 3 when absent. */
  readonly stopSec?: number;
  /** A word of its owner, which is known after an adoption, too. */
  readonly label?: string;
  /**
   * Taps that the process gets open, by name: the first one is its descriptor 3. They are in the namespace of the process. So it
   * needs no right to open one.
   */
  readonly taps?: readonly string[];
  /** After its end the process is started again with another spec only: its owner decides. */
  readonly once?: boolean;
  /** What to do when the last line of its output has a text. */
  readonly remedies?: readonly { readonly says: string; readonly remedy: string }[];
}

/** A larger output is rotated. Two of these for each of 16 processes are still little. */
export const OUTPUT_MAX_BYTES = 1024 * 1024;
/** What the kernel takes of a pipe that nobody reads yet (pipe(7)): so the process may outlive the one that started it. */
const STDIN_MAX_BYTES = 64 * 1024;
const DIGEST_HEX = 32;

/** Whether a text can be the name of a process, and of its files. */
export function isProcessName(text: string): boolean {
  return /^[\w@+-][\w.@+-]{0,99}$/.test(text);
}

/** @throws RangeError for a spec that cannot be carried out */
export function checkSpec({ name, stdin = '' }: ProcessSpec): void {
  if (!isProcessName(name)) throw new RangeError(`${JSON.stringify(name)} is no name of a process`);
  if (Buffer.byteLength(stdin) > STDIN_MAX_BYTES) throw new RangeError(`the input of ${name} is too long`);
}

/** The digest of a content: of a file that a process reads. */
export function contentDigest(content: string): string {
  return createHash('sha256').update(content).digest('hex').slice(0, DIGEST_HEX);
}

/**
 * The digest of all that a running process depends on. Titles, remedies, limits of the output, how it is stopped and what it
 * reads again are no part of it: they change without another process.
 */
export function specDigest(spec: ProcessSpec): string {
  const {
    argv,
    env,
    directory = '/',
    netns = '',
    user,
    stdin = '',
    outputFile = '',
    reads = [],
    label = '',
    taps,
  } = spec;
  const sorted = env === undefined ? [] : Object.entries(env).sort(([a], [b]) => (a < b ? -1 : 1));
  // A process without taps has the digest that it has had in earlier versions.
  const given = taps === undefined ? [] : [taps];
  return contentDigest(
    JSON.stringify([argv, sorted, directory, netns, user ?? {}, stdin, outputFile, reads, label, ...given]),
  );
}

/** The length of a digest in a record of an earlier version. */
const FORMER_DIGEST_HEX = 16;

/**
 * Whether a process that runs is one of this spec, by its digest. In a record of an earlier version this is the beginning of the digest
 * of the configuration alone: an upgrade does not end a process that serves.
 */
export function isOfSpec(digest: string, spec: ProcessSpec): boolean {
  if (digest.length === FORMER_DIGEST_HEX) return spec.reads?.some((read) => read.startsWith(digest)) ?? false;
  return digest === specDigest(spec);
}
