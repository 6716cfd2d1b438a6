/** What reaches a terminal of text that others have chosen: documents, streams of them, and errors. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { FakeDaemon } from '../../test/cli/fake-daemon.ts';
import { mesh, meshProcess } from '../../test/cli/mesh.ts';
import { pathsBelow } from '../protocol/documents/paths.ts';

/** A clearing of the screen by a control of eight bits, and a reversal of the writing. */
const HOSTILE = 'node\u009b2J\u202e';
const ACTING = /[\p{Cc}\p{Cf}]/u;

async function answering(path: string, document: unknown): Promise<string> {
  const root = mkdtempSync(join(tmpdir(), 'mw-context-'));
  const daemon = new FakeDaemon({ [`GET ${path}`]: document });
  await daemon.listen(pathsBelow(root).agentSock);
  onTestFinished(async () => {
    await daemon.close();
    rmSync(root, { recursive: true });
  });
  return root;
}

test('a document with --json', async () => {
  const root = await answering('/v1/explain?object=x', { object: HOSTILE, reasons: [], items: [] });
  const { stdout } = await mesh(['--root', root, 'explain', 'x', '--json']);
  expect(stdout.replaceAll('\n', '')).not.toMatch(ACTING);
  expect(JSON.parse(stdout)).toMatchObject({ object: HOSTILE });
});

test('events with --json', async () => {
  const event = {
    seq: 1,
    time: '2026-11-21T06:12:03.000Z',
    level: 'error',
    source: 'agent',
    node: 'node1',
    kind: 'said',
    message: HOSTILE,
  };
  const root = await answering('/v1/events?follow=0', [event]);
  const { stdout } = await mesh(['--root', root, 'events', '--json']);
  expect(stdout.trimEnd()).not.toMatch(ACTING);
  expect(JSON.parse(stdout)).toEqual(event);
});

test('an error, with --json and without', async () => {
  const root = await answering('/v1/status', undefined);
  for (const words of [['--json'], []]) {
    const { stdout, stderr } = await meshProcess(['--root', root, 'network', 'show', HOSTILE, ...words]);
    expect(`${stdout}${stderr}`).toMatch(words.length > 0 ? /\\u009b2J|MESH_/ : /\[MESH_/);
    expect(`${stdout}${stderr}`.replaceAll('\n', '')).not.toMatch(ACTING);
  }
});
