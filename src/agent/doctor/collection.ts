/**
 * Collects the doctor's evidence from the agent, the kernel, /proc, the disk, and by asking host0 and other members.
 */
import { statfs } from 'node:fs/promises';
import type { Feature } from '../../kernel/probe.ts';
import { readSysctl } from '../../kernel/sysctl.ts';
import { memberAddresses } from '../../model/network/member.ts';
import type { Finding } from '../../protocol/documents/finding.ts';
import { MEMBERSHIP_PORT } from '../../protocol/documents/tcp-ports.ts';
import { readDocument } from '../../protocol/shapes/document.ts';
import { HealthShape } from '../../protocol/shapes/parts.ts';
import type { Agent } from '../agent.ts';
import { TABLE } from '../items/ruleset.ts';
import type { SizedEcho } from '../ping/path-mtu.ts';
import { ask } from '../ping/question.ts';
import { networkViews, statusView } from '../view/agent-view.ts';
import type { DiskEvidence, Evidence, UnderlayLinkEvidence } from './evidence.ts';
import { parseChains } from './filter-chain.ts';
import { type Host0Search, otherHost0s } from './host0-search.ts';
import { probePaths } from './path-probe.ts';
import { readCounters, readTableFulls, runningRivals } from './proc.ts';

/** Where the evidence comes from. */
export interface CollectionInput {
  readonly agent: Agent;
  readonly echo: SizedEcho;
  /** Resolves with every nft table of the machine, as nft prints them. */
  readonly ruleset: () => Promise<string>;
  /** Resolves with `Evidence.fromElsewhere`. */
  readonly fromElsewhere: () => Promise<number>;
  /** Tries out the kernel's features. */
  readonly probe: () => Promise<Feature[]>;
  readonly askUnderlay: Host0Search['askUnderlay'];
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
    askUnderlay: input.askUnderlay,
  };
  const [
    paths,
    others,
    ruleset,
    counters,
    fromElsewhere,
    tableFulls,
    rivals,
    disk,
    features,
    aheadOfHost0Ms,
    daemonHealth,
  ] = await Promise.all([
    probePaths(networks, input.echo),
    otherHost0s(search),
    input.ruleset(),
    readCounters(),
    input.fromElsewhere(),
    readTableFulls(),
    runningRivals(),
    diskOf(input.stateDirectory),
    input.probe(),
    role === 'node' ? aheadOfHost0(agent) : undefined,
    role === 'host0' ? healthOfDaemon(input.controlSock) : [],
  ]);
  return {
    role,
    networks,
    links: [...cache.links.values()],
    neighbours: [...cache.neighbours.values()],
    underlay,
    setting: readSetting,
    counters,
    fromElsewhere,
    tableFulls,
    chains: parseChains(ruleset).filter(({ table }) => table !== TABLE),
    rivals,
    disk,
    nodeVersion: process.versions.node,
    features,
    failures: agent.reconciler.lastingFailures(),
    health: allHealth(statusView(agent, 0).health, daemonHealth),
    paths,
    otherHost0s: others,
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
    return stance.segments.flatMap(({ device, ipv4 }) => {
      const link = cache.linkNamed(device);
      return link === undefined ? [] : [{ link, ipv4 }];
    });
  }
  return [...cache.addresses.values()].flatMap(({ address, link: index }) => {
    const link = cache.links.get(index);
    return link === undefined || address !== stance.local ? [] : [{ link, ipv4: stance.local }];
  });
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
    const answer = await ask({ host, port: MEMBERSHIP_PORT, path: '/' });
    if (typeof answer !== 'string' && answer.date !== undefined) {
      return clock.wallTime().getTime() - answer.date.getTime();
    }
  }
  return undefined;
}

/** Both know when the daemon does not answer: that is told once. */
function allHealth(agent: readonly Finding[], daemon: readonly Finding[]): readonly Finding[] {
  const isTold = ({ code, object }: Finding) => agent.some((told) => told.code === code && told.object === object);
  return [...agent, ...daemon.filter((finding) => !isTold(finding))];
}

async function healthOfDaemon(socketPath: string): Promise<readonly Finding[]> {
  const answer = await ask({ socketPath, path: '/v1/status' });
  const { document, fault } = typeof answer === 'string' ? { fault: answer } : readDocument(HealthShape, answer.body);
  if (fault === undefined) return document.health;
  return [
    {
      code: 'MESH_NOT_RUNNING',
      severity: 'error',
      object: 'host0',
      message: `host0's daemon gives no answer: ${typeof answer === 'string' ? answer : `its status ${fault}`}`,
      remedy: 'Start it with `mesh system start`; `mesh system logview` shows why it ended.',
    },
  ];
}
