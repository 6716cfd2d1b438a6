/** The consoles of all virtual machines of a node. */
import type { Writable } from 'node:stream';
import type { Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import type { ConsoleView } from '../../protocol/documents/workload/console.ts';
import { ConsoleHub, type ConsoleHubInput } from './console-hub.ts';

/** A virtual machine with a console. */
export interface ConsoleOwner {
  /** 8 hex digits: the name of the directory of its emulator. */
  readonly id: string;
  /** The name of the workload. */
  readonly workload: string;
}

/** A request to see a console, as a route has it. */
export interface ConsoleQuery {
  readonly workload: string;
  readonly tail: number;
  /** Whether the stream goes on with what comes. */
  readonly follow: boolean;
  readonly writes: boolean;
  readonly who: string;
}

/** Where the console of a virtual machine is, by the id of the virtual machine. */
export type ConsolePlaces = (id: string) => Pick<ConsoleHubInput, 'socketPath' | 'logPath'>;

/** Keeps a hub for each virtual machine. */
export class Consoles {
  readonly #placeOf: ConsolePlaces;
  readonly #clock: Clock;
  readonly #hubs = new Map<string, { readonly workload: string; readonly hub: ConsoleHub }>();

  constructor(placeOf: ConsolePlaces, clock: Clock) {
    this.#placeOf = placeOf;
    this.#clock = clock;
  }

  /** Follows the virtual machines that the node has now. The last output of one that has ended stays until it is not named any more. */
  follow(owners: readonly ConsoleOwner[]): void {
    for (const [id, { workload, hub }] of this.#hubs) {
      if (owners.some((owner) => owner.id === id && owner.workload === workload)) continue;
      hub.close();
      this.#hubs.delete(id);
    }
    for (const { id, workload } of owners) {
      if (this.#hubs.has(id)) continue;
      const hub = new ConsoleHub({ id, workload, ...this.#placeOf(id), clock: this.#clock });
      this.#hubs.set(id, { workload, hub });
    }
  }

  list(): readonly ConsoleView[] {
    return [...this.#hubs.values()].map(({ hub }) => hub.view);
  }

  /** Answers with the output of a console. @throws MESH_CONSOLE_NONE, MESH_BUSY */
  async watch(open: () => Writable, { workload, tail: tailBytes, follow, writes, who }: ConsoleQuery): Promise<void> {
    const hub = this.#called(workload);
    if (follow) return hub.watch(open, { who: who === '' ? 'unknown' : who, writes, tailBytes });
    open().end(hub.last(tailBytes));
  }

  /** Types into a console. @throws MESH_CONSOLE_NONE, MESH_CONSOLE_CLOSED */
  async type(workload: string, base64: string): Promise<void> {
    await this.#called(workload).type(Buffer.from(base64, 'base64'));
  }

  close(): void {
    this.follow([]);
  }

  #called(word: string): ConsoleHub {
    const found = [...this.#hubs].find(([id, { workload }]) => workload === word || id === word);
    if (found !== undefined) return found[1].hub;
    throw new MeshError('MESH_CONSOLE_NONE', `no workload ${word} with a console is on this node`, {
      object: word,
      remedy: 'See `mesh workload list`. A workload has a console unless its file says platform.console.serial=off.',
    });
  }
}
