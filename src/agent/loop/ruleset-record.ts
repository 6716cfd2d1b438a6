/**
 * The tables that the agent last wrote to nft, and how nft printed them then. nft has no mark that says which program
 * wrote a rule. But as long as the rules of a table print as they did after our own transaction, they are ours and
 * complete. Set elements are compared one by one, so that our own change of elements needs no new listing.
 */
import type { RulesetItem } from '../items/ruleset.ts';
import type { KernelPort } from '../kernel/kernel-port.ts';

const FAMILIES = ['inet', 'bridge'] as const;

const UNKNOWN = { kind: 'ruleset', sets: new Map(), body: '', intact: false } as const;

/** Elements by set name. */
type Elements = ReadonlyMap<string, readonly string[]>;

/** Observes our two tables, and lists them with nft only when another program may have changed them. */
export class RulesetRecord {
  readonly #records = new Map<RulesetItem['family'], { item: RulesetItem; rules: string }>();
  /** How a table printed that another program may have changed between our transaction and the listing. */
  readonly #suspects = new Map<RulesetItem['family'], string>();
  readonly #kernel: Pick<KernelPort, 'listRuleset' | 'drainEvents'>;
  #observed: readonly RulesetItem[] = [];
  /** The last listing, until its answer is there. */
  #underWay: Promise<readonly RulesetItem[]> | undefined;
  /** Whether another program may have changed a table since the last listing began. */
  #stale = true;
  /** Grows with each table that the agent has written. */
  #written = 0;
  /** Grows with each change of nftables by another program. */
  #foreign = 0;
  /** What `#foreign` was when the last listing began. */
  #foreignListed = 0;

  constructor(kernel: Pick<KernelPort, 'listRuleset' | 'drainEvents'>) {
    this.#kernel = kernel;
  }

  /** Makes the next `observe` list the tables. */
  invalidate(): void {
    this.#stale = true;
  }

  /** Notes that another program has changed nftables, perhaps one of our tables. */
  noteForeignChange(): void {
    this.#foreign++;
    this.invalidate();
  }

  /**
   * The tables in the kernel. A table whose rules are not as recorded has `intact: false`. Several callers may ask at once,
   * as a pass and `mesh drift` do: each gets what was listed after the last change by another program.
   */
  async observe(): Promise<readonly RulesetItem[]> {
    if (!this.#stale) return this.#underWay ?? this.#observed;
    this.#stale = false;
    this.#foreignListed = this.#foreign;
    const written = this.#written;
    const listing = this.#list();
    this.#underWay = listing;
    try {
      const listed = await listing;
      // If the agent wrote a table during the listing, the listing may be older than that table.
      if (this.#written !== written) this.#stale = true;
      else if (this.#underWay === listing) this.#observed = listed;
      return listed;
    } catch (error) {
      this.#stale = true;
      throw error;
    } finally {
      if (this.#underWay === listing) this.#underWay = undefined;
    }
  }

  /**
   * Notes that the agent has just written `item` whole. Lists the table to record how nft prints it. When another program has changed
   * nftables since, its rule may be in the listing: the table is then written once more. A table that prints the same after both
   * transactions has no rule of another program.
   */
  async noteWhole(item: RulesetItem): Promise<void> {
    const text = await this.#kernel.listRuleset(item.family);
    // The kernel has queued the event of each change that the listing shows.
    this.#kernel.drainEvents();
    if (text === undefined) return this.#distrust(item.family);
    const { rules } = parsePrinted(text);
    if (this.#foreign !== this.#foreignListed && this.#suspects.get(item.family) !== rules) {
      this.#suspects.set(item.family, rules);
      return this.#distrust(item.family);
    }
    this.#suspects.delete(item.family);
    this.#note(item, rules);
  }

  /** Notes that the agent has just changed set elements, so that the table is now `item`. */
  noteElements(item: RulesetItem): void {
    const record = this.#records.get(item.family);
    if (record !== undefined) this.#note(item, record.rules);
  }

  #distrust(family: RulesetItem['family']): void {
    this.#records.delete(family);
    this.invalidate();
  }

  #note(item: RulesetItem, rules: string): void {
    this.#written++;
    this.#records.set(item.family, { item, rules });
    this.#observed = [...this.#observed.filter(({ family }) => family !== item.family), item];
  }

  async #list(): Promise<RulesetItem[]> {
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

/** The item with the kernel's elements; the same object when it has these elements already. */
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

/**
 * A set or a map as nft prints it. Its elements come last, several on a line; no element contains a brace or a comma. Sets
 * that frames fill are no part of an item: only their declaration counts.
 */
const SET = /^\t(set|map) (\S+) \{\n([^}]*?)(?:\t\telements = \{([^}]*)\}\n)?\t\}\n/gm;

function parsePrinted(text: string): { rules: string; elements: Elements } {
  const elements = new Map<string, readonly string[]>();
  const rules = text.replace(SET, (_, kind: string, name: string, declaration: string, list: string | undefined) => {
    if (list !== undefined) elements.set(name, list.trim().split(/,\s+/));
    return `\t${kind} ${name} {\n${declaration}\t}\n`;
  });
  return { rules, elements };
}
