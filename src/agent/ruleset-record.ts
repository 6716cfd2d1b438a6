/**
 * What we last put into our nft tables, and how nft printed it then. nft has no mark that says who wrote a rule; but as
 * long as a table's rules print as they did after our own transaction, they are ours and whole. The elements of its sets
 * are compared one by one, so that a change of them needs no look at the table.
 */
import type { Clock } from '../model/clock.ts';
import type { RulesetItem } from './items/ruleset.ts';
import type { KernelPort } from './kernel-port.ts';

const FAMILIES = ['inet', 'bridge'] as const;

const UNKNOWN = { kind: 'ruleset', sets: new Map(), body: '', intact: false } as const;

/**
 * The kernel does not say which of several changes was ours (nft events carry the port of a passing socket), so that each
 * change of our own calls for a look. It may wait until a burst of joins is over: printing a table takes a millisecond.
 */
const OWN_LOOK_MS = 2_000;

/** Elements of each set. */
type Elements = ReadonlyMap<string, readonly string[]>;

export class RulesetRecord {
  readonly #records = new Map<RulesetItem['family'], { item: RulesetItem; rules: string }>();
  readonly #kernel: Pick<KernelPort, 'listRuleset'>;
  readonly #clock: Clock;
  #observed: readonly RulesetItem[] = [];
  /** When to look; undefined when nothing has changed since the last look. */
  #lookAtMs: number | undefined = 0;
  /** Whether we have changed something ourselves since the last look. */
  #changedByUs = false;

  constructor(kernel: Pick<KernelPort, 'listRuleset'>, clock: Clock) {
    this.#kernel = kernel;
    this.#clock = clock;
  }

  /** What is remembered is worth nothing: the next `observe` looks. */
  invalidate(): void {
    this.#lookAtMs = 0;
  }

  /** Somebody changed some table; perhaps it was us. */
  changed(): void {
    const nowMs = this.#clock.nowMs();
    this.#lookAtMs = Math.min(this.#lookAtMs ?? Infinity, this.#changedByUs ? nowMs + OWN_LOOK_MS : nowMs);
  }

  /** A change of our own is about to be made: the kernel may tell of it before nft has said that it is done. */
  changing(): void {
    this.#changedByUs = true;
  }

  get nextDueMs(): number | undefined {
    return this.#lookAtMs;
  }

  async observe(): Promise<readonly RulesetItem[]> {
    if (this.#lookAtMs === undefined || this.#lookAtMs > this.#clock.nowMs()) return this.#observed;
    this.#lookAtMs = undefined;
    this.#changedByUs = false;
    this.#observed = await this.#look();
    return this.#observed;
  }

  /** Notes that the whole of `item` was just put in force. */
  async noteWhole(item: RulesetItem): Promise<void> {
    const text = await this.#kernel.listRuleset(item.family);
    if (text === undefined) {
      this.#records.delete(item.family);
      this.invalidate();
    } else this.#note(item, parsePrinted(text).rules);
  }

  /** Notes that elements were just added and taken away, which makes the table `item`. */
  noteElements(item: RulesetItem): void {
    const record = this.#records.get(item.family);
    if (record !== undefined) this.#note(item, record.rules);
  }

  #note(item: RulesetItem, rules: string): void {
    this.#records.set(item.family, { item, rules });
    this.#observed = [...this.#observed.filter(({ family }) => family !== item.family), item];
    this.#changedByUs = true;
  }

  async #look(): Promise<RulesetItem[]> {
    const items: RulesetItem[] = [];
    for (const family of FAMILIES) {
      const text = await this.#kernel.listRuleset(family);
      if (text === undefined) continue;
      const record = this.#records.get(family);
      const { rules, elements } = parsePrinted(text);
      items.push(record?.rules === rules ? withElements(record.item, elements) : { ...UNKNOWN, family });
    }
    return items;
  }
}

/** The item with the elements that the kernel has; the same one when it has them already. */
function withElements(item: RulesetItem, printed: Elements): RulesetItem {
  let same = true;
  const sets = new Map(item.sets);
  for (const [name, set] of item.sets) {
    const elements = printed.get(name) ?? [];
    if (elements.length === set.elements.size && elements.every((element) => set.elements.has(element))) continue;
    sets.set(name, { ...set, elements: new Set(elements) });
    same = false;
  }
  return same ? item : { ...item, sets };
}

/** A set as nft prints it; its elements come last, several a line. No element has a brace or a comma in it. */
const SET = /^\tset (\S+) \{\n([^}]*?)(?:\t\telements = \{([^}]*)\}\n)?\t\}\n/gm;

function parsePrinted(text: string): { rules: string; elements: Elements } {
  const elements = new Map<string, readonly string[]>();
  const rules = text.replace(SET, (_, name: string, declaration: string, list: string | undefined) => {
    if (list !== undefined) elements.set(name, list.trim().split(/,\s+/));
    return `\tset ${name} {\n${declaration}\t}\n`;
  });
  return { rules, elements };
}
