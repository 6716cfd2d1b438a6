/** libvirt's protocol on host0: a server at one or several pairs of sockets, each with one beside it for clients that only read. */
import type { Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import type { Finding, HealthSource } from '../../protocol/documents/finding.ts';
import { ControlSocket, claimControlSocket } from '../../protocol/http/control-socket.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import { RpcServer } from '../rpc/rpc-server.ts';
import { driverFor } from './driver.ts';
import type { VirtualNetworks } from './virtual-networks.ts';

/** What the server needs. */
export interface LibvirtServerInput {
  readonly networks: VirtualNetworks;
  readonly clock: Clock;
  readonly journal: Journal;
  /** The sockets. Beside each one is `…-ro`. */
  readonly paths: readonly string[];
}

/** Answers libvirt's clients. */
export class LibvirtServer implements HealthSource {
  readonly #server: RpcServer;
  readonly #sockets: readonly ControlSocket[];

  private constructor(server: RpcServer, sockets: readonly ControlSocket[]) {
    this.#server = server;
    this.#sockets = sockets;
  }

  /** Listens at the sockets. @throws MESH_ALREADY_RUNNING, MESH_KERNEL_REFUSED */
  static async open({ networks, clock, journal, paths }: LibvirtServerInput): Promise<LibvirtServer> {
    const server: RpcServer = new RpcServer({
      ...{ clock, journal },
      answerer: (peer, isReadOnly) =>
        driverFor({
          ...{ networks, peer, isReadOnly, maxCallbacks: server.limits.callbacks },
          onFault: (thrown) => journal.failure('libvirt call failed', MeshError.from(thrown)),
        }),
    });
    const sockets: ControlSocket[] = [];
    for (const path of paths.flatMap((path) => [path, `${path}-ro`])) {
      await claimControlSocket(path);
      const listener = server.listener({ isReadOnly: path.endsWith('-ro') });
      sockets.push(await ControlSocket.open({ path, server: listener, clock, journal }));
    }
    return new LibvirtServer(server, sockets);
  }

  health(): readonly Finding[] {
    return this.#sockets.flatMap((socket) => socket.health());
  }

  close(): void {
    for (const socket of this.#sockets) socket.close();
    this.#server.close();
  }
}
