/** How QEMU shall run: plain data, from which its command line follows. */

/** What executes the guest's instructions: the processor itself (KVM), or an interpreter (TCG). */
export type Accelerator = 'kvm' | 'tcg';

/** A network card of a guest. */
export interface QemuCard {
  /** One word, which names the card in QEMU. */
  readonly id: string;
  readonly mac: string;
  /** The guest is told of it, where the card is one of virtio. */
  readonly mtuBytes?: number;
  readonly model: 'virtio' | 'e1000' | 'e1000e' | 'rtl8139';
  /** The name of the tap, which QEMU opens itself. Absent: the tap is handed to QEMU as a descriptor. */
  readonly tap?: string;
  /** The firmware boots from the network by this card. */
  readonly boots?: true;
}

/** A disk or a CD of a guest. */
export interface QemuDisk {
  /** One word, which names the disk in QEMU. */
  readonly id: string;
  readonly path: string;
  /** Never guessed: a guest could write another format into a raw disk. */
  readonly format: 'qcow2' | 'raw';
  readonly kind: 'disk' | 'cd';
}

/** The memory of a guest as a file. */
export interface MemoryFile {
  readonly path: string;
  /** The guest writes into the file. Else what the guest writes is its own, and the file stays as it is. */
  readonly written: boolean;
}

/** One emulator. */
export interface QemuSpec {
  /** For people: it is shown by `ps`. */
  readonly name: string;
  /** A UUID as of RFC 9562. The firmware shows it to the guest, and the monitor to us. */
  readonly uuid: string;
  readonly accelerator: Accelerator;
  /** The most memory for translated code, in MiB, where QEMU interprets. Absent: QEMU's own limit, a part of the machine's memory. */
  readonly translationMib?: number;
  /** A model of QEMU; `host` and `max` are the best that the accelerator can do. */
  readonly cpuModel: string;
  readonly threads: number;
  readonly memoryBytes: number;
  /** Further words of the command line, as a net set-up of a lab has printed them. */
  readonly options?: readonly string[];
  /** QEMU may start programs, as scripts of a tap. Absent: it may not. */
  readonly spawns?: true;
  /** The first card has the descriptor 3, the next one 4, as far as QEMU does not open their taps itself. */
  readonly cards: readonly QemuCard[];
  /** In the order in which the firmware tries them. */
  readonly disks: readonly QemuDisk[];
  readonly firmware:
    | { readonly kind: 'bios' }
    | { readonly kind: 'uefi'; readonly code: string; readonly variables: string };
  /** A kernel that QEMU loads itself. */
  readonly boot?: { readonly kernel: string; readonly initrd?: string; readonly append?: string };
  /** The guest has a screen, at `QEMU_FILES.vnc`. */
  readonly screen: boolean;
  /**
   * Whom QEMU becomes before its guest begins, without any capability. It opens disks, kernels and /dev/kvm as root before: so
   * these need no owner or mode of their own. Absent: it stays who it is.
   */
  readonly user?: { readonly uid: number; readonly gid: number };
  /** What the firmware tells of the machine. Absent: what QEMU tells. */
  readonly product?: { readonly manufacturer: string; readonly product: string };
  /** A guest that reboots ends QEMU. Absent: it starts anew. */
  readonly reboots?: false;
  /** QEMU starts with its guest paused. */
  readonly paused: boolean;
  /** The file that the memory of the guest is in. Absent: memory of QEMU's own. */
  readonly memoryFile?: MemoryFile;
  /** QEMU waits for the state of another emulator (`restoreState`), in place of switching its guest on. */
  readonly restored?: true;
  /** Files that the guest finds in `/sys/firmware/qemu_fw_cfg/by_name`, by their names there, which begin with `opt/`. */
  readonly firmwareFiles?: Readonly<Record<string, string>>;
  /**
   * The file to which QEMU appends everything that the guest writes to the serial console. QEMU opens this file and the next one as
   * root, and follows links: both must be in directories to which only root may write. Absent: QEMU's own output has the console, and
   * the firmware writes there, too.
   */
  readonly consoleLog?: string;
  /** A lock: a second QEMU with this file ends at once, in place of taking the sockets of the first one. QEMU leaves the file behind. */
  readonly pidFile: string;
}

/** The emulator that workloads and labs run. */
export const QEMU = 'qemu-system-x86_64';

/**
 * The names of the sockets of one emulator, in a directory of its own, which is its working directory. The user of the emulator may put
 * anything in their place: root never opens a file in that directory.
 */
export const QEMU_FILES = {
  /** The monitor that Meshwork uses: it takes one client at a time. */
  monitor: 'qmp.sock',
  /** A second monitor, for people. */
  operatorMonitor: 'monitor.sock',
  /** The serial console: it takes one client at a time, and a client that does not read stops the guest. */
  console: 'console.sock',
  /** The screen, for any number of viewers: without a password, since only root reaches the socket. */
  vnc: 'vnc.sock',
} as const;
