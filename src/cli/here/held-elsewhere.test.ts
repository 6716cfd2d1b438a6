/** A network that only other nodes hold: host0 says which of them to ask. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { FakeDaemon } from '../../../test/cli/fake-daemon.ts';
import { commandLine } from '../../../test/cli/mesh.ts';
import { storeNetwork } from '../../../test/kit/networks.ts';
import { MeshError } from '../../model/error.ts';
import { pathsBelow } from '../../protocol/documents/paths.ts';

const unknown = new MeshError('MESH_NET_UNKNOWN', 'there is no network "blue" on this node');
const AGENT = {
  'POST /v1/ping': unknown,
  'POST /v1/trace': unknown,
  'GET /v1/explain?object=blue': new MeshError('MESH_OBJECT_UNKNOWN', 'nothing is called "blue"'),
};
const held = (...nodes: string[]) => ({
  network: storeNetwork('blue', 0x1001),
  activity: { phase: 'active' },
  holders: nodes.map((node) => ({ node, ports: ['vm0'] })),
});

/** What a command says on a machine with an agent, and on host0. */
async function said(line: string, host0?: unknown): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'mesh-cli-'));
  const agent = new FakeDaemon(AGENT);
  await agent.listen(pathsBelow(root).agentSock);
  const daemon = new FakeDaemon({ 'GET /v1/catalogue/blue': host0 });
  if (host0 !== undefined) await daemon.listen(pathsBelow(root).controlSock);
  onTestFinished(async () => {
    await Promise.all([agent.close(), ...(host0 === undefined ? [] : [daemon.close()])]);
    await rm(root, { recursive: true });
  });
  return (await commandLine(['--root', root, ...line.split(' ')])).stderr;
}

test('on host0, the error names the nodes and what to type there', async () => {
  const ping = await said('ping blue node2 -c 1', held('node1', 'node2'));
  expect(ping).toContain('network blue is not on this machine: node1, node2 have it [MESH_NET_UNKNOWN]');
  expect(ping).toContain('remedy: On node1: `mesh ping blue node2`');
  expect(await said('trace blue node1 node2', held('node1'))).toContain('On node1: `mesh trace blue node1 node2`');
  expect(await said('explain blue', held('node1'))).toContain('On node1: `mesh explain blue`');
  const many = held(...Array.from({ length: 9 }, (_, at) => `node${at}`));
  expect(await said('ping blue x', many)).toContain('node0, node1, node2, node3, node4 and 4 more have it');
});

test('where no node holds the network, the error says how one comes to', async () => {
  const error = await said('ping blue node2', held());
  expect(error).toContain('no node has a port in network blue');
  expect(error).toContain('`mesh port plug blue INTERFACE`');
});

test('on a node, and for what host0 does not know either, the error is that of the agent', async () => {
  expect(await said('ping blue node2')).toContain('there is no network "blue" on this node');
  expect(await said('ping blue node2', unknown)).toContain('there is no network "blue" on this node');
});
