/**
 * Metrics for a Prometheus that asks over TCP: inside one mesh, at this machine's own address there, and nowhere else.
 * Off unless a network is named. Whoever is in that mesh may read them; they name networks and count, and hold no secret.
 */
import type { Clock } from '../model/clock.ts';
import type { MachineWord } from '../model/machine.ts';
import { memberAddresses } from '../model/member.ts';
import type { Network } from '../model/network.ts';
import type { Journal } from '../protocol/event.ts';
import { MeshListener, type OpenListener } from '../protocol/mesh-listener.ts';
import { expose } from './exposition.ts';
import type { Registry } from './registry.ts';

export interface MetricsDoorInput {
  /** Name of the network; undefined: no door. */
  readonly network: string | undefined;
  readonly machine: MachineWord;
  readonly port: number;
  readonly registry: Registry;
  readonly clock: Clock;
  readonly journal: Journal;
  readonly openListener: OpenListener;
  /** Index of the link of that name, if there is one. */
  readonly indexOf: (device: string) => number | undefined;
}

export class MetricsDoor {
  readonly #input: MetricsDoorInput;
  #listener: MeshListener | undefined;
  #network: Network | undefined;
  #missed = false;

  constructor(input: MetricsDoorInput) {
    this.#input = input;
  }

  /** Takes the networks that there are now, and the links that they have. */
  follow(networks: readonly Network[]): void {
    const { network: name, journal, indexOf } = this.#input;
    if (name === undefined) return;
    const network = networks.find((candidate) => candidate.name === name);
    if (JSON.stringify(network) !== JSON.stringify(this.#network)) {
      this.close();
      this.#network = network;
      this.#listener = network && this.#listenerIn(network);
    }
    if (network !== undefined) this.#listener?.follow(indexOf(network.devices.bridge));
    if (network === undefined && networks.length > 0 && !this.#missed) {
      journal.record({
        level: 'warning',
        kind: 'metrics not served',
        message: `there is no network ${JSON.stringify(name)} to serve metrics in`,
        object: name,
        remedy: `Name one of these: ${networks.map((other) => other.name).join(', ')}.`,
      });
    }
    this.#missed = network === undefined && networks.length > 0;
  }

  close(): void {
    this.#listener?.close();
    this.#listener = undefined;
    this.#network = undefined;
  }

  #listenerIn(network: Network): MeshListener {
    const { machine, registry } = this.#input;
    return new MeshListener({
      ...this.#input,
      network,
      address: memberAddresses(network, machine).ipv6,
      service: 'metrics',
      handler: ({ method, url, headers }, response) => {
        if (url !== '/metrics') response.writeHead(404).end();
        else if (method !== 'GET') response.writeHead(405, { allow: 'GET' }).end();
        else {
          const { contentType, body } = expose(registry, headers.accept);
          response.writeHead(200, { 'content-type': contentType }).end(body);
        }
      },
    });
  }
}
