/** Consoles of virtual machines, as the processes speak of them. */

/** Who looks at a console. */
export interface ConsoleViewer {
  /** A name that the viewer has given: `root@host0`. A text of another process. */
  readonly who: string;
  readonly ageSec: number;
  /** Whether it types, too. */
  readonly writes: boolean;
}

/** The console of a virtual machine. */
export interface ConsoleView {
  /** The name of the workload. */
  readonly workload: string;
  /** 8 hex digits. */
  readonly id: string;
  /** Whether the emulator is there now. The last output is kept also while it is not. */
  readonly isOpen: boolean;
  /** How much of the output is kept for those who come later. */
  readonly keptBytes: number;
  readonly viewers: readonly ConsoleViewer[];
}

/** The same with the name of its node. */
export interface NodeConsole extends ConsoleView {
  readonly node: string;
}

/** As much of the output of each console is kept. */
export const CONSOLE_TAIL_BYTES: number = 256 * 1024;
/** The most that goes to a console in one request. */
export const CONSOLE_INPUT_MAX_BYTES = 4_096;
