/** Why a machine of a lab does not come up: the end of its console, and what it says about the cause. */
import { closeSync, existsSync, fstatSync, openSync, readSync } from 'node:fs';
import { MeshError } from '../../model/error.ts';
import { cleanConsole } from './console-text.ts';
import { consoleLog, emulatorLog, vmRecordIn } from './vm-files.ts';

/** What a console says when a machine is up. */
export const READY_SIGN = 'lab: ready';
const TAIL_LINES = 12;
/** A boot says less. */
const PART_BYTES = 65_536;

interface Cause {
  readonly says: RegExp;
  readonly cause: string;
  readonly remedy: string;
}

/** After these words no machine comes up. */
const HOPELESS = /No working init found|Failed to execute \/init|Kernel panic - not syncing|deadlocked on memory/;

/** Whether a console shows that its machine will not come up. */
export function isHopeless(console: string): boolean {
  return HOPELESS.test(console);
}

/** The first that fits counts. */
const CAUSES: readonly Cause[] = [
  {
    says: /No working init found|Failed to execute \/init/,
    cause: 'an overlay has replaced /init, or a directory with programs',
    remedy: 'Leave overlays out one by one: the last of the topology first.',
  },
  {
    says: /deadlocked on memory|Out of memory|oom-kill|initramfs unpacking failed: write error/i,
    cause: 'the machine has too little memory for its overlays',
    remedy: 'Raise memoryMib in the topology.',
  },
  { says: /Kernel panic/, cause: 'its kernel has panicked', remedy: 'The lines above the panic say why.' },
  {
    says: /waits for its cards/,
    cause: 'no card came: what the net set-up has done gave it none for net 0',
    remedy: 'Look at the options that the net set-up prints.',
  },
  {
    says: /lab: .* ended with [1-9]/,
    cause: 'a script of an overlay has failed',
    remedy: 'Run the script on the console: `mesh lab console NAME`.',
  },
  {
    says: new RegExp(READY_SIGN),
    cause: 'the machine is up, and does not answer in net 0',
    remedy: 'See whether its tap is on the bridge: `mesh lab exec host0 -- bridge link`.',
  },
  {
    says: /^\s*$/,
    cause: 'it has written nothing: the emulator waits for a processor, or the accelerator does not work here',
    remedy: 'Start fewer machines, or try again when this machine has less to do.',
  },
];

/** A copy says nothing until it is ready, or nearly. */
const SILENT_COPY: Pick<Cause, 'cause' | 'remedy'> = {
  cause: 'it is a copy of a template, and has not gone on',
  remedy: 'Let the machines boot by themselves: `mesh lab up TOPOLOGY --cold`.',
};

/** The last lines of a console. */
function consoleEnd(directory: string, lines = TAIL_LINES): string {
  return cleanConsole(consoleText(consoleLog(directory)))
    .split('\n')
    .slice(-lines)
    .join('\n');
}

/** The end of a machine's console, as the cause of another error. */
export class ConsoleEnd extends Error {
  constructor(name: string, directory: string) {
    super(`The end of the console of ${name}:\n${consoleEnd(directory).replaceAll(/^/gm, '  ')}`);
    this.name = 'ConsoleEnd';
  }
}

/** What a console has said so far: of a long one, its beginning and its end. A guest may write as much as it likes. */
export function consoleText(file: string): string {
  if (!existsSync(file)) return '';
  const descriptor = openSync(file, 'r');
  try {
    const part = (fromByte: number, bytes: number): string => {
      const content = Buffer.alloc(bytes);
      return content.toString('latin1', 0, readSync(descriptor, content, 0, bytes, fromByte));
    };
    const { size } = fstatSync(descriptor);
    if (size <= 2 * PART_BYTES) return part(0, size);
    return `${part(0, PART_BYTES)}\n[…]\n${part(size - PART_BYTES, PART_BYTES)}`;
  } finally {
    closeSync(descriptor);
  }
}

/** The cause that a console points to. */
export function causeIn(console: string): Pick<Cause, 'cause' | 'remedy'> {
  const found = CAUSES.find(({ says }) => says.test(console));
  return (
    found ?? {
      cause: 'it still boots, or hangs',
      remedy: 'Give the lab more time with --timeout, or look at the console: `mesh lab console NAME`.',
    }
  );
}

/**
 * MESH_LAB_MACHINE for one machine.
 * @param isOver the emulator has ended
 */
export function vmTrouble(name: string, directory: string, isOver: boolean): MeshError {
  const isCopy = vmRecordIn(directory)?.template !== undefined;
  const said = cleanConsole(consoleText(consoleLog(directory)));
  const refusal =
    cleanConsole(consoleText(emulatorLog(directory)))
      .split('\n')
      .at(-1) ?? '';
  const { cause, remedy } =
    isOver && refusal !== '' && !said.includes('Kernel panic')
      ? {
          cause: `the emulator has refused: ${refusal}`,
          remedy: 'Look at the options that the net set-up prints, and at the topology.',
        }
      : isCopy && said === ''
        ? SILENT_COPY
        : causeIn(said);
  return new MeshError('MESH_LAB_MACHINE', `${name} does not come up: ${cause}`, {
    operation: 'boot',
    object: name,
    remedy: remedy.replace('NAME', name),
    cause: new ConsoleEnd(name, directory),
  });
}
