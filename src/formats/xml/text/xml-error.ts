/** Errors of documents in XML: what libvirt answers, and what we say to people. */
import { type ErrorCode, MeshError } from '../../../model/error.ts';
import { placeAt } from '../../network/written-network.ts';
import { XmlFault } from './xml-tree.ts';

/** libvirt's codes (virErrorNumber), by what they mean. */
export const LIBVIRT_CODE = {
  internal: 1,
  invalidArgument: 8,
  operationFailed: 9,
  noName: 21,
  xml: 27,
  xmlDetail: 35,
  system: 38,
  noNetwork: 43,
  operationInvalid: 55,
  unsupported: 67,
  overflow: 82,
  notSupported: 84,
  invalidDocument: 92,
  noMetadata: 111,
} as const;

/** libvirt's domains (virErrorDomain): which part of libvirt speaks. */
export const LIBVIRT_DOMAIN = { none: 0, xml: 5, network: 19 } as const;

/** What libvirt says. */
export interface LibvirtError {
  readonly code: number;
  readonly domain: number;
  /** Without the text that libvirt puts in front of the message for its code. */
  readonly message: string;
}

/** What is further to be said. */
export interface XmlErrorInit {
  readonly rule?: string;
  readonly remedy?: string;
  /** Where in the document. */
  readonly offset?: number;
  readonly domain?: number;
}

/** A document that libvirt refuses, too. */
export class XmlNetworkError extends MeshError {
  readonly libvirt: LibvirtError;
  /** Where in the document the fault is, in characters. */
  readonly offset: number | undefined;

  constructor(
    code: number,
    message: string,
    init: XmlErrorInit & { readonly meshCode?: ErrorCode; readonly place?: MeshError['place'] } = {},
  ) {
    const { rule, remedy, offset, domain = LIBVIRT_DOMAIN.network, meshCode = 'MESH_NET_INVALID', place } = init;
    // What libvirt says may be two lines; ours is one.
    super(meshCode, message.replaceAll('\n', ': ') || 'the document names no network', {
      ...(rule !== undefined && { rule }),
      ...(remedy !== undefined && { remedy }),
      ...(place !== undefined && { place }),
    });
    this.libvirt = { code, domain, message };
    this.offset = offset;
  }

  /** The same error with its place in a file. */
  in(file: string, text: string): XmlNetworkError {
    const { code, domain, message } = this.libvirt;
    const { rule, remedy, offset } = this;
    return new XmlNetworkError(code, message, {
      ...(rule !== undefined && { rule }),
      ...(remedy !== undefined && { remedy }),
      ...(offset !== undefined && { offset, place: placeAt(file, text, offset) }),
      domain,
      meshCode: this.code,
    });
  }
}

/** Runs `read` for a document. What it throws gets its place, and a text that is no XML becomes libvirt's answer. */
export function readingXml<T>(file: string, text: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof XmlNetworkError) throw error.in(file, text);
    if (!(error instanceof XmlFault)) throw error;
    const { message, offset, remedy = 'Compare it with one that host0 prints: `mesh network show NAME --xml`' } = error;
    throw syntaxError(message, offset, remedy, file, text);
  }
}

/** libvirt shows the line, and a caret below it. */
function syntaxError(message: string, offset: number, remedy: string, file: string, text: string): XmlNetworkError {
  const place = placeAt(file, text, offset);
  const shown = `(network_definition):${place.line}: ${message}\n${place.text}\n${'-'.repeat(Math.max(0, place.column - 1))}^`;
  const error = new XmlNetworkError(LIBVIRT_CODE.xmlDetail, message, {
    rule: 'A network is one XML element <network> with further elements in it, each of which is closed.',
    remedy,
    offset,
    domain: LIBVIRT_DOMAIN.network,
    meshCode: 'MESH_CONF_SYNTAX',
    place,
  });
  Object.defineProperty(error, 'libvirt', { value: { ...error.libvirt, message: shown }, enumerable: true });
  return error;
}
