/** The driver over a real socket: bytes that were captured from libvirt's own programs, and clients that mean no good. */
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ManualClock } from '../../../test/kit/manual-clock.ts';
import { MemoryVirtualNetworks } from '../../../test/kit/memory-virtual-networks.ts';
import { SERVER_LIMITS, type ServerLimits } from '../rpc/limits.ts';
import { RpcServer } from '../rpc/rpc-server.ts';
import { driverFor } from './driver.ts';

const UUID = '11111111-2222-3333-4444-555555555555';
const RED = `<network><name>red</name><uuid>${UUID}</uuid></network>`;

let directory: string;
let networks: MemoryVirtualNetworks;
let clock: ManualClock;
const closers: (() => void)[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'libvirt-'));
  networks = new MemoryVirtualNetworks();
  clock = new ManualClock();
});

afterEach(async () => {
  for (const close of closers.splice(0)) close();
  await rm(directory, { recursive: true });
});

const told: string[] = [];

async function served(limits: Partial<ServerLimits> = {}, isReadOnly = false): Promise<RpcServer> {
  told.length = 0;
  const server: RpcServer = new RpcServer({
    clock,
    journal: { record: ({ kind, message = '' }) => void (kind !== 'libvirt client connected' && told.push(message)) },
    limits: { ...SERVER_LIMITS, ...limits },
    answerer: (peer) =>
      driverFor({
        networks,
        peer,
        isReadOnly,
        maxCallbacks: server.limits.callbacks,
        onFault: (fault) => void told.push(String(fault)),
      }),
  });
  const listener = server.listener({ isReadOnly });
  closers.push(() => {
    server.close();
    listener.close();
  });
  await new Promise<void>((done) => listener.listen(join(directory, 's'), done));
  return server;
}

/** One client that sends words in hex, and collects what comes. */
class Peer {
  readonly socket: Socket;
  #bytes = Buffer.alloc(0);
  #news: () => void = () => undefined;
  closed = false;

  constructor() {
    this.socket = connect(join(directory, 's'));
    this.socket.on('data', (piece: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, piece]);
      this.#news();
    });
    this.socket.on('error', () => undefined);
    this.socket.on('close', () => {
      this.closed = true;
      this.#news();
    });
    closers.push(() => this.socket.destroy());
  }

  send(words: string): void {
    this.socket.write(Buffer.from(words.replaceAll(/\s/g, ''), 'hex'));
  }

  /** The next whole frame in hex, as words. */
  async frame(): Promise<string> {
    await this.#until(() => this.#bytes.length >= 4 && this.#bytes.length >= this.#bytes.readUInt32BE(0));
    const length = this.#bytes.readUInt32BE(0);
    const frame = this.#bytes.subarray(0, length);
    this.#bytes = this.#bytes.subarray(length);
    return (frame.toString('hex').match(/.{8}/g) ?? []).join(' ');
  }

  async ended(): Promise<void> {
    await this.#until(() => this.closed);
  }

  async #until(isSo: () => boolean): Promise<void> {
    while (!isSo()) {
      if (this.closed) throw new Error('the connection was closed');
      await new Promise<void>((done) => {
        this.#news = done;
      });
    }
  }
}

const text = (value: string) => Buffer.from(value).toString('hex');
const AUTH_LIST = '0000001c 20008086 00000001 00000042 00000000 00000000 00000000';
const OPEN = `0000003c 20008086 00000001 00000001 00000000 00000002 00000000 00000001 00000011 ${text('network:///system')}000000 00000000`;
const OPENED = '0000001c 20008086 00000001 00000001 00000001 00000002 00000000';

async function opened(): Promise<Peer> {
  const peer = new Peer();
  peer.send(OPEN);
  expect(await peer.frame()).toBe(OPENED);
  return peer;
}

