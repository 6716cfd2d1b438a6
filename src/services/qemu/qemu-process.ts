/** An emulator as a supervised process. */
import { join } from 'node:path';
import type { ProcessSpec } from '../process/process-spec.ts';
import { qemuArgv } from './qemu-argv.ts';
import { QEMU_FILES, type QemuSpec } from './qemu-spec.ts';

/** Where an emulator runs. */
export interface QemuProcessPlace {
  /** The name of the process, and of the files of its supervisor. */
  readonly name: string;
  /** The emulator's own directory, which the user of `QemuSpec` owns. */
  readonly directory: string;
  /** QEMU's own words. */
  readonly outputFile: string;
  /** The taps of the cards, in their order. */
  readonly taps: readonly string[];
  /** Another word means another process, although all else is equal. */
  readonly label?: string;
}

/** QEMU speaks little: what a stranger can make it say is bounded. */
const OUTPUT_MAX_BYTES = 256 * 1024;
/** SIGTERM ends QEMU like the command `quit`, within some 10 ms; it writes back what it has of disks. */
const STOP_SEC = 10;

/** The process of an emulator: all that its digest depends on is there. */
export interface QemuProcess extends ProcessSpec {
  readonly env: Readonly<Record<string, string>>;
  readonly directory: string;
  readonly outputFile: string;
  readonly outputMaxBytes: number;
  readonly stopSec: number;
  readonly once: true;
}

/** How the emulator is supervised. Its owner decides about another start: a guest may have switched itself off. */
export function qemuProcess(spec: QemuSpec, place: QemuProcessPlace): QemuProcess {
  const { name, directory, outputFile, taps, label } = place;
  return {
    name,
    title: `the emulator of ${spec.name}`,
    argv: qemuArgv(spec),
    // Everything else of the environment stays away from an emulator whose guest may have broken out.
    env: { PATH: process.env.PATH ?? '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C', TMPDIR: '/tmp' },
    directory,
    outputFile,
    outputMaxBytes: OUTPUT_MAX_BYTES,
    stopSec: STOP_SEC,
    once: true,
    ...(taps.length > 0 && { taps }),
    ...(label !== undefined && { label }),
  };
}

/** The socket of the monitor that Meshwork uses. */
export function monitorSocketIn(directory: string): string {
  return join(directory, QEMU_FILES.monitor);
}
