/** The meshes in a host's kernel as text, from iproute2 and nft, to compare a state with an earlier one. */
import type { Lab } from '../../src/lab/cluster/lab.ts';
import type { LabHost } from '../../src/lab/hosts/lab-host.ts';
import { until } from './until.ts';

/** A repair takes a tenth of a second on an idle machine; on a busy one an agent may wait seconds for a processor. */
const REPAIR_DEADLINE_MS = 15_000;

/**
 * Left out is what changes with time or with a repair: counters, timers, indexes, learnt entries and sets that frames fill. `sort -u`, because a
 * dump that is interrupted by a change shows a line twice.
 */
const SHOW = `
ip -6 -oneline address show | grep nodad | cut -d' ' -f 2- | sort -u
ip -6 neighbour show nud permanent proto 200 | sort -u
bridge fdb show | grep extern_learn | sort -u
ip route show
ip rule show
ip route show table 4789 2>&1
nft list table inet meshwork
nft list table bridge meshwork`;

/** The elements of a set that frames fill, as nft prints them after the declaration. */
const FILLED_BY_FRAMES = /(\t\tflags dynamic.*\n\t\ttimeout .*\n)\t\telements = \{[^}]*\}\n/g;

/** What nft lists, without the elements that frames have put into sets: they come, and go with time. */
export function withoutFrames(listing: string): string {
  return listing.replace(FILLED_BY_FRAMES, '$1');
}

/** Links, addresses, neighbour entries, FDB entries, routes and rules of a host. */
export async function kernelPicture(lab: Lab, host: LabHost): Promise<string> {
  const [links, rest] = await Promise.all([
    lab.exec(host, ['ip', '-json', '-detail', 'link', 'show']),
    lab.exec(host, ['sh', '-c', SHOW]),
  ]);
  return `${linkLines(links.stdout).toSorted().join('\n')}\n${withoutFrames(rest.stdout)}`;
}

/** One device of the host, with its index, so that another device of the same name differs. */
export async function linkPicture(lab: Lab, host: LabHost, device: string): Promise<string> {
  const { stdout } = await lab.exec(host, ['ip', '-json', '-detail', 'link', 'show', device]);
  const [{ ifindex }] = JSON.parse(stdout) as [{ ifindex: number }];
  return `${ifindex} ${linkLines(stdout)}`;
}

function linkLines(json: string): string[] {
  return (JSON.parse(json) as IpLink[]).map(lineOf);
}

interface IpLink {
  readonly ifname: string;
  readonly flags: readonly string[];
  readonly address: string;
  readonly mtu: number;
  readonly group: string;
  readonly master?: string;
  readonly ifalias?: string;
  readonly inet6_addr_gen_mode?: string;
  readonly linkinfo?: { readonly info_kind?: string; readonly info_data?: Readonly<Record<string, unknown>> };
}

function lineOf({
  ifname,
  flags,
  address,
  mtu,
  group,
  master,
  ifalias,
  inet6_addr_gen_mode,
  linkinfo,
}: IpLink): string {
  const { id, local, port, learning, df } = linkinfo?.info_data ?? {};
  const state = flags.includes('UP') ? 'up' : 'down';
  return JSON.stringify([
    ifname,
    state,
    address,
    mtu,
    group,
    master,
    ifalias,
    inet6_addr_gen_mode,
    id,
    local,
    port,
    learning,
    df,
  ]);
}

/**
 * Waits until kernelPicture of `host` is `before` again.
 * @throws Error with the lines that differ
 */
export async function becomesAgain(lab: Lab, host: LabHost, before: string): Promise<void> {
  let now = '';
  try {
    await until('it looks as before', REPAIR_DEADLINE_MS, async () => {
      now = await kernelPicture(lab, host);
      return now === before;
    });
  } catch (cause) {
    throw new Error(`${host.name} differs:\n${differences(before, now)}`, { cause });
  }
}

function differences(before: string, now: string): string {
  const [was, is] = [new Set(before.split('\n')), new Set(now.split('\n'))];
  const minus = [...was].filter((line) => !is.has(line)).map((line) => `- ${line}`);
  const plus = [...is].filter((line) => !was.has(line)).map((line) => `+ ${line}`);
  if (minus.length + plus.length > 0) return [...minus, ...plus].join('\n');
  // The lines are the same, and differ in order or number.
  return `- ${before.replaceAll('\n', '\n- ')}\n+ ${now.replaceAll('\n', '\n+ ')}`;
}
