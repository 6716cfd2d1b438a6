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
/** The connections of this network namespace. A viewer for both families has a socket of IPv6, which is in the second table. */
const TABLES = ['/proc/net/tcp', '/proc/net/tcp6'];
/** 127.0.0.1 and ::ffff:127.0.0.1 in the tables: four bytes at a time, the last of them first. */
const LOOPBACK_FORMS = ['0100007F', '0000000000000000FFFF00000100007F'];
/** TCP_ESTABLISHED in the tables. */
const ESTABLISHED = '01';

/** Listens for one viewer. Disposing of it ends the listening; the viewer stays. */
export class ViewerPort implements Disposable {
  readonly #server: Server;
  readonly #refused: (userId: number | undefined) => void;
  readonly place: ViewerPlace;

  private constructor(server: Server, place: ViewerPlace, refused: (userId: number | undefined) => void) {
    this.#server = server;
    this.place = place;
    this.#refused = refused;
  }

  /**
   * @param wanted the port 0 is any free one
   * @param refused is told of a viewer of another user, or of one whose user is not known
   * @throws MESH_USAGE
   */
  static async open(wanted: ViewerPlace, refused: (userId: number | undefined) => void): Promise<ViewerPort> {
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
      // A user who is not known may be any user.
      const isForeign = this.place.kind === 'port' && (userId === undefined || !ownUsers().includes(userId));
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
function ownerOf({ remoteAddress, remotePort = 0, localPort = 0 }: Socket): number | undefined {
  // All of 127.0.0.0/8 reaches the port.
  if (remoteAddress !== LOOPBACK) return undefined;
  for (const table of TABLES) {
    try {
      const userId = userOfConnection(readFileSync(table, 'utf8'), remotePort, localPort);
      if (userId !== undefined) return userId;
    } catch {
      // A kernel without IPv6 has one table only.
    }
  }
  return undefined;
}

/**
 * The user of the open connection from one port of 127.0.0.1 to another one, in a table as of proc_net_tcp(5). A connection that is
 * being closed has no user: the table names root there.
 */
export function userOfConnection(table: string, from: number, to: number): number | undefined {
  const isPlace = (place: string | undefined, port: number) =>
    LOOPBACK_FORMS.some((form) => place === `${form}:${port.toString(16).toUpperCase().padStart(4, '0')}`);
  for (const line of table.split('\n')) {
    const [, local, remote, state, , , , userId] = line.trim().split(/\s+/);
    if (state === ESTABLISHED && isPlace(local, from) && isPlace(remote, to)) return Number(userId);
  }
  return undefined;
}
