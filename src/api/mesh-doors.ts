/** host0's sockets in all meshes: one each, in step with the meshes and with the devices that they are bound to. */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Membership } from '../controller/membership.ts';
import { boundListener } from '../kernel/listener.ts';
import type { ApiMetrics } from '../metrics/api-metrics.ts';
import type { Clock } from '../model/clock.ts';
import { memberAddresses } from '../model/member.ts';
import { MEMBERSHIP_PORT } from '../model/network.ts';
import type { Journal } from '../protocol/event.ts';
import { MeshListener } from '../protocol/mesh-listener.ts';
import { type Doorway, type MembershipApi, type MembershipApiInput, membershipApi } from './membership-api.ts';

export interface MeshDoorsInput {
  readonly clock: Clock;
  readonly journal: Journal;
  /** Index of the link of that name, if there is one. */
  readonly indexOf: (device: string) => number | undefined;
  readonly metrics: ApiMetrics;
  readonly takeInventory: MembershipApiInput['takeInventory'];
}

export class MeshDoors {
  readonly #input: MeshDoorsInput;
  readonly #api: MembershipApi;
  readonly #doorways: WeakMap<Socket, Doorway>;
  readonly #listeners = new Map<Membership, MeshListener>();

  private constructor(input: MeshDoorsInput, api: MembershipApi, doorways: WeakMap<Socket, Doorway>) {
    this.#input = input;
    this.#api = api;
    this.#doorways = doorways;
  }

  static async open(input: MeshDoorsInput): Promise<MeshDoors> {
    const doorways = new WeakMap<Socket, Doorway>();
    const doorwayOf = ({ socket }: IncomingMessage) => doorways.get(socket);
    const api = await membershipApi({ ...input, doorwayOf });
    return new MeshDoors(input, api, doorways);
  }

  /** Serves these meshes and no others. */
  serve(meshes: readonly Membership[]): void {
    for (const [mesh, listener] of this.#listeners) {
      if (meshes.includes(mesh)) continue;
      listener.close();
      this.#listeners.delete(mesh);
    }
    for (const mesh of meshes) {
      if (!this.#listeners.has(mesh)) this.#listeners.set(mesh, this.#listenerOf(mesh));
    }
    this.linksChanged();
  }

  linksChanged(): void {
    for (const [{ network }, listener] of this.#listeners) {
      listener.follow(this.#input.indexOf(network.devices.bridge));
    }
  }

  close(): void {
    for (const listener of this.#listeners.values()) listener.close();
    this.#listeners.clear();
  }

  #listenerOf(mesh: Membership): MeshListener {
    return new MeshListener({
      ...this.#input,
      network: mesh.network,
      address: memberAddresses(mesh.network, 'host0').ipv6,
      port: MEMBERSHIP_PORT,
      service: 'membership',
      openListener: boundListener,
      handler: (request, response) => this.#api.handle(request, response),
      onConnection: (socket) => this.#doorways.set(socket, { mesh, peer: socket.remoteAddress ?? '' }),
      onHearing: (hearing) => mesh.hear(hearing),
    });
  }
}
