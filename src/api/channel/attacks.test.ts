/** Attacks on channels, with real TLS over loopback: each is refused, counted, and told on the ends that can tell. */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type ConnectionOptions,
  createServer as createTlsServer,
  getCACertificates,
  setDefaultCACertificates,
  connect as tlsConnect,
} from 'node:tls';
import { expect, onTestFinished, test } from 'vitest';
import { ChannelHost, ChannelNode, freePort, HOST0 } from '../../../test/kit/channel-pair.ts';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { PATIENCE } from '../../../test/kit/patience.ts';
import { parseMachineId } from '../../model/machine.ts';
import { secureChannel } from '../../protocol/channel/channel-tls.ts';
import type { Finding } from '../../protocol/documents/finding.ts';

const machine = parseMachineId('10eff964');
const identity = `${machine}.1`;
const psk = randomBytes(32);
const TLS13: ConnectionOptions = {
  minVersion: 'TLSv1.3',
  ciphers: 'TLS_AES_128_GCM_SHA256',
  ALPNProtocols: ['h2'],
  checkServerIdentity: () => undefined,
  rejectUnauthorized: false,
};

const codes = (findings: readonly Finding[]) => findings.map(({ code }) => code);

async function hostWithKey(): Promise<ChannelHost> {
  const host = await ChannelHost.open();
  host.keys.set(identity, psk);
  return host;
}

/** Resolves when the connection has ended. */
async function ended(socket: Socket): Promise<void> {
  socket.on('error', () => {});
  socket.resume();
  onTestFinished(() => void socket.destroy());
  if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve));
}

function expectNothingWon(host: ChannelHost): void {
  expect([host.channels.size, host.used]).toEqual([0, []]);
}

test('another key', async () => {
  const host = await hostWithKey();
  const node = new ChannelNode(host.port, { identity, psk: randomBytes(32) });
  await expect.poll(() => codes(node.channel.health()), PATIENCE).toEqual(['MESH_CHANNEL_KEY_DIFFERS']);
  expect(host.refused[0]).toBe('different key');
  expect(host.channels.health()).toEqual([
    expect.objectContaining({ code: 'MESH_CHANNEL_KEY_DIFFERS', object: machine, severity: 'error' }),
  ]);
  expect(host.events.filter(({ kind }) => kind === 'channel refused')).toHaveLength(1);
  expect(host.channels.viewOf(machine)).toMatchObject({ state: 'down', why: expect.stringContaining('differs') });
  expectNothingWon(host);
});

test.each([
  ['of a machine that host0 does not know', 'deadbeef.1', ['deadbeef']],
  ['of an earlier generation', `${machine}.7`, [machine]],
  ['that is no identity at all: only the address is named', 'x'.repeat(100), [HOST0]],
])('an identity %s', async (_what, shown, objects) => {
  const host = await hostWithKey();
  const node = new ChannelNode(host.port, { identity: shown, psk });
  await expect.poll(() => codes(node.channel.health()), PATIENCE).toEqual(['MESH_CHANNEL_KEY_UNKNOWN']);
  expect(host.refused[0]).toBe('unknown key');
  expect(host.channels.health().map(({ object }) => object)).toEqual(objects);
  expectNothingWon(host);
});

test('plain HTTP', async () => {
  const host = await hostWithKey();
  const socket = connect(host.port, HOST0);
  socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
  await ended(socket);
  await expect.poll(() => host.refused, PATIENCE).toEqual(['foreign']);
  expect(codes(host.channels.health())).toEqual(['MESH_CHANNEL_FOREIGN']);
  expectNothingWon(host);
});

test.each<[string, ConnectionOptions]>([
  ['TLS 1.2 with the right key', { maxVersion: 'TLSv1.2', minVersion: 'TLSv1.2', ciphers: 'PSK-AES128-GCM-SHA256' }],
  ['another cipher with the right key', { ciphers: 'TLS_AES_256_GCM_SHA384' }],
  ['no key', { pskCallback: undefined }],
])('%s', async (_what, options) => {
  const host = await hostWithKey();
  const pskCallback = () => ({ identity, psk });
  await ended(tlsConnect({ ...TLS13, host: HOST0, port: host.port, pskCallback, ...options }));
  await expect.poll(() => host.refused, PATIENCE).toEqual(['foreign']);
  expectNothingWon(host);
});

test('a machine in the place of host0, with a certificate that the node would trust', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'mesh-impostor-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const [keyFile, certFile] = [join(directory, 'key'), join(directory, 'cert')];
  const words = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
  const subject = ['-subj', '/CN=host0', '-addext', `subjectAltName=IP:${HOST0}`];
  execFileSync('openssl', ['req', ...words, ...subject, '-keyout', keyFile, '-out', certFile], { stdio: 'ignore' });
  const cert = readFileSync(certFile, 'utf8');
  const before = getCACertificates('default');
  setDefaultCACertificates([...before, cert]);
  onTestFinished(() => setDefaultCACertificates(before));
  const read: Buffer[] = [];
  const impostor = createTlsServer({ key: readFileSync(keyFile), cert, ALPNProtocols: ['h2'] }, (socket) => {
    socket.on('error', () => {});
    socket.on('data', (bytes) => read.push(bytes));
  });
  onTestFinished(() => void impostor.close());
  const port = await freePort();
  impostor.listen(port, HOST0);
  await once(impostor, 'listening');
  const node = new ChannelNode(port, { identity, psk });
  await expect.poll(() => codes(node.channel.health()), PATIENCE).toEqual(['MESH_CHANNEL_IMPOSTOR']);
  expect([node.channel.opened, node.taken, read]).toEqual([0, [], []]);
  // The certificate itself is one that a client trusts.
  const trusting = tlsConnect({ host: HOST0, port });
  onTestFinished(() => void trusting.destroy());
  await once(trusting, 'secureConnect');
  expect(trusting.authorized).toBe(true);
});

