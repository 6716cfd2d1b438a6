/** Networks made at random, with every part that a network can have. */
import { ipv4FromNumber, ipv4Subnet } from '../../src/model/address/ipv4.ts';
import { ipv6FromBigint, ipv6Subnet } from '../../src/model/address/ipv6.ts';
import { macFromHex } from '../../src/model/address/mac.ts';
import { plainBridge } from '../../src/model/network/bridge.ts';
import { NETWORK_SOURCES, type Network } from '../../src/model/network/network.ts';
import { hexNumber, type NetworkNumber, networkIdOf } from '../../src/model/network/number.ts';
import { ROUTING_MODES } from '../../src/model/network/routing.ts';
import { LEASE_MAX_SEC } from '../../src/model/network/subnet.ts';
import { VNI_MAX, type Vni } from '../../src/model/network/types/vxlan.ts';

/** Texts that the one or the other format must write in its own way. */
const LINES = [
  ...[
    '',
    'eine Zeile',
    '⚙ "quoted" \\',
    " it's ",
    'a: b',
    '# none',
    '- x',
    '[',
    '{a: 1}',
    '*a',
    '&a',
    '!t',
    '@x',
    '%x',
  ],
  ...['yes', 'no', 'null', '~', 'true', '010', '0x10', '1e3', '12:30', '.inf', '2026-01-01', '<<', '---', '|', '>'],
  ...['\u202etxet', 'a\u2028b', '\u{e0001}', '\ud800', '\u00a0', '</a>&amp;'],
];

