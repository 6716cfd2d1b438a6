/** A replacement of host0's endpoint in the example mesh, whose Date header is wrong. It answers every caller. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { spawnInside } from '../../../src/lab/hosts/host-process.ts';
import type { LabHost } from '../../../src/lab/hosts/lab-host.ts';
import { MEMBERSHIP_PORT } from '../../../src/protocol/documents/tcp-ports.ts';

/** The running server. */
export class OtherClock {
  readonly #server: ChildProcess;

  private constructor(server: ChildProcess) {
    this.#server = server;
  }

  /** Resolves when the server listens. @param aheadMs how far its clock is ahead; negative: behind */
  static async start(host0: LabHost, aheadMs: number): Promise<OtherClock> {
    const script = `
      require('node:http').createServer((request, response) => {
        response.setHeader('date', new Date(Date.now() + ${aheadMs}).toUTCString());
        response.end('{}');
      }).listen(${MEMBERSHIP_PORT}, '${host0.member.ipv6}', () => console.log('listening'));`;
    const server = spawnInside(host0.netns, [process.execPath, '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    if (server.stdout === null) throw new TypeError('no pipe');
    await once(server.stdout, 'data');
    return new OtherClock(server);
  }

  stop(): void {
    this.#server.kill();
  }
}
