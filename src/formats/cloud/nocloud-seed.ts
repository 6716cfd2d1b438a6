/**
 * The NoCloud seed of a guest: a CD with the label `cidata`, from which cloud-init learns at the guest's first start who it is
 * (https://cloudinit.readthedocs.io, «NoCloud»). The documents are JSON, which is YAML, too: no word of an administrator can change
 * their structure.
 */
import { iso9660 } from '../binary/iso9660.ts';

/** A network card, as its guest is told. */
export interface SeedCard {
  readonly mac: string;
  /** With their prefix lengths. Without any, cloud-init leaves the card to the guest's own settings. */
  readonly addresses: readonly string[];
  readonly mtuBytes?: number | undefined;
}

/** What a guest is told. */
export interface CloudSeed {
  /** cloud-init does its work once for each instance. */
  readonly instanceId: string;
  readonly hostName: string;
  /** Public keys of OpenSSH, for the user that the image has. */
  readonly keys: readonly string[];
  /** A document of cloud-init, which is given as it is. */
  readonly userData?: string | undefined;
  readonly cards: readonly SeedCard[];
}

const LABEL = 'cidata';
/** cloud-init asks for user data also where there is nothing to say. */
const NO_USER_DATA = '#cloud-config\n{}\n';

/** Makes the seed. The same words give the same bytes. */
export function nocloudSeed({ instanceId, hostName, keys, userData = NO_USER_DATA, cards }: CloudSeed): Buffer {
  const metaData = {
    'instance-id': instanceId,
    'local-hostname': hostName,
    ...(keys.length > 0 && { 'public-keys': keys }),
  };
  const network = networkConfig(cards);
  return iso9660(LABEL, [
    { name: 'meta-data', content: json(metaData) },
    { name: 'user-data', content: Buffer.from(userData) },
    ...(network === undefined ? [] : [{ name: 'network-config', content: json(network) }]),
  ]);
}

/** Version 2 of cloud-init's network configuration. Undefined when no card has an address: the image then does what it always does. */
function networkConfig(cards: readonly SeedCard[]): object | undefined {
  if (cards.every(({ addresses }) => addresses.length === 0)) return undefined;
  const ethernets = cards.map(({ mac, addresses, mtuBytes }, index) => [
    `card${index}`,
    {
      match: { macaddress: mac },
      dhcp4: false,
      ...(addresses.length > 0 && { addresses }),
      ...(mtuBytes !== undefined && { mtu: mtuBytes }),
    },
  ]);
  return { version: 2, ethernets: Object.fromEntries(ethernets) };
}

function json(document: object): Buffer {
  return Buffer.from(`${JSON.stringify(document, undefined, 1)}\n`);
}
