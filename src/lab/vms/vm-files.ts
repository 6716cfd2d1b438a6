/** Where the files of a machine are, and the record of it. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as form from '../../model/form.ts';
import { readDocument } from '../../protocol/shapes/document.ts';
import type { ProcessMark } from '../../services/process/process-mark.ts';
import { findRecorded } from '../../services/process/process-start.ts';
import { QEMU, QEMU_FILES } from '../../services/qemu/qemu-spec.ts';
import { vmName, vmNumberOf } from '../topologies/vm-address.ts';

/** What is known of a machine that was started. */
export interface VmRecord {
  readonly number: number;
  /** In the order of its cards. */
  readonly nets: readonly number[];
  readonly memoryMib: number;
  /** How it came up: as a copy of a template, by its key, or by a boot of its own, with the reason. */
  readonly template?: string;
  readonly cold?: string;
}

const VmRecordShape: form.Shape<VmRecord> = form.object({
  number: form.int(1, 255),
  nets: form.listOf(form.int(0, 255), 256),
  memoryMib: form.int(1),
  template: form.exactOptional(form.string()),
  cold: form.exactOptional(form.string()),
});

/** The directory of a machine, below that of its lab. */
export function directoryOfVm(lab: string, number: number): string {
  return join(lab, vmName(number));
}

/** Everything that the machine wrote to its serial console. */
export function consoleLog(directory: string): string {
  return join(directory, 'console.log');
}

/** QEMU's own words. */
export function emulatorLog(directory: string): string {
  return join(directory, 'qemu.log');
}

/** The socket of the serial console. It takes one client at a time. */
export function consoleSocket(directory: string): string {
  return join(directory, QEMU_FILES.console);
}

/** Writes the record of a machine, and makes its directory. */
export function writeVmRecord(directory: string, record: VmRecord): void {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'vm.json'), `${JSON.stringify(record)}\n`);
}

/** The machines that were started and not removed, by number. One that has just been killed in its start is left out. */
export function vmRecords(lab: string): VmRecord[] {
  return readdirSync(lab)
    .filter((name) => vmNumberOf({ hostName: name }) !== undefined)
    .sort()
    .flatMap((name) => vmRecordIn(join(lab, name)) ?? []);
}

/** The record of a machine that was started. */
export function vmRecordIn(directory: string): VmRecord | undefined {
  const file = join(directory, 'vm.json');
  return existsSync(file) ? readDocument(VmRecordShape, readFileSync(file, 'utf8')).document : undefined;
}

/** The emulator of a machine, if it runs. */
export function findEmulator(directory: string): ProcessMark | undefined {
  return findRecorded(directory, QEMU);
}
