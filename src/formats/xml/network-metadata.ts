/** Title, description and elements of `<metadata>`: read and changed one by one, as `net-desc` and `net-metadata` do. Pure. */
import { Misfit } from '../../model/form.ts';
import type { Network } from '../../model/network/network.ts';
import { orderedNetwork } from '../network/ordered-network.ts';
import { lineOf, readLibvirt } from './libvirt-xml.ts';
import { printNetworkXml } from './network-print.ts';
import { OWN_NAMESPACE } from './own-metadata.ts';
import { keptOf, withKept } from './parts/kept.ts';
import { childOf } from './text/element-reader.ts';
import { copyOf } from './text/xml-copy.ts';
import { LIBVIRT_CODE, readingXml, XmlNetworkError } from './text/xml-error.ts';
import { isXmlPrefix, parseXml, type XmlElement, type XmlText } from './text/xml-tree.ts';

/** libvirt's numbers of kinds of metadata. */
export const METADATA = { description: 0, title: 1, element: 2 } as const;

const ONE_LINE = { rule: 'A title has one line.' };

/** Which metadata are meant. */
export interface MetadataName {
  readonly type: number;
  /** The namespace of an element. */
  readonly uri?: string | undefined;
}

/** What metadata become. */
export interface MetadataChange extends MetadataName {
  /** Absent: the metadata go. */
  readonly text?: string | undefined;
  /** The prefix of the namespace. */
  readonly key?: string | undefined;
}

/** The text of metadata. An element is without its namespace, as libvirt gives it. @throws XmlNetworkError 111, 8 */
export function networkMetadata(network: Network, { type, uri = '' }: MetadataName): string {
  const found = foundIn(network, type, uri);
  if (found !== undefined && found !== '') return found;
  throw new XmlNetworkError(LIBVIRT_CODE.noMetadata, 'Requested metadata element is not present', {
    rule: 'Metadata are there once they were set.',
  });
}

function foundIn(network: Network, type: number, uri: string): string | undefined {
  switch (type) {
    case METADATA.description: {
      const { description } = keptOf(network);
      return description !== undefined && lineOf(description) === network.description
        ? description
        : network.description;
    }
    case METADATA.title:
      return network.title;
    case METADATA.element: {
      const element = elementsOf(network).find(({ namespace }) => namespace === uri);
      return element && copyOf(withoutNamespace(element, uri)).lines.join('\n');
    }
    default:
      throw unknownType(type);
  }
}

/** The network with other metadata. @throws XmlNetworkError */
export function withNetworkMetadata(network: Network, { type, text, key, uri = '' }: MetadataChange): Network {
  switch (type) {
    case METADATA.description:
      return withDescription(network, text);
    case METADATA.title: {
      if (text?.includes('\n'))
        throw new XmlNetworkError(LIBVIRT_CODE.invalidArgument, "metadata title can't contain newlines", ONE_LINE);
      const { title: _, ...others } = network;
      return text === undefined || text === '' ? others : { ...others, title: text };
    }
    case METADATA.element:
      return withElement(network, uri, key, text);
    default:
      throw unknownType(type);
  }
}

function unknownType(type: number): XmlNetworkError {
  const rule = 'Metadata are a description (0), a title (1) or an element (2).';
  return new XmlNetworkError(LIBVIRT_CODE.invalidArgument, `unknown metadata type ${type}`, { rule });
}

function withDescription(network: Network, text: string | undefined): Network {
  const { description: _, ...others } = network;
  const { description: __, ...kept } = keptOf(network);
  if (text === undefined || text === '') return { ...others, extra: withKept(network.extra, kept) };
  const isLong = text.includes('\n');
  return {
    ...others,
    description: lineOf(text),
    extra: withKept(network.extra, { ...kept, ...(isLong && { description: text }) }),
  };
}

function withElement(network: Network, uri: string, key: string | undefined, text: string | undefined): Network {
  if (text === undefined) return rebuilt(network, uri, undefined);
  if (key === undefined) {
    const message = 'key in virNetworkSetMetadata must not be NULL';
    throw new XmlNetworkError(LIBVIRT_CODE.invalidArgument, message, { rule: 'An element has a prefix.' });
  }
  if (!isXmlPrefix(key)) {
    throw new XmlNetworkError(LIBVIRT_CODE.invalidArgument, `'${key}' is no prefix of a namespace`, {
      rule: 'A prefix begins with a letter or _, then come letters, digits, ., - and _. It is not xml or xmlns.',
      remedy: 'Choose a prefix such as `app`',
    });
  }
  const element = readingXml('metadata.xml', text, () => parseXml(text));
  return rebuilt(network, uri, withNamespace(element, uri, key));
}

/** The network as its document says with another element in the metadata. */
function rebuilt(network: Network, uri: string, element: XmlElement | undefined): Network {
  const text = printNetworkXml(network);
  const root = parseXml(text);
  const others = elementsOf(network).filter(({ namespace }) => namespace !== uri);
  const children = element === undefined ? others : [...others, element];
  const metadata: XmlElement = { ...(childOf(root, 'metadata') ?? emptyElement('metadata')), children };
  const rest = root.children.filter((child) => child.kind !== 'element' || child.local !== 'metadata');
  const order = readingXml('metadata.xml', text, () =>
    readLibvirt({ ...root, children: [...rest, metadata] }, { places: new Map(), warn: () => undefined }),
  );
  try {
    const now = orderedNetwork(order, network);
    const { id, number, name, source } = network;
    return { ...now, id, number, name, source };
  } catch (error) {
    if (error instanceof Misfit) throw error;
    const message = error instanceof Error ? error.message : String(error);
    throw new XmlNetworkError(LIBVIRT_CODE.unsupported, message, {
      rule: `The parts in the namespace ${OWN_NAMESPACE} fit the network.`,
      remedy: 'Compare them with those that `mesh network show NAME --xml` prints',
    });
  }
}

function elementsOf(network: Network): readonly XmlElement[] {
  const metadata = childOf(parseXml(printNetworkXml(network)), 'metadata');
  return (metadata?.children ?? []).filter((child): child is XmlElement => child.kind === 'element');
}

function emptyElement(name: string): XmlElement {
  return {
    kind: 'element',
    name,
    local: name,
    namespace: '',
    attributes: [],
    declared: new Map(),
    children: [],
    offset: 0,
  };
}

/** The element and those in it that have the namespace, without it. */
function withoutNamespace(element: XmlElement, uri: string): XmlElement {
  const { local } = element;
  const declared = new Map([...element.declared].filter(([, namespace]) => namespace !== uri));
  const name = element.namespace === uri ? local : element.name;
  const namespace = element.namespace === uri ? '' : element.namespace;
  return { ...element, name, namespace, declared, children: mapped(element, (child) => withoutNamespace(child, uri)) };
}

/** The element and those in it that have no namespace, with one. */
function withNamespace(element: XmlElement, uri: string, prefix: string, isRoot = true): XmlElement {
  const isBare = element.namespace === '';
  return {
    ...element,
    ...(isBare && { name: `${prefix}:${element.local}`, namespace: uri }),
    declared: isRoot ? new Map([...element.declared, [prefix, uri]]) : element.declared,
    children: mapped(element, (child) => withNamespace(child, uri, prefix, false)),
  };
}

function mapped(element: XmlElement, change: (child: XmlElement) => XmlElement): readonly (XmlElement | XmlText)[] {
  return element.children.map((child) => (child.kind === 'element' ? change(child) : child));
}
