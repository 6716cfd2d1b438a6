/**
 * Writes the change of set elements as one transaction of nfnetlink (linux/netfilter/nfnetlink.h, nf_tables.h): messages
 * between a begin and an end, of which the kernel carries out all or none.
 */
import { MessageWriter } from '../netlink/message-writer.ts';
import { NLM_F_ACK, NLM_F_CREATE, NLM_F_REQUEST } from '../netlink/netlink.ts';
import { type ElementBytes, type ElementReader, elementReader } from './set-key.ts';

const NFNL_MSG_BATCH_BEGIN = 0x10;
const NFNL_MSG_BATCH_END = 0x11;
const NFNL_SUBSYS_NFTABLES = 10;
const NFT_MSG_NEWSETELEM = 12;
const NFT_MSG_DELSETELEM = 14;

const NFPROTO_UNSPEC = 0;
const FAMILIES = { inet: 1, bridge: 7 } as const;

const NFTA_SET_ELEM_LIST_TABLE = 1;
const NFTA_SET_ELEM_LIST_SET = 2;
const NFTA_SET_ELEM_LIST_ELEMENTS = 3;
const NFTA_LIST_ELEM = 1;
const NFTA_SET_ELEM_KEY = 1;
const NFTA_SET_ELEM_DATA = 2;
const NFTA_DATA_VALUE = 1;
const NFTA_DATA_VERDICT = 2;
const NFTA_VERDICT_CODE = 1;
const NFTA_VERDICT_CHAIN = 2;

/** The length of an attribute has 16 bits. An element with the name of a chain takes less than 100 bytes. */
const ELEMENTS_IN_MESSAGE = 500;

/** The change of one set: elements that go, and elements that come, in nft's text. Those that go, go first. */
export interface ElementChange {
  readonly set: string;
  /** As nft reads it: `type ifname : verdict; size 16`. */
  readonly declaration: string;
  readonly gone: readonly string[];
  readonly added: readonly string[];
}

/** Changes of elements in one table, which take effect at once. */
export interface TableElements {
  readonly family: keyof typeof FAMILIES;
  readonly table: string;
  readonly changes: readonly ElementChange[];
  /** Sets that lose all their elements. */
  readonly emptied: readonly string[];
}

/**
 * The transaction in bytes. The kernel answers its last message, and each one that it refuses.
 *
 * It names no generation of the ruleset (NFNL_BATCH_GENID): a transaction of another program in another table must not
 * refuse ours. If another program has changed our own table, the kernel misses the set or an element that goes, and refuses
 * the whole; or the transaction is carried out, and the loop compares the table when it hears of the other one.
 * @returns undefined where a set has a type that we cannot write
 */
export function elementBatch(tables: readonly TableElements[]): Uint8Array | undefined {
  const readers = new Map<ElementChange, ElementReader>();
  for (const change of tables.flatMap(({ changes }) => changes)) {
    const reader = elementReader(change.declaration);
    if (reader === undefined) return undefined;
    readers.set(change, reader);
  }
  const writer = new MessageWriter();
  edge(writer, NFNL_MSG_BATCH_BEGIN);
  const messages = tables.flatMap((table) => messagesOf(table, readers));
  for (const [index, message] of messages.entries()) message(writer, index === messages.length - 1 ? NLM_F_ACK : 0);
  edge(writer, NFNL_MSG_BATCH_END);
  return writer.bytes;
}

function edge(writer: MessageWriter, type: number): void {
  writer.begin(type, NLM_F_REQUEST);
  header(writer, NFPROTO_UNSPEC, NFNL_SUBSYS_NFTABLES);
  writer.end();
}

/** struct nfgenmsg: family, version 0, and a resource id in network byte order. */
function header(writer: MessageWriter, family: number, resource: number): void {
  writer.u8(family);
  writer.u8(0);
  writer.u8(resource >> 8);
  writer.u8(resource & 0xff);
}

type WriteMessage = (writer: MessageWriter, flags: number) => void;

function messagesOf(table: TableElements, readers: ReadonlyMap<ElementChange, ElementReader>): WriteMessage[] {
  const message = (type: number, flags: number, set: string, elements?: readonly ElementBytes[]): WriteMessage => {
    return (writer, more) => {
      writer.begin((NFNL_SUBSYS_NFTABLES << 8) | type, NLM_F_REQUEST | flags | more);
      header(writer, FAMILIES[table.family], 0);
      writer.attributeText(NFTA_SET_ELEM_LIST_TABLE, table.table);
      writer.attributeText(NFTA_SET_ELEM_LIST_SET, set);
      if (elements !== undefined) {
        writer.nested(NFTA_SET_ELEM_LIST_ELEMENTS, () => {
          for (const element of elements) writeElement(writer, element);
        });
      }
      writer.end();
    };
  };
  const parts = (type: number, flags: number, change: ElementChange, texts: readonly string[]): WriteMessage[] => {
    const elements = texts.flatMap((text) => readers.get(change)?.(text) ?? []);
    return Array.from({ length: Math.ceil(elements.length / ELEMENTS_IN_MESSAGE) }, (_, part) =>
      message(type, flags, change.set, elements.slice(part * ELEMENTS_IN_MESSAGE, (part + 1) * ELEMENTS_IN_MESSAGE)),
    );
  };
  return [
    ...table.changes.flatMap((change) => [
      ...parts(NFT_MSG_DELSETELEM, 0, change, change.gone),
      ...parts(NFT_MSG_NEWSETELEM, NLM_F_CREATE, change, change.added),
    ]),
    ...table.emptied.map((set) => message(NFT_MSG_DELSETELEM, 0, set)),
  ];
}

function writeElement(writer: MessageWriter, { key, verdict }: ElementBytes): void {
  writer.nested(NFTA_LIST_ELEM, () => {
    writer.nested(NFTA_SET_ELEM_KEY, () => writer.attributeBytes(NFTA_DATA_VALUE, key));
    if (verdict === undefined) return;
    writer.nested(NFTA_SET_ELEM_DATA, () => {
      writer.nested(NFTA_DATA_VERDICT, () => {
        writer.attributeU32BE(NFTA_VERDICT_CODE, verdict.code >>> 0);
        if (verdict.chain !== undefined) writer.attributeText(NFTA_VERDICT_CHAIN, verdict.chain);
      });
    });
  });
}
