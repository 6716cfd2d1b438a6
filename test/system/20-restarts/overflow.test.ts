/** An agent repairs everything after an overflow of its event buffer. */
import { beforeAll, describe, expect, test } from 'vitest';
import { Lab } from '../../../src/lab/cluster/lab.ts';
import type { LabHost } from '../../../src/lab/hosts/lab-host.ts';
import { agentClient } from '../../../src/protocol/calls/control-client.ts';
import { pathsBelow } from '../../../src/protocol/documents/paths.ts';
import { noDrift } from '../drift.ts';
import { forAllTests } from '../for-all-tests.ts';
import { becomesAgain, kernelPicture } from '../kernel-picture.ts';
import { until } from '../until.ts';

/** Each entry causes two events of about 800 bytes as the kernel counts them; the agent's buffer has 64 MB. */
const ENTRIES = 50_000;
const READING_DEADLINE_MS = 20_000;

const shared = forAllTests();
let lab: Lab;

beforeAll(async () => {
  lab = shared.use(await Lab.up({ name: `overflow-${process.pid}`, nodes: 2, segments: 1 }));
});

async function run(host: LabHost, script: string): Promise<void> {
  expect(await lab.exec(host, ['sh', '-c', script])).toEqual({ code: 0, stdout: '', stderr: '' });
}

/** A shell command that adds or deletes ENTRIES FDB entries by `bridge -batch`. */
function entries(verb: 'add' | 'del'): string {
  const line = `fdb ${verb} 0a:00:00:00:%02x:%02x dev mine0 dst 192.0.2.1 self`;
  return `awk 'BEGIN { for (i = 0; i < ${ENTRIES}; i++) printf "${line}\\n", i / 256, i % 256 }' | bridge -batch -`;
}

async function overflows(host: LabHost): Promise<number> {
  let count = 0;
  for await (const event of agentClient(pathsBelow(host.root)).events('GET /v1/events', { query: { follow: false } })) {
    if (event.kind === 'monitor overflow') count++;
  }
  return count;
}

describe.each(['node1', 'host0'])('on %s', (name) => {
  test('a flood of events and many changes while the agent is stopped', async () => {
    const host = lab.host(name);
    const before = await kernelPicture(lab, host);
    const overflowed = await overflows(host);
    await lab.stop(host, 'agent', 'SIGSTOP');
    await run(host, `ip link add mine0 type vxlan id 77 dstport 8472; ${entries('add')}; ${entries('del')}`);
    await run(host, 'ip link delete mine0; ip link set vxlan456 mtu 1300; ip neighbour flush dev br456 nud permanent');
    await run(host, 'bridge fdb flush dev vxlan456 self; nft flush ruleset');
    await lab.stop(host, 'agent', 'SIGCONT');
    await until('the agent has noticed', READING_DEADLINE_MS, async () => (await overflows(host)) > overflowed);
    await becomesAgain(lab, host, before);
    await lab.ready();
    await noDrift(lab.hosts);
  });
});
