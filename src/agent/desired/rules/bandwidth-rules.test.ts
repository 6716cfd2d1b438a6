/** On a real kernel: what guests of a limited network send and get in a time, and that guests among themselves are not limited. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { runToEnd } from '../../../../test/kit/command.ts';
import { OUTSIDE, type Place, RoutedNode } from '../../../../test/kit/routed-node.ts';

const SET_UP_DEADLINE_MS = 30_000;
const AVERAGE = 1_000_000;
const BURST = 256 * 1024;
const SENT = 3_000_000;

let routed: RoutedNode;

beforeEach(async () => {
  routed = await RoutedNode.open();
}, SET_UP_DEADLINE_MS);

afterEach(() => routed[Symbol.asyncDispose]());

/** How many bytes come through of three million that are sent at once, in datagrams. */
function passing(from: Place, to: Place, address: string): number {
  const receive = `import socket,subprocess,sys
s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); s.setsockopt(socket.SOL_SOCKET,33,16<<20); s.bind(('0.0.0.0',5001)); s.settimeout(0.5)
p=subprocess.Popen(['nsenter','--net='+sys.argv[1],'python3','-c',sys.argv[2]])
got=0
try:
  while True: got+=len(s.recv(2000))
except OSError: pass
while p.poll() is None:
  try: got+=len(s.recv(2000))
  except OSError: pass
print(got)`;
  const send = `import socket
s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)
s.connect(('${address}',5001))
for _ in range(${SENT / 1000}): s.send(b'x'*1000)`;
  const { stdout } = runToEnd(['python3', '-c', receive, routed.at(from), send], { netns: routed.at(to) });
  return Number(stdout);
}

/** How many bytes of three million a stream of TCP brings. */
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
    const bandwidth = { in: { averageBytesPerSec: AVERAGE, burstBytes: BURST }, out: { averageBytesPerSec: AVERAGE } };
    await routed.take({ mode: 'routed' }, { bandwidth });
    routed.callRules(value);
    routed.outsideKnowsTheWay();
    // A datagram of a thousand bytes is one of 1,028 with its headers. The sending itself takes a part of a second.
    const limited = [
      passing('guest', 'outside', OUTSIDE),
      passing('outside', 'guest', '10.7.0.11'),
      passing('guest', 'host', '10.7.0.1'),
      passing('host', 'guest', '10.7.0.11'),
    ];
    for (const bytes of limited) {
      expect(bytes).toBeGreaterThan(100_000);
      expect(bytes).toBeLessThan(0.8 * SENT);
    }
    // The segments that the kernel hands on as one packet pass, too.
    expect(streamed('guest', 'outside', OUTSIDE)).toBe(SENT);
    expect(streamed('outside', 'guest', '10.7.0.11')).toBe(SENT);
    expect(passing('guest', 'other', '10.7.0.12')).toBeGreaterThan(0.8 * SENT);
    await routed.take({ mode: 'routed' });
    expect(passing('guest', 'outside', OUTSIDE)).toBeGreaterThan(0.8 * SENT);
  },
  SET_UP_DEADLINE_MS,
);
