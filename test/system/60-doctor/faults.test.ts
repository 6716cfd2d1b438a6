/** The doctor on real hosts: silent while they are well, and naming each fault that is made here on purpose. */

import { execFileSync } from 'node:child_process';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { netnsPath, temporaryNetns } from '../../../src/kernel/netns.ts';
import { ip as ipIn } from '../../../src/kernel/netns-fixture.ts';
import { spawnInside } from '../../../src/lab/host-process.ts';
import { Lab } from '../../../src/lab/lab.ts';
import type { LabHost } from '../../../src/lab/lab-host.ts';
import type { Ipv6Cidr } from '../../../src/model/ipv6.ts';
import { memberAddresses } from '../../../src/model/member.ts';
import { meshNetwork, type Vni } from '../../../src/model/network.ts';
import { pathsBelow } from '../../../src/protocol/paths.ts';
import { isReady } from '../drift.ts';
import { until } from '../until.ts';
import { OtherClock } from './other-clock.ts';
import { Patient } from './patient.ts';
import { spoiltDatagram } from './spoilt-datagram.ts';

const SOURCE = new URL('../../../src', import.meta.url).href;

let lab: Lab;
let host0: Patient;
let node1: Patient;
let node2: Patient;
/** What takes the fault of a test away again. */
let cures: (() => Promise<unknown>)[] = [];

/** Whatever was lost while a fault lasted is back in a second; five times that, and the two seconds of a look. */
const DEADLINE_MS = 20_000;

beforeAll(async () => {
  lab = await Lab.up({ name: `doctor-${process.pid}`, nodes: 2, segments: 1 });
  [host0, node1, node2] = [new Patient(lab, 'host0'), new Patient(lab, 'node1'), new Patient(lab, 'node2')];
  await Promise.all(lab.hosts.map(isReady));
});

afterEach(async () => {
  for (const cure of cures.reverse()) await cure();
  cures = [];
  // Each test begins with a healthy lab, so every fault is shown to be what the doctor complained of.
  await healthy();
});

afterAll(async () => {
  await lab?.down();
});

async function healthy(): Promise<void> {
  await Promise.all([host0, node1, node2].map(isWell));
}

async function isWell(patient: Patient): Promise<void> {
  let last: unknown;
  try {
    await until(`${patient.host.name} is well`, DEADLINE_MS, async () => {
      const { findings } = await patient.doctor();
      last = findings;
      return findings.length === 0;
    });
  } catch (cause) {
    throw new Error(`findings of ${patient.host.name}: ${JSON.stringify(last)}`, { cause });
  }
}

/** An nft table of somebody else's, until the end of the test. */
async function foreignTable(patient: Patient, family: string, table: string, ...lines: string[]): Promise<void> {
  await patient.run('nft', `table ${family} ${table} {\n${lines.join('\n')}\n}`);
  cures.push(() => patient.run('nft', `delete table ${family} ${table}`));
}

async function setting(patient: Patient, name: string, value: string): Promise<void> {
  const before = (await patient.run('sysctl', '-n', name)).trim();
  await patient.run('sysctl', '-q', `${name}=${value}`);
  cures.push(() => patient.run('sysctl', '-q', `${name}=${before}`));
}

test('on healthy hosts it finds nothing', async () => {
  await healthy();
});

describe('the underlay', () => {
  test('UDP 4789 filtered elsewhere', async () => {
    await foreignTable(
      node2,
      'inet',
      'edge',
      'chain input {',
      'type filter hook input priority 0;',
      'udp dport 4789 ip saddr 10.11.0.2 drop',
      '}',
    );
    const finding = await until('it is found', DEADLINE_MS, () => node1.finding('udp-4789'));
    expect(finding).toContain('node2 answers at its underlay address 10.11.0.3, and not in manage');
    expect(finding).toContain('Let UDP 4789 through the firewall of node2');
  });

  test('UDP 4789 filtered on this machine', async () => {
    await foreignTable(
      node1,
      'inet',
      'edge',
      'chain input {',
      'type filter hook input priority 0; policy drop;',
      'iif lo accept',
      'ip protocol icmp accept',
      '}',
    );
    const finding = await until('it is found', DEADLINE_MS, () => node1.finding('udp-4789'));
    expect(finding).toContain('`nft insert rule inet edge input udp dport 4789 accept`');
  });

  test('a port that is down', async () => {
    await node1.run('ip', 'link', 'set', 'eth0', 'down');
    cures.push(async () => {
      await node1.run('ip', 'link', 'set', 'eth0', 'up');
      // The lab's hosts know each other's Ethernet addresses beforehand; the kernel forgot them with the port.
      await lab.rebootHost(node1.host);
      await isReady(node1.host);
    });
    const finding = await until('it is found', DEADLINE_MS, () => node1.finding('health'));
    expect(finding).toContain('[MESH_HOST0_UNREACHABLE]');
  });

  test('a link too narrow', async () => {
    await node1.run('ip', 'link', 'set', 'eth0', 'mtu', '1400');
    cures.push(() => node1.run('ip', 'link', 'set', 'eth0', 'mtu', '1500'));
    expect(await node1.complaints()).toEqual(['link-mtu']);
    expect(await node1.finding('link-mtu')).toContain('eth0 carries packets of 1400 bytes');
  });

  test('a path too narrow', async () => {
    await wire(node1.host, 'mtu', '1400');
    cures.push(() => wire(node1.host, 'mtu', '1500'));
    expect(await node1.complaints()).toEqual(['path-mtu', 'path-mtu']);
    expect(await node1.finding('path-mtu')).toMatch(/13[0-9]{2} bytes pass/);
  });
});

