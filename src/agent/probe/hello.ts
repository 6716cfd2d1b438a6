/**
 * The hello of a node to a multicast group: one datagram that tells who speaks, through how many routers the packet may go, and
 * whom the node hears. A node that is named in the hello of another knows that its own hellos arrive there.
 */
import { isMachineWord, type MachineWord } from '../../model/machine.ts';

/** Names of nodes in one hello: it stays below 1,280 bytes, which every link carries. */
const NAMED_MAX = 100;
/** The hop limit of a packet is one byte. */
const HOPS_MAX = 255;

/** What one datagram tells. */
export interface Hello {
  /** The number of the network, in hex digits. */
  readonly number: string;
  readonly machine: MachineWord;
  /** The hop limit that the packet was sent with. */
  readonly hops: number;
  /** Nodes whose hellos the speaker has heard lately. */
  readonly hears: readonly MachineWord[];
}

const HELLO = /^meshwork hello 1 ([0-9a-f]{1,6}) ([0-9a-z]{5,8}) (\d{1,3})((?: [0-9a-z]{5,8}){0,100})$/;

/** The text of a hello. Of many nodes it names the first hundred. */
export function helloText({ number, machine, hops, hears }: Hello): string {
  return ['meshwork hello 1', number, machine, hops, ...hears.slice(0, NAMED_MAX)].join(' ');
}

/** Reads a datagram; undefined for one that is no hello. */
export function readHello(text: string): Hello | undefined {
  const [, number = '', machine = '', hops = '', hears = ''] = HELLO.exec(text) ?? [];
  const limit = Number(hops);
  // host0 takes no other hop limit, and refuses all that a node has heard because of one.
  if (!isMachineWord(machine) || limit < 1 || limit > HOPS_MAX) return undefined;
  return { number, machine, hops: limit, hears: hears.split(' ').filter(isMachineWord) };
}
