/** What a template and its copies must have in common, as a key. */
import { createHash } from 'node:crypto';
import { readFileSync, realpathSync, statSync } from 'node:fs';
import { findProgram } from '../../services/process/program-path.ts';
import { qemuArgv } from '../../services/qemu/qemu-argv.ts';
import { QEMU, type QemuSpec } from '../../services/qemu/qemu-spec.ts';

/** Raised when templates are made in another way. */
const VERSION = 1;
const KEY_DIGITS = 32;

/** What a machine is made of, whatever its name and its cards are. */
export type TemplateSpec = Pick<QemuSpec, 'accelerator' | 'translationMib' | 'cpuModel' | 'threads' | 'memoryBytes'> & {
  readonly boot: { readonly kernel: string; readonly initrd: string; readonly append: string };
};

/** The key of the template of a machine. Another emulator, machine, kernel or overlay gives another key. */
export function templateKey(spec: TemplateSpec): string {
  const { kernel, initrd } = spec.boot;
  const emulator = realpathSync(findProgram(QEMU) ?? QEMU);
  return (
    createHash('sha256')
      .update(
        JSON.stringify([
          VERSION,
          identityOf(emulator),
          identityOf(kernel),
          qemuArgv(templateMachine(spec, { consoleLog: 'console.log', pidFile: 'pid' })),
        ]),
      )
      // The file may be made again with another content, and has its times changed when it is used.
      .update(readFileSync(initrd))
      .digest('hex')
      .slice(0, KEY_DIGITS)
  );
}

/** A file that is replaced and never changed. */
function identityOf(path: string): readonly [string, number, number, number] {
  const { size, mtimeMs, ino } = statSync(path);
  return [path, size, mtimeMs, ino];
}

/** The machine that becomes a template, without all that differs between copies. */
export function templateMachine(spec: TemplateSpec, files: Pick<QemuSpec, 'consoleLog' | 'pidFile'>): QemuSpec {
  return {
    ...spec,
    name: 'template',
    uuid: '00000000-0000-4000-8000-000000000000',
    cards: [],
    disks: [],
    firmware: { kind: 'bios' },
    screen: false,
    paused: false,
    reboots: false,
    ...files,
  };
}
