/**
 * The record of borrowed settings on disk. The file is below /run: after a boot all settings are the administrator's again.
 */
import { StateFile, type StateForm } from '../../disk/state-file.ts';
import type { Finding, HealthSource } from '../../protocol/documents/finding.ts';
import * as form from '../../protocol/shapes/form.ts';
import type { BorrowedSetting } from './borrowed-settings.ts';

/** Two settings of each interface, on a machine with thousands. */
const SETTINGS_MAX = 65_536;
const Setting = form.object({
  path: form.listOf(form.string({ pattern: /^(?!\.\.?$)[^/\0]{1,64}$/ }), 8),
  before: form.string({ max: 64 }),
  value: form.string({ max: 64 }),
});
const Settings = form.object({ settings: form.listOf(Setting, SETTINGS_MAX) });

const SETTINGS_FILE: StateForm<form.TypeOf<typeof Settings>> = {
  version: 1,
  shape: Settings,
  holds: 'the kernel settings that networks have changed, with their values from before',
  remedy: 'Set forwarding as you want it (`sysctl net.ipv4.conf.all.forwarding`); the next boot does so, too.',
  comesBack: true,
};

/** The file. Read it once before the first write. */
export class BorrowedSettingsFile implements HealthSource {
  readonly #file: StateFile<form.TypeOf<typeof Settings>>;

  constructor(path: string) {
    this.#file = new StateFile(path, SETTINGS_FILE);
  }

  /** The settings of an agent before; none when there is no file that can be used. Never rejects. */
  async read(): Promise<readonly BorrowedSetting[]> {
    return (await this.#file.read())?.settings ?? [];
  }

  /** Writes the record; resolves when it is durable. @throws MESH_DISK_REFUSED, MESH_STATE_LATER */
  async write(settings: readonly BorrowedSetting[]): Promise<void> {
    await this.#file.write({ settings: settings.map(({ path, ...values }) => ({ path: [...path], ...values })) });
  }

  health(): readonly Finding[] {
    return this.#file.health();
  }
}
