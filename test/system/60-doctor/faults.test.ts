/** The doctor on real hosts: it finds nothing while they are healthy, and names each fault that a test makes. */
import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { findProcess, spawnInside } from '../../../src/lab/hosts/host-process.ts';
import type { LabHost } from '../../../src/lab/hosts/lab-host.ts';
import { pathsBelow } from '../../../src/protocol/documents/paths.ts';
import { isReady } from '../drift.ts';
import { meshOn } from '../mesh-command.ts';
import { until } from '../until.ts';
import { type Patient, remedyIn } from './patient.ts';
import { spoiltDatagram } from './spoilt-datagram.ts';
import { DEADLINE_MS, wardForAllTests } from './ward.ts';

const SOURCE = new URL('../../../src', import.meta.url).href;
const IPV6_OFF = 'net.ipv6.conf.br456.disable_ipv6';

const ward = wardForAllTests('doctor');
const { host0, node1, node2 } = ward;

test('on healthy hosts it finds nothing', async () => {
  await ward.healthy();
});

describe('the underlay', () => {
  test('UDP 4789 filtered elsewhere', async () => {
    await ward.foreignTable(
      node2,
      'inet',
      'edge',
      'chain input {',
      'type filter hook input priority 0;',
      'udp dport 4789 ip saddr 10.11.0.2 drop',
      '}',
    );
    const finding = await until('it is found', DEADLINE_MS, () => node1.finding('udp-4789'));
    expect(finding).toContain('no answer in manage from node2 (10.11.0.3), while');
    expect(finding).toContain('Let UDP 4789 through the firewalls of these machines');
  });

  test('UDP 4789 filtered on this machine', async () => {
    await ward.foreignTable(
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

  test('an underlay link that is down', async () => {
    await node1.run('ip', 'link', 'set', 'eth0', 'down');
    ward.after(async () => {
      await node1.run('ip', 'link', 'set', 'eth0', 'up');
      // The lab gives its hosts permanent neighbour entries; the kernel deleted them with the link.
      await ward.lab.rebootHost(node1.host);
      await isReady(node1.host);
    });
    const finding = await until('it is found', DEADLINE_MS, () => node1.finding('own-underlay'));
    expect(finding).toBe('eth0: 10.11.0.2 gets no packets: eth0 is down; Take it up: `ip link set eth0 up`.');
    expect(await node1.complaints()).toEqual(['own-underlay']);
  });

  test('an address that is gone, and comes back by the remedy', async () => {
    const neighbours = await permanentNeighbours(node1);
    await node1.run('ip', 'address', 'flush', 'dev', 'eth0');
    const finding = await until('it is found', DEADLINE_MS, () => node1.finding('own-underlay'));
    expect(finding).toContain('no network card of this machine has its address 10.11.0.2 any more (eth0 is up)');
    expect(await node1.complaints()).toEqual(['own-underlay']);
    const { code, stdout } = await meshOn(node1.host, 'trace', 'manage', 'node1', 'host0');
    expect([code, stdout]).toEqual([1, expect.not.stringContaining("node1's agent puts this back")]);
    await node1.type(remedyIn(finding));
    for (const words of neighbours) await node1.run('ip', 'neighbour', 'replace', ...words);
    await ward.healthy();
  });

  test('an underlay card in a mesh, named by status, plan, trace and doctor, and taken off by the remedy', async () => {
    await node1.run('ip', 'link', 'set', 'eth0', 'master', 'br456');
    ward.after(async () => {
      await node1.run('ip', 'link', 'set', 'eth0', 'nomaster');
      // VXLAN packets came in by the bridge, which counts for two minutes. A new network namespace begins at 0.
      await ward.lab.rebootHost(node1.host);
      await isReady(node1.host);
    });
    const cause = "eth0 is a port of br456, a mesh's bridge";
    const finding = await until('it is found', DEADLINE_MS, () => node1.finding('own-underlay'));
    expect(finding).toContain(cause);
    expect(await node1.complaints()).toEqual(['own-underlay']);
    for (const words of [['status'], ['plan'], ['trace', 'manage', 'node1', 'host0']]) {
      expect((await meshOn(node1.host, ...words)).stdout).toContain(cause);
    }
    await node1.type(remedyIn(finding));
    await until('it is over', DEADLINE_MS, async () => !(await node1.complaints()).includes('own-underlay'));
  });

  test('a switch that keeps its ports apart', async () => {
    for (const { host } of [node1, node2]) {
      await onSegment(host, (port) => ['bridge', 'link', 'set', 'dev', port, 'isolated', 'on']);
      ward.after(() => onSegment(host, (port) => ['bridge', 'link', 'set', 'dev', port, 'isolated', 'off']));
    }
    for (const [patient, silent] of [
      [node1, 'node2 (10.11.0.3)'],
      [node2, 'node1 (10.11.0.2)'],
    ] as const) {
      const finding = await until('it is found', DEADLINE_MS, () => patient.finding('silent-member'));
      expect(finding).toContain(`no answer from ${silent} to 2 pings each, neither on the underlay nor in manage`);
    }
    await node1.complainsOf('silent-member');
    const { code, stdout } = await meshOn(host0.host, 'trace', 'manage', 'node1', 'node2');
    expect([code, stdout]).toEqual([1, expect.stringContaining('node2 answers no ping of node1 in manage')]);
  });

  test('a link that is too narrow', async () => {
    await node1.run('ip', 'link', 'set', 'eth0', 'mtu', '1400');
    ward.after(() => node1.run('ip', 'link', 'set', 'eth0', 'mtu', '1500'));
    await node1.complainsOf('link-mtu');
    expect(await node1.finding('link-mtu')).toContain('eth0 carries packets of 1400 bytes');
  });

  test('a path that is too narrow', async () => {
    await segment(node1.host, 'mtu', '1400');
    ward.after(() => segment(node1.host, 'mtu', '1500'));
    await node1.complainsOf('path-mtu');
    expect(await node1.finding('path-mtu')).toMatch(/host0 \(13[0-9]{2}\), node2 \(13[0-9]{2}\)/);
  });
});

describe('settings of the kernel', () => {
  test('strict rp_filter that drops packets, and is made loose by --fix', async () => {
    await ward.setting(node1, 'net.ipv4.conf.eth0.rp_filter', '1');
    await node1.complainsOf();
    await host0.run('ip', 'address', 'add', '192.0.2.9/32', 'dev', 'lo');
    ward.after(() => host0.run('ip', 'address', 'delete', '192.0.2.9/32', 'dev', 'lo'));
    // Strict rp_filter answers no ARP question from 192.0.2.9: host0 must know node1's Ethernet address before.
    await host0.run('ping', '-c', '1', '10.11.0.2');
    // The doctor names drops that the kernel has counted lately. On a busy machine host0 may have to ask for node1 again.
    const complaints = await until('packets are dropped', DEADLINE_MS, async () => {
      await ward.lab.exec(host0.host, ['ping', '-c', '1', '-W', '0.2', '-I', '192.0.2.9', '10.11.0.2']);
      const named = await node1.complaints();
      return named.length > 0 && named;
    });
    expect(complaints).toEqual(['rp-filter']);
    const { fixed, findings } = await node1.doctor('--fix');
    expect(fixed).toEqual([{ name: 'net/ipv4/conf/eth0/rp_filter', before: '1', value: '2' }]);
    expect(findings).toEqual([]);
  });

  test('IPv6 turned off on a bridge is turned on again by the agent, and nothing is left to find', async () => {
    await node1.run('sysctl', '-q', `${IPV6_OFF}=1`);
    await until('IPv6 is on', 15_000, async () => (await node1.run('sysctl', '-n', IPV6_OFF)) === '0\n');
    await until('the doctor finds nothing', 60_000, async () => (await node1.complaints()).length === 0);
  });
});

describe('other firewalls', () => {
  test("Docker's policy on bridged packets", async () => {
    await ward.setting(node1, 'net.bridge.bridge-nf-call-iptables', '1');
    await ward.foreignTable(
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
    await node1.complainsOf('br-netfilter');
    await node1.run('nft', 'insert rule ip filter FORWARD iifname br456 oifname br456 accept');
    await node1.complainsOf();
  });

  test('firewalld', async () => {
    await ward.foreignTable(
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
    expect(await node1.finding('firewalld')).toContain('none of its rules names br456');
  });
});

describe('the machine', () => {
  test('a full disk', async () => {
    const { state } = pathsBelow(node1.host.root);
    await node1.run('mount', '-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', state);
    ward.after(() => node1.run('umount', state));
    await node1.complainsOf();
    await node1.run('sh', '-c', `cat /dev/zero 2>/dev/null >${state}/filler || true`);
    expect(await node1.finding('disk')).toContain(`0 kB of 1024 kB are free where ${state} is`);
  });

  test('host0 without file descriptors, which hears again by the remedy', async () => {
    const pid = findProcess('host0', host0.host.root)?.pid;
    await host0.run('prlimit', '--pid', String(pid), '--nofile=10:');
    const finding = await until('it is found', DEADLINE_MS, () => host0.finding('open-files'));
    expect(finding).toContain("host0's daemon has no file descriptor left");
    await host0.complainsOf('open-files');
    expect((await meshOn(host0.host, 'status')).stdout).toContain('MESH_HOST0_DEAF');
    await host0.type(/`(prlimit [^`]*)`/.exec(finding)?.[1] ?? '');
    await ward.healthy();
  });

  test('packets with a wrong checksum', async () => {
    const before = await node1.complaints();
    for (let packet = 0; packet < 12; packet++) spoiltDatagram(node1.host);
    expect([before, await node1.complaints()]).toEqual([[], ['checksums']]);
    // The packets count for two minutes, so the host gets a new namespace with a counter at 0.
    await ward.lab.rebootHost(node1.host);
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

  test('a device that another program changes again and again', async () => {
    const thief = spawnInside(node1.host.netns, ['ip', 'monitor', 'link', 'dev', 'br456'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    thief.stdout?.on(
      'data',
      () => void ward.lab.exec(node1.host, ['ip', 'link', 'set', 'br456', 'address', '02:00:00:00:be:ef']),
    );
    ward.after(async () => {
      thief.kill();
    });
    await ward.lab.exec(node1.host, ['ip', 'link', 'set', 'br456', 'address', '02:00:00:00:be:ef']);
    // Each change of the bridge's address also deletes neighbour entries, which do not stay either. The bridge is the
    // cause.
    const stolen = /^bridge:mesh-456: ip link set br456 .*: it does not stay/;
    await until('it is found', DEADLINE_MS, async () => stolen.test((await node1.finding('stolen-device')) ?? ''));
  });
});

/** Changes the segment's end of the cable to a host: the bridge port that the host is plugged into. */
function segment(host: LabHost, ...words: string[]): Promise<void> {
  return onSegment(host, (port) => ['ip', 'link', 'set', port, ...words]);
}

/** @param command is given the segment's end of the cable to the host */
async function onSegment(host: LabHost, command: (port: string) => readonly string[]): Promise<void> {
  const segmentHost = { ...host, netns: ward.lab.topology.underlay };
  const { code, stderr } = await ward.lab.exec(segmentHost, command(host.ports[0]?.underlayEnd ?? ''));
  if (code !== 0) throw new Error(stderr);
}

/** The neighbour entries that the lab gives a host, as words for \`ip neighbour replace\`. */
async function permanentNeighbours(patient: Patient): Promise<string[][]> {
  const lines = (await patient.run('ip', '-4', 'neighbour', 'show', 'nud', 'permanent', 'dev', 'eth0')).trim();
  return lines.split('\n').map((line) => {
    const [ipv4 = '', , mac = ''] = line.split(' ');
    return [ipv4, 'lladdr', mac, 'dev', 'eth0', 'nud', 'permanent'];
  });
}