describe('bytes of a real client', () => {
  test('get the bytes of a real server', async () => {
    await served();
    const peer = new Peer();
    peer.send(AUTH_LIST);
    expect(await peer.frame()).toBe('00000024 20008086 00000001 00000042 00000001 00000000 00000000 00000001 00000000');
    peer.send('00000020 20008086 00000001 0000003c 00000000 00000001 00000000 0000000a');
    expect(await peer.frame()).toBe('00000020 20008086 00000001 0000003c 00000001 00000001 00000000 00000001');
    peer.send(OPEN);
    expect(await peer.frame()).toBe(OPENED);
    peer.send(`00000028 20008086 00000001 0000002e 00000000 00000003 00000000 00000006 ${text('nosuch')}0000`);
    const error = await peer.frame();
    const message = text("Network not found: no network with matching name 'nosuch'");
    expect(error.replaceAll(' ', '')).toContain(
      `200080860000000100 00002e00000001000000030000000 10000002b000000130000000100000039${message}`.replaceAll(
        ' ',
        '',
      ),
    );
  });

  test('arrive in pieces of one byte', async () => {
    await served();
    const peer = new Peer();
    for (const byte of AUTH_LIST.replaceAll(' ', '').match(/../g) ?? []) peer.send(byte);
    expect(await peer.frame()).toMatch(/^00000024 /);
  });

  test('ask for an event, which comes behind the answer to the call that caused it', async () => {
    await served();
    const peer = await opened();
    peer.send('00000024 20008086 00000001 00000139 00000000 00000003 00000000 00000000 00000000');
    expect(await peer.frame()).toBe('00000020 20008086 00000001 00000139 00000001 00000003 00000000 00000000');
    const xml = Buffer.from(RED);
    const length = 28 + 4 + Math.ceil(xml.length / 4) * 4;
    const word = (value: number) => value.toString(16).padStart(8, '0');
    peer.send(
      `${word(length)} 20008086 00000001 00000029 00000000 00000004 00000000 ${word(xml.length)} ${xml.toString('hex').padEnd((length - 32) * 2, '0')}`,
    );
    expect(await peer.frame()).toMatch(/^0000003. 20008086 00000001 00000029 00000001 00000004 00000000/);
    const key = `00000003 ${text('red')}00 ${UUID.replaceAll('-', '')
      .replaceAll(/(.{8})/g, '$1 ')
      .trim()}`;
    expect(await peer.frame()).toBe(
      `00000040 20008086 00000001 0000013b 00000002 00000001 00000000 00000000 ${key} 00000000 00000000`,
    );
  });

  test('ping, and get a pong', async () => {
    await served();
    const peer = new Peer();
    peer.send('0000001c 6b656570 00000001 00000001 00000002 00000000 00000000');
    expect(await peer.frame()).toBe('0000001c 6b656570 00000001 00000002 00000002 00000000 00000000');
  });
});