/** A network that fits its form. Every optional part is there in about half of the networks. */
export function randomNetwork(random: () => number): Network {
  const below = (count: number) => Math.floor(random() * count);
  const oneOf = <T>(choices: readonly T[]): T => choices[below(choices.length)] as T;
  const maybe = <T extends object>(make: () => T): T | Record<never, never> => (random() < 0.5 ? make() : {});
  const some = <T>(make: () => T): T[] => Array.from({ length: below(3) }, make);
  const hex = (digits: number) => Array.from({ length: digits }, () => below(16).toString(16)).join('');
  const word = () => `w${hex(1 + below(8))}`;
  const line = () => oneOf(LINES) || word();
  const flag = () => random() < 0.5;
  const ipv4 = () => ipv4FromNumber(0x0a000000 + below(0xffffff));
  const ipv6 = () => ipv6FromBigint(BigInt(`0xfd42${hex(28)}`));
  const ip = () => (flag() ? ipv4() : ipv6());
  const cidr = () => (flag() ? ipv4Subnet(ipv4(), 24) : ipv6Subnet(ipv6(), 64));
  const lease = () => ({ leaseSec: oneOf([120 + below(1_000_000), LEASE_MAX_SEC]) });
  const port = () => 1 + below(65_535);
  const number = (1 + below(VNI_MAX)) as NetworkNumber;
  const id = hexNumber(number);

  const subnet = () => {
    const isIpv4 = flag();
    const base = isIpv4 ? ipv4() : ipv6();
    const address = () => base;
    return {
      cidr: isIpv4 ? ipv4Subnet(ipv4FromNumber(0x0a000000), 8) : ipv6Subnet(ipv6FromBigint(0xfd42n << 112n), 16),
      hostAddress: address(),
      ...maybe(() => ({
        dhcp: {
          ranges: some(() => ({ first: address(), last: address(), ...maybe(lease) })),
          hosts: some(() => ({
            ...maybe(() => ({ mac: macFromHex(`02${hex(10)}`) })),
            ...maybe(() => ({ id: line() })),
            ...maybe(() => ({ name: word() })),
            ...maybe(() => ({ address: address() })),
            ...maybe(lease),
          })),
          ...maybe(lease),
          options: some(() => ({ number: port(), value: line() })),
          ...maybe(() => ({ bootp: { file: line(), ...maybe(() => ({ server: line() })) } })),
        },
      })),
      ...maybe(() => ({ ra: flag() })),
      ...maybe(() => ({ localPtr: flag() })),
      ...maybe(() => ({ tftp: { root: line() } })),
    };
  };
  const route = () => ({
    ...(flag() ? { cidr: ipv4Subnet(ipv4(), 24), via: ipv4() } : { cidr: ipv6Subnet(ipv6(), 64), via: ipv6() }),
    ...maybe(() => ({ metric: below(1_000) })),
  });
  const verdict = () => oneOf(['accept', 'drop', 'reject'] as const);
  const rate = () => ({
    averageBytesPerSec: 1 + below(1e9),
    ...maybe(() => ({ peakBytesPerSec: 1 + below(1e9) })),
    ...maybe(() => ({ burstBytes: 1 + below(1e6) })),
  });
  const native = () => ({ native: { tag: below(4_096), mode: oneOf(['tagged', 'untagged'] as const) } });
  const limits = () => ({
    ...maybe(() => ({ binding: flag() })),
    ...maybe(() => ({ isolation: flag() })),
    ...maybe(() => ({ bandwidth: { ...maybe(() => ({ in: rate() })), ...maybe(() => ({ out: rate() })) } })),
    ...maybe(() => ({ vlan: 1 + below(4_094) })),
    ...maybe(() => ({ trunk: { tags: some(() => below(4_096)), ...maybe(native) } })),
    ...maybe(() => ({ trust: flag() })),
  });
  const underlay = oneOf(['ipv4', 'ipv6'] as const);
  const group = underlay === 'ipv4' ? ipv4FromNumber(0xe0000000 + below(0xffffff)) : ipv6FromBigint(0xff05n << 112n);
  const vxlan = () => ({
    type: {
      kind: 'vxlan' as const,
      device: `vxlan${id}`,
      vni: (1 + below(VNI_MAX)) as Vni,
      udpPort: port(),
      underlay,
      ...maybe(() => ({ local: ip() })),
      dev: word(),
      ...maybe(() => ({ hopLimit: 1 + below(255) })),
      learning: flag(),
    },
    peers: oneOf([{ kind: 'assigned' }, { kind: 'multicast', group }] as const),
  });
  const subnets = some(subnet);
  const mode = oneOf(ROUTING_MODES);
  const nat = () => ({
    ...maybe(() => ({ addresses: { first: ipv4FromNumber(below(99)), last: ipv4FromNumber(99 + below(99)) } })),
    ...maybe(() => ({ ports: { first: 1 + below(99), last: 100 + below(9_999) } })),
    ...maybe(() => ({ ipv6: flag() })),
  });
  const hostAddress = oneOf([
    { kind: 'derived', key: String(below(1e9)), prefix: ipv6Subnet(ipv6(), 64) },
    { kind: subnets.length > 0 ? 'given' : 'none' },
    { kind: 'per-node' },
    { kind: 'none' },
  ] as const);
  const isOfCards = below(8) === 0;
  const cards = () =>
    flag()
      ? {
          kind: 'macvtap' as const,
          mode: oneOf(['bridge', 'private', 'vepa', 'passthrough'] as const),
          cards: some(word),
          ...maybe(() => ({ physicalFunction: word() })),
        }
      : {
          kind: 'hostdev' as const,
          cards: some(() => `0000:${hex(2)}:0${hex(1)}.${below(8)}`),
          ...maybe(() => ({ physicalFunction: word() })),
          managed: flag(),
        };
  const bridge = () => ({
    ...plainBridge(`br${id}`),
    // Where host addresses are derived, those of bridges are, too.
    ...(hostAddress.kind === 'derived' ? {} : maybe(() => ({ mac: macFromHex(`02${hex(10)}`) }))),
    stp: flag(),
    macTable: oneOf(['learned', 'managed'] as const),
    ...maybe(() => ({ zone: word() })),
  });
  return {
    id: networkIdOf(number),
    number,
    name: word(),
    ...maybe(() => ({ uuid: `${hex(8)}-${hex(4)}-${hex(4)}-${hex(4)}-${hex(12)}` })),
    ...maybe(() => ({ owner: line() })),
    labels: Object.fromEntries(some(() => [word(), line()])),
    ...maybe(() => ({ title: line() })),
    ...maybe(() => ({ description: line() })),
    ...(isOfCards ? {} : { bridge: bridge() }),
    ...(isOfCards ? { type: cards() } : flag() ? vxlan() : { type: { kind: 'bridge' as const } }),
    mtuBytes: 1_280 + below(60_000),
    hostAddress,
    subnets,
    routes: some(route),
    routing: {
      mode,
      ...(mode === 'nat' ? maybe(() => ({ nat: nat() })) : {}),
      via: some(word),
      ...maybe(() => ({ policy: { in: verdict(), out: verdict() } })),
      rules: some(() => ({
        direction: oneOf(['in', 'out'] as const),
        match: {
          ...maybe(() => ({ protocol: oneOf(['tcp', 'udp', 'icmp', 'icmpv6'] as const) })),
          ...maybe(() => ({ from: cidr(), to: cidr() })),
          ...maybe(() => ({ ports: { first: port(), last: port() } })),
        },
        verdict: verdict(),
        ...maybe(() => ({
          forwardTo: { ...(flag() ? { address: ip() } : { guest: line() }), ...maybe(() => ({ port: port() })) },
        })),
      })),
      ...maybe(() => ({ nat64: { prefix: ipv6Subnet(ipv6(), 96), pool: ipv4Subnet(ipv4(), 24) } })),
    },
    ...maybe(() => ({
      dns: {
        ...maybe(() => ({ enabled: flag(), register: flag() })),
        ...maybe(() => ({ domain: line(), localOnly: flag() })),
        ...maybe(() => ({ forwardPlainNames: flag() })),
        hosts: some(() => ({ address: ip(), names: some(word) })),
        srv: some(() => ({
          service: word(),
          protocol: oneOf(['tcp', 'udp', 'sctp']),
          ...maybe(() => ({ domain: line() })),
          ...maybe(() => ({ target: word(), ...maybe(() => ({ port: port() })) })),
          ...maybe(() => ({ priority: below(65_536), weight: below(65_536) })),
        })),
        txt: some(() => ({ name: word(), value: line() })),
        forwarders: some(() => ({
          ...(flag() ? { address: ip(), ...maybe(() => ({ port: port() })) } : { domain: line() }),
          ...maybe(() => ({ domain: line() })),
        })),
      },
    })),
    ...maybe(() => ({
      guests: { ...limits(), portGroups: some(() => ({ ...limits(), name: word(), isDefault: flag() })) },
    })),
    ...maybe(() => ({ guestIpv6: flag() })),
    ...maybe(() => ({ bandwidth: { in: rate(), ...maybe(() => ({ out: rate() })) } })),
    ...maybe(() => ({ dnsmasqOptions: [line(), ...some(line)] })),
    span: oneOf([
      { kind: 'file' },
      { kind: 'everywhere' },
      { kind: 'on-demand' },
      { kind: 'nodes', nodes: some(word) },
      { kind: 'roles', roles: some(word) },
    ] as const),
    source: oneOf(NETWORK_SOURCES),
    extra: flag() ? {} : { libvirt: { metadata: { [word()]: [line(), below(9), null] } } },
  };
}
