/**
 * What this kernel can do, tried out in a namespace of its own that is thrown away: no version number says what a
 * distribution left out, and some kernels accept a setting that they do not know and ignore it.
 */
import { closeSync, openSync } from 'node:fs';
import type { Ipv4 } from '../model/address/ipv4.ts';
import type { Mac } from '../model/address/mac.ts';
import { MeshError } from '../model/error.ts';
import { type Vni, VXLAN_PORT } from '../model/network/network.ts';
import { failed, libc } from './libc.ts';
import { inNetns, temporaryNetns } from './netns.ts';
import { Nft } from './nft.ts';
import type { DontFragment } from './rtnl/objects.ts';
import { Rtnl } from './rtnl/rtnl.ts';
import { readSysctl } from './sysctl.ts';

export interface Feature {
  readonly name: string;
  readonly present: boolean;
  /** What is lost without it, as a sentence. */
  readonly costs: string;
  /** Why it is not there, in the kernel's own words where it has any. */
  readonly why?: string;
}

/** Throws, or says why not, when the feature is not there; undefined when it is. */
type Trial = (place: Place) => Promise<string | undefined> | string | undefined;

interface Place {
  readonly netns: string;
  readonly rtnl: Rtnl;
}

const TUNSETIFF = 0x400454ca;
const IFF_TAP = 0x0002;
const IFF_NO_PI = 0x1000;
const IFREQ_BYTES = 40;
const IFNAMSIZ = 16;

/** An address that no table of the throw-away namespace can confuse with another: TEST-NET-1, RFC 5737. */
const SOMEWHERE = '192.0.2.1' as Ipv4;
const SOMEBODY = '02:00:00:00:00:01' as Mac;

const TRIALS: readonly { readonly name: string; readonly costs: string; readonly trial: Trial }[] = [
  {
    name: 'bridge',
    costs: 'No network can be made on this machine.',
    trial: ({ rtnl }) => refusal(rtnl.apply([{ do: 'link-add', kind: 'bridge', name: 'probe-bridge' }])),
  },
  {
    name: 'vxlan',
    costs: 'This machine cannot take part in a mesh.',
    trial: (place) => addVxlan(place, 'probe-vxlan', 1, 'unset'),
  },
  {
    name: 'vxlan df inherit',
    costs: 'An underlay that is too narrow fragments or drops packets without telling the sender.',
    trial: async (place) => {
      const refused = await addVxlan(place, 'probe-df', 2, 'inherit');
      const link = await place.rtnl.link('probe-df');
      return refused ?? (link?.vxlan?.df === 'inherit' ? undefined : 'accepted and ignored');
    },
  },
  {
    name: 'extern_learn entries',
    costs: 'Entries of ours cannot be told from others, and drift cannot be repaired.',
    trial: async ({ rtnl }) => {
      const entry = { table: 'self', link: 'probe-vxlan', mac: SOMEBODY, remoteVtep: SOMEWHERE } as const;
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
    trial: ({ netns }) => inNetns(netns, makeTap),
  },
  {
    name: 'nft inet',
    costs: 'Networks are not kept apart, and host0 answers to the underlay.',
    trial: ({ netns }) =>
      inTable(netns, 'inet', 'type filter hook prerouting priority raw; fib daddr . iif type != local drop'),
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
 * Tries every feature, and looks up whether bridged packets pass the IP hooks in this namespace (`br_netfilter`).
 * @throws MESH_KERNEL_REFUSED when not even a namespace can be made (not root)
 */
export async function probeKernel(): Promise<Feature[]> {
  const { path: netns, close } = temporaryNetns();
  try {
    const rtnl = await Rtnl.open({ netns });
    try {
      const features: Feature[] = [];
      // One after the other: some trials use what an earlier one made.
      for (const { name, costs, trial } of TRIALS) {
        const why = await attempt(trial, { netns, rtnl });
        features.push({ name, present: why === undefined, costs, ...(why !== undefined && { why }) });
      }
      return [...features, bridgeNetfilter()];
    } finally {
      await rtnl.close();
    }
  } finally {
    close();
  }
}

async function attempt(trial: Trial, place: Place): Promise<string | undefined> {
  try {
    return await trial(place);
  } catch (thrown) {
    return MeshError.from(thrown).message;
  }
}

async function refusal(outcome: Promise<readonly (MeshError | undefined)[]>): Promise<string | undefined> {
  const [error] = await outcome;
  return error?.message;
}

function addVxlan({ rtnl }: Place, name: string, vni: number, df: DontFragment): Promise<string | undefined> {
  const vxlan = { vni: vni as Vni, udpPort: VXLAN_PORT, learning: false, df };
  return refusal(rtnl.apply([{ do: 'link-add', kind: 'vxlan', name, vxlan }]));
}

/** A tap goes with its descriptor (linux/if_tun.h). */
function makeTap(): undefined {
  const tun = openSync('/dev/net/tun', 'r+');
  try {
    const request = Buffer.alloc(IFREQ_BYTES);
    request.write('probe-tap', 0, 'latin1');
    request.writeUInt16LE(IFF_TAP | IFF_NO_PI, IFNAMSIZ);
    if (libc.ioctl(tun, TUNSETIFF, request) < 0) throw failed('make', 'a tap');
  } finally {
    closeSync(tun);
  }
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
