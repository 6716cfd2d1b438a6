/**
 * Whether host0 can accept connections. Without a file descriptor it is deaf: members that are silent then may be alive, and
 * none is dropped.
 */
import { Signal, type Subscribable } from '../model/signal.ts';
import type { Finding, HealthSource } from '../protocol/documents/finding.ts';

/** How the watch looks at its process (kernel/descriptors.ts). */
export interface DescriptorWatchInput {
  readonly hasDescriptor: () => boolean;
  /** Undefined when it cannot be read. */
  readonly limit: () => { readonly soft: number; readonly hard: number } | undefined;
  readonly pid: number;
  /** The number of members, each in each mesh. */
  readonly members: () => number;
}

/** A member has a stream, and a connection for its reports. */
const PER_MEMBER = 2;
/** For the store, the kernel's sockets, the boot server and connections of commands; about 40 are open without members. */
const BASE = 128;
/** As in the units of packaging/. */
const ENOUGH = 65_536;

/** Looks whenever it is asked: nothing announces that the last descriptor is taken. */
export class DescriptorWatch implements HealthSource {
  readonly #input: DescriptorWatchInput;
  readonly #changes = new Signal<void>();
  /** Emits when host0 becomes deaf, and when it hears again. */
  readonly changes: Subscribable<void> = this.#changes;
  #deaf = false;
  /** Cannot be read while host0 is deaf. */
  #limit: ReturnType<DescriptorWatchInput['limit']>;

  constructor(input: DescriptorWatchInput) {
    this.#input = input;
    this.#limit = input.limit();
  }

  /** Whether host0 can accept a connection now. */
  hears(): boolean {
    const deaf = !this.#input.hasDescriptor();
    if (deaf !== this.#deaf) {
      this.#deaf = deaf;
      this.#changes.emit();
    }
    return !deaf;
  }

  /** An error while host0 is deaf, or a warning when its limit is too low for its members. */
  health(): Finding[] {
    const { limit, members, pid } = this.#input;
    const needed = BASE + PER_MEMBER * members();
    const hard = this.#limit?.hard ?? ENOUGH;
    // Only the soft limit is raised without a privilege.
    const wanted = hard >= needed ? `${Math.min(hard, ENOUGH)}:` : `${ENOUGH}`;
    const remedy = `\`prlimit --pid ${pid} --nofile=${wanted}\` mends it until the next start. To keep it: \`LimitNOFILE=${ENOUGH}\` (\`systemctl edit meshwork-host0\`), with OpenRC \`rc_ulimit="-n ${ENOUGH}"\`.`;
    const common = { code: 'MESH_HOST0_DEAF', object: 'open files', remedy } as const;
    if (!this.hears()) {
      const of = this.#limit === undefined ? '' : `; its limit was ${this.#limit.soft}`;
      const message = `host0's daemon has no file descriptor left${of}: it accepts no connection, and drops no member`;
      return [{ ...common, severity: 'error', message }];
    }
    this.#limit = limit() ?? this.#limit;
    if (this.#limit === undefined || !(this.#limit.soft < needed)) return [];
    const message = `host0's daemon may open ${this.#limit.soft} files, and needs about ${needed} for ${members()} members`;
    return [{ ...common, severity: 'warning', message }];
  }
}
