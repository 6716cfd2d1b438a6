/** host0's channels and nodes in one process, with real TLS over loopback. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { NodeChannel, type NodeChannelInput } from '../../src/agent/channel/node-channel.ts';
import type { AssignmentSource } from '../../src/api/channel/assignment-push.ts';
import { CHANNEL_LIMITS, channelServer } from '../../src/api/channel/channel-endpoint.ts';
import { type ChannelKeys, Channels } from '../../src/api/channel/channels.ts';
import { boundListener } from '../../src/kernel/sockets/listener.ts';
import { parseIpv4 } from '../../src/model/address/ipv4.ts';
import { type Clock, systemClock } from '../../src/model/clock.ts';
import { MeshError } from '../../src/model/error.ts';
import type { MachineId, MachineWord } from '../../src/model/machine.ts';
import { Signal } from '../../src/model/signal.ts';
import type { ChannelKey } from '../../src/protocol/channel/channel-tls.ts';
import type { NodeAssignment, NodeStatus } from '../../src/protocol/documents/node-assignment.ts';
import { DeviceListener } from '../../src/protocol/http/device-listener.ts';
import { bodyText, type HttpHandler, sendDocument } from '../../src/protocol/http/exchange.ts';
import type { MeshEvent } from '../../src/protocol/journal/event.ts';
import { Journal } from '../../src/protocol/journal/journal.ts';
import { manage } from './networks.ts';

/** Where host0 listens. */
export const HOST0 = parseIpv4('127.0.0.1');

/** A status without anything in it. */
export const EMPTY_STATUS: NodeStatus = { format: 1, kept: false, digests: {}, objects: [], ports: [], orphans: [] };

/** host0's side, listening on loopback. */
export class ChannelHost {
  readonly keys = new Map<string, Buffer>();
  readonly used: string[] = [];
  readonly refused: string[] = [];
  readonly events: MeshEvent[] = [];
  readonly assignments = new Map<MachineWord, NodeAssignment>();
  readonly channels: Channels;
  readonly listener: DeviceListener;
  readonly port: number;
  readonly #assigned = new Signal<MachineId>();

  private constructor(
    port: number,
    clock: Clock,
    isMember: (peer: string) => boolean,
    onHearing: () => void,
    ownKeys?: ChannelKeys,
    isos?: string,
  ) {
    const journal = new Journal(systemClock, 'host0', 'host0');
    journal.subscribe((event) => this.events.push(event));
    const keys = ownKeys ?? {
      pskOf: (identity: string) => this.keys.get(identity),
      used: async (identity: string) => void this.used.push(identity),
    };
    const assignments: AssignmentSource = {
      assignmentOf: (machine) => this.assignments.get(machine),
      subscribe: (listener) => this.#assigned.subscribe(listener),
    };
    const onRefusal = (refusal: string): void => void this.refused.push(refusal);
    this.port = port;
    this.channels = new Channels({ clock, journal, keys, assignments, onRefusal, ...(isos !== undefined && { isos }) });
    this.listener = new DeviceListener({
      title: 'channel endpoint of manage',
      device: 'lo',
      address: HOST0,
      port,
      limits: CHANNEL_LIMITS,
      openListener: boundListener,
      clock: systemClock,
      isMember,
      onFailure: (error) => {
        throw error;
      },
      onHearing,
      openServer: (places) =>
        channelServer({ clock: systemClock, journal, channels: this.channels, keys, isMember }, places),
    });
  }

  /**
   * @param isMember whether a peer is a member of the mesh; all are, if not given
   * @param ownKeys in place of `keys` and `used`
   */
  static async open({
    port = undefined,
    clock = systemClock,
    isMember = () => true,
    ownKeys = undefined,
    isos = undefined,
  }: {
    readonly port?: number | undefined;
    readonly clock?: Clock;
    readonly isMember?: (peer: string) => boolean;
    readonly ownKeys?: ChannelKeys | undefined;
    /** host0's folder of disk images. */
    readonly isos?: string | undefined;
  } = {}): Promise<ChannelHost> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const host = new ChannelHost(port ?? (await freePort()), clock, isMember, resolve, ownKeys, isos);
    onTestFinished(() => host.close());
    host.listener.follow(1);
    await promise;
    return host;
  }

  assign(assignment: NodeAssignment, machine: MachineId): void {
    this.assignments.set(machine, assignment);
    this.#assigned.emit(machine);
  }

  close(): void {
    this.listener.close();
    this.channels.close();
  }
}

/** A node with a channel. */
export class ChannelNode {
  readonly taken: unknown[] = [];
  readonly events: MeshEvent[] = [];
  readonly channel: NodeChannel;
  status: NodeStatus = EMPTY_STATUS;

  constructor(port: number, key: ChannelKey, more: Partial<NodeChannelInput> = {}) {
    const journal = new Journal(systemClock, 'agent', 'node');
    journal.subscribe((event) => this.events.push(event));
    this.channel = new NodeChannel({
      clock: systemClock,
      journal,
      // Sixty milliseconds between two attempts.
      random: () => 0.02,
      meshes: () => [manage],
      isMember: () => true,
      key: async () => key,
      connect: (): Socket => connect(port, HOST0),
      handler: this.#answer,
      ...more,
    });
    onTestFinished(() => this.channel.close());
    this.channel.start();
  }

  readonly #answer: HttpHandler = async (request, response) => {
    if (request.method === 'GET') {
      response.begin(200, { 'content-type': 'application/x-ndjson' }).write(`${JSON.stringify(this.status)}\n`);
      return;
    }
    const document: unknown = JSON.parse(await bodyText(request.body, 1e6));
    if (request.url === '/refusal') {
      await sendDocument(response, 200, {});
      this.channel.refused(MeshError.fromJSON(document as MeshError));
      return;
    }
    this.taken.push(document);
    await sendDocument(response, 200, {
      accepted: true,
      version: { epoch: '0123456789abcdef', revision: 1 },
      kept: true,
    });
  };
}

/** A port on which nobody listens now. */
export async function freePort(): Promise<number> {
  const holder = createServer().listen(0, HOST0);
  await once(holder, 'listening');
  const { port } = holder.address() as AddressInfo;
  await new Promise((resolve) => holder.close(resolve));
  return port;
}
