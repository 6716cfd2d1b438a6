/** The captures that run on one node: few at a time, and each is journalled with its requester. */
import type { Writable } from 'node:stream';
import { MeshError } from '../../model/error.ts';
import type { VxlanNetwork } from '../../model/network/vxlan-network.ts';
import type { CaptureSettings } from '../../protocol/documents/capture.ts';
import type { Agent } from '../agent.ts';
import { capture } from './capture.ts';
import { capturePoints } from './points.ts';

/** Each costs a tenth of a core at most. */
const CAPTURES_MAX = 4;

/** A request for one capture. */
export interface CaptureOrder {
  readonly network: VxlanNetwork;
  readonly settings: CaptureSettings;
  /** The requester, for the journal: `host0`. */
  readonly who: string;
}

/** Starts captures and counts those that run. */
export class Captures {
  readonly #agent: Agent;
  #running = 0;

  constructor(agent: Agent) {
    this.#agent = agent;
  }

  /**
   * Answers with the stream of packets, and resolves when the stream has ended.
   * @throws MESH_NET_UNKNOWN, MESH_KERNEL_REFUSED, MESH_USAGE (the filter, or too many captures); the stream is not
   *   open then
   */
  async serve(open: () => Writable, { network, settings, who }: CaptureOrder): Promise<void> {
    const { clock, journal, name } = this.#agent.input;
    if (this.#running >= CAPTURES_MAX) {
      throw new MeshError('MESH_USAGE', `${name} already runs ${CAPTURES_MAX} captures`, {
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
      await capture(points, settings, open, clock);
    } finally {
      this.#running--;
      journal.record({ ...told, kind: 'capture ended', message: `of ${who}, on ${devices}` });
    }
  }
}
