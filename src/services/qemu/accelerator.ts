/**
 * Which accelerator works on this machine. Only a guest tells: `/dev/kvm` may open on a machine whose guests then hang, for example
 * inside another virtual machine. So a guest of one sector is started, which prints one letter and switches itself off.
 */
import { spawn } from 'node:child_process';
import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../../model/clock.ts';
import { type Accelerator, QEMU } from './qemu-spec.ts';

/** The accelerator for the guests of this machine. */
export interface AcceleratorProbe {
  readonly accelerator: Accelerator;
  /** Why it is not KVM, as a sentence. Absent with KVM. */
  readonly why?: string;
}

/** A guest with KVM prints in some 100 ms, most of which is the start of QEMU. */
const PROBE_MS = 2_000;
/** The device of KVM. */
export const KVM = '/dev/kvm';
const SIGN = 'K';
const SECTOR_BYTES = 512;

/**
 * A boot sector: prints the sign at the first serial port, and powers the machine off by QEMU's exit device.
 * `mov dx, 3f8h; mov al, 'K'; out dx, al; mov dx, 501h; out dx, al; hlt; jmp -3`
 */
const CODE = [0xba, 0xf8, 0x03, 0xb0, SIGN.charCodeAt(0), 0xee, 0xba, 0x01, 0x05, 0xee, 0xf4, 0xeb, 0xfd];

/** Why the device of KVM cannot be opened, as a sentence; undefined if it can be. A device that opens need not work. */
export function kvmClosed(device: string = KVM): string | undefined {
  try {
    accessSync(device, constants.R_OK | constants.W_OK);
    return undefined;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' ? `This machine has no ${device}.` : `${device} cannot be opened (${code}).`;
  }
}

/** Finds the accelerator. Takes at most two seconds. Rejects never. */
export async function probeAccelerator(clock: Clock, device: string = KVM): Promise<AcceleratorProbe> {
  const closed = kvmClosed(device);
  if (closed !== undefined) return { accelerator: 'tcg', why: closed };
  const answer = await guestPrints('kvm', clock);
  return answer === undefined ? { accelerator: 'kvm' } : { accelerator: 'tcg', why: answer };
}

/** @returns why no guest prints anything; undefined when one does */
export async function guestPrints(
  accelerator: Accelerator,
  clock: Clock,
  withinMs = PROBE_MS,
): Promise<string | undefined> {
  const directory = mkdtempSync(join(tmpdir(), 'meshwork-probe-'));
  try {
    const sector = join(directory, 'sector');
    writeFileSync(sector, bootSector());
    return await runProbe(accelerator, sector, clock, withinMs);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function runProbe(
  accelerator: Accelerator,
  sector: string,
  clock: Clock,
  withinMs: number,
): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const words = [
    ...['-accel', accelerator, '-machine', 'pc', '-m', '16', '-nodefaults', '-no-user-config', '-display', 'none'],
    ...['-serial', 'stdio', '-device', 'isa-debug-exit'],
    ...['-drive', `file=${sector},format=raw,if=ide`],
  ];
  const child = spawn(QEMU, words, { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  const finish = (why: string | undefined) => {
    alarm.cancel();
    child.kill('SIGKILL');
    resolve(why);
  };
  const alarm = clock.after(withinMs, () =>
    finish(`${accelerator.toUpperCase()} starts a guest, and the guest does nothing for ${withinMs / 1000} s.`),
  );
  child.stdout.setEncoding('latin1').on('data', (text: string) => {
    if (text.includes(SIGN)) finish(undefined);
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = `${said}${text}`.slice(-1_000);
  });
  child.on('error', (error) => finish(`${QEMU} cannot be started: ${error.message}.`));
  child.on('close', () => finish(`QEMU refuses ${accelerator.toUpperCase()}: ${said.trim().split('\n').at(-1)}.`));
  return promise;
}

function bootSector(): Uint8Array {
  const sector = Buffer.alloc(SECTOR_BYTES);
  sector.set(CODE);
  sector.writeUInt16LE(0xaa55, SECTOR_BYTES - 2);
  return sector;
}
