/** Receiving and sending Ethernet frames on a veth pair. */
import { expect, onTestFinished, test } from 'vitest';
import { tagged } from '../../../test/kit/frames.ts';
import { inside, ip, twoHosts } from '../../../test/kit/namespaces.ts';
import { sourceMac } from './ethernet.ts';
import { FrameSocket } from './frame-socket.ts';
import type { FilterStep } from './packet-filter.ts';

/** An Ethernet type for experiments (IEEE 802), which no other program on the segment sends. */
const ETHERTYPE = 0x88b5;
const FILTER: readonly FilterStep[] = [
  { load: 'half', offset: 12 },
  { equal: ETHERTYPE, no: 'drop' },
  { take: true },
  { at: 'drop', take: false },
];

function frame(ethertype: number, text: string): Buffer {
  const bytes = Buffer.alloc(60);
  bytes.fill(0xff, 0, 6);
  bytes.write('020000000007', 6, 'hex');
  bytes.writeUInt16BE(ethertype, 12);
  bytes.write(text, 14);
  return bytes;
}

function indexOf(netns: string): number {
  return JSON.parse(inside(netns, 'ip', '-j', 'link', 'show', 'eth0'))[0].ifindex;
}

test('only frames that pass the filter are received, also at a bridge port and after the device was down', async () => {
  const { here, there, close } = twoHosts();
  onTestFinished(close);
  ip(there, 'link add br0 type bridge', 'link set eth0 master br0');
  const heard: string[] = [];
  let wake: () => void = () => {};
  const listener = FrameSocket.open({
    link: indexOf(there),
    netns: there,
    filter: FILTER,
    onFrame: ({ bytes }) => {
      heard.push(`${sourceMac(bytes)} ${bytes.toString('latin1', 14, 17)}`);
      wake();
    },
    onError: (error) => heard.push(error.message),
  });
  // `speaker` does not receive its own frames; `observer` receives what this host sends.
  const [speaker, observer] = [false, true].map((outgoing) =>
    FrameSocket.open({
      link: indexOf(here),
      netns: here,
      filter: FILTER,
      outgoing,
      onFrame: (heardFrame) => heard.push(heardFrame.outgoing ? 'own' : 'other'),
      onError: (error) => heard.push(error.message),
    }),
  ) as [FrameSocket, FrameSocket];
  onTestFinished(() => {
    for (const socket of [listener, speaker, observer]) socket.close();
  });
  const next = () =>
    new Promise<void>((resolve) => {
      wake = resolve;
    });

  let arrived = next();
  speaker.send(frame(0x88b6, 'no!'));
  speaker.send(frame(ETHERTYPE, 'one'));
  await arrived;
  expect(heard.filter((what) => what !== 'own')).toEqual(['02:00:00:00:00:07 one']);

  ip(there, 'link set eth0 down');
  ip(there, 'link set eth0 up');
  arrived = next();
  const again = setInterval(() => speaker.send(frame(ETHERTYPE, 'two')), 20);
  onTestFinished(() => clearInterval(again));
  await arrived;
  expect(heard).toContain('own');
  expect(heard).toContain('02:00:00:00:00:07 two');
});

test('frames of a VLAN are of another network and are not received; a tag that only carries a priority does not matter', async () => {
  const { here, there, close } = twoHosts();
  onTestFinished(close);
  const last = Promise.withResolvers<void>();
  const heard: string[] = [];
  const take = (text: string) => {
    heard.push(text);
    if (text.endsWith('end')) last.resolve();
  };
  const open = (netns: string, outgoing: boolean, onFrame: (text: string) => void) =>
    FrameSocket.open({
      link: indexOf(netns),
      netns,
      filter: FILTER,
      outgoing,
      onFrame: ({ bytes }) => onFrame(bytes.toString('latin1', 14, 17)),
      onError: (error) => heard.push(error.message),
    });
  const own: string[] = [];
  const listener = open(there, false, take);
  const speaker = open(here, true, (text) => own.push(text));
  onTestFinished(() => {
    for (const socket of [listener, speaker]) socket.close();
  });
  for (const type of [0x8100, 0x88a8]) speaker.send(tagged(frame(ETHERTYPE, 'no!'), type, 20));
  // In a stack of tags, the outer one counts, and after a priority tag the inner one.
  speaker.send(tagged(tagged(frame(ETHERTYPE, 'no!'), 0x8100, 20), 0x88a8, 7));
  speaker.send(tagged(tagged(frame(ETHERTYPE, 'no!'), 0x8100, 20), 0x8100, 0));
  speaker.send(tagged(frame(ETHERTYPE, 'pri'), 0x8100, 5 << 13));
  speaker.send(frame(ETHERTYPE, 'end'));
  await last.promise;
  expect(heard).toEqual(['pri', 'end']);
  expect(own).not.toContain('no!');
});

test('a filter cannot jump backwards', () => {
  const filter: FilterStep[] = [{ at: 'start', load: 'byte', offset: 0 }, { equal: 1, yes: 'start' }, { take: true }];
  expect(() => FrameSocket.open({ link: 1, filter, onFrame: () => {}, onError: () => {} })).toThrow('not ahead');
});
