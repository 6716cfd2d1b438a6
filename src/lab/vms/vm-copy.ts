/** Machines as copies of a template: they go on where the template waits for its cards. */
import { createHash, randomBytes } from 'node:crypto';
import type { ProcessMark } from '../../services/process/process-mark.ts';
import { type HotCard, plugCard } from '../../services/qemu/hot-plug.ts';
import type { QemuSpec } from '../../services/qemu/qemu-spec.ts';
import { restoreState } from '../../services/qemu/saved-state.ts';
import type { Template } from '../templates/template-shelf.ts';
import { vmMonitor } from './vm-emulator.ts';

/** Where the guest reads what it is told of itself. */
const WORDS = 'opt/meshwork/lab';
const SEED_BYTES = 32;
/** Digits of a machine's id. */
const MACHINE_DIGITS = 8;

/**
 * The emulator of a copy, from that of the machine as it would boot.
 * @param words what the lab tells each machine
 */
export function copySpec(cold: QemuSpec, { memory }: Template, words: readonly string[]): QemuSpec {
  // The kernel is in the memory already.
  const { boot: _, cards, ...common } = cold;
  const own = [
    `lab.cards=${cards.length}`,
    `lab.seed=${randomBytes(SEED_BYTES).toString('hex')}`,
    `lab.machine=${createHash('sha256').update(cold.uuid).digest('hex').slice(0, MACHINE_DIGITS)}`,
  ];
  return {
    ...common,
    cards: [],
    paused: true,
    restored: true,
    memoryFile: { path: memory, written: false },
    firmwareWords: { [WORDS]: [...words, ...own].join(' ') },
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
