/** NAT64 in a lab, by the commands of its page: an IPv4 host outside reaches a guest, and does so again when the active router has died. */
import { readFileSync } from 'node:fs';
import { beforeAll, expect, test } from 'vitest';
import { netnsPath } from '../../../src/kernel/netns.ts';
import { Lab } from '../../../src/lab/cluster/lab.ts';
import { residentsOf } from '../../../src/lab/cluster/residents.ts';
import type { LabHost } from '../../../src/lab/hosts/lab-host.ts';
import { missingLine, shownCommands } from '../../cli/console-block.ts';
import { inside } from '../../kit/namespaces.ts';
import { forAllTests } from '../for-all-tests.ts';
import { Guest } from '../guest.ts';
import { pageOf } from '../typist.ts';
import { until } from '../until.ts';

/** A command waits for one advertisement at most. */
const COMMAND_DEADLINE_MS = 25_000;
/** host0 gives a router up twelve seconds after its last sign of life. */
const TAKEOVER_DEADLINE_MS = 65_000;

const PAGE = 'docs/nat64.md';
/** The address outside that the page has the guest get. */
const MAPPED = '10.11.0.208';

const shared = forAllTests();
let lab: Lab;
let host0: LabHost;

beforeAll(async () => {
  lab = shared.use(await Lab.up({ name: `nat64-${process.pid}`, nodes: 3, segments: 1 }));
  host0 = lab.host('host0');
  const guest = shared.use(Guest.behind(lab.host('node3'), 'vm1', 'fd99::11'));
  guest.run('ip', 'link', 'set', 'eth0', 'address', '02:00:00:00:10:01');
});

/** Waits until the guest answers an IPv4 host that is in none of its networks. */
async function guestAnswers(deadlineMs: number): Promise<void> {
  await until(`${MAPPED} answers`, deadlineMs, async () => {
    const { code } = await lab.exec(host0, ['ping', '-n', '-c', '1', '-W', '1', MAPPED]);
    return code === 0;
  });
}

test('by the commands of the page, an IPv4 host outside reaches the guest', async () => {
  for (const { text, answer, line } of shownCommands(pageOf(PAGE))) {
    let said = '';
    await until(`${PAGE}:${line}: ${text}`, COMMAND_DEADLINE_MS, async () => {
      const { code, stdout, stderr } = await lab.exec(host0, ['sh', '-c', text]);
      said = stdout + stderr;
      return code === 0 && missingLine(stdout, answer) === undefined;
    }).catch((cause: unknown) => {
      throw new Error(said, { cause });
    });
  }
  await guestAnswers(COMMAND_DEADLINE_MS);
});

test('when the active router is cut off, the other one takes over', async () => {
  const active = lab.hosts.find(hasTranslator);
  if (active === undefined) throw new Error('no host translates');
  expect(active.name).toMatch(/^node[12]$/);
  inside(netnsPath(active.netns), 'ip', 'link', 'set', 'eth0', 'down');
  await guestAnswers(TAKEOVER_DEADLINE_MS);
  expect(lab.hosts.filter(hasTranslator).map(({ name }) => name)).toContain(
    active.name === 'node1' ? 'node2' : 'node1',
  );
});

/** Whether the translator of a network runs on a host. */
function hasTranslator(host: LabHost): boolean {
  return residentsOf([host.netns], host.root).some(
    ({ pid }) => readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'tayga',
  );
}
