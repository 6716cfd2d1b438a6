/** `mesh node enroll` and `mesh node revoke`: for which machine host0 is asked, where the key goes, and what is refused. */
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import * as documents from '../../../test/cli/documents.ts';
import { FakeDaemon } from '../../../test/cli/fake-daemon.ts';
import { mesh } from '../../../test/cli/mesh.ts';
import { MeshError } from '../../model/error.ts';
import { type MachineId, parseMachineId } from '../../model/machine.ts';
import { keyIdentity } from '../../model/machine-key.ts';
import type { GivenKey } from '../../protocol/documents/given-key.ts';
import { pathsBelow } from '../../protocol/documents/paths.ts';
import { keyFileText } from '../../protocol/shapes/key-file.ts';

const [KNOWN, NEW] = [parseMachineId('10eff964'), parseMachineId('5e6f7081')];
let root: string;
let daemon: FakeDaemon;
let answers: Record<string, unknown>;

const given = (machine: MachineId): GivenKey => {
  const identity = keyIdentity({ machine, generation: 1 });
  return { machine, identity, text: keyFileText({ identity, key: Buffer.alloc(32, 7) }) };
};

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'mesh-enroll-'));
  answers = {
    'GET /v1/nodes': documents.nodes,
    'GET /v1/machines': documents.machines(),
    [`POST /v1/machines/${KNOWN}/key`]: given(KNOWN),
    [`POST /v1/machines/${NEW}/key`]: given(NEW),
    [`DELETE /v1/machines/${KNOWN}/key`]: null,
  };
  daemon = new FakeDaemon(answers);
  await daemon.listen(pathsBelow(root).controlSock);
});
afterEach(async () => {
  await daemon.close();
  await rm(root, { recursive: true });
});

async function run(line: string): Promise<string> {
  const { stdout, code } = await mesh(['--root', root, 'node', ...line.split(' ')]);
  return code === 0 ? stdout : `${stdout}[exit ${code}]`;
}
const keysAsked = () => daemon.asked.filter(({ path }) => path.endsWith('/key'));

test('the key file of a known node goes to stdout', async () => {
  expect(await run('enroll node1')).toBe(given(KNOWN).text);
  expect(keysAsked()).toEqual([{ method: 'POST', path: `/v1/machines/${KNOWN}/key`, body: '{"renew":false}' }]);
});

test('that of a new machine goes to a file for root only, also where a file for all was', async () => {
  const file = join(root, 'node9.key');
  await writeFile(file, 'before', { mode: 0o644 });
  expect(await run(`enroll node9 --machine ${NEW} --renew --output ${file}`)).toBe(
    `${file} has the key ${NEW}.1 for node9.\n` +
      'Next: bring the file to node9 as /etc/meshwork/key, for root only (mode 600), and remove it here.\n',
  );
  expect([await readFile(file, 'utf8'), (await stat(file)).mode & 0o777]).toEqual([given(NEW).text, 0o600]);
  expect(keysAsked()).toMatchObject([{ body: '{"renew":true}' }]);
});

test('--json gives the key, or names the file', async () => {
  expect(JSON.parse(await run('enroll node1 --json'))).toEqual({ ...given(KNOWN), name: 'node1' });
  const file = join(root, 'key');
  const answer = await run(`enroll node1 --output ${file} --json`);
  expect(JSON.parse(answer)).toEqual({ machine: KNOWN, name: 'node1', identity: `${KNOWN}.1`, file });
  expect(answer).not.toContain('0707');
});

describe('refused are', () => {
  test.each([
    ['a machine id that is none', 'enroll node9 --machine 10EFF964', 'MESH_MACHINE_INVALID'],
    ['an unknown name without an id', 'enroll node9', 'MESH_NODE_UNKNOWN'],
    ['a name that is none', 'enroll node_9 --machine 5e6f7081', 'MESH_USAGE'],
    ['the id of a machine with another name', 'enroll node9 --machine 10eff964', 'MESH_MACHINE_TWICE'],
    ['the name of another machine', 'enroll node1 --machine 5e6f7081', 'MESH_MACHINE_TWICE'],
    ['host0', 'enroll host0', 'MESH_USAGE'],
    ['host0 by name with an id', 'enroll host0 --machine 5e6f7081', 'MESH_USAGE'],
    ['host0 for a revocation', 'revoke host0', 'MESH_USAGE'],
    ['an unknown name for a revocation', 'revoke node9', 'MESH_NODE_UNKNOWN'],
  ])('%s', async (_, line, code) => {
    await expect(run(line)).rejects.toMatchObject({ code });
    expect(keysAsked()).toEqual([]);
  });

  test('the id of this machine, which is host0', async () => {
    await expect(run(`enroll node9 --machine ${await ownId()}`)).rejects.toMatchObject({ code: 'MESH_USAGE' });
    expect(keysAsked()).toEqual([]);
  });

  test('a machine that has a key, by host0', async () => {
    answers[`POST /v1/machines/${KNOWN}/key`] = new MeshError('MESH_KEY_GIVEN', 'has one');
    await expect(run('enroll node1')).rejects.toMatchObject({ code: 'MESH_KEY_GIVEN' });
  });
});

async function ownId(): Promise<string> {
  const { machineFile } = pathsBelow(root);
  await mkdir(join(machineFile, '..'), { recursive: true });
  await writeFile(machineFile, '6f708192\n');
  return '6f708192';
}

test('a revocation names the machine', async () => {
  expect(await run('revoke node1')).toBe(`Machine ${KNOWN} has no valid key any more.\n`);
  expect(keysAsked()).toMatchObject([{ method: 'DELETE' }]);
});
