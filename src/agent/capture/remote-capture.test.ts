/** host0's agent asks for the capture of another node: what host0's daemon answers, and what a stream that hangs costs. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { expect, onTestFinished, test, vi } from 'vitest';
import { storeNetwork } from '../../../test/kit/networks.ts';
import { PATIENCE } from '../../../test/kit/patience.ts';
import type { Ipv6 } from '../../model/address/ipv6.ts';
import { MeshError } from '../../model/error.ts';
import type { Member } from '../../model/network/member.ts';
import type { VxlanNetwork } from '../../model/network/vxlan-network.ts';
import { passOnCapture } from './remote-capture.ts';

const address = 'fd00::1' as Ipv6;
const member = { name: 'node1', ipv6: address } as Member;

/** Asks a daemon that answers as `answer` does. @returns the own stream, and its end */
async function asked(answer: RequestListener) {
  const directory = mkdtempSync(join(tmpdir(), 'mesh-capture-'));
  const daemon = join(directory, 'control.sock');
  const server = createServer(answer).listen(daemon);
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
    rmSync(directory, { recursive: true });
  });
  const own = new PassThrough();
  const network = storeNetwork('blue', 0x1001) as VxlanNetwork;
  const settings = { snapBytes: 256, durationSec: 3_600, filter: 'icmp6' };
  return { own, passed: passOnCapture(() => own, { network, member, address, settings, daemon }) };
}

test('the capture of a node is passed on, byte for byte', async () => {
  const urls: (string | undefined)[] = [];
  const { own, passed } = await asked((request, response) => {
    urls.push(request.url);
    response.write('one ');
    response.end('two');
  });
  expect(await text(own)).toBe('one two');
  await passed;
  expect(urls).toEqual([`/v1/nodes/${address}/capture?snap=256&for=3600&filter=icmp6&network=blue`]);
});

test.each([
  ['MESH_USAGE', 'node1: it runs four already'],
  ['MESH_CHANNEL_DOWN', 'it runs four already'],
] as const)('a daemon that answers %s opens no stream', async (code, message) => {
  const { passed } = await asked((_, response) => {
    response.statusCode = 409;
    response.end(JSON.stringify(new MeshError(code, 'it runs four already')));
  });
  await expect(passed).rejects.toMatchObject({ code, message });
});

test('a stream that falls silent is ended, and one that the own client reads slowly is not', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  onTestFinished(() => void vi.useRealTimers());
  const silent = await asked((_, response) => void response.write('x'));
  await once(silent.own, 'readable');
  vi.advanceTimersByTime(10_000);
  await silent.passed;
  const slow = await asked((_, response) => void response.write('x'.repeat(1024 * 1024)));
  await vi.waitFor(() => expect(slow.own.writableNeedDrain).toBe(true), PATIENCE);
  vi.advanceTimersByTime(60_000);
  expect(slow.own.destroyed).toBe(false);
  slow.own.destroy();
  await slow.passed;
});
