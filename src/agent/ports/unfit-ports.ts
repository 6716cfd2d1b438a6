/**
 * Keeps the plugged ports that this machine itself needs out of the networks: an older agent took every interface, also
 * the one that leads to host0.
 */

import type { KernelTables } from '../../kernel/mirror/kernel-tables.ts';
import type { NetworkId } from '../../model/network/number.ts';
import type { Finding } from '../../protocol/documents/finding.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import type { DesiredInput, Host0Stance } from '../desired/assignment.ts';
import type { ForeignPorts } from './foreign-ports.ts';
import { PortFitness } from './port-fitness.ts';

interface UnfitPortsInput {
  readonly ports: ForeignPorts;
  readonly journal: Journal;
}

/** Takes unfit ports off, and remembers which ones until an administrator has seen it. */
export class UnfitPorts {
  readonly #input: UnfitPortsInput;
  /** The findings about ports that were taken off, by the name of the interface. */
  readonly #takenOff = new Map<string, Finding>();
  /** Why interfaces that host0 has assigned cannot be ports, by name. */
  readonly #againstAssigned = new Map<string, string>();

  constructor(input: UnfitPortsInput) {
    this.#input = input;
  }

  /**
   * Unplugs each plugged interface that this machine needs: for good, since the record on disk is changed, too.
   * @param nameOf the name of a network, for people
   */
  takeOff(cache: KernelTables, host0: Host0Stance, nameOf: (network: NetworkId) => string): void {
    const { ports, journal } = this.#input;
    const { plugged } = ports.record;
    if (plugged.length === 0) return;
    const fitness = new PortFitness(cache, host0);
    for (const { link: name, network } of plugged) {
      const link = cache.linkNamed(name);
      const unfit = link === undefined ? undefined : fitness.unfitness(link);
      if (unfit === undefined || !unfit.vital) continue;
      ports.unplug(name);
      const message = `${name} was plugged into ${nameOf(network)}, and has been taken off: ${unfit.reason}`;
      journal.record({ level: 'warning', kind: 'port unplugged', object: name, network, message });
      const remedy = `${unfit.remedy} \`mesh port unplug ${name}\` ends this warning.`;
      this.#takenOff.set(name, { code: 'MESH_PORT_UNFIT', severity: 'warning', object: name, message, remedy });
    }
  }

  /**
   * The interfaces that are not put on their bridge now. A network card may be the way to host0 as soon as DHCP gives it an
   * address, which it never gets as a port of a bridge. And host0 may have assigned an interface that this machine needs.
   */
  heldBack(cache: KernelTables, host0: Host0Stance): ReadonlySet<string> {
    const { ports } = this.#input;
    const { plugged, assigned } = ports;
    this.#againstAssigned.clear();
    const fitness = plugged.length + assigned.length === 0 ? undefined : new PortFitness(cache, host0);
    if (fitness === undefined) return new Set();
    for (const { link: name } of assigned) {
      const link = cache.linkNamed(name);
      const unfit = link && ports.isAssigned(name) ? fitness.unfitness(link) : undefined;
      if (unfit?.vital || (unfit && link?.master === 0)) this.#againstAssigned.set(name, unfit.reason);
    }
    const held = [...plugged, ...assigned].filter(({ link: name }) => {
      const link = cache.linkNamed(name);
      return !fitness.knowsWay && link !== undefined && link.master === 0 && fitness.mayBecomeWay(link);
    });
    return new Set([...held.map(({ link }) => link), ...this.#againstAssigned.keys()]);
  }

  /** Why an interface that host0 has assigned is not put on its bridge; undefined if it can be. */
  reasonAgainst(name: string): string | undefined {
    return this.#againstAssigned.get(name);
  }

  /** The ports that were taken off, and the interfaces on bridges of Meshwork that this machine seems to need. */
  findings(cache: KernelTables, host0: Host0Stance): Finding[] {
    const fitness = new PortFitness(cache, host0);
    const present = this.#input.ports.wanted(cache).flatMap(({ link: name }): Finding[] => {
      const link = cache.linkNamed(name);
      const unfit = link === undefined ? undefined : fitness.unfitness(link);
      if (unfit === undefined || this.#takenOff.has(name)) return [];
      const message = `${name} is a port of a network, but ${unfit.reason}`;
      const remedy = `\`mesh port unplug ${name}\` takes it off. ${unfit.remedy}`;
      const severity = unfit.vital ? 'error' : 'warning';
      return [{ code: 'MESH_PORT_UNFIT', severity, object: name, message, remedy }];
    });
    return [...this.#takenOff.values(), ...present];
  }

  /** An administrator knows that the port was taken off, or has plugged it in again. @returns whether it was taken off */
  forget(name: string): boolean {
    return this.#takenOff.delete(name);
  }
}

/** The ports without those that are not put on their bridge yet; the same list when there are none. */
export function withoutHeld(ports: DesiredInput['ports'], held: ReadonlySet<string>): DesiredInput['ports'] {
  return held.size === 0 ? ports : ports.filter(({ link, unplugging }) => unplugging || !held.has(link));
}
