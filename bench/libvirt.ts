/**
 * Networks of libvirt: how soon a NAT network serves its guests, against Debian's libvirtd, how soon a stop is acknowledged, two
 * hundred networks at once, and a restart of host0 among them.
 */
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { netnsPath } from '../src/kernel/netns.ts';
import { Lab } from '../src/lab/cluster/lab.ts';
import { type Connection, connect } from '../src/libvirt/client/libvirt.ts';
import { agentClient } from '../src/protocol/calls/control-client.ts';
import { pathsBelow } from '../src/protocol/documents/paths.ts';
import { Pings } from '../test/system/pings.ts';
import { until } from '../test/system/until.ts';
import { LibvirtDaemon } from './libvirt-daemon.ts';
import { compared, type Measurement, measured } from './measurement.ts';
import { interleaved, type Run, unlessStopped } from './run.ts';
import { SERVED, ServedGuest } from './served-guest.ts';

const PAIRS = 15;
/** Either daemon clears away for a while after the bridge is gone. */
const SETTLING_MS = 300;
const DEADLINE_MS = 60_000;
const MANY = 200;
/** A daemon that has started looks at all networks once more. */
const SETTLED_MS = 5_000;
const ASKER = join(import.meta.dirname, 'name-asker.ts');

/** @param more further elements */
const networkXml = (more = '') => `<network>
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
  ${more}
</network>`;

const NETWORK = networkXml();

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
  const burst = await manyNetworks(lab, ours, run);
  const restarted = await restarts(lab, ours, ourGuest, run);
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
    burst,
    ...restarted,
  ];
}

/** Makes many networks at once, over one connection. They stay. */
async function manyNetworks(lab: Lab, connection: Connection, { signal, stage }: Run): Promise<Measurement> {
  stage(`${MANY} networks at once`);
  const gateways = Array.from({ length: MANY }, (_, number) => `10.200.${number}.1`);
  const words = [`--net=${netnsPath(lab.host('host0').netns)}`, process.execPath, ASKER, ...gateways];
  const asker = spawn('nsenter', words, { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    const answered = text(asker.stdout);
    const startMs = performance.now();
    await Promise.all(gateways.map((gateway, number) => connection.networkCreateXml(oneOfMany(number, gateway))));
    const doneMs = Number(await unlessStopped(signal, answered)) - performance.timeOrigin - startMs;
    const name = `${MANY} NAT networks at once → DNS answers in each`;
    return measured({ name, unit: 'ms', budget: { of: 'value', atMost: 5_000 } }, [doneMs]);
  } finally {
    asker.kill();
  }
}

function oneOfMany(number: number, gateway: string): string {
  const net = gateway.slice(0, gateway.lastIndexOf('.'));
  const dhcp = `<dhcp><range start='${net}.100' end='${net}.200'/></dhcp>`;
  const dns = `<dns><host ip='${gateway}'><hostname>guest</hostname></host></dns>`;
  const ip = `<ip address='${gateway}' netmask='255.255.255.0'>${dhcp}</ip>`;
  const bridge = `<bridge name='many${number}' stp='off' delay='0'/>`;
  return `<network><name>many${number}</name><forward mode='nat'/>${bridge}${dns}${ip}</network>`;
}

/** Restarts host0’s daemon, and its agent, among many networks, while a guest of one of them pings its gateway. */
async function restarts(
  lab: Lab,
  connection: Connection,
  guest: ServedGuest,
  { signal, stage }: Run,
): Promise<Measurement[]> {
  const host0 = lab.host('host0');
  const paths = pathsBelow(host0.root);
  const six = `<ip family='ipv6' address='${SERVED.gateway6}' prefix='64'/>`;
  await Promise.all([connection.networkCreateXml(networkXml(six)), guest.served(signal)]);
  await connection.close();
  using pings = await Pings.start(guest.netns, SERVED.gateway6, 1);
  const inSync = {
    host0: async () => {
      const again = await connect({ socket: join(paths.run, 'libvirt/network-sock') });
      const active = await again.listAllNetworks({ active: true });
      await again.close();
      return active.length > MANY;
    },
    agent: async () => {
      const { steps } = await agentClient(paths).ask('GET /v1/drift');
      const given = await agentClient(paths).ask('GET /v1/given');
      return steps.length === 0 && given.length > MANY && given.every(({ state }) => state.phase === 'ready');
    },
  } as const;
  const took: Measurement[] = [];
  for (const program of ['host0', 'agent'] as const) {
    stage(`a restart of ${program} among ${MANY} networks`);
    await until('the agent has settled', DEADLINE_MS, () => inSync.agent());
    await lab.stop(host0, program);
    const startMs = performance.now();
    lab.start(host0, program);
    await until(`${program} is in sync`, DEADLINE_MS, async () => {
      signal.throwIfAborted();
      return await inSync[program]().catch(() => false);
    });
    const named = { name: `a restart of ${program} → in sync with ${MANY} networks`, unit: 'ms' } as const;
    took.push(measured({ ...named, budget: { of: 'value', atMost: 2_000 } }, [performance.now() - startMs]));
  }
  await sleep(SETTLED_MS, undefined, { signal });
  const lost = await pings.losses();
  const count = lost.reduce((sum, { pings: many }) => sum + many, 0);
  const name = 'pings lost, one a millisecond, while both restart';
  return [...took, measured({ name, unit: 'packets', budget: { of: 'value', atMost: 0 } }, [count])];
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
