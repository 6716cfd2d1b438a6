/**
 * The sockets of host0's boot server, and of its time: on each boot segment, bound to host0's address there and to the
 * port, and nowhere else.
 */
import type { Server } from 'node:http';
import { boundListener } from '../kernel/listener.ts';
import type { Alarm, Clock } from '../model/clock.ts';
import { MeshError } from '../model/error.ts';
import type { Journal } from '../protocol/event.ts';
import { createServer } from '../protocol/http.ts';
import type { BootDoor, BootSite } from './boot-site.ts';
import { openTimeServer, type TimeServer } from './time-server.ts';

export interface BootDoorsInput {
  readonly site: BootSite;
  readonly clock: Clock;
  readonly journal: Journal;
  /** Index of the link of that name, if there is one. */
  readonly indexOf: (device: string) => number | undefined;
}

const HTTP_PORT = 80;
const RETRY_MS = 500;
/** A rack of 300 with two connections each, and room for those that firmware left half open. */
const CONNECTIONS_MAX = 2048;
/** All of a rack knocks within the same second when its power comes back. */
const BACKLOG = 1024;
const LIMITS = {
  maxHeaderSize: 8192,
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  keepAliveTimeout: 15_000,
  connectionsCheckingInterval: 5_000,
} as const;

interface Open {
  readonly index: number;
  readonly server: Server;
  /** Absent where another time server listens on this machine. */
  readonly time: TimeServer | undefined;
}

export class BootDoors {
  readonly #input: BootDoorsInput;
  readonly #open = new Map<string, Open>();
  /** Doors that could not be opened: each is told of once. */
  readonly #failing = new Set<string>();
  #wanted: readonly BootDoor[] = [];
  #retry: Alarm | undefined;

  constructor(input: BootDoorsInput) {
    this.#input = input;
  }

  /** Listens at these doors and no others. */
  serve(doors: readonly BootDoor[]): void {
    this.#wanted = doors;
    this.linksChanged();
  }

  /** A socket that is bound to a device of an earlier life hears nothing any more. */
  linksChanged(): void {
    const wanted = new Map(this.#wanted.map((door) => [`${door.host0} ${door.device}`, door]));
    for (const [key, open] of this.#open) {
      const door = wanted.get(key);
      if (door !== undefined && this.#input.indexOf(door.device) === open.index) continue;
      this.#open.delete(key);
      shut(open);
    }
    for (const [key, door] of wanted) if (!this.#open.has(key)) this.#listen(key, door);
  }

  close(): void {
    this.#retry?.cancel();
    this.serve([]);
  }

  #listen(key: string, door: BootDoor): void {
    const { site, indexOf } = this.#input;
    const index = indexOf(door.device);
    if (index === undefined) return;
    try {
      const fd = boundListener({ address: door.host0, port: HTTP_PORT, device: door.device, backlog: BACKLOG });
      const server = createServer(LIMITS, (request, response) => void site.handle(request, response, door));
      server.maxConnections = CONNECTIONS_MAX;
      server.on('error', (error) => this.#failed(door, error));
      server.listen({ fd });
      this.#open.set(key, { index, server, time: this.#timeAt(door) });
      this.#failing.delete(key);
    } catch (error) {
      if (!this.#failing.has(key)) this.#failed(door, error);
      this.#failing.add(key);
      this.#retry?.cancel();
      this.#retry = this.#input.clock.after(RETRY_MS, () => this.linksChanged());
    }
  }

  /** A time server that is here already does it better. */
  #timeAt(door: BootDoor): TimeServer | undefined {
    try {
      return openTimeServer(door, this.#input.clock);
    } catch (thrown) {
      const { message } = MeshError.from(thrown);
      const { host0, device: object } = door;
      this.#input.journal.record({ kind: 'time left to others', message: `${host0} on ${object}: ${message}`, object });
      return undefined;
    }
  }

  #failed({ device, host0 }: BootDoor, thrown: unknown): void {
    const { code, message } = MeshError.from(thrown);
    this.#input.journal.record({
      level: 'error',
      kind: 'boot server not listening',
      message: `${host0} port ${HTTP_PORT} on ${device}: ${message}`,
      object: device,
      code,
      remedy: `Stop what listens on port ${HTTP_PORT} of ${host0} (\`ss -ltnp\`), or switch boot off on ${device} in host0.conf.`,
    });
  }
}

function shut({ server, time }: Open): void {
  time?.close();
  server.close();
  server.closeAllConnections();
}
