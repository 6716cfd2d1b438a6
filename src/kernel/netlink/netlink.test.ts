/** Decoding netlink messages: from golden, random and truncated bytes. */
import { expect, test } from 'vitest';
import { MeshError } from '../../model/error.ts';
import { readAddress } from '../rtnl/address.ts';
import { readFdbEntry } from '../rtnl/fdb.ts';
import { readLink, readPortChange } from '../rtnl/link.ts';
import { readNeighbour } from '../rtnl/neighbour.ts';
import { readRoute } from '../rtnl/route.ts';
import { acknowledgement } from './acknowledgement.ts';
import { AttributeTable } from './attribute-table.ts';
import { MessageWriter } from './message-writer.ts';
import { type Message, messages } from './netlink.ts';

function bytes(...parts: readonly string[]): Buffer {
  return Buffer.from(parts.join('').replaceAll(' ', ''), 'hex');
}

function only(buffer: Buffer): Message {
  const [message] = messages(buffer);
  if (message === undefined) throw new Error('no message');
  return message;
}

test('several messages in one buffer are read with their headers', () => {
  const two = bytes('11000000 1000 0200 07000000 0a000000 ff 000000', '10000000 0300 0000 08000000 00000000');
  expect([...messages(two)].map(({ bytes: _, ...rest }) => rest)).toEqual([
    { type: 16, flags: 2, sequence: 7, portId: 10, start: 16, end: 17 },
    { type: 3, flags: 0, sequence: 8, portId: 0, start: 36, end: 36 },
  ]);
});

test.each([
  ['shorter than a header', '0f000000 1000 0000 00000000 00000000'],
  ['longer than what arrived', '14000000 1000 0000 00000000 00000000'],
])('a message %s is refused', (_, hex) => {
  expect(() => [...messages(bytes(hex))]).toThrow(MeshError);
});

test('an attribute that ends outside its message is refused, also when nested', () => {
  const table = new AttributeTable(2);
  expect(() => table.parse(bytes('0900 0100 00000000'), 0, 8)).toThrow(MeshError);
  expect(() => table.parse(bytes('0300 0100'), 0, 4)).toThrow(MeshError);
  const inner = new AttributeTable(1);
  table.parse(bytes('0c00 0200 0900 0100 00000000'), 0, 12);
  expect(() => inner.parseNested(table, 2)).toThrow(MeshError);
});

test('an attribute too short for a number is refused; an absent one is 0', () => {
  const table = new AttributeTable(2).parse(bytes('0600 0100 0000 0000'), 0, 8);
  expect(() => table.u32(1)).toThrow(MeshError);
  expect(table.u32(2)).toBe(0);
});

test('the text of an extended acknowledgement is read after a whole and after a capped request', () => {
  const header = '14000000 1000 0500 05000000 00000000';
  const text = '0700 0100 6e6f00 00';
  const capped = bytes('2c000000 0200 0003 05000000 00000000', 'efffffff', header, text);
  const whole = bytes('30000000 0200 0002 05000000 00000000', 'efffffff', header, 'aabbccdd', text);
  expect(acknowledgement(only(capped))).toEqual({ sequence: 5, errno: 17, text: 'no' });
  expect(acknowledgement(only(whole))).toEqual({ sequence: 5, errno: 17, text: 'no' });
});

test('a thousand written messages are read back', () => {
  const writer = new MessageWriter();
  for (let number = 0; number < 1000; number++) {
    writer.begin(number % 64, 0);
    writer.u32(number);
    writer.nested(1, () => writer.attributeText(2, 'x'.repeat(number % 100)));
    writer.end();
  }
  const outer = new AttributeTable(1);
  const inner = new AttributeTable(2);
  let count = 0;
  for (const message of messages(writer.bytes)) {
    expect(message.sequence).toBe(count);
    expect(message.bytes.readUInt32LE(message.start)).toBe(count);
    inner.parseNested(outer.parse(message.bytes, message.start + 4, message.end), 1);
    expect(inner.text(2)).toBe('x'.repeat(count % 100));
    count++;
  }
  expect(count).toBe(1000);
});

/** Bytes from a seed, so that a failure can be repeated (xorshift32). */
function randomBytes(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) & 255;
  };
}

test('decoders return an object or throw a MeshError for random bytes', () => {
  const seed = Date.now() & 0x7fffffff || 1;
  console.log(`seed ${seed}`);
  const random = randomBytes(seed);
  const decoders = [readLink, readPortChange, readAddress, readRoute, readNeighbour, readFdbEntry, acknowledgement];
  const end = performance.now() + 1000;
  for (let round = 0; round < 200_000 && performance.now() < end; round++) {
    const buffer = Buffer.from(Array.from({ length: 16 + (random() % 200) }, random));
    buffer.writeUInt32LE(buffer.length - (random() % 8), 0);
    // Plausible lengths and types, so that more than the first attribute is decoded.
    for (let at = 16 + (random() % 20); at + 4 < buffer.length; at += 4 + (random() % 5) * 4) {
      buffer.writeUInt32LE((random() % 40) | ((random() % 64) << 16), at);
    }
    try {
      for (const message of messages(buffer)) for (const decode of decoders) decode(message);
    } catch (error) {
      expect(error, `seed ${seed} round ${round}`).toBeInstanceOf(MeshError);
    }
  }
});

test('a message truncated at any byte is refused or read up to its end', () => {
  const writer = new MessageWriter();
  writer.begin(16, 0);
  for (let i = 0; i < 4; i++) writer.u32(i);
  writer.attributeText(3, 'vxlan456');
  writer.nested(18, () => {
    writer.attributeText(1, 'vxlan');
    writer.nested(2, () => writer.attributeU32(1, 456));
  });
  writer.end();
  for (let length = 16; length < writer.bytes.length; length++) {
    const cut = Buffer.from(writer.bytes.subarray(0, length));
    cut.writeUInt32LE(length, 0);
    try {
      readLink(only(cut));
    } catch (error) {
      expect(error).toBeInstanceOf(MeshError);
    }
  }
});
