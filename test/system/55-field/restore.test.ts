/** host0 breaks, and another box takes its place, from the archive that docs/backup.md makes: it knows all that the first one knew. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, onTestFinished, test } from 'vitest';
import { Lab } from '../../../src/lab/cluster/lab.ts';
import type { LabHost } from '../../../src/lab/hosts/lab-host.ts';
import { host0Client } from '../../../src/protocol/calls/control-client.ts';
import { pathsBelow } from '../../../src/protocol/documents/paths.ts';
import { shownCommands } from '../../cli/console-block.ts';
import { isReady } from '../drift.ts';
import { pageOf } from '../typist.ts';
import { until } from '../until.ts';

/** The second lab has the same machine ids, as if the nodes had stayed. */
const SIZE = { name: `restore-${process.pid}`, nodes: 1, segments: 1 };
/** An agent starts within half a second, and is a member within another. */
const MEMBER_DEADLINE_MS = 15_000;

const place = mkdtempSync(join(tmpdir(), 'mw-restore-'));
afterAll(() => rmSync(place, { recursive: true }));

/** The page's commands that begin with these words, for a host whose files are below a root. */
function typed(begin: string, { root }: LabHost): void {
  const [command, ...more] = shownCommands(pageOf('docs/backup.md')).filter(({ text }) => text.startsWith(begin));
  expect({ command: command?.text, more }).toEqual({ command: expect.stringContaining('--directory /'), more: [] });
  const there = command?.text.replace('/root/', `${place}/`).replace(/--directory \/(?= |$)/, `--directory ${root}`);
  execFileSync('sh', ['-c', there ?? 'false']);
}

function keyOf({ root }: LabHost): string {
  return readFileSync(join(pathsBelow(root).state, 'keys/command.pub'), 'utf8');
}

const client = ({ root }: LabHost) => host0Client(pathsBelow(root));

/** The machine with an adopted name and its hardware; undefined as long as its agent has not reported it. */
async function knownMachine(host0: LabHost, { machine }: LabHost) {
  const known = (await client(host0).ask('GET /v1/machines')).find((view) => view.machine === machine);
  return known?.inventory === undefined ? undefined : known;
}

test('a restored host0 knows its machines before they report, and the nodes are its members', async () => {
  const before = await Lab.up(SIZE);
  onTestFinished(() => before.down());
  const [host0, node1] = [before.host('host0'), before.host('node1')];
  const known = await until('host0 knows the hardware', MEMBER_DEADLINE_MS, () => knownMachine(host0, node1));
  const key = keyOf(host0);
  await before.stop(host0, 'host0', 'SIGTERM');
  mkdirSync(join(host0.root, 'etc/default'), { recursive: true });
  writeFileSync(join(host0.root, 'etc/default/meshwork'), '');
  typed('tar --create', host0);
  await before.down();

  const after = await Lab.build(SIZE);
  onTestFinished(() => after.down());
  const box = after.host('host0');
  rmSync(pathsBelow(box.root).host0, { recursive: true });
  typed('tar --extract', box);
  await after.startHost0();
  expect(keyOf(box)).toBe(key);
  // No node runs yet: this is what the first box knew.
  expect(await knownMachine(box, after.host('node1'))).toMatchObject({
    firstSeen: known.firstSeen,
    inventory: known.inventory,
  });
  after.start(after.host('node1'), 'agent');
  await isReady(after.host('node1'));
  await after.ready();
});
