/** What the changes of all sections have in common. */
import type { Notes } from './parts/notes.ts';
import { LIBVIRT_CODE, XmlNetworkError } from './text/xml-error.ts';
import type { XmlElement } from './text/xml-tree.ts';

/** What is to be done with an entry. */
export type UpdateCommand = 'modify' | 'delete' | 'add-last' | 'add-first';

/** libvirt's numbers of commands. */
export const COMMANDS: Readonly<Record<number, UpdateCommand>> = {
  1: 'modify',
  2: 'delete',
  3: 'add-last',
  4: 'add-first',
};

/** An entry, and what is to be done with it. */
export interface Entry {
  readonly root: XmlElement;
  readonly command: UpdateCommand;
  readonly notes: Notes;
  readonly parentIndex: number;
  readonly portsOn: (card: string) => number;
}

/** The entry that is meant is not there, or is there twice. */
export function invalid(message: string): XmlNetworkError {
  return new XmlNetworkError(LIBVIRT_CODE.operationInvalid, message, {
    rule: 'An entry is added once, and changed where it is.',
  });
}

/** The change is none that running networks can take. */
export function notSupported(message: string): XmlNetworkError {
  return new XmlNetworkError(LIBVIRT_CODE.notSupported, message, {
    rule: 'Sections 4, 5, 7 and 9 to 12 can be updated.',
    remedy: 'Define the network anew',
  });
}

/** The list with a new entry at one end. */
export function added<T>(list: readonly T[], entry: T, command: UpdateCommand): readonly T[] {
  return command === 'add-first' ? [entry, ...list] : [...list, entry];
}

/** The list with another entry at a place, or without the one there. */
export function replaced<T>(list: readonly T[], index: number, entry?: T): readonly T[] {
  return list.flatMap((one, at) => (at !== index ? [one] : entry === undefined ? [] : [entry]));
}
