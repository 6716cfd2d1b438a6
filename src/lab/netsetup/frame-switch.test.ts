import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { vmMac } from '../topologies/vm-address.ts';
import { FrameSwitch, type LinkEffects } from './frame-switch.ts';

const ALL = 'ff:ff:ff:ff:ff:ff';

function frame(to: string, from: string, text: string): Buffer {
  const content = Buffer.concat([
    Buffer.from(`${to}:${from}`.replaceAll(':', ''), 'hex'),
    Buffer.from('0800', 'hex'),
    Buffer.from(text),
  ]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(content.length);
  return Buffer.concat([length, content]);
}

async function network(links: Readonly<Record<string, LinkEffects>> = {}, random = () => 0.5) {
  const directory = mkdtempSync(join(tmpdir(), 'mw-switch-'));
  const path = join(directory, 's');
  const frames = new FrameSwitch({ linkOf: (name) => links[name] ?? {}, random });
  await frames.listen(path);
  onTestFinished(() => {
    frames.close();
    rmSync(directory, { recursive: true });
  });
  const heard: string[][] = [];
  const machines: Socket[] = [];
  for (const number of [1, 2, 3]) {
    const socket = connect(path);
    await once(socket, 'connect');
    const own: string[] = [];
    socket.on('data', (chunk: Buffer) => own.push(...(chunk.toString('latin1').match(/<[^>]*>/g) ?? [])));
    heard.push(own);
    machines.push(socket);
    onTestFinished(() => {
      socket.destroy();
    });
    expect(number).toBe(heard.length);
  }
  return { frames, heard, machines };
}

test('frames go to all until the switch has learnt where an address is', async () => {
  const { heard, machines } = await network();
  machines[0]?.write(frame(vmMac(1, 2), vmMac(1, 1), '<first>'));
  await expect.poll(() => heard).toEqual([[], ['<first>'], ['<first>']]);
  const answer = frame(vmMac(1, 1), vmMac(1, 2), '<answer>');
  // In pieces, as a stream may bring them.
  machines[1]?.write(answer.subarray(0, 3));
  machines[1]?.write(answer.subarray(3));
  await expect.poll(() => heard[0]).toEqual(['<answer>']);
  machines[0]?.write(Buffer.concat([frame(vmMac(1, 2), vmMac(1, 1), '<a>'), frame(ALL, vmMac(1, 1), '<b>')]));
  await expect.poll(() => heard[1]).toEqual(['<first>', '<a>', '<b>']);
  expect(heard[2]).toEqual(['<first>', '<b>']);
});

test('links lose and delay frames, and large ones vanish', async () => {
  const { heard, machines } = await network({
    'vm-001': { lossPercent: 60 },
    'vm-002': { delayMs: 30 },
    'vm-003': { mtuBytes: 1_280 },
  });
  const startedMs = performance.now();
  machines[0]?.write(frame(ALL, vmMac(1, 1), '<lost>'));
  machines[1]?.write(frame(ALL, vmMac(1, 2), '<late>'));
  await expect.poll(() => heard[2]).toEqual(['<late>']);
  expect(performance.now() - startedMs).toBeGreaterThan(25);
  machines[2]?.write(frame(ALL, vmMac(1, 3), `<${'x'.repeat(1_400)}>`));
  machines[2]?.write(frame(ALL, vmMac(1, 3), '<small>'));
  await expect.poll(() => heard[1]).toEqual(['<small>']);
  // The link of the first machine loses what comes to it, too.
  expect(heard[0]).toEqual([]);
});

test('a machine that sends from many addresses makes the switch forget the oldest', async () => {
  const { heard, machines } = await network();
  machines[0]?.write(frame(vmMac(1, 3), vmMac(1, 1), '<hello>'));
  await expect.poll(() => heard[1]).toEqual(['<hello>']);
  const address = (index: number) =>
    `0a:00:00:00:${[index >> 8, index & 255].map((byte) => byte.toString(16).padStart(2, '0')).join(':')}`;
  for (let index = 0; index < 4_100; index++) machines[2]?.write(frame(address(index), address(index), ''));
  machines[2]?.write(frame(vmMac(1, 1), vmMac(1, 3), '<to the forgotten>'));
  await expect.poll(() => heard.slice(0, 2).map((own) => own.at(-1))).toEqual(Array(2).fill('<to the forgotten>'));
});

test('a slow link holds only so much', async () => {
  const { frames, heard, machines } = await network({ 'vm-002': { delayMs: 3_000 } });
  machines[1]?.write(frame(ALL, vmMac(1, 2), ''));
  await expect.poll(() => frames.underWayBytes).toBeGreaterThan(0);
  for (let index = 0; index < 400; index++) machines[0]?.write(frame(vmMac(1, 2), vmMac(1, 1), 'x'.repeat(60_000)));
  machines[0]?.write(frame(vmMac(1, 3), vmMac(1, 1), '<end>'));
  await expect.poll(() => heard[2]).toEqual(['<end>']);
  expect(frames.underWayBytes).toBeGreaterThan(1_000_000);
  expect(frames.underWayBytes).toBeLessThan(9_000_000);
});
