/** What `mesh status`, `mesh network` and `mesh port list` print of networks that host0 has given. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import * as documents from '../../../test/cli/documents.ts';
import { FakeDaemon } from '../../../test/cli/fake-daemon.ts';
import { mesh } from '../../../test/cli/mesh.ts';
import { storeNetwork } from '../../../test/kit/networks.ts';
import { parseIpv4 } from '../../model/address/ipv4.ts';
import type { MachineId } from '../../model/machine.ts';
import { ipv6In, nodeAddresses } from '../../model/network/node-addresses.ts';
import type { CatalogueView } from '../../protocol/documents/catalogue.ts';
import { pathsBelow } from '../../protocol/documents/paths.ts';
import type { GivenNetworkView, PortView } from '../../protocol/documents/views.ts';

const blue = storeNetwork('blue', 0x1001);
const [here, there] = ['10eff964', '2b1c0d3e'] as MachineId[] as [MachineId, MachineId];
const at = (machine: MachineId) => ({ mac: nodeAddresses(blue, machine).bridgeMac, ipv6: ipv6In(blue, machine) });
const given: GivenNetworkView = {
  network: blue,
  state: { phase: 'pending', why: 'its vxlan is being made' },
  self: at(here),
  peers: [{ name: 'node2', machine: there, underlay: parseIpv4('10.12.0.2'), ...at(there) }],
  ports: ['vm0'],
};
const ports: readonly PortView[] = [
  { interface: 'vm0', network: blue.id, networkName: 'blue', state: 'plugged', mtuBytes: 1500 },
  { interface: 'vm1', network: blue.id, networkName: 'blue', state: 'wanted', why: 'there is no interface vm1' },
];
const networks = documents.networks.slice(0, 1);
const AGENT = {
  'GET /v1/status': { ...documents.agentStatus, networks, given: [given] },
  'GET /v1/networks': networks,
  'GET /v1/given': [given],
  'GET /v1/ports': ports,
};
const catalogue: CatalogueView = { network: blue, activity: { phase: 'active' } };

/** The answer of the command line on a machine with an agent, and on host0 with the daemon. */
async function answer(line: string, daemon?: Record<string, unknown>): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'mesh-cli-'));
  const { agentSock, controlSock } = pathsBelow(root);
  const agent = new FakeDaemon(AGENT);
  await agent.listen(agentSock);
  const host0 = daemon && new FakeDaemon(daemon);
  await host0?.listen(controlSock);
  onTestFinished(async () => {
    await Promise.all([agent.close(), host0?.close()]);
    await rm(root, { recursive: true });
  });
  return (await mesh(['--root', root, ...line.split(' ')])).stdout;
}

test('a node lists it with its state, and shows the other nodes that hold it', async () => {
  expect(await answer('network list')).toContain(
    'blue    waiting: its vxlan is being made  vxlan, assigned  0x1001  br1001  –                               2\n',
  );
  const shown = await answer('network show blue');
  expect(shown).toContain('state     waiting: its vxlan is being made\n');
  expect(shown).toContain(`here      ${given.self.mac} ${given.self.ipv6}\nports     vm0\n`);
  expect(shown).toMatch(/^node2 +10\.12\.0\.2 +02:/m);
  expect(JSON.parse(await answer('network show blue --json'))).toEqual(given);
});

test('mesh status names it', async () => {
  const text = await answer('status');
  expect(text).toMatch(/^blue +waiting +br1001 +fe80::\S+ +2$/m);
  expect(text).toMatch(/^blue +this node, node2; waiting: its vxlan is being made$/m);
});

test('on host0 an active network has the state of the agent, and one that is deleted has not', async () => {
  const daemon = (view: CatalogueView) => ({
    'GET /v1/networks': networks,
    'GET /v1/catalogue': [view],
    'GET /v1/refused-documents': [],
    [`GET /v1/catalogue/${view.network.id}`]: view,
    [`GET /v1/catalogue/${view.network.id}/services`]: [],
  });
  expect(await answer('network list', daemon(catalogue))).toMatch(/^blue +waiting: its vxlan is being made .* 2$/m);
  expect(JSON.parse(await answer('network show blue --json', daemon(catalogue)))).toEqual({ ...given, ...catalogue });
  const deleting: CatalogueView = { network: blue, activity: { phase: 'deleting', nodes: ['node1'] } };
  expect(await answer('network list', daemon(deleting))).toMatch(/^blue +deleting: still on node1 /m);
});

test('a port has the name of its network, and says why it waits', async () => {
  expect(await answer('port list')).toBe(
    `INTERFACE  NETWORK  STATE    MTU          REFUSED
vm0        blue     plugged  1500 > 1450  –
vm1        blue     wanted   –            –

vm1 waits: there is no interface vm1.
`,
  );
});
