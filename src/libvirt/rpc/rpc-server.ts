/** A server of libvirt's protocol: it takes connections at its sockets, up to a number. */
import { createServer, type Server, type Socket } from 'node:net';
import type { Clock } from '../../model/clock.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import { SERVER_LIMITS, type ServerLimits } from './limits.ts';
import { type CallAnswerer, ServerConnection } from './server-connection.ts';

/** What a server needs. */
export interface RpcServerInput {
  readonly clock: Clock;
  readonly journal: Pick<Journal, 'record'>;
  /** @param isReadOnly whether the client came by a socket for clients that only read */
  readonly answerer: (connection: ServerConnection, isReadOnly: boolean) => CallAnswerer;
  readonly limits?: ServerLimits;
  /** Who has connected, for the journal. Absent: nobody knows. */
  readonly peerOf?: (socket: Socket) => { readonly pid: number; readonly uid: number } | undefined;
}

/** Answers the clients at all its sockets. */
export class RpcServer {
  readonly #input: RpcServerInput;
  readonly limits: ServerLimits;
  readonly #clients = new Set<ServerConnection>();
  #readOnlyClients = 0;

  constructor(input: RpcServerInput) {
    this.#input = input;
    this.limits = input.limits ?? SERVER_LIMITS;
  }

  /** The number of connected clients. */
  get clients(): number {
    return this.#clients.size;
  }

  /** What waits for all clients together, and of them. */
  get heldBytes(): number {
    return Array.from(this.#clients).reduce((sum, { heldBytes }) => sum + heldBytes, 0);
  }

  /** A listener for one more socket. Its listening is begun and ended by the caller. */
  listener({ isReadOnly }: { readonly isReadOnly: boolean }): Server {
    return createServer((socket) => this.#connected(socket, isReadOnly));
  }

  /** Cuts all clients off. */
  close(): void {
    for (const client of this.#clients) client.cut('the server ends');
  }

  #connected(socket: Socket, isReadOnly: boolean): void {
    const { clock, journal, answerer } = this.#input;
    const places = isReadOnly ? this.limits.readOnlyClients : this.limits.clients;
    const taken = isReadOnly ? this.#readOnlyClients : this.#clients.size - this.#readOnlyClients;
    if (taken >= places) {
      socket.destroy();
      const message = `${places} ${isReadOnly ? 'clients that only read' : 'clients'} are connected, and no more are taken`;
      journal.record({ level: 'warning', kind: 'libvirt client refused', message });
      return;
    }
    const peer = this.#input.peerOf?.(socket);
    const who = peer === undefined ? 'a client' : `process ${peer.pid} of user ${peer.uid}`;
    const how = isReadOnly ? ', to read' : '';
    journal.record({ kind: 'libvirt client connected', message: `${who} has connected${how}` });
    const client = new ServerConnection({
      ...{ socket, clock, limits: this.limits },
      answerer: (connection) => answerer(connection, isReadOnly),
      onHeld: () => this.#bound(),
      onClosed: (why) => {
        this.#clients.delete(client);
        if (isReadOnly) this.#readOnlyClients--;
        if (why === undefined) return;
        const message = `${who} was cut off: ${why}`;
        journal.record({ level: 'warning', kind: 'libvirt client cut off', message });
      },
    });
    this.#clients.add(client);
    if (isReadOnly) this.#readOnlyClients++;
  }

  /** Cuts off the client with the most, when all together have too much waiting: each alone may have what it may. */
  #bound(): void {
    if (this.heldBytes <= this.limits.allBytes) return;
    const [greatest] = Array.from(this.#clients).sort((a, b) => b.heldBytes - a.heldBytes);
    greatest?.cut('more waits than all clients together may have');
  }
}