describe('settings of the kernel', () => {
  test('strict rp_filter that drops packets, and is made loose', async () => {
    await setting(node1, 'net.ipv4.conf.eth0.rp_filter', '1');
    expect(await node1.complaints()).toEqual([]);
    await host0.run('ip', 'address', 'add', '192.0.2.9/32', 'dev', 'lo');
    cures.push(() => host0.run('ip', 'address', 'delete', '192.0.2.9/32', 'dev', 'lo'));
    await lab.exec(host0.host, ['ping', '-c', '1', '-W', '0.2', '-I', '192.0.2.9', '10.11.0.2']);
    expect(await node1.complaints()).toEqual(['rp-filter']);
    const { fixed, findings } = await node1.doctor('--fix');
    expect(fixed).toEqual([{ name: 'net/ipv4/conf/eth0/rp_filter', before: '1', value: '2' }]);
    expect(findings).toEqual([]);
  });

  test('IPv6 turned off on a bridge, and turned on again', async () => {
    await node1.run('sysctl', '-q', 'net.ipv6.conf.br456.disable_ipv6=1');
    expect(await node1.complaints()).toContain('ipv6-disabled');
    const { fixed } = await node1.doctor('--fix');
    expect(fixed).toEqual([{ name: 'net/ipv6/conf/br456/disable_ipv6', before: '1', value: '0' }]);
  });
});

describe('other firewalls', () => {
  test("Docker's policy on bridged packets", async () => {
    await setting(node1, 'net.bridge.bridge-nf-call-iptables', '1');
    await foreignTable(
      node1,
      'ip',
      'filter',
      'chain FORWARD {',
      'type filter hook forward priority 0; policy drop;',
      'jump DOCKER-USER',
      '}',
      'chain DOCKER-USER {',
      'return',
      '}',
    );
    expect(await node1.complaints()).toEqual(['br-netfilter']);
    await node1.run('nft', 'insert rule ip filter FORWARD iifname br456 oifname br456 accept');
    expect(await node1.complaints()).toEqual([]);
  });

  test('firewalld', async () => {
    await foreignTable(
      node1,
      'inet',
      'firewalld',
      'chain filter_INPUT {',
      'type filter hook input priority 10;',
      'ct state established,related accept',
      'iif lo accept',
      'ip protocol icmp accept',
      'udp dport 4789 ip saddr 10.11.0.0/24 accept',
      'meta l4proto ipv6-icmp accept',
      'tcp sport 8000 accept',
      'reject with icmpx admin-prohibited',
      '}',
    );
    expect(await node1.finding('firewalld')).toContain('its rules do not know br456');
  });
});

describe('identities', () => {
  test('two machines with one id, told on both ends', async () => {
    const posing: LabHost = { ...node2.host, machine: node1.host.machine };
    await lab.stop(node2.host, 'agent', 'SIGTERM');
    lab.start(posing, 'agent');
    cures.push(async () => {
      await lab.stop(node2.host, 'agent', 'SIGTERM');
      lab.start(node2.host, 'agent');
      await isReady(node2.host);
    });
    await until('node2 is told', DEADLINE_MS, async () => {
      return (await node2.complaints().catch((): string[] => [])).includes('double-id');
    });
    expect(await host0.complaints()).toContain('double-id');
  });

  test('two host0s on one wire, seen by both sides', async () => {
    const network = meshNetwork({
      name: 'manage',
      prefix: 'fd42:2345:1234:9abc::/64' as Ipv6Cidr,
      vni: 456 as Vni,
      key: '456',
    });
    const { bridgeMac, ipv6 } = memberAddresses(network, 'host0');
    const second = temporaryNetns();
    const wirePort = 'second0';
    cures.push(async () => {
      ipIn(netnsPath(lab.topology.wire), `link delete ${wirePort}`);
      second.close();
    });
    ipIn(
      netnsPath(lab.topology.wire),
      `link add ${wirePort} master ${lab.topology.bridges[0]} up type veth peer name eth0 netns ${second.path}`,
    );
    ipIn(
      second.path,
      'link set lo up',
      'address add 10.11.0.200/24 dev eth0',
      'link set eth0 up',
      `link add br456 address ${bridgeMac} type bridge`,
      'link add vxlan456 master br456 type vxlan id 456 dstport 4789',
      'link set br456 up',
      'link set vxlan456 up',
      `address add ${ipv6}/64 dev br456 nodad`,
    );
    for (const patient of [node1, host0]) {
      const finding = await until('it is found', DEADLINE_MS, () => patient.finding('two-host0s'));
      expect(finding).toContain('10.11.0.200 answers as host0 of manage too');
    }
  });

  test('two network cards with one Ethernet address', async () => {
    const [mine, theirs] = [node1.host.ports[0], node2.host.ports[0]];
    if (mine === undefined || theirs === undefined) throw new TypeError('hosts have ports');
    const forget = (patient: Patient, ipv4: string) => patient.run('ip', 'neighbour', 'delete', ipv4, 'dev', 'eth0');
    const keep = (patient: Patient, { ipv4, mac }: { ipv4: string; mac: string }) =>
      patient.run('ip', 'neighbour', 'replace', ipv4, 'lladdr', mac, 'dev', 'eth0', 'nud', 'permanent');
    await forget(node1, theirs.ipv4);
    await forget(node2, mine.ipv4);
    await node2.run('ip', 'link', 'set', 'eth0', 'address', mine.mac);
    cures.push(async () => {
      await node2.run('ip', 'link', 'set', 'eth0', 'address', theirs.mac);
      await keep(node1, theirs);
      await keep(node2, mine);
    });
    // Its question for the other's address tells the other where it lives.
    await lab.exec(node2.host, ['ping', '-c', '1', '-W', '0.2', mine.ipv4]);
    expect(await node1.finding('double-mac')).toContain(`${mine.mac}: this machine and ${theirs.ipv4} have the same`);
  });
});

