/** nftables transactions and lists in a real namespace. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { inside } from '../../test/kit/namespaces.ts';
import { MeshError } from '../model/error.ts';
import { type TemporaryNetns, temporaryNetns } from './netns.ts';
import { Nft } from './nft.ts';

const TABLE = `table inet meshwork {
	set members {
		type ipv4_addr
		elements = { 10.11.0.1, 10.11.0.2 }
	}

	chain guard {
		type filter hook prerouting priority raw; policy accept;
		iifname "br456" ip saddr != @members counter drop
	}
}
`;

let netns: TemporaryNetns;
let nft: Nft;

beforeEach(async () => {
  netns = temporaryNetns();
  nft = await Nft.open({ netns: netns.path });
});

afterEach(async () => {
  await nft.close();
  netns.close();
});

async function refusal(script: string): Promise<MeshError> {
  const thrown: unknown = await nft.run(script).catch((error: unknown) => error);
  if (thrown instanceof MeshError) return thrown;
  throw new Error(`not refused: ${script}`);
}

test('a table is listed as it was written, and the list can be run again', async () => {
  await nft.run(TABLE);
  const listed = await nft.list('inet', 'meshwork');
  expect(listed).toBe(TABLE);
  await nft.run(`delete table inet meshwork\n${listed}`);
  expect(await nft.list('inet', 'meshwork')).toBe(TABLE);
});

test('a table is made only in its namespace', async () => {
  await nft.run(TABLE);
  expect(inside(netns.path, 'nft', '-s', 'list', 'ruleset')).toBe(TABLE);
  const elsewhere = temporaryNetns();
  const other = await Nft.open({ netns: elsewhere.path });
  try {
    expect(await other.list('inet', 'meshwork')).toBeUndefined();
  } finally {
    await other.close();
    elsewhere.close();
  }
});

test('a transaction with a bad last line leaves the former table unchanged', async () => {
  await nft.run(TABLE);
  const error = await refusal('delete table inet meshwork\nadd table inet new\nadd rule inet new nochain accept');
  expect(error.code).toBe('MESH_NFT_REFUSED');
  expect(error.message).toContain('No such file or directory');
  expect(await nft.list('inet', 'meshwork')).toBe(TABLE);
  expect(await nft.list('inet', 'new')).toBeUndefined();
});

test("a syntax error carries nft's own text, with line and caret", async () => {
  const error = await refusal('add table inet new\nadd rule inet new guard ip saddr 10.0.0.1 bogus');
  expect(error.message).toMatch(
    /\nline 2:\d+-\d+: Error: syntax error.*\nadd rule inet new guard ip saddr 10.0.0.1 bogus\n +\^$/,
  );
});

test('a table that another program flushed or deleted is read as it now is', async () => {
  await nft.run(TABLE);
  inside(netns.path, 'nft', 'flush', 'chain', 'inet', 'meshwork', 'guard');
  expect(await nft.list('inet', 'meshwork')).not.toContain('br456');
  inside(netns.path, 'nft', 'flush', 'ruleset');
  expect(await nft.list('inet', 'meshwork')).toBeUndefined();
});

test('many concurrent transactions in two namespaces take effect in their own namespace', async () => {
  const elsewhere = temporaryNetns();
  const other = await Nft.open({ netns: elsewhere.path });
  try {
    const names = Array.from({ length: 20 }, (_, i) => `t${i}`);
    await Promise.all(names.map((name, i) => (i % 2 === 0 ? nft : other).run(`add table bridge ${name}`)));
    const here = await Promise.all(names.map((name) => nft.list('bridge', name)));
    const there = await Promise.all(names.map((name) => other.list('bridge', name)));
    expect(here.map((text) => text !== undefined)).toEqual(names.map((_, i) => i % 2 === 0));
    expect(there.map((text) => text !== undefined)).toEqual(names.map((_, i) => i % 2 === 1));
  } finally {
    await other.close();
    elsewhere.close();
  }
});

test('an absent namespace is an error; our own is not used instead', async () => {
  const lost = await Nft.open({ netns: '/run/netns/mw-nft-no-such' });
  await expect(lost.list('inet', 'meshwork')).rejects.toMatchObject({ code: 'MESH_KERNEL_REFUSED' });
  await lost.close();
});

test('closing finishes earlier commands and refuses later ones', async () => {
  const question = nft.run(TABLE);
  await nft.close();
  await expect(question).resolves.toBeUndefined();
  await expect(nft.run(TABLE)).rejects.toMatchObject({ code: 'MESH_KERNEL_CLOSED' });
});

test('without the library, the error names the package', () => {
  const library = /\S+libnftables\.so\S*/.exec(readFileSync('/proc/self/maps', 'utf8'))?.[0] ?? '';
  // In a separate mount namespace, in which the library is an empty file.
  const script = `import { Nft } from '${new URL('./nft.ts', import.meta.url)}';
    await Nft.open().catch((error) => console.log(JSON.stringify(error)));`;
  const node = [process.execPath, '--input-type=module', '-e', script];
  const { stdout } = spawnSync(
    'unshare',
    ['-m', 'sh', '-c', 'mount --bind /dev/null "$0" && exec "$@"', library, ...node],
    {
      encoding: 'utf8',
    },
  );
  expect(JSON.parse(stdout)).toMatchObject({
    code: 'MESH_KERNEL_UNSUPPORTED',
    remedy: 'Install the package nftables.',
  });
});
