/** host0's channels and nodes in one process, with real TLS over loopback. */
import { once } from 'node:events';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { NodeChannel, type NodeChannelInput } from '../../src/agent/channel/node-channel.ts';
import type { AssignmentSource } from '../../src/api/channel/assignment-push.ts';
import { channelServer } from '../../src/api/channel/channel-endpoint.ts';
import { Channels } from '../../src/api/channel/channels.ts';
import { systemClock } from '../../src/model/clock.ts';
import { MeshError } from '../../src/model/error.ts';
import type { MachineId } from '../../src/model/machine.ts';
import type { ChannelKey } from '../../src/protocol/channel/channel-tls.ts';
import { answerDocument, bodyText, type NodeHandler } from '../../src/protocol/channel/node-request.ts';
import type { NodeAssignment, NodeStatus } from '../../src/protocol/documents/node-assignment.ts';
import type { MeshEvent } from '../../src/protocol/journal/event.ts';
import { Journal } from '../../src/protocol/journal/journal.ts';
import { manage } from './networks.ts';

const ADDRESS = '127.0.0.1';

/** A status without anything in it. */
export const EMPTY_STATUS: NodeStatus = { format: 1, kept: false, digests: {}, objects: [], ports: [], orphans: [] };

/** host0's side, listening on loopback. */
export class ChannelHost {
  readonly keys = new Map<string, Buffer>();
  readonly used: string[] = [];
  readonly refused: string[] = [];
  readonly events: MeshEvent[] = [];
  readonly assignments = new Map<MachineId, NodeAssignment>();
  readonly channels: Channels;
  readonly port: number;
  readonly #listening: ReturnType<typeof channelServer>;
  readonly #listeners = new Set<(machine: MachineId) => void>();

  private constructor(port: number, make: (host: ChannelHost) => ReturnType<typeof channelServer>, journal: Journal) {
    this.port = port;
    const source: AssignmentSource = {
      assignmentOf: (machine) => this.assignments.get(machine),
      subscribe: (listener) => {
        this.#listeners.add(listener);
        return () => this.#listeners.delete(listener);
      },
    };
    journal.subscribe((event) => this.events.push(event));
    this.channels = new Channels({
      clock: systemClock,
      journal,
      keys: { pskOf: (identity) => this.keys.get(identity), used: async (identity) => void this.used.push(identity) },
      assignments: source,
      onRefusal: (refusal) => this.refused.push(refusal),
    });
    this.#listening = make(this);
  }

  /** @param isMember whether the peers are members of the mesh */
  static async open({ port = 0, isMember = true } = {}): Promise<ChannelHost> {
    const journal = new Journal(systemClock, 'host0', 'host0');
    const host = new ChannelHost(
      port,
      (made) =>
        channelServer(
          {
            clock: systemClock,
            journal,
            channels: made.channels,
            keys: { pskOf: (identity) => made.keys.get(identity), used: async () => {} },
            isMember: () => isMember,
          },
          { release: () => {} },
        ),
      journal,
    );
    const { server } = host.#listening;
    server.listen(port, ADDRESS);
    await once(server, 'listening');
    Object.assign(host, { port: (server.address() as AddressInfo).port });
    onTestFinished(() => host.close());
    return host;
  }

  assign(assignment: NodeAssignment, machine: MachineId): void {
    this.assignments.set(machine, assignment);
    for (const listener of this.#listeners) listener(machine);
  }

  close(): void {
    this.#listening.server.close();
    this.#listening.closeAllConnections();
    this.channels.close();
  }
}

/** A node with a channel to `port`. */
export class ChannelNode {
  readonly taken: unknown[] = [];
  readonly events: MeshEvent[] = [];
  readonly channel: NodeChannel;
  status: NodeStatus = EMPTY_STATUS;

  constructor(port: () => number, key: ChannelKey, more: Partial<NodeChannelInput> = {}) {
    const journal = new Journal(systemClock, 'agent', 'node');
    journal.subscribe((event) => this.events.push(event));
    const handler: NodeHandler = async (request, response) => {
      if (request.method === 'GET') {
        response.writeHead(200);
        response.write(`${JSON.stringify(this.status)}\n`);
        return;
      }
      const document: unknown = JSON.parse(await bodyText(request, 1e6));
      if (request.url === '/refusal') {
        answerDocument(response, 200, {});
        this.channel.refused(MeshError.fromJSON(document as MeshError));
        return;
      }
      this.taken.push(document);
      answerDocument(response, 200, { accepted: true, version: { epoch: 'e', revision: 1 }, kept: true });
    };
    this.channel = new NodeChannel({
      clock: systemClock,
      journal,
      random: () => 0.02,
      meshes: () => [manage],
      isMember: () => true,
      key: async () => key,
      connect: (): Socket => connect(port(), ADDRESS),
      handler,
      ...more,
    });
    onTestFinished(() => this.channel.close());
    this.channel.start();
  }
}
