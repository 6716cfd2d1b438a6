/** The file of a new mesh, with a prefix and a number that nobody else has chosen. */
import { randomBytes } from 'node:crypto';
import { ipv6FromBytes, ipv6Subnet } from '../../model/address/ipv6.ts';
import { MeshError } from '../../model/error.ts';
import { type Mesh, meshNetwork } from '../../model/network/mesh.ts';
import { VNI_MAX, type Vni } from '../../model/network/types/vxlan.ts';
import { NETWORK_NAME, NETWORK_NAME_RULE } from '../../model/network/words.ts';
import { quoted } from './conf-keys.ts';

/** Lower numbers are those that people type, and those that host0 may give to other kinds of networks. */
const VNI_MIN = 0x20000;
const RANDOM_BYTES = 10;

/**
 * A mesh with a random prefix from fd00::/8 (RFC 4193 §3.2: 40 random bits make the site, 16 the subnet) and a random
 * VNI, so that two sites that are joined later do not collide.
 * @param random ten bytes; tests give their own
 * @throws MESH_NET_NAME_INVALID
 */
export function newMesh(name: string, random: Uint8Array = randomBytes(RANDOM_BYTES)): Mesh {
  if (!NETWORK_NAME.test(name)) {
    throw new MeshError('MESH_NET_NAME_INVALID', `${quoted(name)} cannot be the name of a network`, {
      operation: 'make a network file',
      rule: NETWORK_NAME_RULE,
      remedy: 'Give one word, as in `mesh network conf storage`.',
    });
  }
  const bytes = Buffer.from(random);
  const prefix = ipv6Subnet(ipv6FromBytes(Buffer.concat([Buffer.from([0xfd]), bytes.subarray(0, 7)], 16)), 64);
  const vni = (VNI_MIN + (bytes.readUIntBE(7, 3) % (VNI_MAX + 1 - VNI_MIN))) as Vni;
  return meshNetwork({ name, prefix, vni, key: String(vni) });
}

/** The text of a network file with a comment for each value. */
export function explainedMeshConf({ name, number, bridge, type, hostAddress: { prefix, key } }: Mesh): string {
  const lines: readonly (readonly [setting: string, what: string])[] = [
    [`name=${name}`, 'what people and commands call it'],
    [`prefix=${prefix}`, 'where members take their IPv6 addresses from; host0 is ::1 in it'],
    [`vni=${number}`, `its number in packets, and in its devices ${type.device} and ${bridge.name}`],
    [`key=${key}`, 'the number that addresses are made from; no secret'],
  ];
  const width = Math.max(...lines.map(([setting]) => setting.length));
  const head = `# The mesh ${name}: the same file on host0 and on each machine that takes part.\n`;
  return head + lines.map(([setting, what]) => `${setting.padEnd(width)}   # ${what}\n`).join('');
}
