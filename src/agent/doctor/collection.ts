/**
 * Collects the doctor's evidence from the agent, the kernel, /proc, the disk, and by asking host0 and other members.
 */
import { statfs } from 'node:fs/promises';
import type { Feature } from '../../kernel/probe.ts';
import { readSysctl } from '../../kernel/sysctl.ts';
import { type Ipv4, isIpv4 } from '../../model/address/ipv4.ts';
import type { Ipv6 } from '../../model/address/ipv6.ts';
import { MeshError } from '../../model/error.ts';
import { memberAddresses } from '../../model/network/member.ts';
import { VXLAN_PORT } from '../../model/network/types/vxlan.ts';
import { ControlClient } from '../../protocol/calls/control-client.ts';
import { callByHttp1 } from '../../protocol/calls/http1-call.ts';
import type { Finding } from '../../protocol/documents/finding.ts';
import { MEMBERSHIP_PORT } from '../../protocol/documents/tcp-ports.ts';
import type { Agent } from '../agent.ts';
import { hasBridge } from '../desired/bridged-network.ts';
import { isRouted } from '../desired/rules/routing/routing-rules.ts';
import { parseChains } from '../firewall/chain.ts';
import type { ImageCache } from '../images/image-cache.ts';
import { TABLE } from '../items/ruleset.ts';
import type { SizedEcho } from '../ping/path-mtu.ts';
import { networkViews, statusView } from '../view/agent-view.ts';
import { type AddressProbeInput, sharedAddresses } from './address-probe.ts';
import type { Counters, DiskEvidence, Evidence, HostedNetwork, UnderlayLinkEvidence } from './evidence.ts';
import { collectGuests } from './guest-evidence.ts';
import { type Host0Search, otherHost0s } from './host0-search.ts';
import { probePaths } from './path-probe.ts';
import { readTableFulls, runningRivals } from './proc.ts';

/** For an answer to an ARP request. */
const ARP_TIMEOUT_MS = 500;
const ARP_BYTES = 56;
/** host0 answers within this time. */
const ANSWER_TIMEOUT_MS = 2_000;

/** Where the evidence comes from. */
export interface CollectionInput {
  readonly agent: Agent;
  readonly echo: SizedEcho;
  /** Resolves with every nft table of the machine, as nft prints them. */
  readonly ruleset: () => Promise<string>;
  readonly counters: () => Promise<Counters>;
  /** Tries out the kernel's features. */
  readonly probe: () => Promise<Feature[]>;
  readonly askUnderlay: Host0Search['askUnderlay'];
  readonly probeAddresses: AddressProbeInput['probe'];
  readonly images: ImageCache;
  readonly stateDirectory: string;
  /** The control socket of host0's daemon; used only on host0. */
  readonly controlSock: string;
}

/**
 * Collects all evidence, in parallel; it takes a second or two.
 * @throws when the disk, /proc or nft cannot be read; members and daemons that do not answer are evidence and no error
 */
export async function collectEvidence(input: CollectionInput): Promise<Evidence> {
  const { agent } = input;
  await agent.refusals.read();
  const { cache } = agent.reconciler;
  const { role } = agent.source.host0Stance();
  const networks = networkViews(agent);
  const underlay = underlayLinks(agent);
  const search = {
    networks,
    underlay,
    cache,
    machine: agent.input.machine,
    known: agent.source.host0,
    nextHop: async (ipv4: Ipv4) => (await routerTo(agent, ipv4)) ?? ipv4,
    ping: (ipv4: Ipv4) => input.echo(ipv4, ARP_TIMEOUT_MS, ARP_BYTES).catch(() => undefined),
    askUnderlay: input.askUnderlay,
  };
  const [
    paths,
    others,
    shared,
    ruleset,
    counters,
    tableFulls,
    rivals,
    disk,
    guests,
    features,
    aheadOfHost0Ms,
    daemonHealth,
  ] = await Promise.all([
    probePaths(networks, { echo: input.echo, via: (ipv4) => routerTo(agent, ipv4) }),
    otherHost0s(search),
    sharedAddresses({ networks, underlay, cache, probe: input.probeAddresses }),
    input.ruleset(),
    input.counters(),
    readTableFulls(),
    runningRivals(),
    diskOf(input.stateDirectory),
    collectGuests(agent.input.workloads, input.images),
    input.probe(),
    role === 'node' ? aheadOfHost0(agent) : undefined,
    role === 'host0' ? healthOfDaemon(input.controlSock) : [],
  ]);
  return {
    role,
    networks,
    hosted: hostedNetworks(agent),
    links: [...cache.links.values()],
    ports: agent.ports.list(),
    neighbours: [...cache.neighbours.values()],
    underlay,
    setting: readSetting,
    counters,
    tableFulls,
    chains: parseChains(ruleset).filter(({ table }) => table !== TABLE),
    rivals,
    disk,
    guests,
    nodeVersion: process.versions.node,
    features,
    failures: agent.reconciler.lastingFailures(),
    health: healthOf(statusView(agent, 0).health, daemonHealth),
    paths,
    otherHost0s: others,
    knownHost0: agent.source.host0,
    sharedAddresses: shared,
    aheadOfHost0Ms,
  };
}

