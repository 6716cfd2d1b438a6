/** libvirt's protocol on host0: a server at one or several pairs of sockets, each with one beside it for clients that only read. */
import type { Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import type { Finding, HealthSource } from '../../protocol/documents/finding.ts';
import { ControlSocket, claimControlSocket } from '../../protocol/http/control-socket.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import { RpcServer, type RpcServerInput } from '../rpc/rpc-server.ts';
import { driverFor } from './driver.ts';
import type { VirtualNetworks } from './virtual-networks.ts';

const NO_OTHER =
  'Stop the other daemon (`systemctl disable --now virtnetworkd.socket virtnetworkd-ro.socket virtnetworkd`) and restart host0, or set libvirt=own in host0.conf.';

/** Each socket, and the one beside it for clients that only read. */
function pairs(paths: readonly string[]): readonly string[] {
  return paths.flatMap((path) => [path, `${path}-ro`]);
}

/** What the server needs. */
export interface LibvirtServerInput {
  readonly networks: VirtualNetworks;
  readonly clock: Clock;
  readonly journal: Journal;
  /** The sockets. Beside each one is `…-ro`. */
  readonly paths: readonly string[];
  /** Sockets in directories of libvirt: another daemon may have them, and then host0 runs on without. */
  readonly shared: readonly string[];
  /** Who has connected, for the journal. */
  readonly peerOf?: RpcServerInput['peerOf'];
  /** What is kept on the disk: its findings are told with those of the sockets. */
  readonly kept: HealthSource;
}

/** The directories of libvirt are entered by everybody. */
const SHARED_MODE = 0o755;

/** Answers libvirt's clients. */
export class LibvirtServer implements HealthSource {
  readonly #server: RpcServer;
  readonly #sockets: readonly ControlSocket[];
  readonly #kept: HealthSource;

  private constructor(server: RpcServer, sockets: readonly ControlSocket[], kept: HealthSource) {
    this.#server = server;
    this.#sockets = sockets;
    this.#kept = kept;
  }

  /** Listens at the sockets. @throws MESH_ALREADY_RUNNING, MESH_KERNEL_REFUSED */
  static async open(input: LibvirtServerInput): Promise<LibvirtServer> {
    const { networks, clock, journal, paths, shared, kept, peerOf } = input;
    const server: RpcServer = new RpcServer({
      ...{ clock, journal, ...(peerOf && { peerOf }) },
      answerer: (peer, isReadOnly) =>
        driverFor({
          ...{ networks, peer, isReadOnly, maxCallbacks: server.limits.callbacks },
          onFault: (thrown) => journal.failure('libvirt call failed', MeshError.from(thrown)),
        }),
    });
    const sockets: ControlSocket[] = [];
    const open = async (path: string, directoryMode?: number) => {
      await claimControlSocket(path, directoryMode);
      const listener = server.listener({ isReadOnly: path.endsWith('-ro') });
      const mode = directoryMode === undefined ? {} : { directoryMode };
      sockets.push(await ControlSocket.open({ ...{ path, server: listener, clock, journal }, ...mode }));
    };
    for (const path of pairs(paths)) await open(path);
    const missing: Finding[] = [];
    for (const path of pairs(shared)) {
      try {
        await open(path, SHARED_MODE);
      } catch (thrown) {
        const { code, message } = MeshError.from(thrown);
        missing.push({ code, severity: 'warning', object: path, message, remedy: NO_OTHER });
      }
    }
    const found: HealthSource = { health: () => [...missing, ...kept.health()] };
    return new LibvirtServer(server, sockets, found);
  }

  health(): readonly Finding[] {
    return [this.#kept, ...this.#sockets].flatMap((source) => source.health());
  }

  close(): void {
    for (const socket of this.#sockets) socket.close();
    this.#server.close();
  }
}
