/** A network that spans three machines through host0, with addresses of each of them; and networks of two host0s that know each other's addresses alone. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { netnsPath } from '../../../src/kernel/netns.ts';
import { Lab } from '../../../src/lab/cluster/lab.ts';
import type { LabHost } from '../../../src/lab/hosts/lab-host.ts';
import { parseIpv6 } from '../../../src/model/address/ipv6.ts';
import { runToEnd } from '../../kit/command.ts';
import { inside } from '../../kit/namespaces.ts';
import { noDrift } from '../drift.ts';
import { Guest } from '../guest.ts';
import { meshOn } from '../mesh-command.ts';
import { Pings } from '../pings.ts';
import { until } from '../until.ts';

const COMMAND_DEADLINE_MS = 25_000;
/** dnsmasq asks for three seconds whether an address is in use. */
const LEASE_DEADLINE_MS = 40_000;
const TEST_DEADLINE_MS = 240_000;
const UDHCPC_SCRIPT = join(import.meta.dirname, '..', '27-services', 'udhcpc.sh');

const SPANNING = `name: wide
hostAddress: {kind: per-node}
span: {kind: nodes, nodes: [host0, node1, node2]}
subnets:
  - cidr: 10.0.0.0/24
    hostAddress: 10.0.0.1
    dhcp:
      ranges: [{first: 10.0.0.128, last: 10.0.0.254}]
      hosts: [{mac: "02:00:00:00:00:07", address: 10.0.0.77}]
dns: {domain: wide.example}
routing: {mode: nat}
`;

