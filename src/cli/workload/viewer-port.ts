/** The place where a VNC viewer on this machine finds the screen of a guest: a port of 127.0.0.1, or a Unix socket. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { MeshError } from '../../model/error.ts';

/** Where viewers connect to. */
export type ViewerPlace =
  | { readonly kind: 'port'; readonly port: number }
  | { readonly kind: 'socket'; readonly path: string };

const LOOPBACK = '127.0.0.1';
/** Only the owner of a socket may connect. */
const SOCKET_UMASK = 0o177;

/** Listens for one viewer. Disposing of it ends the listening; the viewer stays. */
export class ViewerPort implements Disposable {
  readonly #server: Server;
  readonly #refused: (userId: number) => void;
  readonly place: ViewerPlace;

  private constructor(server: Server, place: ViewerPlace, refused: (userId: number) => void) {
    this.#server = server;
    this.place = place;
    this.#refused = refused;
  }

  /**
   * @param wanted the port 0 is any free one
   * @param refused is told of a viewer of another user
   * @throws MESH_USAGE
   */
  static async open(wanted: ViewerPlace, refused: (userId: number) => void): Promise<ViewerPort> {
    const server = createServer({ pauseOnConnect: true, noDelay: true });
    const umask = process.umask(SOCKET_UMASK);
    try {
      if (wanted.kind === 'socket') server.listen({ path: wanted.path });
      else server.listen({ host: LOOPBACK, port: wanted.port });
      await once(server, 'listening');
    } catch (cause) {
      const where = wanted.kind === 'socket' ? wanted.path : `${LOOPBACK}:${wanted.port}`;
      throw new MeshError('MESH_USAGE', `cannot listen at ${where}: ${MeshError.from(cause).message}`, {
        object: where,
        remedy: 'Leave the option out: a free port of 127.0.0.1 is taken then. A socket needs a path that is free.',
        cause,
      });
    } finally {
      process.umask(umask);
    }
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    return new ViewerPort(server, wanted.kind === 'socket' ? wanted : { kind: 'port', port }, refused);
  }

  /** Waits for a viewer of this user, and listens no more. @returns undefined once `signal` is aborted */
  async viewer(signal: AbortSignal): Promise<Socket | undefined> {
    const { promise, resolve } = Promise.withResolvers<Socket | undefined>();
    const leave = () => resolve(undefined);
    signal.addEventListener('abort', leave, { once: true });
    if (signal.aborted) leave();
    let isTaken = false;
    this.#server.on('connection', (socket: Socket) => {
      socket.on('error', () => socket.destroy());
      const userId = this.place.kind === 'port' ? ownerOf(socket) : undefined;
      const isForeign = userId !== undefined && !ownUsers().includes(userId);
      if (isForeign) this.#refused(userId);
      if (isForeign || isTaken) return socket.destroy();
      isTaken = true;
      resolve(socket);
    });
    const socket = await promise;
    signal.removeEventListener('abort', leave);
    this.#server.close();
    return socket;
  }

  [Symbol.dispose](): void {
    this.#server.close();
  }
}

/** Root, this user, and the one who has become root by sudo. */
function ownUsers(): readonly number[] {
  return [0, process.getuid?.() ?? 0, Number(process.env.SUDO_UID ?? 0)];
}

/** The user at the other end of a connection of this machine with itself. Any user can connect to a port, and the screen may show what root does. */
function ownerOf({ remotePort = 0, localPort = 0 }: Socket): number | undefined {
  try {
    return userOfConnection(readFileSync('/proc/net/tcp', 'utf8'), remotePort, localPort);
  } catch {
    return undefined;
  }
}

/** The user of the connection from one port of 127.0.0.1 to another one, in a table as of proc_net_tcp(5). */
export function userOfConnection(table: string, from: number, to: number): number | undefined {
  const place = (port: number) => `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  for (const line of table.split('\n')) {
    const [, local, remote, , , , , userId] = line.trim().split(/\s+/);
    if (local === place(from) && remote === place(to)) return Number(userId);
  }
  return undefined;
}
