/**
 * The kernel settings that the agent changes for as long as its networks need them, with the values from before. The record is on disk before
 * a setting is changed: else an agent that is killed would leave a machine that forwards for everybody.
 */
import { isDeepStrictEqual } from 'node:util';
import { type ItemMap, itemKey } from '../items/item.ts';
import type { SysctlItem } from '../items/sysctl.ts';

/** A setting that has another value than before. */
export interface BorrowedSetting {
  /** Path below /proc/sys in parts. */
  readonly path: readonly string[];
  /** The value that the setting gets back. */
  readonly before: string;
  /** The value that the agent has written. */
  readonly value: string;
}

/** The record of one machine. */
export class BorrowedSettings {
  readonly #keep: (settings: readonly BorrowedSetting[]) => Promise<void>;
  readonly #settings = new Map<string, BorrowedSetting>();

  /**
   * @param settings those of an earlier agent
   * @param keep writes the record to the disk
   */
  constructor(
    settings: readonly BorrowedSetting[] = [],
    keep: (settings: readonly BorrowedSetting[]) => Promise<void> = async () => undefined,
  ) {
    this.#keep = keep;
    for (const setting of settings) this.#settings.set(keyOf(setting.path), setting);
  }

  get list(): readonly BorrowedSetting[] {
    return [...this.#settings.values()];
  }

  of(path: readonly string[]): BorrowedSetting | undefined {
    return this.#settings.get(keyOf(path));
  }

  /** Notes settings that are about to be changed. Resolves when the record is on the disk. @throws what `keep` throws */
  async note(settings: readonly BorrowedSetting[]): Promise<void> {
    const news = settings.filter((setting) => !isDeepStrictEqual(this.of(setting.path), setting));
    if (news.length === 0) return;
    for (const setting of news) this.#settings.set(keyOf(setting.path), setting);
    await this.#keep(this.list);
  }

  /** Forgets settings that have their value from before. @throws what `keep` throws */
  async forget(paths: readonly (readonly string[])[]): Promise<void> {
    const known = paths.filter((path) => this.#settings.delete(keyOf(path)));
    if (known.length > 0) await this.#keep(this.list);
  }
}

/** The settings that nothing desired needs any more. */
export function toGiveBack(settings: Pick<BorrowedSettings, 'list'>, desired: ItemMap): SysctlItem[] {
  return settings.list
    .map(({ path, value }): SysctlItem => ({ kind: 'sysctl', path, value, borrowed: true }))
    .filter((item) => !desired.has(itemKey(item)));
}

function keyOf(path: readonly string[]): string {
  return path.join('/');
}
