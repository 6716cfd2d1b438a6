/** Processes that serve a network or a guest: dnsmasq, radvd, QEMU. Each is supervised, and outlives the agent. */
import type { NetworkId } from '../../model/network/number.ts';
import { type ProcessSpec, specDigest } from '../../services/process/process-spec.ts';
import type { ItemKey, ItemKind, ServiceOperation } from './item-kind.ts';
import { RANK } from './rank.ts';

/** One process of the agent. */
export interface ProcessItem {
  readonly kind: 'process';
  /** The network that it serves. Absent: the node. */
  readonly network?: NetworkId;
  readonly name: string;
  /** For people: `dnsmasq for blue`. */
  readonly title: string;
  /** The digest of its spec (`specDigest`). */
  readonly digest: string;
  /** The digest of what it reads again on a signal. Absent: nothing. */
  readonly reread?: string;
  /** How it is started. Absent in an observed item, of which only the digests are known. */
  readonly spec?: ProcessSpec;
  /** Items that must be in place before the process starts: its files, the link that it serves. */
  readonly needs: readonly ItemKey[];
  /** It runs in a network namespace that was deleted and made again; false in a desired item. */
  readonly astray: boolean;
}

/** The key of a process. */
export function processKey(name: string): ItemKey {
  return `process:${name}`;
}

/** The desired item of a process. */
export function processItem(spec: ProcessSpec, needs: readonly ItemKey[], network?: NetworkId): ProcessItem {
  const { name, title, rereads } = spec;
  return {
    kind: 'process',
    ...(network !== undefined && { network }),
    name,
    title,
    digest: specDigest(spec),
    ...(rereads !== undefined && { reread: rereads.digest }),
    spec,
    needs,
    astray: false,
  };
}

/** A process is started when all is there that it needs, and ended before anything that it uses goes. */
export const processKind: ItemKind<ProcessItem, ServiceOperation> = {
  key: ({ name }) => processKey(name),
  // Nothing whose end would end the process.
  dependsOn: () => [],
  after: ({ needs }) => needs,
  rank: () => RANK.process,
  differences: (have, want) => [
    ...(have.digest === want.digest ? [] : ['its command or what it reads at its start']),
    ...(have.astray ? ['its network namespace was made again'] : []),
    ...(have.reread === want.reread ? [] : ['what it reads again']),
  ],
  mustRecreate: (have, want) => have.digest !== want.digest || have.astray,
  print: ({ title }) => `start ${title}`,
  printChange: (_, { title, spec }) => `signal ${title} with ${spec?.rereads?.signal ?? 'nothing'}`,
  printRemove: ({ title }) => `stop ${title}`,
  create: ({ spec }) => (spec === undefined ? [] : [{ do: 'process-start', spec }]),
  change: (_, { spec }) => (spec === undefined ? [] : [{ do: 'process-reread', spec }]),
  remove: ({ name }) => [{ do: 'process-end', name }],
};