/** What DHCP tells a guest, which sets its address and its router. */
async function lease(guest: Guest, name: string): Promise<Record<string, string | undefined>> {
  const argv = ['udhcpc', '-i', 'eth0', '-f', '-q', '-n', '-t', '8', '-T', '1', '-s', UDHCPC_SCRIPT];
  let said = '';
  await until(`${name} has a lease`, LEASE_DEADLINE_MS, () => {
    const { status, stdout } = runToEnd([...argv, '-x', `hostname:${name}`], { netns: guest.netns });
    said = stdout;
    return status === 0;
  });
  const told = Object.fromEntries([...said.matchAll(/(\w+)='([^']*)'/g)].map(([, key = '', value]) => [key, value]));
  if (told.router) guest.run('ip', 'route', 'replace', 'default', 'via', told.router);
  return told;
}

async function apply(lab: Lab, host: LabHost, document: string): Promise<void> {
  const { code, stderr } = await lab.exec(host, ['sh', '-c', 'printf %s "$1" | mesh network apply -', 'sh', document]);
  expect(stderr).toBe('');
  expect(code).toBe(0);
}

async function plug(host: LabHost, network: string, guest: Guest): Promise<void> {
  await until(`${guest.port} is plugged in`, COMMAND_DEADLINE_MS, async () => {
    return (await meshOn(host, 'port', 'plug', network, guest.port)).code === 0;
  });
}

/** The address of a node on the bridge of the network; undefined while it has none. */
function addressOf(host: LabHost): string | undefined {
  const { stdout } = runToEnd(['ip', '-4', '-o', 'address', 'show', 'to', '10.0.0.0/24'], {
    netns: netnsPath(host.netns),
  });
  return / inet ([\d.]+)\/24 /.exec(stdout)?.[1];
}

test(
  'guests on three machines get addresses from their own machine, reach each other and outside, and go on without the daemon of host0',
  async () => {
    await using lab = await Lab.up({ name: `wide-${process.pid}`, nodes: 2, segments: 1 });
    const hosts = ['host0', 'node1', 'node2'].map((name) => lab.host(name));
    const [host0] = hosts;
    if (host0 === undefined) throw new Error('no host0');
    await apply(lab, host0, SPANNING);
    await using stack = new AsyncDisposableStack();
    const guests = hosts.map((host, at) => stack.use(Guest.behind(host, 'vm1', `fd98::${at + 1}`)));
    guests[2]?.run('ip', 'link', 'set', 'eth0', 'address', '02:00:00:00:00:07');
    for (const [at, host] of hosts.entries()) {
      const guest = guests[at];
      if (guest === undefined) continue;
      await until(`${host.name} has an address`, COMMAND_DEADLINE_MS, () => addressOf(host) !== undefined);
      await plug(host, 'wide', guest);
    }
    expect(addressOf(host0)).toBe('10.0.0.1');
    const own = hosts.map((host) => addressOf(host));
    expect(new Set(own).size).toBe(3);
    const leases: string[] = [];
    for (const [at, guest] of guests.entries()) {
      const told = await lease(guest, `guest${at}`);
      // The machine of the guest answers, is its router, and its resolver.
      expect(told).toMatchObject({ serverid: own[at], router: own[at], dns: own[at], domain: 'wide.example' });
      leases.push(told.ip ?? '');
    }
    expect(leases[2]).toBe('10.0.0.77');
    expect(new Set(leases).size).toBe(3);
    for (const [at, guest] of guests.entries()) {
      for (const ip of leases) if (ip !== leases[at]) guest.run('ping', '-n', '-c', '1', '-W', '5', ip);
    }
    // The underlay of another machine is outside; that of its own machine is not for a guest.
    for (const [at, guest] of guests.entries()) {
      const address = `10.11.0.${at === 0 ? 2 : 1}`;
      guest.run('ping', '-n', '-c', '1', '-W', '5', address);
    }
    expect(
      runToEnd(['ping', '-n', '-c', '1', '-W', '1', '10.11.0.1'], { netns: guests[0]?.netns ?? '' }).status,
    ).not.toBe(0);
    const { stdout } = await meshOn(host0, 'network', 'leases', 'wide');
    for (const ip of leases) expect(stdout).toContain(ip);
    await noDrift(hosts);

    using pings = await Pings.start(guests[1]?.netns ?? '', parseIpv6('fd98::3'));
    await lab.stop(host0, 'host0');
    await lease(guests[1] as Guest, 'guest1');
    lab.start(host0, 'host0');
    await until(
      'host0 is there again',
      COMMAND_DEADLINE_MS,
      async () => (await meshOn(host0, 'network', 'list')).code === 0,
    );
    expect(await pings.lost()).toBe('');
  },
  TEST_DEADLINE_MS,
);

/** A network as the draft of 2007 has it: it listens at one address and port, and names where the other end listens. */
function joined(own: string, ownPort: number, other: string, otherPort: number): string {
  return `name: joined
type: {kind: vxlan, vni: 1, udpPort: ${ownPort}, underlay: ipv4, local: ${own}, learning: false}
peers: {kind: explicit, vteps: [{address: ${other}, port: ${otherPort}}]}
span: {kind: nodes, nodes: [host0]}
mtuBytes: 1400
`;
}

test(
  'networks of two host0s with stores of their own are joined at different UDP ports',
  async () => {
    await using one = await Lab.up({ name: `one-${process.pid}`, nodes: 1, segments: 1 });
    await using two = await Lab.up({ name: `two-${process.pid}`, nodes: 1, segments: 1 });
    const [here, there] = [one.host('host0'), two.host('host0')];
    inside(
      netnsPath(here.netns),
      'ip',
      'link',
      'add',
      'wan',
      'type',
      'veth',
      'peer',
      'name',
      'wan',
      'netns',
      there.netns,
    );
    for (const [host, address] of [
      [here, '10.99.0.1/24'],
      [there, '10.99.0.2/24'],
    ] as const) {
      inside(netnsPath(host.netns), 'ip', 'address', 'add', address, 'dev', 'wan');
      inside(netnsPath(host.netns), 'ip', 'link', 'set', 'wan', 'up');
    }
    await apply(one, here, joined('10.99.0.1', 5001, '10.99.0.2', 5002));
    await apply(two, there, joined('10.99.0.2', 5002, '10.99.0.1', 5001));
    await using stack = new AsyncDisposableStack();
    const guests = [here, there].map((host, at) => stack.use(Guest.behind(host, 'vm1', `fd98::${at + 1}`)));
    await plug(here, 'joined', guests[0] as Guest);
    await plug(there, 'joined', guests[1] as Guest);
    await until('the guests reach each other', COMMAND_DEADLINE_MS, () => {
      return runToEnd(['ping', '-n', '-c', '1', '-W', '1', 'fd98::2'], { netns: guests[0]?.netns ?? '' }).status === 0;
    });
    await noDrift([here, there]);
  },
  TEST_DEADLINE_MS,
);
