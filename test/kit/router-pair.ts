/**
 * Two nodes that are routers of one network, a guest in the network, and a host outside, each a namespace. The nodes have real spaces;
 * their servers are planned, and the test starts them.
 */
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { OpenEar } from '../../src/agent/services/advertisement-ear.ts';
import { NetworkServers, type ServedNetworks } from '../../src/agent/services/network-servers.ts';
import { ServiceSpaces } from '../../src/agent/services/service-spaces.ts';
import { temporaryNetns } from '../../src/kernel/netns.ts';
import { systemClock } from '../../src/model/clock.ts';
import type { MachineWord } from '../../src/model/machine.ts';
import { plainBridge } from '../../src/model/network/bridge.ts';
import type { Subnet } from '../../src/model/network/subnet.ts';
import type { AssignedService } from '../../src/protocol/documents/service/assigned-service.ts';
import { carriesPackets, ip } from './namespaces.ts';
import { storeNetwork } from './networks.ts';

/** The machine of each router. */
export const PAIR = ['aaaaaaaa', 'bbbbbbbb'] as [MachineWord, MachineWord];

/** One router of a pair. */
export interface PairedRouter {
  readonly machine: MachineWord;
  readonly home: string;
  readonly servers: NetworkServers;
  readonly spaces: ServiceSpaces;
  /** Has the router serve as a node would. */
  serve(services: readonly AssignedService[]): Promise<ServedNetworks>;
}

/**
 * Makes the pair. The NICs of the nodes are `eth0`, and those of the guest as well.
 * @param closing gets what ends the pair: call all of it in reverse
 * @param subnets those of the network, which is `blue`
 */
export function routerPair(closing: (() => unknown)[], subnets: readonly Subnet[] = []) {
  const netns = () => {
    const made = temporaryNetns();
    closing.push(() => made.close());
    return made.path;
  };
  const [outside, guest, first, second] = [netns(), netns(), netns(), netns()];
  const directory = mkdtempSync(join(tmpdir(), 'mw-pair-'));
  closing.push(() => rmSync(directory, { recursive: true, force: true }));
  ip(outside, 'link set lo up', 'link add br0 type bridge', 'link set br0 up');
  for (const [number, home] of [first, second].entries()) {
    ip(
      home,
      'link set lo up',
      `link add eth0 type veth peer name port${number} netns ${outside}`,
      'link set eth0 up',
      'link add br1001 type bridge',
      'link set br1001 up',
    );
    ip(outside, `link set port${number} up`, `link set port${number} master br0`);
  }
  // What a VXLAN is between nodes.
  ip(
    first,
    `link add vx type veth peer name vx netns ${second}`,
    'link set vx master br1001 up',
    `link add port type veth peer name eth0 netns ${guest}`,
    'link set port master br1001 up',
  );
  ip(second, 'link set vx master br1001 up');
  ip(guest, 'link set lo up', 'link set eth0 up');
  for (const home of [first, second]) carriesPackets(home, 'br1001');
  const network = { ...storeNetwork('blue', 0x1001), bridge: plainBridge('br1001'), subnets };
  const routerOf = (home: string, machine: MachineWord): PairedRouter => {
    const [run, names] = [join(directory, `run-${machine}`), join(directory, `netns-${machine}`)];
    const openEar: OpenEar = () => ({ send: () => {}, close: () => {} });
    const spaces = new ServiceSpaces({ directory: names, run, leases: join(run, 'leases'), clock: systemClock, home });
    closing.push(async () => {
      for (const name of existsSync(names) ? readdirSync(names) : []) await spaces.remove(name);
      await spaces.close();
    });
    const servers = new NetworkServers({
      ...{ machine, openEar, clock: systemClock },
      launcher: { running: () => undefined, errorOf: () => undefined, present: () => [] },
      outerFaultOf: (space) => spaces.outerFaultOf(space),
      isInPlace: (space) => spaces.isInPlace(space),
      directories: { files: run, run, netns: names, leases: join(run, 'leases') },
    });
    const serve = async (services: readonly AssignedService[]) => {
      const plan = servers.plan([{ network, reasons: ['service'], peers: { kind: 'none' }, services }]);
      for (const space of plan.spaces) await spaces.make(space);
      return plan;
    };
    return { machine, home, servers, spaces, serve };
  };
  return { outside, guest, network, routers: [routerOf(first, PAIR[0]), routerOf(second, PAIR[1])] as const };
}
