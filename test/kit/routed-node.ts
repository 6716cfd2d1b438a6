/** On a real kernel: a node that routes a network with two guests, beside a host outside. */

import type { NetworkAttachment } from '../../src/agent/desired/assignment.ts';
import { inNetns, type TemporaryNetns, temporaryNetns } from '../../src/kernel/netns.ts';
import { writeSysctl } from '../../src/kernel/sysctl.ts';
import { parseIpv4, parseIpv4Cidr } from '../../src/model/address/ipv4.ts';
import { ipv6Subnet, parseIpv6 } from '../../src/model/address/ipv6.ts';
import type { Network } from '../../src/model/network/network.ts';
import type { Routing } from '../../src/model/network/routing.ts';
import { runToEnd } from './command.ts';
import { ip, twoHosts } from './namespaces.ts';
import { board, networkOfType } from './networks.ts';
import { PlannedNode } from './planned-node.ts';

const NUMBER = 0xa01;
/** The addresses of the node on the bridge. */
export const GIVEN = [
  { address: parseIpv4('10.7.0.1'), length: 24 },
  { address: parseIpv6('fd07::1'), length: 64 },
];
/** The addresses of the node and of the host outside, on the underlay. */
export const [HOST, OUTSIDE] = ['10.9.0.1', '10.9.0.2'] as const;

/** Who sends and answers. */
export type Place = 'host' | 'outside' | 'guest' | 'other';

/** The network, with parts in place of its own. */
export function routedNetwork(routing: Partial<Routing>, more: Partial<Network> = {}): Network {
  return {
    ...networkOfType(NUMBER, { kind: 'bridge' }, undefined, 1500),
    hostAddress: { kind: 'given' },
    subnets: [
      { cidr: parseIpv4Cidr('10.7.0.0/24'), hostAddress: parseIpv4('10.7.0.1') },
      { cidr: ipv6Subnet(parseIpv6('fd07::'), 64), hostAddress: parseIpv6('fd07::1') },
    ],
    routing: { mode: 'nat', via: [], rules: [], ...routing },
    ...more,
  };
}

/** A second network, 10.8.0.1, without guests. */
export function secondNetwork(routing: Partial<Routing>): NetworkAttachment {
  const other: Network = {
    ...networkOfType(NUMBER + 1, { kind: 'bridge' }, undefined, 1500),
    hostAddress: { kind: 'given' },
    subnets: [{ cidr: parseIpv4Cidr('10.8.0.0/24'), hostAddress: parseIpv4('10.8.0.1') }],
    routing: { mode: 'nat', via: [], rules: [], ...routing },
  };
  const hostAddresses = [{ address: parseIpv4('10.8.0.1'), length: 24 }];
  return { network: other, peers: { kind: 'none' }, hostAddresses };
}

/** The node. Its guests are 10.7.0.11 and 10.7.0.12, fd07::11 and fd07::12. */
export class RoutedNode implements AsyncDisposable {
  readonly hosts: ReturnType<typeof twoHosts>;
  readonly guests: readonly TemporaryNetns[];
  readonly node: PlannedNode;
  /** Further networks of the node. */
  others: readonly NetworkAttachment[] = [];

  private constructor(hosts: ReturnType<typeof twoHosts>, guests: readonly TemporaryNetns[], node: PlannedNode) {
    this.hosts = hosts;
    this.guests = guests;
    this.node = node;
  }

  static async open(): Promise<RoutedNode> {
    const hosts = twoHosts();
    const guests = [temporaryNetns(), temporaryNetns()];
    for (const [at, { path }] of guests.entries()) {
      const number = 11 + at;
      ip(hosts.here, `link add tap${at} type veth peer name eth0 netns ${path}`, `link set tap${at} up`);
      ip(
        path,
        'link set lo up',
        'link set eth0 up',
        `address add 10.7.0.${number}/24 dev eth0`,
        `address add fd07::${number}/64 dev eth0 nodad`,
      );
    }
    return new RoutedNode(hosts, guests, await PlannedNode.open(hosts.here, board(1), HOST));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.node[Symbol.asyncDispose]();
    for (const guest of this.guests) guest.close();
    this.hosts.close();
  }

  async take(routing: Partial<Routing>, more: Partial<Network> = {}): Promise<void> {
    const network = routedNetwork(routing, more);
    const attachment = { network, peers: { kind: 'none' }, hostAddresses: GIVEN } as const;
    await this.node.take([attachment, ...this.others], ['tap0', 'tap1']);
    for (const { path } of this.guests) {
      ip(path, 'route replace default via 10.7.0.1', 'route replace default via fd07::1');
    }
  }

  /** Has frames between ports of a bridge pass the rules of IP, or not. */
  callRules(value: '0' | '1'): void {
    inNetns(this.hosts.here, () => {
      for (const family of ['iptables', 'ip6tables']) writeSysctl(['net', 'bridge', `bridge-nf-call-${family}`], value);
    });
  }

  outsideKnowsTheWay(): void {
    ip(this.hosts.there, 'route replace 10.7.0.0/24 via 10.9.0.1', 'route replace fd07::/64 via fd09::1');
  }

  /** The path of a namespace. */
  at(place: Place): string {
    const [guest, other] = this.guests;
    return { host: this.hosts.here, outside: this.hosts.there, guest: guest?.path, other: other?.path }[place] ?? '';
  }

  /** Whether one of the pings of two seconds is answered: a neighbour that did not answer before is asked for again. */
  pings(from: Place, address: string, ...options: readonly string[]): boolean {
    const argv = ['ping', '-n', '-c1', '-w2', '-i0.4', ...options, address];
    return runToEnd(argv, { netns: this.at(from) }).status === 0;
  }

  /** Serves one line at a port for each caller, until the test ends: the address of the caller. */
  serve(place: Place, port: number): void {
    const script = `import socketserver,os
class H(socketserver.BaseRequestHandler):
  def handle(s): s.request.sendall(s.client_address[0].replace('::ffff:','').encode())
class S(socketserver.ThreadingTCPServer):
  address_family=10; allow_reuse_address=True
s=S(('::',${port}),H)
if os.fork()==0: s.timeout=20; [s.handle_request() for _ in range(8)]; os._exit(0)
`;
    runToEnd(['python3', '-c', script], { netns: this.at(place) });
  }

  /** Whom a server at that port saw; undefined when no connection came about. */
  caller(from: Place, address: string, port: number): string | undefined {
    const script = `import socket,sys
try:
  s=socket.create_connection((${JSON.stringify(address)},${port}),1); print(s.recv(99).decode())
except OSError: sys.exit(1)`;
    const { status, stdout } = runToEnd(['python3', '-c', script], { netns: this.at(from) });
    return status === 0 ? stdout.trim() : undefined;
  }

  /** What a place hears at a UDP port while another place sends there. */
  heard(port: number, from: Place, to: Place, address: string): string {
    const listen = `import socket,subprocess,sys
s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); s.bind(('0.0.0.0',${port})); s.settimeout(0.3)
subprocess.run(['nsenter','--net='+sys.argv[1],'python3','-c',sys.argv[2]])
try: print(s.recv(99).decode())
except OSError: print('nothing')`;
    const send = `import socket,time
s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); s.setsockopt(socket.SOL_SOCKET,socket.SO_BROADCAST,1)
for _ in range(5): s.sendto(b'hello',('${address}',${port})); time.sleep(0.1)`;
    return runToEnd(['python3', '-c', listen, this.at(from), send], { netns: this.at(to) }).stdout.trim();
  }
}
