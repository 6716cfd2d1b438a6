/** What host0 reads from DHCP and TFTP frames, and which of two host0s is senior. */
import { expect, test } from 'vitest';
import { BROADCAST_MAC } from '../../kernel/sockets/ethernet.ts';
import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { Mac } from '../../model/address/mac.ts';
import { type DhcpFields, encodeDhcp, OPTION } from './dhcp-packet.ts';
import { type Host0Mark, type Installation, isSenior } from './host0-mark.ts';
import { observe } from './observation.ts';
import { BROADCAST_IPV4, encodeUdpFrame, NO_IPV4, type UdpEnd } from './udp-frame.ts';

const CLIENT: UdpEnd = { mac: '52:54:00:12:34:56' as Mac, ipv4: NO_IPV4, port: 68 };
const SERVER: UdpEnd = { mac: '02:00:00:00:00:01' as Mac, ipv4: '10.0.0.1' as Ipv4, port: 67 };
const ALL_HOSTS = { mac: BROADCAST_MAC, ipv4: BROADCAST_IPV4 };
const EAR = { device: 'eth1', nowMs: 7 };

type Option = readonly [number, Uint8Array];

function seen(from: UdpEnd, to: UdpEnd, payload: Buffer, outgoing = false) {
  return observe(encodeUdpFrame({ from, to, payload }), outgoing, EAR);
}

function asked(...options: readonly Option[]) {
  const payload = encodeDhcp({
    op: 1,
    chaddr: CLIENT.mac,
    options: [[OPTION.messageType, Uint8Array.of(1)], ...options],
  });
  return seen(CLIENT, { ...ALL_HOSTS, port: 67 }, payload)?.sighting;
}

function said(type: number, fields: Partial<DhcpFields>, options: readonly Option[], outgoing = false) {
  const all: Option[] = [
    [OPTION.messageType, Uint8Array.of(type)],
    [OPTION.serverId, Uint8Array.of(10, 0, 0, 1)],
    ...options,
  ];
  const payload = encodeDhcp({ ...fields, op: 2, chaddr: CLIENT.mac, options: all });
  return seen(SERVER, { ...ALL_HOSTS, port: 68 }, payload, outgoing);
}

const text = (code: number, value: string): Option => [code, Buffer.from(value, 'latin1')];

test('firmware that leaves option 93 out names its architecture in its class', () => {
  expect(asked(text(OPTION.vendorClass, 'PXEClient:Arch:00007:UNDI:003016'))).toMatchObject({ architecture: 7 });
  expect(asked(text(OPTION.vendorClass, 'HTTPClient:Arch:00016'))).toMatchObject({ architecture: 16 });
  expect(asked(text(OPTION.vendorClass, 'PXEClient'))).not.toHaveProperty('architecture');
});

test('a refusal tells why, and a question is given on as it came, unless this host or a relay asks', () => {
  expect(said(6, {}, [text(OPTION.message, 'address in use')], true)?.sighting).toMatchObject({
    message: 'NAK',
    ours: true,
    why: 'address in use',
  });
  const fields = { op: 1, chaddr: CLIENT.mac, options: [[OPTION.messageType, Uint8Array.of(1)]] } as const;
  const to = { ...ALL_HOSTS, port: 67 };
  const question = encodeDhcp(fields);
  expect(seen(CLIENT, to, question)?.question).toEqual(question);
  expect(seen(CLIENT, to, question, true)).toBeUndefined();
  expect(seen(CLIENT, to, encodeDhcp({ ...fields, giaddr: '10.9.0.1' as Ipv4 }))?.question).toBeUndefined();
});

test('the kind of client: firmware, iPXE in either spelling, HTTP boot, a system', () => {
  const pxe = text(OPTION.vendorClass, 'PXEClient:Arch:00007:UNDI:003016');
  expect(asked(pxe, [OPTION.clientArchitecture, Uint8Array.of(0, 7)])).toEqual({
    kind: 'dhcp',
    atMs: 7,
    device: 'eth1',
    message: 'DISCOVER',
    mac: CLIENT.mac,
    port: 67,
    client: 'firmware',
    architecture: 7,
  });
  expect(asked(pxe, text(OPTION.userClass, 'iPXE'))).toMatchObject({ client: 'ipxe' });
  expect(asked(pxe, text(OPTION.userClass, '\x04iPXE'))).toMatchObject({ client: 'ipxe' });
  expect(asked(pxe, [OPTION.ipxe, Uint8Array.of(0x13, 1, 1)])).toMatchObject({ client: 'ipxe' });
  expect(asked(text(OPTION.vendorClass, 'HTTPClient:Arch:00016'))).toMatchObject({ client: 'http boot' });
  expect(asked(text(OPTION.vendorClass, 'udhcp 1.35'))).toMatchObject({ client: 'system' });
});

