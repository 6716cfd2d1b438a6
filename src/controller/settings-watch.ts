/**
 * Compares host0.conf with the settings that host0 started with. host0 takes its settings up when it starts: whoever changes
 * the file is told so, and a fault in the file is told before the next start fails for it.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Host0Conf, Host0Settings } from '../formats/host0/host0-conf.ts';
import type { Clock } from '../model/clock.ts';
import type { Finding, HealthSource } from '../protocol/documents/finding.ts';

/** What the watch needs. */
export interface SettingsWatchInput {
  readonly inForce: Host0Settings;
  /** Reads host0.conf as it is now; never rejects. */
  readonly read: () => Promise<Host0Conf>;
  /** The command that restarts host0 on this machine, as a remedy names it. */
  readonly restart: string;
  readonly clock: Clock;
}

/** How often the file is read. `mesh status` reads it at once. */
const LOOK_MS = 5_000;

/** The key of each setting. `default_networks` and `flavor` are missing: `mesh system configure` reads them, and host0 does not. */
const KEYS = {
  subnetPool: 'subnet_pool',
  defaultSubnetSize: 'default_subnet_size',
  segmentNics: 'segment_ports',
  admission: 'admission',
  boot: 'boot',
  bootModes: 'boot_mode',
  manualSubnets: 'manual_subnets',
  joinGroups: 'join_groups',
  metricsNetwork: 'metrics',
  management: 'management',
  store: 'store',
  host0s: 'host0s',
  libvirt: 'libvirt',
  networkNumbers: 'network_numbers, reserved_numbers or number_rest_sec',
  portSettleSec: 'port_settle_sec',
  sharedIds: 'shared_ids',
  memberSubnets: 'member_subnets',
} as const satisfies Record<Exclude<keyof Host0Settings, 'defaultNetworks' | 'flavor'>, string>;

/** The watch, from the start of host0 on. */
export class SettingsWatch implements HealthSource {
  readonly #input: SettingsWatchInput;
  #findings: readonly Finding[] = [];

  constructor(input: SettingsWatchInput) {
    this.#input = input;
  }

  /** Looks at the file again and again. */
  start(): void {
    this.#input.clock.after(LOOK_MS, () => void this.look().finally(() => this.start()));
  }

  /** Reads the file. */
  async look(): Promise<void> {
    const { settings, errors } = await this.#input.read();
    if (settings !== undefined) {
      this.#findings = this.#pending(settings);
      return;
    }
    this.#findings = errors.slice(0, 1).map(({ code, message, place, remedy, rule }) => ({
      code,
      severity: 'warning',
      object: 'host0.conf',
      message: `${place === undefined ? '' : `${place.file}:${place.line}: `}${message}. host0 goes on with the settings that it started with, and could not start again`,
      remedy: remedy ?? rule ?? 'Correct the file, and check it with `mesh system configure --check`.',
    }));
  }

  health(): readonly Finding[] {
    return this.#findings;
  }

  #pending(settings: Host0Settings): Finding[] {
    const { inForce, restart } = this.#input;
    const changed = Object.entries(KEYS)
      .filter(([name]) => !isDeepStrictEqual(Reflect.get(settings, name), Reflect.get(inForce, name)))
      .map(([, key]) => key);
    if (changed.length === 0) return [];
    const verb = changed.length === 1 ? 'is' : 'are';
    return [
      {
        code: 'MESH_HOST0_CONF_PENDING',
        severity: 'warning',
        object: 'host0.conf',
        message: `${changed.join(', ')} ${verb} not in force yet: host0.conf has been changed since host0 started`,
        remedy: `Restart host0: ${restart}. Networks and members go on meanwhile.`,
      },
    ];
  }
}
