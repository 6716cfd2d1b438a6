/**
 * What we last put into our nft tables, and how nft printed it then. nft has no mark that says who wrote a rule; but as
 * long as a table's rules print as they did after our own transaction, they are ours and whole. The elements of its sets
 * are compared one by one, so that a change of them needs no look at the table.
 */
import type { RulesetItem } from '../items/ruleset.ts';
import type { KernelPort } from '../kernel/kernel-port.ts';

const FAMILIES = ['inet', 'bridge'] as const;

const UNKNOWN = { kind: 'ruleset', sets: new Map(), body: '', intact: false } as const;

/** Elements of each set. */
type Elements = ReadonlyMap<string, readonly string[]>;

export class RulesetRecord {
  readonly #records = new Map<RulesetItem['family'], { item: RulesetItem; rules: string }>();
  readonly #kernel: Pick<KernelPort, 'listRuleset'>;
  #observed: readonly RulesetItem[] = [];
  /** Whether somebody else may have changed a table since the last look. */
  #stale = true;

  constructor(kernel: Pick<KernelPort, 'listRuleset'>) {
    this.#kernel = kernel;
  }

  /** What is remembered is worth nothing: the next `observe` looks. */
  invalidate(): void {
    this.#stale = true;
  }

  async observe(): Promise<readonly RulesetItem[]> {
    if (!this.#stale) return this.#observed;
    this.#stale = false;
    const before = this.#observed;
    const looked = await this.#look();
    // What was put in force meanwhile is newer than a part of it.
    if (this.#observed === before) this.#observed = looked;
    else this.#stale = true;
    return looked;
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
