/**
 * Whom a node hears in one multicast group of its underlay. The node says hello for two seconds, then now and then for ever: a
 * switch forgets after 260 s (RFC 3810 §9.4) who wants a group, so multicast that passed at boot can end later. No answer is
 * needed: each node tells host0 whom it hears.
 */
import type { Alarm, Clock } from '../../model/clock.ts';
import type { MachineWord } from '../../model/machine.ts';
import { MEMBERS_MAX } from '../../protocol/documents/membership.ts';
import type { GroupHearing } from '../../protocol/documents/node-assignment.ts';
import type { Hello } from './hello.ts';

/** Hellos at the beginning: ten in two seconds, so that one lost packet, or nine, are no silence. */
const FIRST = { count: 10, everyMs: 200 } as const;
/** A newcomer's first hello is answered by these, at a random moment: many nodes hear the same newcomer. */
const GREETING = { count: 3, everyMs: 200, withinMs: 400 } as const;
/** A node that hears ever new names greets no more often than this. */
const GREETING_PAUSE_MS = 1_000;
/** For ever. Three hellos fit well into the 260 s after which a switch forgets. */
export const HELLO_EVERY_MS = 30_000;
/** Three hellos and a bit: who was not heard for so long is silent. */
export const SILENT_AFTER_MS = 95_000;
/** The beginning is over: who has not been heard now does not come through. */
export const SETTLED_AFTER_MS = 2_500;

/** What a watch needs. */
export interface GroupWatchInput {
  readonly machine: MachineWord;
  readonly clock: Clock;
  /** A number from 0 to 1. */
  readonly random: () => number;
  /** Says one hello, which names those that the node hears. */
  readonly say: (hears: readonly MachineWord[]) => void;
  /** Called when the answer of `hearing` is another one. */
  readonly onChange: () => void;
}

/** Another node, as it was heard. */
interface Heard {
  lastMs: number;
  /** The fewest hops that a hello of the node needed lately, and when that was. */
  hops: number;
  hopsMs: number;
  /** Whether its last hello named this node; when it first did not, if it does not. */
  hearsUsNotSinceMs: number | undefined;
}

/** Listens and speaks in one group until it is closed. */
export class GroupWatch {
  readonly #input: GroupWatchInput;
  readonly #heard = new Map<MachineWord, Heard>();
  readonly #alarms = new Set<Alarm>();
  readonly #sinceMs: number;
  #settled = false;
  #greetedMs = Number.NEGATIVE_INFINITY;

  constructor(input: GroupWatchInput) {
    this.#input = input;
    this.#sinceMs = input.clock.nowMs();
    this.#burst(FIRST, 0);
    this.#after(SETTLED_AFTER_MS, () => {
      this.#settled = true;
      input.onChange();
    });
    this.#after(HELLO_EVERY_MS, () => this.#again());
  }

  close(): void {
    for (const alarm of this.#alarms) alarm.cancel();
    this.#alarms.clear();
  }

  /** Takes a hello that was heard in this group. */
  take({ machine, hops, hears }: Hello): void {
    const { machine: own, clock, onChange } = this.#input;
    // A network that reflects multicast brings our own hellos back.
    if (machine === own) return;
    const nowMs = clock.nowMs();
    const before = this.#heard.get(machine);
    if (before === undefined && this.#heard.size >= MEMBERS_MAX) return;
    const isNearer = before === undefined || hops <= before.hops || nowMs - before.hopsMs > SILENT_AFTER_MS;
    const hearsUsNotSinceMs = hears.includes(own) ? undefined : (before?.hearsUsNotSinceMs ?? nowMs);
    this.#heard.set(machine, {
      lastMs: nowMs,
      hops: isNearer ? hops : before.hops,
      hopsMs: isNearer ? nowMs : before.hopsMs,
      hearsUsNotSinceMs,
    });
    if (before === undefined) this.#greet(nowMs);
    if (before === undefined || (isNearer && before.hops !== hops)) onChange();
  }

  /** Whom the node hears now. */
  get hearing(): GroupHearing {
    const hears = [...this.#heard].map(([machine, { hops }]) => ({ machine, hops }));
    return {
      hears: hears.toSorted((a, b) => (a.machine < b.machine ? -1 : 1)),
      settled: this.#settled,
    };
  }

  /** The nodes that this node hears and that do not hear it, although they have had the time. */
  get deaf(): readonly MachineWord[] {
    const nowMs = this.#input.clock.nowMs();
    const isDeaf = ({ hearsUsNotSinceMs: sinceMs }: Heard) =>
      sinceMs !== undefined && nowMs - Math.max(sinceMs, this.#sinceMs) > HELLO_EVERY_MS + SETTLED_AFTER_MS;
    return [...this.#heard].flatMap(([machine, heard]) => (isDeaf(heard) ? [machine] : []));
  }

  #again(): void {
    this.#forgetSilent();
    this.#say();
    this.#after(HELLO_EVERY_MS, () => this.#again());
  }

  #forgetSilent(): void {
    const nowMs = this.#input.clock.nowMs();
    const silent = [...this.#heard].filter(([, { lastMs }]) => nowMs - lastMs > SILENT_AFTER_MS);
    for (const [machine] of silent) this.#heard.delete(machine);
    if (silent.length > 0) this.#input.onChange();
  }

  #greet(nowMs: number): void {
    if (nowMs - this.#greetedMs < GREETING_PAUSE_MS) return;
    this.#greetedMs = nowMs;
    this.#burst(GREETING, this.#input.random() * GREETING.withinMs);
    // Who came during the pause is greeted by this one.
    this.#after(GREETING_PAUSE_MS, () => this.#say());
  }

  #burst({ count, everyMs }: { readonly count: number; readonly everyMs: number }, firstMs: number): void {
    for (let number = 0; number < count; number++) this.#after(firstMs + number * everyMs, () => this.#say());
  }

  #say(): void {
    this.#input.say([...this.#heard.keys()]);
  }

  #after(delayMs: number, ring: () => void): void {
    const alarm = this.#input.clock.after(delayMs, () => {
      this.#alarms.delete(alarm);
      ring();
    });
    this.#alarms.add(alarm);
  }
}
