/**
 * Nothing that a node or host0 sends or shows gives away a key. A capture of the underlay, which carries the mesh unencrypted, is
 * searched for the keys in all forms, and so is what everybody may read: logs, state, and the answers of commands.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { globSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { InstallationSecret } from '../../../src/image/installation-secret.ts';
import { netnsPath } from '../../../src/kernel/netns.ts';
import { Lab } from '../../../src/lab/cluster/lab.ts';
import type { LabHost } from '../../../src/lab/hosts/lab-host.ts';
import { channelPsk, machineKey } from '../../../src/model/machine-key.ts';
import { pathsBelow } from '../../../src/protocol/documents/paths.ts';
import { LONG } from '../../kit/long.ts';
import { capturedTexts, found, type Needle, needlesOf } from '../../kit/secret-search.ts';
import { isReady, statusOf } from '../drift.ts';
import { forAllTests } from '../for-all-tests.ts';
import { meshOn } from '../mesh-command.ts';
import { until } from '../until.ts';

/** Reports, pings and digests come each few seconds: an hour has them all often. */
const ROUNDS_MS = LONG ? 3_600_000 : 0;
/** A node is back within three seconds of a restart of host0. */
const DEADLINE_MS = 25_000;
/** Generations that this test uses. */
const GENERATIONS = [1, 2, 3];

const shared = forAllTests();
const place = mkdtempSync(join(tmpdir(), 'mw-keys-'));
shared.defer(() => rmSync(place, { recursive: true }));

let lab: Lab;
let host0: LabHost;
let node1: LabHost;
let needles: Needle[];
let key: Buffer;

beforeAll(async () => {
  lab = shared.use(await Lab.build({ name: `keys-${process.pid}`, nodes: 1, segments: 1 }));
  [host0, node1] = [lab.host('host0'), lab.host('node1')];
  const { bytes: secret } = await InstallationSecret.open(pathsBelow(host0.root).state);
  if (secret === undefined) throw new Error('the lab has no installation secret');
  const keys = GENERATIONS.map((generation) => machineKey(secret, { machine: node1.machine, generation }));
  [key] = keys as [Buffer, ...Buffer[]];
  needles = [
    ...needlesOf('the installation secret', secret),
    ...keys.flatMap((bytes, at) => needlesOf(`key ${GENERATIONS[at]}`, bytes)),
    ...keys.flatMap((bytes, at) => needlesOf(`PSK ${GENERATIONS[at]}`, channelPsk(bytes))),
  ];
});

const captureFile = () => join(place, 'segment.pcap');

/** Captures everything on the segment until it is stopped. @returns what stops it and gives the capture */
async function capture(): Promise<() => Promise<Buffer>> {
  const file = captureFile();
  const [bridge = ''] = lab.topology.bridges;
  const words = ['-i', bridge, '-s', '0', '-U', '-w', file];
  const child = spawn('nsenter', [`--net=${netnsPath(lab.topology.underlay)}`, 'tcpdump', ...words], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  shared.defer(() => void child.kill('SIGKILL'));
  let said = '';
  child.stderr.on('data', (text) => {
    said += text;
  });
  await until('tcpdump listens', DEADLINE_MS, () => said.includes('listening on'));
  return async () => {
    child.kill('SIGINT');
    await once(child, 'close');
    return readFileSync(file);
  };
}

async function channelStands(): Promise<void> {
  await until('the channel stands', DEADLINE_MS, async () => (await statusOf(node1))?.channel?.state === 'standing');
}

const COMMANDS = [
  ...['status', 'doctor', 'metrics', 'network show manage', 'explain manage'],
  ...['events', 'node list', 'trace manage node1 host0'],
];
const OF_HOST0 = ['node info node1', 'node orphans list', 'network create blue --plan'];

/** What commands answer on both ends. Some find fault, which does not matter here. */
async function answers(): Promise<Buffer> {
  const asked: [LabHost, string][] = [host0, node1].flatMap((host) =>
    [...COMMANDS, ...(host === host0 ? OF_HOST0 : [])].map((line): [LabHost, string] => [host, line]),
  );
  const texts: string[] = [];
  for (const [host, line] of asked) {
    const { stdout, stderr } = await meshOn(host, '--json', ...line.split(' '));
    texts.push(stdout, stderr);
  }
  return Buffer.from(texts.join('\n'));
}

/** Files that others than root may read. */
function openFiles({ root }: LabHost): string[] {
  return globSync('**/*', { cwd: root }).flatMap((name) => {
    const path = join(root, name);
    const file = statSync(path, { throwIfNoEntry: false });
    return file?.isFile() && (file.mode & 0o077) !== 0 ? [path] : [];
  });
}

/** The key, sent by mistake: the search must find it in the capture. */
async function sendPlainly(): Promise<void> {
  const text = `token=${key.toString('base64')}`;
  const { code } = await lab.exec(node1, ['bash', '-c', `echo ${text} > /dev/udp/${host0.member.ipv4}/9`]);
  expect(code).toBe(0);
  await until('tcpdump has written it', DEADLINE_MS, () => readFileSync(captureFile()).includes(text));
}

test(
  'a capture of all that a node and host0 send, from the first start on, holds no key; nor do logs, state and answers',
  { timeout: ROUNDS_MS + 300_000 },
  async () => {
    const stop = await capture();
    await lab.startAll();
    await isReady(node1);
    await channelStands();
    const shown: Buffer[] = [];
    const giveUpAt = performance.now() + ROUNDS_MS;
    do {
      shown.push(await answers());
      // The channel is made again: after an end of either process, in order and not, and with the key of the next generation.
      await lab.stop(host0, 'host0', 'SIGTERM');
      lab.start(host0, 'host0');
      await lab.stop(node1, 'agent', 'SIGABRT');
      lab.start(node1, 'agent');
      await isReady(node1);
      await channelStands();
    } while (performance.now() < giveUpAt);
    const given = await meshOn(host0, '--json', 'node', 'enroll', 'node1');
    expect(given.stderr).not.toContain(key.toString('hex'));
    await sendPlainly();
    const texts = [...capturedTexts(await stop())];
    const open = [host0, node1].flatMap(openFiles);
    const inFiles = open.flatMap((path) => found(needles, readFileSync(path)).map((form) => `${path}: ${form}`));
    console.log(`${texts.length} frames and streams, ${open.length} open files`);
    expect(inFiles).toEqual([]);
    expect(shown.flatMap((bytes) => found(needles, bytes))).toEqual([]);
    const sent = new Set(texts.flatMap((bytes) => found(needles, bytes)));
    // The one that was sent to prove that the search finds it. Without `+` and `/`, both forms of base64 are one.
    expect(sent).toContain('key 1 as base64, phase 0');
    expect([...sent].filter((form) => !/^key 1 as base64(url)?, phase 0$/.test(form))).toEqual([]);
  },
);