describe('time', () => {
  test("a clock that is not host0's", async () => {
    await lab.stop(host0.host, 'host0', 'SIGTERM');
    const server = await OtherClock.start(host0.host, 3_600_000);
    cures.push(async () => {
      server.stop();
      lab.start(host0.host, 'host0');
      await Promise.all(lab.hosts.map(isReady));
    });
    expect(await node1.finding('clock')).toContain("this machine's clock is 3600 s behind host0's");
  });
});

describe('the machine', () => {
  test('a full disk', async () => {
    const { state } = pathsBelow(node1.host.root);
    await node1.run('mount', '-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', state);
    cures.push(() => node1.run('umount', state));
    expect(await node1.complaints()).toEqual([]);
    await node1.run('sh', '-c', `cat /dev/zero 2>/dev/null >${state}/filler || true`);
    expect(await node1.finding('disk')).toContain(`0 kB of 1024 kB are free where ${state} is`);
  });

  test('packets with a wrong checksum', async () => {
    const before = await node1.complaints();
    for (let packet = 0; packet < 12; packet++) spoiltDatagram(node1.host);
    expect([before, await node1.complaints()]).toEqual([[], ['checksums']]);
    // The counter is the namespace's, and does not go back.
    await lab.rebootHost(node1.host);
    await isReady(node1.host);
  });

  test('a kernel without a feature', () => {
    const script = `
      import { kernelFeatures } from '${SOURCE}/agent/doctor/checks/kernel.ts';
      import { probeKernel } from '${SOURCE}/kernel/probe.ts';
      console.log(JSON.stringify(kernelFeatures.find({ features: await probeKernel() })));`;
    const look = (...hide: string[]) =>
      execFileSync(
        'unshare',
        ['--mount', 'sh', '-c', [...hide, 'exec "$0" -e "$1"'].join(' && '), process.execPath, script],
        {
          encoding: 'utf8',
          stdio: ['ignore', 'pipe', 'ignore'],
        },
      );
    expect(JSON.parse(look())).toEqual([]);
    expect(JSON.parse(look('mount -t tmpfs tmpfs /dev/net'))).toMatchObject([
      { object: 'tun', matters: 'No virtual machine can be plugged in.' },
    ]);
  });

  test('a device that another program takes again and again', async () => {
    const thief = spawnInside(node1.host.netns, ['ip', 'monitor', 'link', 'dev', 'br456'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    thief.stdout?.on(
      'data',
      () => void lab.exec(node1.host, ['ip', 'link', 'set', 'br456', 'address', '02:00:00:00:be:ef']),
    );
    cures.push(async () => {
      thief.kill();
    });
    await lab.exec(node1.host, ['ip', 'link', 'set', 'br456', 'address', '02:00:00:00:be:ef']);
    const finding = await until('it is found', DEADLINE_MS, () => node1.finding('stolen-device'));
    expect(finding).toMatch(/^bridge:mesh-456: ip link set br456 .*: it does not stay/);
  });
});

/** Changes the port of the wire that a host is plugged into. */
async function wire(host: LabHost, ...words: string[]): Promise<void> {
  const [port] = host.ports;
  const wireHost = { ...host, netns: lab.topology.wire };
  const { code, stderr } = await lab.exec(wireHost, ['ip', 'link', 'set', port?.wireEnd ?? '', ...words]);
  if (code !== 0) throw new Error(stderr);
}
