/** On a real kernel: what guests of a limited network send and get in a time, and that guests among themselves are not limited. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { runToEnd } from '../../../../test/kit/command.ts';
import { OUTSIDE, type Place, RoutedNode } from '../../../../test/kit/routed-node.ts';

const SET_UP_DEADLINE_MS = 30_000;
const TEST_DEADLINE_MS = 120_000;
/** So little that a slow machine, which sends for ten seconds, still has most of it dropped. */
const SLOW = { averageBytesPerSec: 10_000 };
const FAST = { averageBytesPerSec: 2_000_000, burstBytes: 256 * 1024 };
const SENT = 1_000_000;

let routed: RoutedNode;

beforeEach(async () => {
  routed = await RoutedNode.open();
}, SET_UP_DEADLINE_MS);

afterEach(() => routed[Symbol.asyncDispose]());

/** How many bytes come through of a million that are sent at once, in datagrams. */
function passing(from: Place, to: Place, address: string): number {
  const receive = `import socket,subprocess,sys
s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); s.setsockopt(socket.SOL_SOCKET,33,16<<20); s.bind(('0.0.0.0',5001)); s.settimeout(0.3)
subprocess.run(['nsenter','--net='+sys.argv[1],'python3','-c',sys.argv[2]])
got=0
try:
  while True: got+=len(s.recv(2000))
except OSError: pass
print(got)`;
  const send = `import socket
s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)
s.connect(('${address}',5001))
for _ in range(${SENT / 1000}): s.send(b'x'*1000)`;
  const { stdout } = runToEnd(['python3', '-c', receive, routed.at(from), send], { netns: routed.at(to) });
  return Number(stdout);
}

/** How many bytes of a million a stream of TCP brings. */
function streamed(from: Place, to: Place, address: string): number {
  const receive = `import socket,subprocess,sys
l=socket.create_server(('0.0.0.0',5002)); l.settimeout(5)
subprocess.Popen(['nsenter','--net='+sys.argv[1],'python3','-c',sys.argv[2]])
s,_=l.accept(); s.settimeout(10); got=0
while True:
  data=s.recv(65536)
  if not data: break
  got+=len(data)
print(got)`;
  const send = `import socket
s=socket.create_connection(('${address}',5002)); s.sendall(b'x'*${SENT})`;
  return Number(runToEnd(['python3', '-c', receive, routed.at(from), send], { netns: routed.at(to) }).stdout);
}

test.each(['0', '1'] as const)(
  'each direction has its rate, with bridge-nf-call at %s',
  async (value) => {
    await routed.take({ mode: 'routed' }, { bandwidth: { in: SLOW, out: SLOW } });
    routed.callRules(value);
    routed.outsideKnowsTheWay();
    for (const [from, to, address] of [
      ['guest', 'outside', OUTSIDE],
      ['outside', 'guest', '10.7.0.11'],
      ['guest', 'host', '10.7.0.1'],
      ['host', 'guest', '10.7.0.11'],
    ] as const) {
      const bytes = passing(from, to, address);
      // A way that another one has used up begins with what has come since.
      expect(bytes, `${from} to ${to}`).toBeGreaterThan(0);
      expect(bytes, `${from} to ${to}`).toBeLessThan(0.6 * SENT);
    }
    expect(passing('guest', 'other', '10.7.0.12')).toBeGreaterThan(0.8 * SENT);
    await routed.take({ mode: 'routed' }, { bandwidth: { in: FAST, out: FAST } });
    // The segments that the kernel hands on as one packet pass, too.
    expect(streamed('guest', 'outside', OUTSIDE)).toBe(SENT);
    expect(streamed('outside', 'guest', '10.7.0.11')).toBe(SENT);
  },
  TEST_DEADLINE_MS,
);
