/** What a lab asks its host0: JSON over the control socket. */
import type { IncomingMessage } from 'node:http';
import { json } from 'node:stream/consumers';
import { MeshError } from '../model/error.ts';
import { request } from '../protocol/http.ts';
import { pathsBelow } from '../protocol/paths.ts';
import { SseParser } from '../protocol/sse.ts';
import type { LabHost } from './lab-host.ts';

export async function askHost0<T>(host0: LabHost, path: string, signal?: AbortSignal): Promise<T> {
  return (await json(await answer(host0, path, signal))) as T;
}

/** The data of each event of a stream, until host0 or `signal` ends it. */
export async function* eventsOfHost0<T>(host0: LabHost, path: string, signal: AbortSignal): AsyncGenerator<T> {
  const parser = new SseParser();
  const stream = (await answer(host0, path, signal)).setEncoding('utf8') as AsyncIterable<string>;
  for await (const text of stream) {
    for (const { data } of parser.push(text)) yield JSON.parse(data) as T;
  }
}

function answer(host0: LabHost, path: string, signal?: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const socketPath = pathsBelow(host0.root).controlSock;
    const asked = request({ socketPath, path, agent: false, ...(signal && { signal }) }, (response) => {
      if (response.statusCode === 200) return resolve(response);
      response.resume();
      reject(new MeshError('MESH_LAB_FAILED', `host0 answers ${path} with ${response.statusCode}`, { object: path }));
    });
    asked.once('error', reject);
    asked.end();
  });
}
