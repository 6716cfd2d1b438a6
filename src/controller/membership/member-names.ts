/**
 * Names of members. Commands take a node by its name, so there is one node of each name, in whichever meshes it is: the second
 * `node1` is `node1-2`. Upper and lower case are the same.
 */
import type { MachineId } from '../../model/machine.ts';
import { NODE_NAME_MAX_LENGTH } from '../../protocol/documents/membership.ts';
import type { MemberRecord } from './member-record.ts';

/** What a name depends on. */
export interface MemberNamesInput {
  /** host0's own host name. */
  readonly name: string;
  /** The machine that an administrator has given this name, in lower case; undefined if there is none. */
  readonly machineNamed: (name: string) => MachineId | undefined;
  /** All members. */
  readonly records: () => Iterable<MemberRecord>;
  /** The members of the other meshes. */
  readonly elsewhere: () => Iterable<MemberRecord>;
}

/** Gives each member of a mesh a name of its own. */
export class MemberNames {
  readonly #input: MemberNamesInput;

  constructor(input: MemberNamesInput) {
    this.#input = input;
  }

  /**
   * The name for a member that calls itself `claim.name`. It keeps the name that it has, also when a shorter one has become
   * free, and loses the name only to the machine that an administrator gave it.
   */
  nameFor(claim: MemberRecord, present: MemberRecord | undefined): string {
    const isReserved = (name: string): boolean => this.#isReserved(name, claim.machine);
    if (present !== undefined && isNameFor(present.name, claim.name) && !isReserved(present.name)) return present.name;
    if (this.#isOwn(claim)) return claim.name;
    const taken = new Set<string>();
    for (const { ipv6, name } of this.#input.records()) if (ipv6 !== claim.ipv6) taken.add(name.toLowerCase());
    for (const { machine, name } of this.#input.elsewhere())
      if (machine !== claim.machine) taken.add(name.toLowerCase());
    for (let number = 1; ; number++) {
      const name = numbered(claim.name, number);
      if (!taken.has(name.toLowerCase()) && !isReserved(name)) return name;
    }
  }

  #isOwn({ name, machine }: MemberRecord): boolean {
    return machine !== undefined && this.#input.machineNamed(name.toLowerCase()) === machine;
  }

  #isReserved(name: string, machine: MachineId | undefined): boolean {
    const lower = name.toLowerCase();
    if (lower === 'host0' || lower === this.#input.name.toLowerCase()) return true;
    const owner = this.#input.machineNamed(lower);
    return owner !== undefined && owner !== machine;
  }
}

function numbered(name: string, number: number): string {
  if (number === 1) return name;
  const end = `-${number}`;
  return `${name.slice(0, NODE_NAME_MAX_LENGTH - end.length)}${end}`;
}

function isNameFor(name: string, asked: string): boolean {
  // Nearly all members have the name that they ask for.
  return name === asked || name === numbered(asked, Number(/-([1-9][0-9]*)$/.exec(name)?.[1] ?? 1));
}