test('the UUID is spelt as Linux prints it, and left out if it is malformed', () => {
  const guid = Buffer.from('0033221100554477668899aabbccddeeff', 'hex');
  expect(asked([OPTION.machineId, guid])).toMatchObject({ uuid: '00112233-4455-6677-8899-aabbccddeeff' });
  for (const length of [0, 1, 16, 18]) {
    expect(asked([OPTION.machineId, Buffer.alloc(length, 1)])).not.toHaveProperty('uuid');
  }
});

test('a message of a server: host0’s own, or a foreign one with its subnet', () => {
  const offer = { yiaddr: '10.0.0.77' as Ipv4, file: 'undionly.kpxe' };
  const mask: Option = [OPTION.subnetMask, Uint8Array.of(255, 255, 255, 128)];
  expect(said(2, offer, [mask], true)).toMatchObject({
    sighting: { message: 'OFFER', ours: true, server: '10.0.0.1', address: '10.0.0.77', bootFile: 'undionly.kpxe' },
  });
  expect(said(2, offer, [mask], true)).not.toHaveProperty('server');
  expect(said(2, offer, [mask])?.server).toEqual({
    server: '10.0.0.1',
    mac: SERVER.mac,
    gives: 'addresses',
    subnet: '10.0.0.0/25',
  });
  // A proxy gives no address; a NAK carries none; a mask with holes is ignored.
  expect(said(2, { file: 'x' }, [])?.server).toMatchObject({ gives: 'boot files' });
  expect(said(6, {}, [])?.server).toMatchObject({ gives: 'addresses' });
  expect(said(5, offer, [[OPTION.subnetMask, Uint8Array.of(255, 0, 255, 0)]])?.server).not.toHaveProperty('subnet');
});

test('TFTP: requests and errors are seen, the question for a size is not', () => {
  const client = { ...CLIENT, ipv4: '10.0.0.77' as Ipv4, port: 2070 };
  const server = { ...SERVER, port: 69 };
  const request = Buffer.from('\0\x01undionly.kpxe\0octet\0', 'latin1');
  expect(seen(client, server, request)?.sighting).toMatchObject({
    mac: CLIENT.mac,
    file: 'undionly.kpxe',
    outcome: { type: 'asked' },
  });
  expect(seen(server, client, Buffer.from('\0\x05\0\x01not found\0', 'latin1'), true)?.sighting).toMatchObject({
    mac: CLIENT.mac,
    outcome: { type: 'refused', why: 'error 1 not found' },
  });
  expect(seen(client, server, Buffer.from('\0\x05\0\x08User aborted\0', 'latin1'))).toBeUndefined();
  expect(seen(client, server, Buffer.from('\0\x05\0\x03full\0', 'latin1'))?.sighting).toMatchObject({
    outcome: { why: 'the machine broke off: error 3 full' },
  });
  // A name without its end, and an empty name.
  expect(seen(client, server, Buffer.from('\0\x01undionly', 'latin1'))).toBeUndefined();
  expect(seen(client, server, Buffer.from('\0\x01\0octet\0', 'latin1'))).toBeUndefined();
});

test('two host0s agree on which of them is senior', () => {
  const mark = (installation: string, ageMs: number, passive = false): Host0Mark => ({
    installation: installation as Installation,
    ageMs,
    reply: false,
    passive,
  });
  expect(isSenior(mark('bbbbbbbb', 9000), mark('aaaaaaaa', 1000))).toBe(true);
  expect(isSenior(mark('aaaaaaaa', 1000), mark('bbbbbbbb', 9000))).toBe(false);
  expect(isSenior(mark('bbbbbbbb', 1500), mark('aaaaaaaa', 1000))).toBe(false);
  expect(isSenior(mark('aaaaaaaa', 1000), mark('bbbbbbbb', 1500))).toBe(true);
  expect(isSenior(mark('bbbbbbbb', 9000, true), mark('aaaaaaaa', 1000))).toBe(false);
});

test('the name of a file by TFTP is shown as it came', () => {
  const read = (name: Buffer) =>
    seen(CLIENT, { ...SERVER, port: 69 }, Buffer.concat([Buffer.of(0, 1), name, Buffer.from('\0octet\0')]))?.sighting;
  expect(read(Buffer.from('undionly.kpxe\xff', 'latin1'))).toMatchObject({ file: 'undionly.kpxe\\xff' });
  expect(read(Buffer.from('a\\b\x1b[2J'))).toMatchObject({ file: 'a\\x5cb\\x1b[2J' });
});
