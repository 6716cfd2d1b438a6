/** Many nodes with a channel each, in the process of the benchmark `channels`. */
import { connect } from 'node:net';
import { NodeChannel } from '../src/agent/channel/node-channel.ts';
import { systemClock } from '../src/model/clock.ts';
import { type MachineId, machineIdOf } from '../src/model/machine.ts';
import { channelPsk, keyIdentity, machineKey } from '../src/model/machine-key.ts';
import { bodyText, type HttpHandler, sendDocument } from '../src/protocol/http/exchange.ts';
import { Journal } from '../src/protocol/journal/journal.ts';
import { manage } from '../test/kit/networks.ts';

/** Any installation secret. */
export const CHANNEL_SECRET = Buffer.alloc(32, 1);

/** The machine of one node. */
export function channelMachine(node: number): MachineId {
  return machineIdOf(`bench ${node}`);
}

/** Nodes that count how many of them have been given their assignment. */
export class ChannelNodes {
  readonly #channels: readonly NodeChannel[];
  readonly #given = new Set<number>();
  readonly #count: number;
  #all = Promise.withResolvers<void>();

  constructor(count: number, port: number) {
    this.#count = count;
    this.#channels = Array.from({ length: count }, (_, node) => this.#channel(node, port));
  }

  start(): void {
    for (const channel of this.#channels) channel.start();
  }

  /** Begins to count. @returns a promise that resolves when each node has been given an assignment since */
  count(): Promise<void> {
    this.#given.clear();
    this.#all = Promise.withResolvers<void>();
    return this.#all.promise;
  }

  close(): void {
    for (const channel of this.#channels) channel.close();
  }

  #channel(node: number, port: number): NodeChannel {
    const generation = { machine: channelMachine(node), generation: 1 };
    const key = { identity: keyIdentity(generation), psk: channelPsk(machineKey(CHANNEL_SECRET, generation)) };
    // host0 limits the handshakes of an address.
    const localAddress = `127.0.${1 + Math.floor(node / 200)}.${1 + (node % 200)}`;
    return new NodeChannel({
      clock: systemClock,
      journal: new Journal(systemClock, 'agent', `node${node}`),
      random: Math.random,
      meshes: () => [manage],
      isMember: () => true,
      key: async () => key,
      connect: () => connect({ host: '127.0.0.1', port, localAddress }),
      handler: this.#handler(node),
    });
  }

  #handler(node: number): HttpHandler {
    return async ({ method, body }, response) => {
      if (method === 'GET') {
        const status = { format: 1, kept: false, digests: {}, objects: [], ports: [], orphans: [] };
        response.begin(200, { 'content-type': 'application/x-ndjson' }).write(`${JSON.stringify(status)}\n`);
        return;
      }
      const { length } = await bodyText(body, 1e7);
      if (length < 1_000) throw new Error('the assignment is too short to name ten networks');
      await sendDocument(response, 200, {
        accepted: true,
        version: { epoch: '0123456789abcdef', revision: 1 },
        kept: true,
      });
      this.#given.add(node);
      if (this.#given.size === this.#count) this.#all.resolve();
    };
  }
}
