/** `net-update`: changes of one entry of a network, with libvirt's rules about which entry is meant. Pure. */
import { Misfit } from '../../model/form.ts';
import type { Network } from '../../model/network/network.ts';
import { NetworkShape } from '../../model/network/network-shape.ts';
import { keptOf, withKept } from './parts/kept.ts';
import type { Notes } from './parts/notes.ts';
import { refusal } from './text/element-reader.ts';
import { LIBVIRT_CODE, readingXml, XmlNetworkError } from './text/xml-error.ts';
import { parseXml } from './text/xml-tree.ts';
import { changedDhcp } from './update-dhcp.ts';
import { COMMANDS, type Entry, notSupported, type UpdateCommand } from './update-entry.ts';
import { LIST_SECTIONS } from './update-lists.ts';

/** What a client asks for. Commands and sections have libvirt's numbers. */
export interface NetworkUpdate {
  readonly command: number;
  readonly section: number;
  /** Which `<ip>` is meant; -1 leaves the choice. */
  readonly parentIndex: number;
  readonly xml: string;
  /** How many ports a card has. */
  readonly portsOn?: (card: string) => number;
}

/** The elements of sections, by their number. */
const SECTIONS: Readonly<Record<number, { readonly element: string; readonly refusedAs?: string }>> = {
  1: { element: 'bridge', refusedAs: 'bridge' },
  2: { element: 'domain', refusedAs: 'domain' },
  3: { element: 'ip', refusedAs: 'ip' },
  4: { element: 'host' },
  5: { element: 'range' },
  6: { element: 'forward', refusedAs: 'forward' },
  7: { element: 'interface' },
  8: { element: 'pf', refusedAs: 'forward pf' },
  9: { element: 'portgroup' },
  10: { element: 'host' },
  11: { element: 'txt' },
  12: { element: 'srv' },
};

/** The change that a client asks for. What it throws is what libvirt answers. */
export function parseUpdateXml(update: NetworkUpdate): (network: Network) => Network {
  return (network) => readingXml('update.xml', update.xml, () => updated(network, update));
}

function updated(
  network: Network,
  { command: code, section, parentIndex, xml, portsOn = () => 0 }: NetworkUpdate,
): Network {
  const { name } = network;
  const known = SECTIONS[section];
  if (known === undefined) throw notSupported("can't update unrecognized section of network");
  if (known.refusedAs !== undefined)
    throw notSupported(`can't update '${known.refusedAs}' section of network '${name}'`);
  const command = COMMANDS[code];
  const root = parseXml(xml);
  if (root.local !== known.element) {
    const message = `unexpected element <${root.local}>, expecting <${known.element}>, while updating network '${name}'`;
    throw refusal(message, { at: root, rule: `The section is changed by an element <${known.element}>.` });
  }
  if (command === undefined) throw notSupported(`unrecognized network update command code ${code}`);
  const written: Record<string, string> = {};
  const notes: Notes = {
    name,
    wrote: (part, how) => {
      written[part] = how;
    },
    placed: () => undefined,
    warn: () => undefined,
  };
  const entry: Entry = { root, command, notes, parentIndex, portsOn };
  const changed =
    section === 4 || section === 5 ? changedDhcp(network, entry, section) : LIST_SECTIONS[section]?.(network, entry);
  if (changed === undefined) throw notSupported("can't update unrecognized section of network");
  return judged(withWritten(changed, written, command));
}

/** How the new entry was written is kept with the network. */
function withWritten(network: Network, written: Readonly<Record<string, string>>, command: UpdateCommand): Network {
  if (Object.keys(written).length === 0 || command === 'delete') return network;
  const kept = keptOf(network);
  return { ...network, extra: withKept(network.extra, { ...kept, written: { ...kept.written, ...written } }) };
}

/** The changed network fits the form of networks. */
function judged(network: Network): Network {
  try {
    return NetworkShape.read(network);
  } catch (error) {
    if (!(error instanceof Misfit)) throw error;
    const { rule = 'The parts of a network fit each other.', remedy } = error.words ?? {};
    const path = error.path.map(String).join('.');
    throw new XmlNetworkError(LIBVIRT_CODE.unsupported, `${path} does not fit`, {
      rule,
      offset: 0,
      ...(remedy !== undefined && { remedy }),
    });
  }
}
