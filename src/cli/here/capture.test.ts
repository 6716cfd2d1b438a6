/** `mesh capture` with nodes that send what no agent would. */
import {
  chmodSync,
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { mkdir } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { mesh } from '../../../test/cli/mesh.ts';
import {
  PcapngReader,
  pcapngInterface,
  pcapngPacket,
  pcapngSection,
  pcapngStatistics,
} from '../../formats/capture/pcapng.ts';
import { pathsBelow } from '../../protocol/documents/paths.ts';
import { createServer } from '../../protocol/http/http.ts';

/** What a node sends every ten milliseconds, at a time. */
type Talk = (timeNs: bigint) => Buffer;

const INTERFACE = Buffer.concat([
  pcapngSection('meshwork'),
  pcapngInterface({ name: 'vxlan456 (inner)', snapBytes: 64 }),
]);

function told(timeNs: bigint): Buffer {
  return pcapngStatistics({ interfaceId: 0, timeNs, received: 9, dropped: 0 });
}

function packet(timeNs: bigint, bytes = Buffer.alloc(60)): Buffer {
  return pcapngPacket({ interfaceId: 0, timeNs, bytes, frameBytes: 60 });
}

/** An agent whose captures never end by themselves. */
async function agentWith(talks: Readonly<Record<string, Talk>>): Promise<{ root: string; file: string }> {
  const root = mkdtempSync(join(tmpdir(), 'mw-capture-'));
  const { agentSock } = pathsBelow(root);
  await mkdir(dirname(agentSock), { recursive: true });
  const server = createServer((request, response: ServerResponse) => {
    const node = new URL(request.url ?? '/', 'http://agent').searchParams.get('node') ?? '';
    response.write(INTERFACE);
    const timer = setInterval(() => {
      if (!response.writableNeedDrain) response.write(talks[node]?.(BigInt(Date.now()) * 1_000_000n));
    }, 10);
    response.on('close', () => clearInterval(timer));
  });
  await new Promise<void>((resolve) => server.listen(agentSock, resolve));
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    rmSync(root, { recursive: true });
  });
  return { root, file: join(root, 'out.pcapng') };
}

const WELL: Talk = (timeNs) => Buffer.concat([packet(timeNs), told(timeNs)]);

function packetsIn(file: string): number {
  return new PcapngReader().push(readFileSync(file)).filter(({ type }) => type === 'packet').length;
}

function capture(root: string, ...words: string[]) {
  return mesh(['--root', root, 'capture', 'manage', '--nodes', 'node1,node2', ...words]);
}

test('a node that stands still, floods and never ends holds back nothing, and is named', async () => {
  const flood = Buffer.concat(Array.from({ length: 100 }, () => packet(5n, Buffer.alloc(1_000))));
  const { root, file } = await agentWith({ node1: WELL, node2: () => Buffer.concat([told(1n), flood]) });
  // A busy machine takes less of the flood in a second, but some of it.
  const { stderr } = await capture(root, '--for', '2', '-o', file);
  expect(stderr).toContain('node2 lags or has a wrong clock; its packets may be in a wrong order.\n');
  expect(stderr.match(/node2 lags/g)).toHaveLength(1);
  expect(packetsIn(file)).toBeGreaterThan(100);
});

test('a file that is there is replaced by a private one: who has it open reads nothing', async () => {
  const { root, file } = await agentWith({ node1: WELL, node2: WELL });
  writeFileSync(file, 'theirs');
  chmodSync(file, 0o666);
  const open = openSync(file, 'r');
  onTestFinished(() => closeSync(open));
  await capture(root, '-c', '3', '-o', file);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(packetsIn(file)).toBe(3);
  expect(readFileSync(open, 'utf8')).toBe('theirs');
});

test('the file that a link leads to gets the same mode, and the link stays', async () => {
  const { root, file } = await agentWith({ node1: WELL, node2: WELL });
  writeFileSync(`${file}.target`, 'theirs');
  chmodSync(`${file}.target`, 0o666);
  symlinkSync(`${file}.target`, file);
  await capture(root, '-c', '3', '-o', file);
  expect(statSync(`${file}.target`).mode & 0o777).toBe(0o600);
  expect(packetsIn(`${file}.target`)).toBe(3);
});

test('a place where no file can be is named, with the code of every file that cannot be written', async () => {
  const { root } = await agentWith({ node1: WELL, node2: WELL });
  await expect(capture(root, '-o', '/nosuch/x.pcapng')).rejects.toMatchObject({
    code: 'MESH_DISK_REFUSED',
    exitCode: 5,
    message: expect.stringContaining('/nosuch'),
  });
});
