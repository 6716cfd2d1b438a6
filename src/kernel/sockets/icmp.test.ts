/** ICMP echo messages in bytes. */
import { expect, test } from 'vitest';
import { decodeEchoMessage, encodeEchoRequest } from './icmp.ts';

const payload = Buffer.from('mesh');

test('an IPv4 request equals what ping sends, with its checksum', () => {
  expect(encodeEchoRequest(4, 0x1234, 1, payload).toString('hex')).toBe('080004fd123400016d657368');
});

test('the checksum of an IPv6 request is left to the kernel', () => {
  expect(encodeEchoRequest(6, 0x1234, 1, payload).toString('hex')).toBe('80000000123400016d657368');
});

test('replies are read with IP header (IPv4) and without (IPv6)', () => {
  const reply = { kind: 'reply', id: 0x1234, sequence: 1, payload };
  expect(decodeEchoMessage(6, Buffer.from('81000000123400016d657368', 'hex'))).toEqual(reply);
  const header = Buffer.alloc(24);
  header[0] = 0x46;
  expect(decodeEchoMessage(4, Buffer.concat([header, Buffer.from('00000000123400016d657368', 'hex')]))).toEqual(reply);
});

test('«too big» names the echo that it quotes', () => {
  const ipv6 = Buffer.alloc(40);
  ipv6[6] = 58;
  const request = encodeEchoRequest(6, 7, 8, payload);
  const message = Buffer.concat([Buffer.from('0200000000000500', 'hex'), ipv6, request]);
  expect(decodeEchoMessage(6, message)).toEqual({ kind: 'too-big', id: 7, sequence: 8, mtuBytes: 1280 });
  ipv6[6] = 17;
  expect(decodeEchoMessage(6, Buffer.concat([Buffer.from('0200000000000500', 'hex'), ipv6, request]))).toBeUndefined();
});

test('a packet cut short at any byte is ignored', () => {
  const ipv4 = Buffer.alloc(20);
  ipv4[0] = 0x45;
  ipv4[9] = 1;
  const error = Buffer.concat([
    ipv4,
    Buffer.from('0304000000000500', 'hex'),
    ipv4,
    encodeEchoRequest(4, 7, 8, payload),
  ]);
  expect(decodeEchoMessage(4, error)).toEqual({ kind: 'too-big', id: 7, sequence: 8, mtuBytes: 1280 });
  for (let length = 0; length < error.length - payload.length; length++) {
    expect(decodeEchoMessage(4, error.subarray(0, length))).toBeUndefined();
  }
});
