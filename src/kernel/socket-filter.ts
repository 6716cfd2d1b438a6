/**
 * Classic BPF, which the kernel runs on each packet before a socket gets it (Linux, networking/filter.rst): only what
 * is asked for wakes us. Frames are Ethernet, without the VLAN tag that the kernel has taken off.
 */
import koffi from 'koffi';
import type { Vni } from '../model/network.ts';
import { VXLAN_PORT } from '../model/network.ts';
import { failed, SOL_SOCKET } from './libc.ts';

/** `struct sock_filter`, with the name of the return that a jump leads to; it goes on where none is given. */
interface Instruction {
  readonly code: number;
  readonly k: number;
  readonly whenTrue?: Verdict;
  readonly whenFalse?: Verdict;
}

type Verdict = 'take' | 'drop';

const SO_ATTACH_FILTER = 26;
const INSTRUCTION_BYTES = 8;
const FPROG_BYTES = 16;

const attach = koffi
  .load(null)
  .func('setsockopt', 'int', [
    'int',
    'int',
    'int',
    koffi.pointer(koffi.struct({ length: 'uint16', filter: 'const void *' })),
    'uint32',
  ]);

/** BPF_LD and its like, from linux/bpf_common.h. */
const LOAD_BYTE = 0x30;
const LOAD_HALF = 0x28;
const LOAD_HALF_BEHIND_X = 0x48;
const LOAD_WORD_BEHIND_X = 0x40;
const LOAD_BYTE_BEHIND_X = 0x50;
/** X = 4 × (P[k] & 15): the length of an IPv4 header. */
const LOAD_X_HEADER_LENGTH = 0xb1;
const SHIFT_RIGHT = 0x74;
const EQUAL = 0x15;
const ANY_BIT = 0x45;
const RETURN = 0x06;
/** A verdict of fewer bytes would cut the frame so that nobody knew any more how long it was. */
const WHOLE = 0x40000;

const ETHERNET_BYTES = 14;
const ETHERTYPE_IPV4 = 0x0800;
const ETHERTYPE_IPV6 = 0x86dd;
const PROTOCOL_TCP = 6;
const PROTOCOL_UDP = 17;
/** The bits of a fragment that is not the first. */
const FRAGMENT_OFFSET = 0x1fff;
/** From the end of the outer IPv4 header to the inner frame: UDP and VXLAN. */
const VXLAN_BYTES = 16;
/** In an Ethernet frame with IPv6. */
const NEXT_HEADER = ETHERNET_BYTES + 6;
const SOURCE_PORT = ETHERNET_BYTES + 40;
const DESTINATION_PORT = SOURCE_PORT + 2;

/** All frames, but those of TCP over IPv6 from and to a port: a capture that travels there must not see itself. */
export function framesWithout(tcpPort: number): Buffer {
  return program([
    { code: LOAD_HALF, k: 12 },
    { code: EQUAL, k: ETHERTYPE_IPV6, whenFalse: 'take' },
    { code: LOAD_BYTE, k: NEXT_HEADER },
    { code: EQUAL, k: PROTOCOL_TCP, whenFalse: 'take' },
    { code: LOAD_HALF, k: SOURCE_PORT },
    { code: EQUAL, k: tcpPort, whenTrue: 'drop' },
    { code: LOAD_HALF, k: DESTINATION_PORT },
    { code: EQUAL, k: tcpPort, whenTrue: 'drop' },
  ]);
}

/** VXLAN packets of a VNI over IPv4 (RFC 7348 §5), but those that carry TCP over IPv6 from or to the port. */
export function vxlanWithout(tcpPort: number, vni: Vni): Buffer {
  const inner = ETHERNET_BYTES + VXLAN_BYTES;
  return program([
    { code: LOAD_HALF, k: 12 },
    { code: EQUAL, k: ETHERTYPE_IPV4, whenFalse: 'drop' },
    { code: LOAD_BYTE, k: ETHERNET_BYTES + 9 },
    { code: EQUAL, k: PROTOCOL_UDP, whenFalse: 'drop' },
    { code: LOAD_HALF, k: ETHERNET_BYTES + 6 },
    { code: ANY_BIT, k: FRAGMENT_OFFSET, whenTrue: 'drop' },
    { code: LOAD_X_HEADER_LENGTH, k: ETHERNET_BYTES },
    { code: LOAD_HALF_BEHIND_X, k: ETHERNET_BYTES + 2 },
    { code: EQUAL, k: VXLAN_PORT, whenFalse: 'drop' },
    { code: LOAD_WORD_BEHIND_X, k: ETHERNET_BYTES + 12 },
    { code: SHIFT_RIGHT, k: 8 },
    { code: EQUAL, k: vni, whenFalse: 'drop' },
    { code: LOAD_HALF_BEHIND_X, k: inner + 12 },
    { code: EQUAL, k: ETHERTYPE_IPV6, whenFalse: 'take' },
    { code: LOAD_BYTE_BEHIND_X, k: inner + NEXT_HEADER },
    { code: EQUAL, k: PROTOCOL_TCP, whenFalse: 'take' },
    { code: LOAD_HALF_BEHIND_X, k: inner + SOURCE_PORT },
    { code: EQUAL, k: tcpPort, whenTrue: 'drop' },
    { code: LOAD_HALF_BEHIND_X, k: inner + DESTINATION_PORT },
    { code: EQUAL, k: tcpPort, whenTrue: 'drop' },
  ]);
}

/** Followed by the two verdicts; who comes to the end is taken. A jump counts from the instruction behind it. */
function program(instructions: readonly Instruction[]): Buffer {
  const verdicts = { take: instructions.length, drop: instructions.length + 1 };
  const all = [...instructions, { code: RETURN, k: WHOLE }, { code: RETURN, k: 0 }];
  const bytes = Buffer.alloc(all.length * INSTRUCTION_BYTES);
  for (const [number, { code, k, ...jumps }] of all.entries()) {
    const { whenTrue, whenFalse }: Partial<Instruction> = jumps;
    const at = number * INSTRUCTION_BYTES;
    bytes.writeUInt16LE(code, at);
    bytes.writeUInt8(whenTrue === undefined ? 0 : verdicts[whenTrue] - number - 1, at + 2);
    bytes.writeUInt8(whenFalse === undefined ? 0 : verdicts[whenFalse] - number - 1, at + 3);
    bytes.writeUInt32LE(k, at + 4);
  }
  return bytes;
}

/** @throws MESH_KERNEL_REFUSED */
export function attachFilter(fd: number, filter: Buffer): void {
  const length = filter.length / INSTRUCTION_BYTES;
  if (attach(fd, SOL_SOCKET, SO_ATTACH_FILTER, { length, filter }, FPROG_BYTES) < 0) {
    throw failed('attach a filter to', 'a packet socket');
  }
}
