/**
 * The events of one process for as long as somebody looks, over its restarts: what was heard last is named when the
 * stream is opened again, so that nothing is missed and nothing told twice (protocol/http/journal-stream.ts).
 */
import { setTimeout as delay } from 'node:timers/promises';
import { MeshError } from '../../model/error.ts';
import type { ControlClient } from '../../protocol/http/control-client.ts';
import type { MeshEvent } from '../../protocol/journal/event.ts';

/** The process is on this very machine: asking again costs nothing. */
const RETRY_MS = 200;

export interface EventFollower {
  onEvent(event: MeshEvent): void;
  /** The stream ended; it is sought until it is there again. */
  onAway(): void;
  /** Ends the following. */
  readonly signal?: AbortSignal;
}

/** @throws MESH_NOT_RUNNING when the process does not answer at first; later it is waited for */
export async function followEvents(client: ControlClient, { onEvent, onAway, signal }: EventFollower): Promise<void> {
  let lastId: string | undefined;
  let connected = false;
  const isOver = (): boolean => signal?.aborted === true;
  while (!isOver()) {
    let heard = false;
    try {
      for await (const { id, data } of client.messages('/v1/events', lastId, signal)) {
        heard = true;
        connected = true;
        onEvent(data as MeshEvent);
        lastId = id ?? lastId;
        if (isOver()) return;
      }
    } catch (thrown) {
      if (isOver()) return;
      const error = MeshError.from(thrown);
      if (!connected || error.code !== 'MESH_NOT_RUNNING') throw error;
    }
    if (heard) onAway();
    await delay(RETRY_MS, undefined, { ...(signal !== undefined && { signal }) }).catch(() => undefined);
  }
}
