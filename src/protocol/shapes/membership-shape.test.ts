/** What a node accepts from whoever answers as host0: documents in their form, and nothing else. */
import { describe, expect, test } from 'vitest';
import { manage, memberNumber } from '../../../test/kit/networks.ts';
import { MEMBERS_MAX } from '../documents/membership.ts';
import { membershipEventReader, readReportAnswer } from './membership-shape.ts';
import { SEGMENTS_MAX } from './parts.ts';

const version = { epoch: '0a1b', revision: 7 };
const member = memberNumber(manage, 1);
const snapshot = { type: 'snapshot', version, members: [member, memberNumber(manage, 2)], segments: ['10.11.0.0/24'] };
const join = { type: 'join', version, member };
const readEvent = membershipEventReader(manage);

test('a snapshot, a join and an answer are taken as they are', () => {
  expect(readEvent(JSON.stringify(snapshot))).toEqual(snapshot);
  expect(readEvent(JSON.stringify(join))).toEqual(join);
  const accepted = { accepted: true, version, segments: ['10.11.0.0/24'] };
  expect(readReportAnswer(JSON.stringify(accepted))).toEqual(accepted);
});

test('an error document is a refusal, its code one that this version knows', () => {
  expect(readReportAnswer('{"code":"toString","message":"x"}')).toEqual({
    accepted: false,
    error: { code: 'MESH_INTERNAL', message: 'x' },
  });
});

const withMember = (change: object) => ({ ...join, member: { ...member, ...change } });

describe('an event is refused whole with', () => {
  test.each<[string, unknown]>([
    ['nft in the place of an IPv4', withMember({ ipv4: '10.11.0.7 }\nadd table ip evil\n' })],
    ['a multicast IPv4', withMember({ ipv4: '224.0.0.1' })],
    ['a loopback IPv4', withMember({ ipv4: '127.0.0.1' })],
    ['a group MAC', withMember({ mac: '01:00:5e:00:00:01' })],
    ['the zero MAC', withMember({ mac: '00:00:00:00:00:00' })],
    ['an IPv6 of another prefix', withMember({ ipv6: 'fd99::1' })],
    ['an IPv6 that is not canonical', withMember({ ipv6: member.ipv6.toUpperCase() })],
    ['a name with a blank', withMember({ name: 'node 1' })],
    ['a member that is a text', { ...join, member: 'x' }],
    ['no member', { type: 'leave', version }],
    ['an unknown type', { ...join, type: 'evict' }],
    ['no version', { ...join, version: undefined }],
    ['half of the Internet as a segment', { ...snapshot, segments: ['128.0.0.0/1'] }],
    ['a default route as a segment', { ...snapshot, segments: ['0.0.0.0/0'] }],
    ['a segment that is null', { ...snapshot, segments: [null] }],
    ['segments that only look like a list', { ...snapshot, segments: { length: 3 } }],
    [
      'too many segments',
      { ...snapshot, segments: Array.from({ length: SEGMENTS_MAX + 1 }, (_, i) => `10.${i}.0.0/16`) },
    ],
    ['too many members', { ...snapshot, members: Array.from({ length: MEMBERS_MAX + 2 }, () => member) }],
    ['members that are a number', { ...snapshot, members: 3 }],
    ['nothing but null', null],
  ])('%s', (_, event) => {
    expect(() => readEvent(JSON.stringify(event))).toThrow(expect.objectContaining({ code: 'MESH_HOST0_MALFORMED' }));
  });

  test('no JSON', () => {
    expect(() => readEvent('{')).toThrow(expect.objectContaining({ code: 'MESH_HOST0_MALFORMED' }));
  });
});

test.each<[string, string]>([
  ['no segments', '{"accepted":true}'],
  ['a null among the segments', '{"accepted":true,"version":{"epoch":"a","revision":1},"segments":[null]}'],
  [
    'segments that only look like a list',
    '{"accepted":true,"version":{"epoch":"a","revision":1},"segments":{"length":3}}',
  ],
  ['neither answer nor error', '{"accepted":"yes"}'],
  ['an error without its document', '{"accepted":false}'],
])('an answer with %s is refused', (_, body) => {
  expect(() => readReportAnswer(body)).toThrow(expect.objectContaining({ code: 'MESH_HOST0_MALFORMED' }));
});
