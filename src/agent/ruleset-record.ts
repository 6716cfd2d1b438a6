/**
 * What we last put into our nft tables, and how nft printed it then. nft has no mark that says who wrote a rule; but as
 * long as a table prints as it did after our own transaction, it is ours and whole.
 */
import type { RulesetItem } from './items/ruleset.ts';
import type { KernelPort } from './kernel-port.ts';

export const FAMILIES = ['inet', 'bridge'] as const;

const UNKNOWN = { kind: 'ruleset', sets: new Map(), body: '', intact: false } as const;

export class RulesetRecord {
  readonly #records = new Map<RulesetItem['family'], { item: RulesetItem; text: string }>();
  readonly #kernel: KernelPort;
  #observed: readonly RulesetItem[] | undefined;

  constructor(kernel: KernelPort) {
    this.#kernel = kernel;
  }

  /** Somebody changed some table: look again. */
  invalidate(): void {
    this.#observed = undefined;
  }

  async observe(): Promise<readonly RulesetItem[]> {
    this.#observed ??= await this.#look();
    return this.#observed;
  }

  /** Notes that `item` was just put in force. */
  async note(item: RulesetItem): Promise<void> {
    const text = await this.#kernel.listRuleset(item.family);
    if (text === undefined) {
      this.#records.delete(item.family);
      this.invalidate();
      return;
    }
    this.#records.set(item.family, { item, text });
    this.#observed = this.#observed && [...this.#observed.filter(({ family }) => family !== item.family), item];
  }

  async #look(): Promise<RulesetItem[]> {
    const items: RulesetItem[] = [];
    for (const family of FAMILIES) {
      const text = await this.#kernel.listRuleset(family);
      if (text === undefined) continue;
      const record = this.#records.get(family);
      items.push(record?.text === text ? record.item : { ...UNKNOWN, family });
    }
    return items;
  }
}
