/** host0's endpoint for channels, opened and closed with the management mesh and its bridge. */
import { chmodSync } from 'node:fs';
import type { Server } from 'node:net';
import { join } from 'node:path';
import type { Membership } from '../../controller/membership/membership.ts';
import type { SourceVerification } from '../../controller/membership/source-verification.ts';
import { boundListener } from '../../kernel/sockets/listener.ts';
import type { Clock } from '../../model/clock.ts';
import { MeshError } from '../../model/error.ts';
import type { Mesh } from '../../model/network/mesh.ts';
import { type Finding, findingOf, type HealthSource } from '../../protocol/documents/finding.ts';
import { DeviceEndpoints } from '../../protocol/http/device-endpoints.ts';
import type { Journal } from '../../protocol/journal/journal.ts';
import { isMemberOf, originIn } from '../membership/mesh-peer.ts';
import type { OwnMember } from '../membership/own-member.ts';
import { channelEndpoint, channelServer } from './channel-endpoint.ts';
import type { ChannelKeys, Channels } from './channels.ts';
import { managementMesh } from './management-mesh.ts';

/** What the endpoints need of host0. */
export interface ChannelEndpointsInput {
  readonly clock: Clock;
  readonly journal: Journal;
  readonly channels: Channels;
  readonly keys: ChannelKeys;
  readonly verification: SourceVerification;
  /** `management` of host0.conf. */
  readonly management: string | undefined;
  /** Index of the link of that name, if there is one. */
  readonly indexOf: (device: string) => number | undefined;
  /** The device with host0's address in a mesh; the mesh's bridge when absent. */
  readonly deviceOf?: (network: Mesh) => string;
  /** The node on this machine, where several machines can be host0. */
  readonly own?: OwnMember | undefined;
}

/** At most one endpoint, in the management mesh. */
export class ChannelEndpoints implements HealthSource {
  readonly #input: ChannelEndpointsInput;
  readonly #endpoints: DeviceEndpoints<Membership>;
  readonly #ownServer: Server | undefined;
  #isMissing = false;

  constructor(input: ChannelEndpointsInput) {
    this.#input = input;
    this.#ownServer = input.own && ownChannelServer(input, input.own);
    this.#endpoints = new DeviceEndpoints({
      ...input,
      keyOf: (mesh) => mesh,
      endpointAt: (mesh) =>
        channelEndpoint({
          ...input,
          network: mesh.network,
          openListener: boundListener,
          isMember: (peer) => isMemberOf(mesh, peer),
          originOf: (peer) => originIn(mesh, peer, input.verification),
        }),
    });
  }

  /** Serves the management mesh among these meshes, and no other. */
  serve(meshes: readonly Membership[]): void {
    const { management } = this.#input;
    const mesh = managementMesh(meshes, management);
    this.#isMissing = mesh === undefined && management !== undefined;
    this.#endpoints.serve(mesh === undefined ? [] : [mesh]);
  }

  /** Must be called when links come or go. */
  linksChanged(): void {
    this.#endpoints.linksChanged();
  }

  /** Who takes all connections, and a `management` that names no mesh. */
  health(): readonly Finding[] {
    const { management = '' } = this.#input;
    if (!this.#isMissing) return this.#endpoints.health();
    const error = new MeshError(
      'MESH_NET_UNKNOWN',
      `host0.conf says management=${management}, but there is no such mesh`,
      {
        remedy: 'Write the name of a mesh, or remove the line. Until then no node gets a channel.',
      },
    );
    return [findingOf(error, { object: 'management' })];
  }

  close(): void {
    this.#endpoints.close();
    this.#ownServer?.close();
  }
}

/** The channel of the node on this machine, which shows its key as every other node does. */
function ownChannelServer(input: ChannelEndpointsInput, { directory }: OwnMember): Server {
  const path = join(directory, 'channel.sock');
  const { server } = channelServer({ ...input, isMember: () => true }, { release: () => {} });
  server.on('error', (thrown) => input.journal.faults.tell('channel of the node on this machine', thrown));
  return server.listen(path, () => chmodSync(path, 0o600));
}
