/** Machines as copies of a template: they go on where the template waits for its cards. */
import { createHash, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MeshError } from '../../model/error.ts';
import type { ProcessMark } from '../../services/process/process-mark.ts';
import { type HotCard, plugCard } from '../../services/qemu/hot-plug.ts';
import type { QemuSpec } from '../../services/qemu/qemu-spec.ts';
import { restoreState } from '../../services/qemu/saved-state.ts';
import type { Template } from '../templates/template-shelf.ts';
import { vmMonitor } from './vm-emulator.ts';

/** Where the guest reads what it is told of itself. */
const WORDS = 'opt/meshwork/lab';
/** The file with it in the directory of a machine. The template has seen a file of the same size there. */
const WORDS_FILE = 'words';
const WORDS_BYTES = 1_024;
const SEED_BYTES = 16;
/** Digits of a machine's id. */
const MACHINE_DIGITS = 8;

/** The file with the words for a machine, as an option of its emulator. @param own the directory of the machine. @throws MESH_LAB_TEMPLATE for too many */
export function tellWords(own: string, words: readonly string[]): Pick<QemuSpec, 'firmwareFiles'> {
  const text = words.join(' ');
  if (Buffer.byteLength(text) > WORDS_BYTES) {
    throw new MeshError('MESH_LAB_TEMPLATE', 'the lab has more to tell its machines than fits', { object: own });
  }
  const path = join(own, WORDS_FILE);
  writeFileSync(path, text.padEnd(WORDS_BYTES));
  return { firmwareFiles: { [WORDS]: path } };
}

/**
 * The emulator of a copy, from that of the machine as it would boot.
 * @param own the directory of the machine
 * @param words what the lab tells each machine
 */
export function copySpec(own: string, cold: QemuSpec, { memory }: Template, words: readonly string[]): QemuSpec {
  const { cards, uuid } = cold;
  const more = [
    `lab.cards=${cards.length}`,
    `lab.seed=${randomBytes(SEED_BYTES).toString('hex')}`,
    `lab.machine=${createHash('sha256').update(uuid).digest('hex').slice(0, MACHINE_DIGITS)}`,
  ];
  return {
    // The kernel and its archive stay, although both are in the memory already: what the firmware lists must be as it was.
    ...cold,
    cards: [],
    paused: true,
    restored: true,
    memoryFile: { path: memory, written: false },
    ...tellWords(own, [...words, ...more]),
  };
}

/** Lets a copy go on, with its cards. @param own the directory of the machine. @throws MESH_QEMU_REFUSED, MESH_QEMU_SILENT */
export async function startCopy(
  own: string,
  emulator: ProcessMark,
  { state }: Template,
  cards: readonly HotCard[],
): Promise<void> {
  const monitor = await vmMonitor(own, emulator);
  try {
    await restoreState(monitor, own, state);
    for (const card of cards) await plugCard(monitor, card);
    await monitor.execute('cont');
  } finally {
    monitor.close();
  }
}
