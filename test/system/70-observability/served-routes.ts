/** Asks a running process for each route of its table. */
import { text } from 'node:stream/consumers';
import type { ControlClient } from '../../../src/protocol/calls/control-client.ts';
import { callByHttp1 } from '../../../src/protocol/calls/http1-call.ts';

/** What a process answered to a request. */
export interface ServedRoute {
  readonly status: number;
  /** Empty for a stream, which is closed at once. */
  readonly text: string;
}

/** These would change the host that the tests share. */
const ACTS: readonly string[] = ['POST /v1/scan', 'POST /v1/boot/stop', 'POST /v1/doctor/fix'];

/** Sends a request to the process, with a body that is no JSON. */
export async function servedRoute({ sock }: Pick<ControlClient, 'sock'>, key: string): Promise<ServedRoute> {
  const [method = '', path = ''] = key.split(' ');
  const call = { method, path, headers: {}, body: '{', signal: undefined, isStream: false, staysOpen: false };
  const { status, headers, body } = await callByHttp1({ socketPath: sock }, { ...call, timeoutMs: undefined }, 30_000);
  if (!String(headers?.['content-type']).startsWith('text/event-stream')) return { status, text: await text(body) };
  body.destroy();
  return { status, text: '' };
}

/** The routes of a table that the process does not know. */
export async function unservedRoutes(client: Pick<ControlClient, 'sock'>, table: object): Promise<string[]> {
  const unserved: string[] = [];
  for (const key of Object.keys(table).filter((route) => !ACTS.includes(route))) {
    const { status, text: answer } = await servedRoute(client, key.replaceAll(/\{\w+\}/g, 'x'));
    if (status === 404 && answer.includes(`"there is no ${key.split(' ')[0]} /`)) unserved.push(key);
  }
  return unserved;
}
