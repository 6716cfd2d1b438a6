/**
 * Networks of libvirt: how soon a NAT network serves its guests, against Debian's libvirtd, how soon a stop is acknowledged, two
 * hundred networks at once, and a restart of host0 among them.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { netnsPath } from '../src/kernel/netns.ts';
import { Lab } from '../src/lab/cluster/lab.ts';
import { type Connection, connect } from '../src/libvirt/client/libvirt.ts';
import { pathsBelow } from '../src/protocol/documents/paths.ts';
import { until } from '../test/system/until.ts';
import { LibvirtDaemon } from './libvirt-daemon.ts';
import { compared, type Measurement, measured } from './measurement.ts';
import { interleaved, type Run } from './run.ts';
import { SERVED, ServedGuest } from './served-guest.ts';

const PAIRS = 15;
/** Either daemon clears away for a while after the bridge is gone. */
const SETTLING_MS = 300;
const DEADLINE_MS = 30_000;

const NETWORK = `<network>
  <name>bench</name>
  <uuid>6d657368-0000-4000-8000-000000000001</uuid>
  <forward mode='nat'/>
  <bridge name='${SERVED.bridge}' stp='off' delay='0'/>
  <mac address='${SERVED.bridgeMac}'/>
  <ip address='${SERVED.gateway}' netmask='255.255.255.0'>
    <dhcp>
      <range start='192.168.150.100' end='192.168.150.200'/>
      <host mac='${SERVED.guestMac}' name='guest' ip='${SERVED.guest}'/>
    </dhcp>
  </ip>
</network>`;

/** Milliseconds from the call. */
interface Round {
  readonly servedMs: number;
  readonly answerMs: number;
  readonly bridgeMs: number;
  readonly destroyMs: number;
}

/** The benchmark `libvirt`. */
export async function libvirt(run: Run): Promise<Measurement[]> {
  const { signal, stage } = run;
  await using lab = await Lab.build({
    ...{ name: `bench-libvirt-${process.pid}`, nodes: 1, segments: 1 },
    ...{ signal, onStage: stage },
  });
  const host0 = lab.host('host0');
  const paths = pathsBelow(host0.root);
  writeFileSync(join(paths.host0, 'host0.conf'), 'libvirt=own\n');
  await lab.startHost0({ onStage: stage, signal });
  await using daemon = await LibvirtDaemon.start();
  const ours = await opened(join(paths.run, 'libvirt/network-sock'));
  const theirs = await opened(daemon.socket);
  await using ourGuest = await ServedGuest.open(netnsPath(host0.netns));
  await using theirGuest = await ServedGuest.open(daemon.netns);
  const round = (connection: Connection, guest: ServedGuest) => served(connection, guest, signal);
  await round(ours, ourGuest);
  await round(theirs, theirGuest);
  const pairs = await interleaved(
    run,
    PAIRS,
    'a NAT network',
    () => round(ours, ourGuest),
    () => round(theirs, theirGuest),
  );
  if (process.env.MESH_BENCH_ROUNDS !== undefined) console.error(pairs);
  await ours.close();
  await theirs.close();
  return [
    compared(
      {
        name: 'a NAT network → DHCP and DNS answer, against libvirtd',
        unit: 'ms',
        budget: { of: 'ratio', atMost: 0.33 },
      },
      pairs.map(([mine, other]) => [mine.servedMs, other.servedMs]),
    ),
    measured(
      { name: 'a network stopped → acknowledged', unit: 'ms', budget: { of: 'value', atMost: 10 } },
      pairs.map(([{ destroyMs }]) => destroyMs),
    ),
  ];
}

async function served(connection: Connection, guest: ServedGuest, signal: AbortSignal): Promise<Round> {
  const startMs = performance.now();
  const [{ network, answerMs }, { bridgeMs, dhcpMs, dnsMs }] = await Promise.all([
    connection.networkCreateXml(NETWORK).then((network) => ({ network, answerMs: performance.now() - startMs })),
    guest.served(signal),
  ]);
  const destroyedMs = performance.now();
  await network.destroy();
  const destroyMs = performance.now() - destroyedMs;
  await guest.alone(signal);
  await sleep(SETTLING_MS, undefined, { signal });
  return { servedMs: Math.max(dhcpMs, dnsMs) - startMs, bridgeMs: bridgeMs - startMs, answerMs, destroyMs };
}

async function opened(socket: string): Promise<Connection> {
  return await until(`${socket} answers`, DEADLINE_MS, () => connect({ socket }).catch(() => undefined));
}
