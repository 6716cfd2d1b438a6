/** Reads a document of a network in XML: libvirt's form, or that of libvirt's first draft. */
import { MeshError } from '../../model/error.ts';
import type { NetworkOrder } from '../../protocol/documents/catalogue.ts';
import { judgedOrder } from '../network/written-network.ts';
import { isDraft, readDraft } from './draft-xml.ts';
import { checkForm } from './form-check.ts';
import { readLibvirt } from './libvirt-xml.ts';
import { refusal } from './text/element-reader.ts';
import { LIBVIRT_CODE, readingXml, XmlNetworkError } from './text/xml-error.ts';
import { parseXml, type XmlElement } from './text/xml-tree.ts';

/** How a document is read. */
export interface XmlReading {
  /** The name of the file, for errors. */
  readonly file?: string;
  /** Whether what nobody knows is refused, as `virsh --validate` does. */
  readonly validate?: boolean;
}

/** A document, read. */
export interface ParsedNetwork {
  /** What the document asks for. It has no name of a bridge, no Ethernet address and no UUID where the document has none. */
  readonly order: NetworkOrder;
  readonly name: string;
  readonly uuid?: string;
  readonly form: 'libvirt' | 'draft';
  /** What libvirt accepts in silence, and a person should look at. */
  readonly warnings: readonly MeshError[];
}

/** What messages call a document without a file. */
const NO_FILE = 'network.xml';

/** The network that a document asks for, judged as far as that is possible without host0. @throws XmlNetworkError */
export function parseNetworkXml(text: string, { file = NO_FILE, validate = false }: XmlReading = {}): ParsedNetwork {
  return readingXml(file, text, () => {
    const root = parseXml(text);
    checkRoot(root, 'network');
    const form = isDraft(root) ? 'draft' : 'libvirt';
    if (validate) checkForm(root, form === 'draft' ? 'draft' : 'network');
    const places = new Map<string, number>([['', root.offset]]);
    const warnings: MeshError[] = [];
    const taken = { places, warn: (warning: MeshError) => warnings.push(inFile(warning, file, text)) };
    const order = form === 'draft' ? readDraft(root, taken) : readLibvirt(root, taken);
    judge(order, places);
    const { name, uuid } = order;
    return {
      order,
      name: String(name),
      ...(typeof uuid === 'string' && { uuid }),
      form,
      warnings,
    };
  });
}

/** The name of the root element is the one that is expected. @throws XmlNetworkError */
export function checkRoot(root: XmlElement, name: string): void {
  if (root.local === name) return;
  const rule = `A document of a ${name === 'network' ? 'network' : 'network port'} is the element <${name}>.`;
  throw refusal(`expecting root element of '${name}', not '${root.local}'`, { at: root, rule });
}

/** Judges an order by the form of networks, with the place of what does not fit. */
function judge(order: NetworkOrder, places: ReadonlyMap<string, number>): void {
  let offset = 0;
  const placeOf = (path: readonly string[]) => {
    offset = offsetAt(places, path);
    return { file: '', line: 1, column: 1, text: '' };
  };
  try {
    judgedOrder({ document: order, placeOf, rule: 'A network is one element <network>.', example: '<network>' });
  } catch (error) {
    if (!(error instanceof MeshError) || error instanceof XmlNetworkError) throw error;
    const { message, rule, remedy } = error;
    throw new XmlNetworkError(LIBVIRT_CODE.unsupported, message, {
      offset,
      ...(rule !== undefined && { rule }),
      ...(remedy !== undefined && { remedy }),
    });
  }
}

/** The place of a part, or of the nearest part around it. */
function offsetAt(places: ReadonlyMap<string, number>, path: readonly string[]): number {
  for (let length = path.length; length >= 0; length--) {
    const found = places.get(path.slice(0, length).join('.'));
    if (found !== undefined) return found;
  }
  return 0;
}

function inFile(warning: MeshError, file: string, text: string): MeshError {
  return warning instanceof XmlNetworkError ? warning.in(file, text) : warning;
}
