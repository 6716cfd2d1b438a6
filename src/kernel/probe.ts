/**
 * Finds out what this kernel can do, by trying each feature in a temporary namespace. A version number does not tell
 * what a distribution left out, and some kernels accept a setting that they do not know and ignore it.
 */
import type { Ipv4 } from '../model/address/ipv4.ts';
import type { Mac } from '../model/address/mac.ts';
import { MeshError } from '../model/error.ts';
import { type Vni, VXLAN_PORT } from '../model/network/types/vxlan.ts';
import { temporaryNetns } from './netns.ts';
import { Nft } from './nft.ts';
import type { DontFragment } from './rtnl/objects.ts';
import { Rtnl } from './rtnl/rtnl.ts';
import { readSysctl } from './sysctl.ts';
import { makeTap } from './tap/tap.ts';

/** One kernel feature that Meshwork uses, and whether this kernel has it. */
export interface Feature {
  readonly name: string;
  readonly present: boolean;
  /** What does not work without the feature, as a sentence. */
  readonly costs: string;
  /** How to get the feature, where no module has it. */
  readonly remedy?: string;
  /** Why the feature is absent; the text of the kernel where there is one. */
  readonly why?: string;
}

/** Tries a feature. Throws, or returns why the feature is absent; returns undefined when it is present. */
type Trial = (trialNetns: TrialNetns) => Promise<string | undefined> | string | undefined;

interface TrialNetns {
  readonly netns: string;
  readonly rtnl: Rtnl;
}

/** Addresses for entries in the temporary namespace: TEST-NET-1 (RFC 5737), which no network uses. */
const TRIAL_VTEP = '192.0.2.1' as Ipv4;
const TRIAL_MAC = '02:00:00:00:00:01' as Mac;

const TRIALS: readonly (Pick<Feature, 'name' | 'costs' | 'remedy'> & { readonly trial: Trial })[] = [
  {
    name: 'bridge',
    costs: 'No network can be made on this machine.',
    trial: ({ rtnl }) => refusal(rtnl.apply([{ do: 'link-add', kind: 'bridge', name: 'probe-bridge' }])),
  },
  {
    name: 'vxlan',
    costs: 'This machine cannot take part in a mesh.',
    trial: (trialNetns) => addVxlan(trialNetns, 'probe-vxlan', 1, 'unset'),
  },
  {
    name: 'vxlan df inherit',
    costs: 'An underlay that is too narrow fragments or drops packets without telling the sender.',
    trial: async (trialNetns) => {
      const refused = await addVxlan(trialNetns, 'probe-df', 2, 'inherit');
      const link = await trialNetns.rtnl.link('probe-df');
      return refused ?? (link?.vxlan?.df === 'inherit' ? undefined : 'accepted and ignored');
    },
  },
  {
    name: 'bridge fdb_max_learned',
    costs: 'A machine in a mesh that sends from made-up Ethernet addresses fills the memory of this machine.',
    remedy: 'Linux 6.7 and later have it.',
    trial: async ({ rtnl }) => {
      const refused = await refusal(
        rtnl.apply([{ do: 'link-add', kind: 'bridge', name: 'probe-limit', bridge: { learnedMax: 1 } }]),
      );
      const link = await rtnl.link('probe-limit');
      return refused ?? (link?.bridge?.learnedMax === 1 ? undefined : 'accepted and ignored');
    },
  },
  {
    name: 'extern_learn entries',
    costs: 'FDB entries that Meshwork made cannot be told from others, and drift cannot be repaired.',
    trial: async ({ rtnl }) => {
      const entry = { table: 'self', link: 'probe-vxlan', mac: TRIAL_MAC, remoteVtep: TRIAL_VTEP } as const;
      const refused = await refusal(
        rtnl.apply([{ do: 'fdb-replace', ...entry, state: 'permanent', externLearn: true }]),
      );
      const written = refused === undefined ? await rtnl.fdbEntry(entry.link, entry.mac) : undefined;
      return refused ?? (written?.externLearn === true ? undefined : 'accepted and ignored');
    },
  },
  {
    name: 'tun',
    costs: 'No virtual machine can be plugged in.',
    trial: ({ netns }) => {
      makeTap('probe-tap', { netns });
      return undefined;
    },
  },
  {
    name: 'nft inet',
    costs: 'Networks are not kept apart, and host0 answers to the underlay.',
    trial: ({ netns }) =>
      inTable(
        netns,
        'inet',
        'type filter hook prerouting priority raw; fib daddr . iif type != local fib saddr . iif oif missing drop',
      ),
  },
  {
    name: 'nft bridge',
    costs: 'Guests with an MTU of 1500 get no working TCP connection across a mesh.',
    trial: ({ netns }) =>
      inTable(netns, 'bridge', 'type filter hook forward priority 0; tcp flags syn tcp option maxseg size set 1320'),
  },
  {
    name: 'nft netdev ingress',
    costs: 'The addresses of guests are not checked where they come in.',
    trial: ({ netns }) =>
      inTable(netns, 'netdev', 'type filter hook ingress device "lo" priority 0; ether type arp drop'),
  },
];

/**
 * Tries every feature, and reads whether bridged packets pass the IP hooks in this namespace (`br_netfilter`).
 * @returns one entry for each feature, in a fixed order
 * @throws MESH_KERNEL_REFUSED when not even a namespace can be made (not root)
 */
export async function probeKernel(): Promise<Feature[]> {
  const { path: netns, close } = temporaryNetns();
  try {
    const rtnl = await Rtnl.open({ netns });
    try {
      const features: Feature[] = [];
      // In order, since some trials use a link that an earlier one made.
      for (const { trial, ...feature } of TRIALS) {
        const why = await attempt(trial, { netns, rtnl });
        features.push({ ...feature, present: why === undefined, ...(why !== undefined && { why }) });
      }
      return [...features, bridgeNetfilter()];
    } finally {
      await rtnl.close();
    }
  } finally {
    close();
  }
}

async function attempt(trial: Trial, trialNetns: TrialNetns): Promise<string | undefined> {
  try {
    return await trial(trialNetns);
  } catch (thrown) {
    return MeshError.from(thrown).message;
  }
}

async function refusal(outcome: Promise<readonly (MeshError | undefined)[]>): Promise<string | undefined> {
  const [error] = await outcome;
  return error?.message;
}

function addVxlan({ rtnl }: TrialNetns, name: string, vni: number, df: DontFragment): Promise<string | undefined> {
  const vxlan = { vni: vni as Vni, udpPort: VXLAN_PORT, learning: false, df };
  return refusal(rtnl.apply([{ do: 'link-add', kind: 'vxlan', name, vxlan }]));
}

async function inTable(netns: string, family: 'inet' | 'bridge' | 'netdev', chain: string): Promise<undefined> {
  const nft = await Nft.open({ netns });
  try {
    await nft.run(`table ${family} probe {\nchain probe {\n${chain}\n}\n}`);
  } finally {
    await nft.close();
  }
}

function bridgeNetfilter(): Feature {
  const feature = {
    name: 'br_netfilter',
    costs: 'Nothing: it only decides which hooks a bridged packet passes, and our rules are right with it on and off.',
  };
  try {
    return { ...feature, present: readSysctl(['net', 'bridge', 'bridge-nf-call-ip6tables']) === '1' };
  } catch (thrown) {
    return { ...feature, present: false, why: MeshError.from(thrown).message };
  }
}