test('a session that is resumed after the key was withdrawn', async () => {
  const host = await hostWithKey();
  const sessions: Buffer[] = [];
  const first = secureChannel(connect(host.port, HOST0), { identity, psk });
  first.on('session', (session) => sessions.push(session));
  await once(first, 'secureConnect');
  await expect.poll(() => host.channels.size, PATIENCE).toBe(1);
  const own = first.getSession();
  first.destroy();
  await expect.poll(() => host.channels.size, PATIENCE).toBe(0);
  host.keys.clear();
  for (const session of [...sessions, ...(own === undefined ? [] : [own])]) {
    await ended(tlsConnect({ ...TLS13, host: HOST0, port: host.port, session }));
  }
  expect(sessions.length + Number(own !== undefined)).toBeGreaterThan(0);
  await expect.poll(() => host.refused.length, PATIENCE).toBeGreaterThan(0);
  expect([host.channels.size, host.used]).toEqual([0, [identity]]);
});

test('bytes of a channel that are sent again, to host0 and to the node', async () => {
  const host = await hostWithKey();
  const recorded: { up: Buffer[]; down: Buffer[] } = { up: [], down: [] };
  const wire = createServer((near) => {
    const far = connect(host.port, HOST0);
    for (const end of [near, far]) end.on('error', () => {});
    near.on('data', (bytes) => {
      recorded.up.push(bytes);
      far.write(bytes);
    });
    far.on('data', (bytes) => {
      recorded.down.push(bytes);
      near.write(bytes);
    });
    near.on('close', () => far.destroy());
    far.on('close', () => near.destroy());
  });
  onTestFinished(() => void wire.close());
  const wirePort = await freePort();
  wire.listen(wirePort, HOST0);
  await once(wire, 'listening');
  const node = new ChannelNode(wirePort, { identity, psk });
  await expect.poll(() => host.channels.statusOf(machine), PATIENCE).toBeDefined();
  node.channel.close();
  await expect.poll(() => host.channels.size, PATIENCE).toBe(0);

  const replayed = connect(host.port, HOST0);
  replayed.write(Buffer.concat(recorded.up));
  await ended(replayed);
  await expect.poll(() => host.refused, PATIENCE).toEqual(['foreign']);
  expect([host.channels.size, host.used]).toEqual([0, [identity]]);

  const impostor = createServer((socket) => {
    socket.on('error', () => {});
    socket.write(Buffer.concat(recorded.down));
  });
  onTestFinished(() => void impostor.close());
  const port = await freePort();
  impostor.listen(port, HOST0);
  await once(impostor, 'listening');
  const deceived = new ChannelNode(port, { identity, psk });
  await expect.poll(() => codes(deceived.channel.health()), PATIENCE).toEqual(['MESH_CHANNEL_IMPOSTOR']);
  expect(deceived.channel.opened).toBe(0);
});

test('a second machine with the key of one whose channel answers', async () => {
  const host = await hostWithKey();
  const first = new ChannelNode(host.port, { identity, psk });
  await expect.poll(() => host.channels.size, PATIENCE).toBe(1);
  const second = new ChannelNode(host.port, { identity, psk });
  await expect.poll(() => codes(second.channel.health()), PATIENCE).toEqual(['MESH_MEMBER_DOUBLE']);
  expect(host.channels.health()).toEqual([
    expect.objectContaining({ code: 'MESH_MEMBER_DOUBLE', object: machine, severity: 'error' }),
  ]);
  expect(host.refused[0]).toBe('second');
  expect([first.channel.stands, first.channel.opened, second.channel.stands]).toEqual([true, 1, false]);
  expect(host.used).toEqual([identity]);
});

test('a machine comes back while its earlier channel is dead: after nine seconds the new one is taken', async () => {
  const clock = new ManualClock();
  const host = await ChannelHost.open({ clock });
  host.keys.set(identity, psk);
  const dead = secureChannel(connect(host.port, HOST0), { identity, psk });
  onTestFinished(() => void dead.destroy());
  await once(dead, 'secureConnect');
  await expect.poll(() => host.channels.size, PATIENCE).toBe(1);
  const node = new ChannelNode(host.port, { identity, psk });
  const passed = async (): Promise<boolean> => {
    await clock.pass(1_000);
    return node.channel.stands;
  };
  await expect.poll(passed, PATIENCE).toBe(true);
  expect(clock.nowMs()).toBeGreaterThanOrEqual(9_000);
  expect([host.refused, host.channels.size]).toEqual([[], 1]);
});

test('connections that say nothing, from many addresses: a member is served meanwhile', async () => {
  const member = '127.0.0.250';
  const host = await ChannelHost.open({ isMember: (peer) => peer === member });
  host.keys.set(identity, psk);
  const sockets = Array.from({ length: 200 }, (_, index) =>
    connect({ port: host.port, host: HOST0, localAddress: `127.0.1.${index % 100}` }).on('error', () => {}),
  );
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
  });
  await expect
    .poll(() => host.refused.filter((refusal) => refusal === 'too many').length, PATIENCE)
    .toBeGreaterThan(100);
  const node = new ChannelNode(
    host.port,
    { identity, psk },
    { connect: () => connect({ port: host.port, host: HOST0, localAddress: member }) },
  );
  await expect.poll(() => node.channel.stands, PATIENCE).toBe(true);
  expect(codes(host.channels.health())).toContain('MESH_CHANNEL_FOREIGN');
  expect(host.channels.health().length).toBeLessThanOrEqual(100);
});
