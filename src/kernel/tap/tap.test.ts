/** Taps on the real kernel, in a namespace of the test. */
import { spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { inside } from '../../../test/kit/namespaces.ts';
import { parseMac } from '../../model/address/mac.ts';
import { type TemporaryNetns, temporaryNetns } from '../netns.ts';
import { makeTap, openTap, removeTap } from './tap.ts';

let netns: TemporaryNetns;

beforeEach(() => {
  netns = temporaryNetns();
});

afterEach(() => netns.close());

interface TapView {
  readonly ifname: string;
  readonly flags: readonly string[];
  readonly linkinfo?: { readonly info_kind: string; readonly info_data: Record<string, unknown> };
}

function taps(): TapView[] {
  const links: TapView[] = JSON.parse(inside(netns.path, 'ip', '-j', '-d', 'link'));
  return links.filter(({ linkinfo }) => linkinfo?.info_kind === 'tun');
}

test('a tap stays when its maker has closed it', () => {
  makeTap('v00001001', { netns: netns.path });
  expect(taps().map(({ ifname }) => ifname)).toEqual(['v00001001']);
  expect(taps()[0]?.linkinfo?.info_data).toMatchObject({ type: 'tap', pi: false, vnet_hdr: true, persist: true });
});

test('a tap has its Ethernet address from its first moment on', () => {
  makeTap('v1', { netns: netns.path, mac: parseMac('fe:00:00:00:10:01') });
  expect(inside(netns.path, 'ip', '-br', 'link', 'show', 'v1')).toContain('fe:00:00:00:10:01');
});

test('a tap is made once', () => {
  makeTap('v1', { netns: netns.path });
  expect(() => makeTap('v1', { netns: netns.path })).toThrow("a device named v1 exists and is not Meshwork's");
});

/** The kernel tells of a lost carrier up to a second late (net/core/link_watch.c). */
const losesCarrier = () => expect.poll(() => taps()[0]?.flags).toContain('NO-CARRIER');

test('a tap has carrier while a process has it open, and one process at a time has it', async () => {
  makeTap('v1', { netns: netns.path });
  inside(netns.path, 'ip', 'link', 'set', 'v1', 'up');
  expect(taps()[0]?.flags).toContain('NO-CARRIER');
  const fd = openTap('v1', { netns: netns.path });
  try {
    expect(taps()[0]?.flags).toContain('LOWER_UP');
    expect(() => openTap('v1', { netns: netns.path })).toThrow(/open the tap v1: EBUSY/);
    expect(() => removeTap('v1', { netns: netns.path })).toThrow(/EBUSY/);
  } finally {
    closeSync(fd);
  }
  await losesCarrier();
});

test('a child holds the tap that it was given', async () => {
  makeTap('v1', { netns: netns.path });
  inside(netns.path, 'ip', 'link', 'set', 'v1', 'up');
  const fd = openTap('v1', { netns: netns.path });
  const child = spawn('cat', [], { stdio: ['pipe', 'ignore', 'ignore', fd] });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  closeSync(fd);
  expect(taps()[0]?.flags).toContain('LOWER_UP');
  child.stdin?.end();
  await ended;
  await losesCarrier();
});

test('opening makes no tap where there is none', () => {
  expect(() => openTap('v1', { netns: netns.path })).toThrow(/there is no tap v1/);
  expect(taps()).toEqual([]);
});

test('a device that is no tap is not opened', () => {
  inside(netns.path, 'ip', 'link', 'add', 'v1', 'type', 'bridge');
  expect(() => openTap('v1', { netns: netns.path })).toThrow(/open the tap v1: E/);
});

test('a tap that nobody has open is removed', () => {
  makeTap('v1', { netns: netns.path });
  removeTap('v1', { netns: netns.path });
  expect(taps()).toEqual([]);
});
