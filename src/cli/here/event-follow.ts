/**
 * Follows the events of one process, over its restarts. When the stream is opened again, the request names the last event
 * that came, so that no event is missed and none comes twice (protocol/http/journal-stream.ts).
 */
import { setTimeout as delay } from 'node:timers/promises';
import { MeshError } from '../../model/error.ts';
import type { ControlClient } from '../../protocol/calls/control-client.ts';
import type { MeshEvent } from '../../protocol/journal/event.ts';

/** The process is on this machine: asking again costs nothing. */
const RETRY_MS = 200;

/** What `followEvents` calls, and what ends it. */
export interface EventFollower {
  onEvent(event: MeshEvent): void;
  /** The stream ended; `followEvents` tries until it can open the stream again. */
  onAway(): void;
  /** `followEvents` returns when this is aborted; without it, it runs until it throws. */
  readonly signal?: AbortSignal;
}

/**
 * Passes on events until `signal` is aborted.
 * @throws MESH_NOT_RUNNING when the process has never answered; a process that goes away later is waited for
 */
export async function followEvents(client: ControlClient, { onEvent, onAway, signal }: EventFollower): Promise<void> {
  let lastId: string | undefined;
  let connected = false;
  const isOver = (): boolean => signal?.aborted === true;
  while (!isOver()) {
    let heard = false;
    try {
      for await (const { id, data } of client.messages('GET /v1/events', { lastId, signal })) {
        heard = true;
        connected = true;
        onEvent(data);
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