/** @param name the path below /proc/sys */
function readSetting(name: string): string | undefined {
  try {
    return readSysctl(name.split('/'));
  } catch {
    // This kernel or device has no such setting, so there is nothing to judge.
    return undefined;
  }
}

function underlayLinks({ source, reconciler: { cache } }: Agent): UnderlayLinkEvidence[] {
  const stance = source.host0Stance();
  if (stance.role === 'host0') {
    return stance.segments.flatMap(({ device, ipv4, subnet }) => {
      const link = cache.linkNamed(device);
      return link === undefined ? [] : [{ link, ipv4, subnet }];
    });
  }
  return [...cache.addresses.values()].flatMap(({ address, link: index }) => {
    const link = cache.links.get(index);
    return link === undefined || address !== stance.local ? [] : [{ link, ipv4: stance.local }];
  });
}

/** The next hop of VXLAN packets, whose way may be another than that of pings. */
async function routerTo({ input }: Agent, ipv4: Ipv4): Promise<Ipv4 | undefined> {
  const route = await input.kernel.routeTo(ipv4, VXLAN_PORT).catch(() => undefined);
  return route?.gateway !== undefined && isIpv4(route.gateway) ? route.gateway : undefined;
}

async function diskOf(directory: string): Promise<DiskEvidence> {
  const { bsize, blocks, bavail, files, ffree } = await statfs(directory);
  return {
    directory,
    totalBytes: blocks * bsize,
    freeBytes: bavail * bsize,
    totalInodes: files,
    freeInodes: ffree,
  };
}

/** From the Date header of host0's member list. Undefined while host0 does not answer, which other checks report. */
async function aheadOfHost0({ source, input: { clock } }: Agent): Promise<number | undefined> {
  for (const network of source.networks) {
    const host = memberAddresses(network, 'host0').ipv6;
    const date = await dateAt(host);
    if (date !== undefined) return clock.wallTime().getTime() - date.getTime();
  }
  return undefined;
}

/** The other clock by the Date header, to the second (RFC 9110 §6.6.1); undefined when it is missing or malformed. */
async function dateAt(host: Ipv6): Promise<Date | undefined> {
  const signal = AbortSignal.timeout(ANSWER_TIMEOUT_MS);
  const call = { method: 'GET', path: '/', headers: {}, body: undefined, signal, isStream: false, staysOpen: false };
  const target = { host, port: MEMBERSHIP_PORT };
  const answer = await callByHttp1(target, { ...call, timeoutMs: undefined }, ANSWER_TIMEOUT_MS).catch(() => undefined);
  answer?.body.on('error', () => {}).destroy();
  const date = new Date(answer?.headers?.date ?? '');
  return Number.isNaN(date.getTime()) ? undefined : date;
}

/** A daemon that is deaf, or does not run, gives no answer, and its agent knows that. */
function healthOf(ofAgent: readonly Finding[], ofDaemon: readonly Finding[]): Finding[] {
  const isSilent = ofAgent.some(
    ({ code, object }) => code === 'MESH_HOST0_DEAF' || (code === 'MESH_NOT_RUNNING' && object === 'host0'),
  );
  return [
    ...ofAgent,
    ...ofDaemon.filter(({ code }) => !isSilent || (code !== 'MESH_NOT_RUNNING' && code !== 'MESH_HOST0_DEAF')),
  ];
}

async function healthOfDaemon(socketPath: string): Promise<readonly Finding[]> {
  const asked = new ControlClient('host0', socketPath).ask('GET /v1/status', { timeoutMs: ANSWER_TIMEOUT_MS });
  const answer = await asked.catch((error: unknown) => MeshError.from(error));
  if (!(answer instanceof MeshError)) return answer.health;
  return [
    {
      code: 'MESH_NOT_RUNNING',
      severity: 'error',
      object: 'host0',
      message: `host0's daemon gives no answer: ${answer.message}`,
      remedy: 'Start it with `mesh system start`; `mesh system logview` shows why it ended.',
    },
  ];
}

function hostedNetworks({ networks }: Pick<Agent, 'networks'>): HostedNetwork[] {
  return networks.given.flatMap(({ network, hostAddresses = [] }) => {
    if (!hasBridge(network) || hostAddresses.length === 0) return [];
    const families = [
      ...new Set(hostAddresses.map(({ address }) => (address.includes(':') ? 'ipv6' : 'ipv4') as 'ipv4' | 'ipv6')),
    ];
    return [{ bridge: network.bridge.name, families, isRouted: isRouted(network, hostAddresses) }];
  });
}
