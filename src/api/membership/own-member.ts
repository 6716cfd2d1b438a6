/** How host0 hears the node on its own machine, where several machines can be host0: at Unix sockets, which no frame can reach. */
import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import type { Membership } from '../../controller/membership/membership.ts';
import type { SourceVerification, VerifiedSource } from '../../controller/membership/source-verification.ts';
import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { Ipv6 } from '../../model/address/ipv6.ts';
import type { MachineId } from '../../model/machine.ts';
import { memberAddresses } from '../../model/network/member.ts';
import type { Mesh } from '../../model/network/mesh.ts';
import { CONTROL_TIMES } from '../../protocol/http/control-socket.ts';
import { createServer } from '../../protocol/http/http.ts';
import { requestListener } from '../../protocol/http/request-handler.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import type { MeshConnection } from './membership-api.ts';

/** Only root may enter: who connects is believed to be the node. */
const DIRECTORY_MODE = 0o700;
const SOCKET_MODE = 0o600;

/** The node on host0's own machine. */
export interface OwnMember {
  readonly machine: MachineId;
  /** The directory of the sockets. */
  readonly directory: string;
  /** The underlay address that the other machines know this one by; undefined while it has none. */
  readonly ipv4: () => Ipv4 | undefined;
}

/** Makes the directory of the sockets, without those of an earlier process. */
export function claimSockets(directory: string): void {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true, mode: DIRECTORY_MODE });
}

/** Verifies the node on this machine by what host0 knows of its own machine, and all others by their frames. */
export class OwnMemberVerification implements SourceVerification {
  readonly #own: OwnMember;
  readonly #others: SourceVerification;

  constructor(own: OwnMember, others: SourceVerification) {
    this.#own = own;
    this.#others = others;
  }

  async verify(network: Mesh, ipv6: Ipv6): Promise<VerifiedSource> {
    const { bridgeMac: mac, ipv6: own } = memberAddresses(network, this.#own.machine);
    if (ipv6 !== own) return this.#others.verify(network, ipv6);
    const ipv4 = this.#own.ipv4();
    return { mac, ...(ipv4 !== undefined && { ipv4 }) };
  }
}

/** What the sockets need. */
export interface OwnMemberSocketsInput {
  readonly own: OwnMember;
  readonly journal: Journal;
  readonly handle: (request: IncomingMessage, response: ServerResponse) => unknown;
  /** Called with each connection. */
  readonly onConnection: (socket: Socket, connection: MeshConnection) => void;
}

/** A socket for each mesh, which says what the membership endpoint of the mesh says. */
export class OwnMemberSockets {
  readonly #input: OwnMemberSocketsInput;
  readonly #servers = new Map<Membership, Server>();

  constructor(input: OwnMemberSocketsInput) {
    this.#input = input;
  }

  /** Serves these meshes and no others. */
  serve(meshes: readonly Membership[]): void {
    for (const [mesh, server] of this.#servers) {
      if (meshes.includes(mesh)) continue;
      this.#servers.delete(mesh);
      server.close();
      server.closeAllConnections();
    }
    for (const mesh of meshes) if (!this.#servers.has(mesh)) this.#servers.set(mesh, this.#open(mesh));
  }

  #open(mesh: Membership): Server {
    const { own, journal, handle, onConnection } = this.#input;
    const onFault = (thrown: unknown) => journal.faults.tell('request of the node on this machine', thrown);
    const server = createServer(CONTROL_TIMES, requestListener({ handler: handle, onFault }));
    const { ipv6: host0 } = memberAddresses(mesh.network, 'host0');
    const { ipv6: peer } = memberAddresses(mesh.network, own.machine);
    const path = join(own.directory, `${host0}.sock`);
    server.on('connection', (socket) => onConnection(socket, { mesh, peer }));
    server.on('error', onFault);
    server.listen(path, () => chmodSync(path, SOCKET_MODE));
    return server;
  }
}
