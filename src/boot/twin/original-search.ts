/**
 * Looks for the host0 that this one was restored from. That one has the same keys, networks and addresses, so nothing must be served
 * beside it. It is known by three signs, of which it gives at least one wherever it is on a wire of this machine:
 *
 * - It answers a probe with its mark (host0-mark.ts), unless its boot services are off.
 * - It answers as host0 of a mesh, inside VXLAN, on segments where this machine has an address.
 * - It has an address of this machine, as both may be configured alike.
 */
import { randomBytes, randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { readNetworkFiles } from '../../formats/conf/network-files.ts';
import { judgeNetworkFiles } from '../../formats/conf/network-set.ts';
import type { Address, Link } from '../../kernel/rtnl/objects.ts';
import { Rtnl } from '../../kernel/rtnl/rtnl.ts';
import { probeAddresses } from '../../kernel/sockets/arp.ts';
import { FrameSocket } from '../../kernel/sockets/frame-socket.ts';
import { askUnderlay } from '../../kernel/sockets/inquiry.ts';
import { type Ipv4, ipv4FromNumber, ipv4ToNumber } from '../../model/address/ipv4.ts';
import { genid } from '../../model/genid.ts';
import type { MachineId } from '../../model/machine.ts';
import { memberAddresses } from '../../model/network/member.ts';
import type { Mesh } from '../../model/network/mesh.ts';
import { BOOT_FILTER } from '../frames/boot-filter.ts';
import { encodeProbe, type Installation } from '../frames/host0-mark.ts';
import { observe } from '../frames/observation.ts';
import { bootNics, isOurs } from '../nics/boot-nic.ts';
import { isUnderlay } from '../nics/nic-address.ts';

/** What is looked for, and from where. */
export interface OriginalSearch {
  /** The id of that host0 in its probes, if it had one. */
  readonly installation: string | undefined;
  /** The directory of its meshes, which are those of this host0, too. */
  readonly networks: string;
  /** The NICs of boot segments, if the settings name some. */
  readonly segmentNics: readonly string[] | undefined;
  /** Path of the namespace; the process's own when absent. */
  readonly netns?: string;
}

/** A machine has few meshes; more are not asked for, so that a look stays short. */
const MESHES_ASKED = 8;
/** An answer takes a few milliseconds; a machine that has just woken up may take longer. */
const ANSWER_MS = 1_000;
/** Of nobody: no machine answers a solicitation from the solicited address. */
const NOBODY = genid(['machine', 'a restored host0'], 8) as MachineId;
/** Of this look only: that host0 answers each other host0 than itself. */
const OWN_ID = randomBytes(4).toString('hex') as Installation;

/** Looks once. @returns where that host0 was heard, as the end of a sentence; undefined if it was not */
export async function findOriginal(search: OriginalSearch): Promise<string | undefined> {
  const rtnl = await Rtnl.open(search);
  let links: readonly Link[];
  let addresses: readonly Address[];
  try {
    [links, addresses] = await Promise.all([rtnl.links(), rtnl.addresses()]);
  } finally {
    await rtnl.close();
  }
  const up = links.filter((link) => link.up && link.running && !link.loopback && !isOurs(link));
  const own = addresses.filter(isUnderlay);
  const [meshes, nics] = [await meshesIn(search.networks), bootNics(up, own, search.segmentNics)];
  const looks = [
    ...nics.map((nic) => answersProbe(nic, search)),
    ...up
      .flatMap((link) => own.filter((address) => address.link === link.index).map((address) => ({ link, address })))
      .map(({ link, address }) => answersHere(link, address, meshes, own, links, search)),
  ];
  // A device may go while it is asked at: the others count.
  const heard = await Promise.all(looks.map((look) => look.catch(() => undefined)));
  return heard.find((where) => where !== undefined);
}

async function meshesIn(directory: string): Promise<readonly Mesh[]> {
  const { files } = await readNetworkFiles(directory);
  return judgeNetworkFiles(files)
    .accepted.slice(0, MESHES_ASKED)
    .map(({ network }) => network);
}

async function answersProbe(
  { index, name, mac }: Pick<Link, 'index' | 'name' | 'mac'>,
  { installation, netns }: OriginalSearch,
): Promise<string | undefined> {
  let heard: string | undefined;
  if (installation === undefined) return heard;
  const socket = FrameSocket.open({
    link: index,
    filter: BOOT_FILTER,
    ...(netns !== undefined && { netns }),
    onFrame: ({ bytes, outgoing }) => {
      const { mark } = observe(bytes, outgoing, { device: name, nowMs: 0 }) ?? {};
      if (mark?.installation !== installation) return;
      heard ??= `it answers behind ${name}${mark.ipv4 === undefined ? '' : ` at ${mark.ipv4}`} (${mark.mac})`;
    },
    onError: () => undefined,
  });
  try {
    const mark = { installation: OWN_ID, ageMs: 0, reply: false, passive: true };
    socket.send(encodeProbe(mac, randomInt(2 ** 32 - 1), mark));
    await sleep(ANSWER_MS);
    return heard;
  } finally {
    socket.close();
  }
}

async function answersHere(
  link: Pick<Link, 'index' | 'name' | 'mac'>,
  { address, length }: Pick<Address, 'address' | 'length'>,
  meshes: readonly Mesh[],
  own: readonly Pick<Address, 'address'>[],
  links: readonly Pick<Link, 'mac'>[],
  { netns }: OriginalSearch,
): Promise<string | undefined> {
  const waits = { timeoutMs: ANSWER_MS, ...(netns !== undefined && { netns }) };
  const ipv4 = address as Ipv4;
  const broadcast = ipv4FromNumber((ipv4ToNumber(ipv4) | (2 ** (32 - length) - 1)) >>> 0);
  const isOwn = (found: string) => own.some((candidate) => candidate.address === found);
  const inMeshes = meshes.map(async (mesh) => {
    const { bridgeMac: mac, ipv6 } = memberAddresses(mesh, NOBODY);
    const question = { vni: mesh.type.vni, from: { mac, ipv6 }, target: memberAddresses(mesh, 'host0').ipv6 };
    const place = { device: link.name, index: link.index, ipv4, broadcast };
    const answers = await askUnderlay(place, question, waits).catch(() => []);
    const other = answers.find((answer) => !isOwn(answer));
    return other === undefined ? undefined : `it answers as host0 of ${mesh.name} at ${other} (${link.name})`;
  });
  const owners = await probeAddresses(link, [ipv4], waits).catch(() => undefined);
  const another = [...(owners?.get(ipv4) ?? [])].find((mac) => links.every((known) => known.mac !== mac));
  const asked = (await Promise.all(inMeshes)).find((where) => where !== undefined);
  return asked ?? (another === undefined ? undefined : `${ipv4} of ${link.name} is also the address of ${another}`);
}
