/** A way to a server on which a test makes faults: what is sent to the server, or what it answers, is kept back. */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/**
 * `pass`: nothing is wrong. `deaf`: the server gets all, and its answers are lost. `held`: what is sent arrives when the next mode is
 * set. `cut`: connections end, and there are no new ones.
 */
export type FaultMode = 'pass' | 'deaf' | 'held' | 'cut';

/** A proxy on loopback. */
export class TcpFault {
  readonly #server: Server;
  readonly #pairs = new Set<{ readonly near: Socket; readonly far: Socket; readonly held: Buffer[] }>();
  #mode: FaultMode = 'pass';

  private constructor(target: { readonly host: string; readonly port: number }) {
    this.#server = createServer((near) => this.#accept(near, target));
  }

  /** Listens in front of a server. */
  static async before(target: { readonly host: string; readonly port: number }): Promise<TcpFault> {
    const fault = new TcpFault(target);
    fault.#server.listen(0, '127.0.0.1');
    await once(fault.#server, 'listening');
    return fault;
  }

  get endpoint(): { readonly host: string; readonly port: number } {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the proxy does not listen');
    return { host: '127.0.0.1', port: address.port };
  }

  /** Sets the mode, also for connections that stand. What was held is sent on first. */
  set(mode: FaultMode): void {
    this.#mode = mode;
    for (const { near, far, held } of this.#pairs) {
      for (const bytes of held.splice(0)) far.write(bytes);
      if (mode === 'cut') {
        near.destroy();
        far.destroy();
      }
    }
  }

  close(): void {
    this.#server.close();
    this.set('cut');
  }

  #accept(near: Socket, target: { readonly host: string; readonly port: number }): void {
    if (this.#mode === 'cut') {
      near.destroy();
      return;
    }
    const far = connect(target);
    const pair = { near, far, held: [] as Buffer[] };
    this.#pairs.add(pair);
    near.on('data', (bytes) => void (this.#mode === 'held' ? pair.held.push(bytes) : far.write(bytes)));
    far.on('data', (bytes) => void (this.#mode !== 'deaf' && near.write(bytes)));
    // What is held outlives the client, which has lost its patience.
    near.on('close', () => pair.held.length === 0 && far.destroy());
    far.on('close', () => {
      this.#pairs.delete(pair);
      near.destroy();
    });
    for (const socket of [near, far]) socket.on('error', () => socket.destroy());
  }
}
