/**
 * Classic BPF (linux/filter.h, bpf_common.h): decides in the kernel which packets a packet socket receives. A filter is
 * written with labels and assembled here. Jumps go forward only, as the kernel demands.
 */
import koffi from 'koffi';
import { MeshError } from '../../model/error.ts';
import { failed, libc, SOL_SOCKET } from '../libc.ts';

/**
 * One instruction; `at` is its own label. `yes` and `no` name the label to jump to; when absent, the next instruction
 * runs.
 */
export type FilterStep =
  | {
      readonly at?: string;
      readonly load: 'byte' | 'half' | 'word';
      readonly offset: number;
      readonly indexed?: boolean;
    }
  | { readonly at?: string; readonly shiftRight: number }
  /** Sets the index register X to four times the low nibble of a byte: the length of an IPv4 header. */
  | { readonly at?: string; readonly headerLength: number }
  | { readonly at?: string; readonly equal: number; readonly yes?: string; readonly no?: string }
  | { readonly at?: string; readonly anyBit: number; readonly yes?: string; readonly no?: string }
  /** Ends the filter: the socket gets the whole packet, or nothing. */
  | { readonly at?: string; readonly take: boolean };

/** struct sock_filter: code, jump if true, jump if false, constant. */
const INSTRUCTION_BYTES = 8;
/** BPF_LD and related codes of linux/bpf_common.h; `indexed` loads add X to the offset. */
const LOADS = { byte: 0x30, half: 0x28, word: 0x20 } as const;
const INDEXED = 0x20;
const SHIFT_RIGHT = 0x74;
const LDX_MSH = 0xb1;
const JEQ = 0x15;
const JSET = 0x45;
const RET = 0x06;
const WHOLE_PACKET = 0x40000;
const JUMP_MAX = 255;

/**
 * The instructions in bytes, for a little-endian machine.
 * @throws MESH_INTERNAL for a jump backwards or to an unknown label
 */
function assembleFilter(steps: readonly FilterStep[]): Buffer {
  const labels = new Map(steps.flatMap(({ at }, index) => (at === undefined ? [] : [[at, index] as const])));
  const bytes = Buffer.alloc(steps.length * INSTRUCTION_BYTES);
  for (const [index, step] of steps.entries()) {
    const jump = (label: string | undefined): number => {
      const distance = label === undefined ? 0 : (labels.get(label) ?? -1) - index - 1;
      if (distance >= 0 && distance <= JUMP_MAX) return distance;
      throw new MeshError('MESH_INTERNAL', `a packet filter jumps to ${label}, which is not ahead of it`);
    };
    const { code, yes = 0, no = 0, value } = instruction(step, jump);
    bytes.writeUInt16LE(code, index * INSTRUCTION_BYTES);
    bytes.writeUInt8(yes, index * INSTRUCTION_BYTES + 2);
    bytes.writeUInt8(no, index * INSTRUCTION_BYTES + 3);
    bytes.writeUInt32LE(value, index * INSTRUCTION_BYTES + 4);
  }
  return bytes;
}

function instruction(
  step: FilterStep,
  jump: (label: string | undefined) => number,
): { code: number; yes?: number; no?: number; value: number } {
  if ('load' in step) return { code: LOADS[step.load] + (step.indexed ? INDEXED : 0), value: step.offset };
  if ('shiftRight' in step) return { code: SHIFT_RIGHT, value: step.shiftRight };
  if ('headerLength' in step) return { code: LDX_MSH, value: step.headerLength };
  if ('take' in step) return { code: RET, value: step.take ? WHOLE_PACKET : 0 };
  const value = 'equal' in step ? step.equal : step.anyBit;
  return { code: 'equal' in step ? JEQ : JSET, yes: jump(step.yes), no: jump(step.no), value };
}

const SO_ATTACH_FILTER = 26;
/** struct sock_fprog: the number of instructions, and their address. */
const PROGRAM_BYTES = 16;

/**
 * Attaches a filter to a packet socket; packets that arrived before stay in its buffer.
 * @throws MESH_KERNEL_REFUSED
 */
export function attachFilter(fd: number, steps: readonly FilterStep[]): void {
  const instructions = assembleFilter(steps);
  const program = Buffer.alloc(PROGRAM_BYTES);
  program.writeUInt16LE(steps.length, 0);
  program.writeBigUInt64LE(koffi.address(instructions), 8);
  if (libc.setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, program, program.length) < 0) throw failed('filter', 'packets');
}
