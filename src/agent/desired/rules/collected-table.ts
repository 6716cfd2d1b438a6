/** Collects the shares of all contributions to one nft table. */
import { type RulesetItem, type RulesetSets, sized } from '../../items/ruleset.ts';
import type { ChainShare, FilledSet, LimitShare, RuleContribution, SetShare } from './contribution.ts';

/** A chain of several shares. */
interface CollectedChain {
  readonly collected: Set<string>;
  key: string;
  readonly elements: Set<string>;
}

const NO_ELEMENTS: ReadonlySet<string> = new Set();

/**
 * Up to so many elements are rules, one each, in place of a look-up in a set. A stream between guests meets rules in cold caches, where
 * a look-up costs as much as six comparisons: it reads the set, its table and its element from memory.
 */
const FEW = 4;

/** One table, of which the shares are collected and the text is not yet written. */
export class CollectedTable {
  readonly #family: RulesetItem['family'];
  readonly #sets = new Map<string, { readonly share: SetShare; readonly elements: string[] }>();
  readonly #filled = new Map<string, FilledSet>();
  readonly #limits = new Map<string, LimitShare>();
  /** A chain of one share is that share. */
  readonly #chains = new Map<string, ChainShare | CollectedChain>();

  constructor(family: RulesetItem['family'], contributions: Iterable<RuleContribution>) {
    this.#family = family;
    for (const { [family]: table } of contributions) {
      for (const share of table?.sets ?? []) this.#takeSet(share);
      for (const set of table?.filled ?? []) this.#filled.set(set.name, set);
      for (const limit of table?.limits ?? []) this.#limits.set(limit.name, limit);
      for (const share of table?.chains ?? []) this.#takeChain(share);
    }
  }

  /** Whether a share has this set. */
  has(set: string): boolean {
    return this.#sets.has(set);
  }

  /** The rules for a place in a chain of the table, as lines. */
  rulesFor(place: string): string {
    const chain = this.#chains.get(place);
    this.#chains.delete(place);
    return chain === undefined ? '' : rulesText(chain);
  }

  /**
   * The matches of rules that a packet in a set fits: one look-up in the set, or for few elements a comparison with each.
   * @param keys the parts of an element, as nft selects them of a packet
   */
  matches(set: string, ...keys: readonly string[]): string[] {
    return this.comparisons(set, ...keys) ?? [`${keys.join(' . ')} @${set}`];
  }

  /** As `matches`; undefined for more than a few elements. */
  comparisons(set: string, ...keys: readonly string[]): string[] | undefined {
    const elements = this.#sets.get(set)?.elements ?? [];
    if (elements.length > FEW) return undefined;
    const match = (values: readonly string[]) => keys.map((key, i) => `${key} ${values[i]}`).join(' ');
    return elements.map((element) => match(element.split(' . ')));
  }

  /** The table. @param hooks the text of its chains that the kernel enters */
  item(hooks: string): RulesetItem {
    const sets: RulesetSets = new Map();
    for (const [name, { share, elements }] of this.#sets) {
      const { kind, declaration } = share;
      const late = { declaration, elements: NO_ELEMENTS, late: true };
      sets.set(name, kind === 'late' ? late : sized(declaration, elements));
    }
    const filled = [...this.#filled.values()];
    return {
      kind: 'ruleset',
      family: this.#family,
      intact: true,
      sets,
      remembering: filled.filter(({ remembers }) => remembers).map(({ name }) => name),
      body: [
        ...filled.map(({ name, declaration }) => `  set ${name} { ${declaration} }\n`),
        ...Array.from(this.#limits, ([name, { declaration }]) => `  limit ${name} {\n    ${declaration}\n  }\n`),
        ...Array.from(this.#chains, ([name, chain]) => `  chain ${name} {\n${rulesText(chain)}  }\n`),
        hooks,
      ].join(''),
    };
  }

  #takeSet(share: SetShare): void {
    const known = this.#sets.get(share.name);
    if (known === undefined) this.#sets.set(share.name, { share, elements: [...share.elements] });
    else known.elements.push(...share.elements);
  }

  #takeChain(share: ChainShare): void {
    const known = this.#chains.get(share.name);
    if (known === undefined) {
      this.#chains.set(share.name, share);
      return;
    }
    let chain: CollectedChain;
    if (isCollected(known)) chain = known;
    else {
      chain = {
        collected: new Set(known.rules),
        key: known.verdicts?.key ?? '',
        elements: new Set(known.verdicts?.elements),
      };
      this.#chains.set(share.name, chain);
    }
    for (const rule of share.rules ?? []) chain.collected.add(rule);
    if (share.verdicts === undefined) return;
    chain.key = share.verdicts.key;
    for (const element of share.verdicts.elements) chain.elements.add(element);
  }
}

function isCollected(chain: ChainShare | CollectedChain): chain is CollectedChain {
  return 'collected' in chain;
}

/** The texts of shares: most chains belong to one network, and stay as they are when others change. */
const texts = new WeakMap<ChainShare, string>();

function rulesText(chain: ChainShare | CollectedChain): string {
  if (isCollected(chain)) return textOf(chain.collected, chain.key, chain.elements);
  const known = texts.get(chain);
  if (known !== undefined) return known;
  const text = textOf(chain.rules ?? [], chain.verdicts?.key ?? '', chain.verdicts?.elements ?? []);
  texts.set(chain, text);
  return text;
}

/** The look-up comes last. There is none for an empty map, which nft cannot write. */
function textOf(rules: Iterable<string>, key: string, elements: Iterable<string>): string {
  let text = '';
  for (const rule of rules) text += `    ${rule}\n`;
  const list = [...elements];
  return list.length === 0 ? text : `${text}    ${key} vmap { ${list.join(', ')} }\n`;
}
