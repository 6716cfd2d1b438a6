/** The captures of one node: few at a time, and each of them in the journal with who asked. */
import type { ServerResponse } from 'node:http';
import { MeshError } from '../../model/error.ts';
import type { Network } from '../../model/network/network.ts';
import type { CaptureSettings } from '../../protocol/documents/capture.ts';
import type { Agent } from '../agent.ts';
import { capture } from './capture.ts';
import { capturePoints } from './points.ts';

/** Each costs a tenth of a core at the most. */
const CAPTURES_MAX = 4;

export interface CaptureOrder {
  readonly network: Network;
  readonly settings: CaptureSettings;
  /** For the journal: «host0 at fd42::1». */
  readonly who: string;
  readonly stillAllowed?: () => boolean;
}

export class Captures {
  readonly #agent: Agent;
  #running = 0;

  constructor(agent: Agent) {
    this.#agent = agent;
  }

  /**
   * Answers with the stream, and resolves at its end.
   * @throws MESH_NET_UNKNOWN, MESH_USAGE, MESH_KERNEL_REFUSED, before anything was answered
   */
  async serve(response: ServerResponse, { network, settings, who, stillAllowed }: CaptureOrder): Promise<void> {
    const { clock, journal, name } = this.#agent.input;
    if (this.#running >= CAPTURES_MAX) {
      throw new MeshError('MESH_USAGE', `${name} makes ${CAPTURES_MAX} captures already`, {
        remedy: 'End one of them first.',
        retryable: true,
      });
    }
    const points = capturePoints(this.#agent, network);
    const devices = points.map(({ device }) => device).join(', ');
    const told = { network: network.id, object: devices };
    this.#running++;
    try {
      journal.record({ ...told, level: 'warning', kind: 'capture begun', message: `${who} captures on ${devices}` });
      response.setHeader('content-type', 'application/x-pcapng');
      await capture(points, settings, response, clock, stillAllowed);
    } finally {
      this.#running--;
      journal.record({ ...told, kind: 'capture ended', message: `of ${who}, on ${devices}` });
    }
  }
}
