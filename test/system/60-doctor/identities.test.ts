/** The doctor on two machines with one identity, or with different clocks. */
import { describe, expect, test } from 'vitest';
import { netnsPath, temporaryNetns } from '../../../src/kernel/netns.ts';
import { EXAMPLE_MESH } from '../../../src/lab/hosts/example-mesh.ts';
import type { LabHost } from '../../../src/lab/hosts/lab-host.ts';
import type { Ipv4 } from '../../../src/model/address/ipv4.ts';
import { memberAddresses } from '../../../src/model/network/member.ts';
import { ip as ipIn } from '../../kit/namespaces.ts';
import { isReady } from '../drift.ts';
import { until } from '../until.ts';
import { OtherClock } from './other-clock.ts';
import type { Patient } from './patient.ts';
import { DEADLINE_MS, wardForAllTests } from './ward.ts';

const ward = wardForAllTests('identities');
const { host0, node1, node2 } = ward;

describe('identities', () => {
  test('two machines with one id, found on node2 and on host0', async () => {
    const posing: LabHost = { ...node2.host, machine: node1.host.machine };
    await ward.lab.stop(node2.host, 'agent', 'SIGTERM');
    ward.lab.start(posing, 'agent');
    ward.after(async () => {
      await ward.lab.stop(node2.host, 'agent', 'SIGTERM');
      ward.lab.start(node2.host, 'agent');
      await isReady(node2.host);
    });
    await until('node2 finds it', DEADLINE_MS, async () => {
      return (await node2.complaints().catch((): string[] => [])).includes('double-id');
    });
    expect(await host0.complaints()).toContain('double-id');
  });

  test('two host0s on one segment, found by a node and by host0', async () => {
    const { bridgeMac, ipv6 } = memberAddresses(EXAMPLE_MESH, 'host0');
    const second = temporaryNetns();
    const segmentPort = 'second0';
    ward.after(async () => {
      ipIn(netnsPath(ward.lab.topology.underlay), `link delete ${segmentPort}`);
      second.close();
    });
    ipIn(
      netnsPath(ward.lab.topology.underlay),
      `link add ${segmentPort} master ${ward.lab.topology.bridges[0]} up type veth peer name eth0 netns ${second.path}`,
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

  test('two machines with one IPv4 address, found by the machine and by host0', async () => {
    const second = temporaryNetns();
    const segmentPort = 'second0';
    ward.after(() => second.close());
    ipIn(
      netnsPath(ward.lab.topology.underlay),
      `link add ${segmentPort} master ${ward.lab.topology.bridges[0]} up type veth peer name eth0 netns ${second.path}`,
    );
    ipIn(second.path, 'address add 10.11.0.2/24 dev eth0', 'link set eth0 up');
    for (const [patient, whose] of [
      [node1, 'the address of this machine, 10.11.0.2'],
      [host0, 'the address of node1, 10.11.0.2'],
    ] as const) {
      const finding = await until('it is found', DEADLINE_MS, () => patient.finding('double-address'));
      expect(finding).toContain(
        `2 network cards on the segment behind ${patient === node1 ? 'eth0' : 'eth1'} have ${whose}`,
      );
    }
    ipIn(second.path, 'address replace 10.11.0.99/24 dev eth0', 'address delete 10.11.0.2/24 dev eth0');
    await ward.healthy();
  });

  test('host0 that answers from another of its addresses, and a node that the remedy makes a member', async () => {
    await host0.run('ip', 'address', 'add', '10.11.0.250/24', 'dev', 'eth1');
    await ward.lab.stop(node1.host, 'agent', 'SIGTERM');
    ward.lab.start({ ...node1.host, host0: '10.11.0.250' as Ipv4 }, 'agent');
    ward.after(() => host0.run('ip', 'address', 'delete', '10.11.0.250/24', 'dev', 'eth1'));
    ward.after(async () => {
      await ward.lab.stop(node1.host, 'agent', 'SIGTERM');
      ward.lab.start(node1.host, 'agent');
      await isReady(node1.host);
    });
    const finding = await until('it is found', DEADLINE_MS, () =>
      node1.finding('host0-address').catch(() => undefined),
    );
    expect(finding).toContain(
      'host0 answers in manage from 10.11.0.1, and this node was told that host0 is at 10.11.0.250',
    );
    // host0 lists node1 for ten seconds more, and hears nothing from it. Then node2, too, drops the packets of node1.
    await until('host0 finds nothing', DEADLINE_MS, async () => (await host0.complaints()).length === 0);
    await node1.complainsOf('host0-address');
    const address = /`--host0 ([0-9.]+)`/.exec(finding)?.[1] as Ipv4;
    await ward.lab.stop(node1.host, 'agent', 'SIGTERM');
    ward.lab.start({ ...node1.host, host0: address }, 'agent');
    await ward.healthy();
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
    ward.after(async () => {
      await node2.run('ip', 'link', 'set', 'eth0', 'address', theirs.mac);
      await keep(node1, theirs);
      await keep(node2, mine);
    });
    // node2's ARP request gives node1 a neighbour entry with node2's changed Ethernet address.
    await ward.lab.exec(node2.host, ['ping', '-c', '1', '-W', '0.2', mine.ipv4]);
    expect(await node1.finding('double-mac')).toContain(`${mine.mac}: this machine and ${theirs.ipv4} have the same`);
  });
});

describe('time', () => {
  test("a clock that differs from host0's", async () => {
    await ward.lab.stop(host0.host, 'host0', 'SIGTERM');
    const server = await OtherClock.start(host0.host, 3_600_000);
    ward.after(async () => {
      server.stop();
      ward.lab.start(host0.host, 'host0');
      await Promise.all(ward.lab.hosts.map(isReady));
    });
    expect(await node1.finding('clock')).toMatch(/clock is (3599|3600) s behind host0's/);
  });
});