describe('a client that is not as it should be', () => {
  test.each([
    ['an unknown procedure', '0000001c 20008086 00000001 00000033 00000000 00000005 00000000', 'unknown procedure: 51'],
    ['another program', '0000001c 20008087 00000001 00000001 00000000 00000005 00000000', 'Cannot find program'],
    ['another version', '0000001c 20008086 00000002 00000001 00000000 00000005 00000000', 'Cannot find program'],
    ['a status', '0000001c 20008086 00000001 00000034 00000000 00000005 00000001', 'Unexpected message status 1'],
    [
      'arguments that are missing',
      '0000001c 20008086 00000001 0000002e 00000000 00000005 00000000',
      'Unable to decode',
    ],
    [
      'a text without its bytes',
      '00000020 20008086 00000001 0000002e 00000000 00000005 00000000 003fffff',
      'Unable to decode',
    ],
    [
      'a text that is not UTF-8',
      '00000024 20008086 00000001 0000002e 00000000 00000005 00000000 00000004 fffefdfc',
      'Unable to decode',
    ],
    [
      'a text with a zero byte',
      '00000024 20008086 00000001 0000002e 00000000 00000005 00000000 00000004 61006262',
      'Unable to decode',
    ],
    ['bytes too many', '00000020 20008086 00000001 00000034 00000000 00000005 00000000 00000000', 'Unable to decode'],
    ['a second open', OPEN, 'connection already open'],
    [
      'unknown flags',
      `00000024 20008086 00000001 0000011b 00000000 00000005 00000000 00000001 00000040`,
      'unsupported flags (0x40) in function connectListAllNetworks',
    ],
  ])('%s: is answered with an error, and goes on', async (_, words, message) => {
    await served();
    const peer = await opened();
    peer.send(words);
    expect((await peer.frame()).replaceAll(' ', '')).toContain(text(message));
    peer.send(AUTH_LIST);
    expect(await peer.frame()).toMatch(/^00000024 /);
  });

  test('a call before the connection is open', async () => {
    await served();
    const peer = new Peer();
    peer.send('0000001c 20008086 00000001 00000034 00000000 00000000 00000000');
    expect((await peer.frame()).replaceAll(' ', '')).toContain(text('internal error: connection not open'));
  });

  test.each([
    ['a length of zero', '00000000 20008086'],
    ['a length without a header', '00000010 20008086 00000001 00000042'],
    ['a length beyond all limits', '7fffffff 20008086'],
    ['a reply', '0000001c 20008086 00000001 00000042 00000001 00000000 00000000'],
    ['a stream', '0000001c 20008086 00000001 00000042 00000003 00000000 00000000'],
    ['HTTP', text('GET / HTTP/1.1\r\nHost: host0\r\n\r\n')],
  ])('%s: is cut off, and others notice nothing', async (_, words) => {
    const server = await served();
    const other = await opened();
    const peer = new Peer();
    peer.send(words);
    await peer.ended();
    other.send(AUTH_LIST);
    expect(await other.frame()).toMatch(/^00000024 /);
    expect(server.clients).toBe(1);
    expect(told.join()).toContain('a client was cut off');
  });

  test('half a request is waited for with patience, and not for ever', async () => {
    await served();
    const peer = await opened();
    peer.send('0000001c 20008086');
    const other = await opened();
    await clock.pass(SERVER_LIMITS.patienceMs - 1);
    other.send(AUTH_LIST);
    await other.frame();
    expect(peer.closed).toBe(false);
    await clock.pass(1);
    await peer.ended();
    expect(other.closed).toBe(false);
  });

  test('one that floods and does not read is cut off', async () => {
    await served({ unreadBytes: 100_000 });
    const peer = await opened();
    const other = await opened();
    peer.socket.pause();
    networks.given = [];
    const call = Buffer.from(AUTH_LIST.replaceAll(' ', ''), 'hex');
    const flood = Buffer.concat(Array.from({ length: 20_000 }, () => call));
    peer.socket.write(flood);
    for (let round = 0; round < 200 && told.length === 0; round++) {
      other.send(AUTH_LIST);
      expect(await other.frame()).toMatch(/^00000024 /);
      await clock.pass(1_000);
    }
    expect(told.join()).toMatch(/cut off/);
  });

  test('clients beyond the limit are not taken', async () => {
    await served({ clients: 1 });
    const peer = await opened();
    const second = new Peer();
    await second.ended();
    peer.send(AUTH_LIST);
    expect(await peer.frame()).toMatch(/^00000024 /);
  });

  test('one that answers no pings is cut off', async () => {
    await served();
    const peer = await opened();
    peer.send('00000020 20008086 00000001 0000003c 00000000 00000001 00000000 0000000a');
    await peer.frame();
    for (let count = 0; count < 5; count++) {
      await clock.pass(5_000);
      expect(await peer.frame()).toBe('0000001c 6b656570 00000001 00000001 00000002 00000000 00000000');
    }
    await clock.pass(5_000);
    await peer.ended();
  });
});

test('a client at the socket for reading changes nothing', async () => {
  await served({}, true);
  const peer = await opened();
  peer.send(`00000024 20008086 00000001 00000029 00000000 00000005 00000000 00000003 ${text('red')}00`);
  expect((await peer.frame()).replaceAll(' ', '')).toContain(
    text('operation forbidden: read only access prevents virNetworkDefineXML'),
  );
  expect(networks.list()).toEqual([]);
});
