/**
 * `mesh doctor`: collects evidence, runs every check on it, and changes the kernel settings that are safe to change.
 */
import type { DoctorFinding, DoctorView, Setting } from '../../protocol/documents/views.ts';
import { clockSkew } from './checks/clock.ts';
import { bridgedPackets, firewalld, forwardFilter } from './checks/firewall.ts';
import { ipv6Disabled, reversePath, segmentForwarding } from './checks/forwarding.ts';
import { unlimitedTable, wrongNic } from './checks/forwarding-tables.ts';
import { guestMemory, imageCache, kvm } from './checks/guests.ts';
import { health } from './checks/health.ts';
import { disk, nodeRuntime, openFiles } from './checks/host.ts';
import { doubleAddress, doubleMac, doubleMachine, host0Address, twoHost0s } from './checks/identity.ts';
import { kernelFeatures, stolenDevices } from './checks/kernel.ts';
import { neighbourTable } from './checks/neighbour-table.ts';
import { checksums } from './checks/offload.ts';
import { ownUnderlay, silentMember } from './checks/reach.ts';
import { forwardedGuests, servedGuests } from './checks/routed-networks.ts';
import { linkMtu, pathMtu, portMtu, vxlanPort } from './checks/underlay.ts';
import type { Check, Evidence } from './evidence.ts';

const CHECKS: readonly Check[] = [
  ownUnderlay,
  silentMember,
  vxlanPort,
  linkMtu,
  pathMtu,
  portMtu,
  host0Address,
  twoHost0s,
  neighbourTable,
  unlimitedTable,
  wrongNic,
  reversePath,
  segmentForwarding,
  ipv6Disabled,
  bridgedPackets,
  forwardFilter,
  forwardedGuests,
  servedGuests,
  firewalld,
  checksums,
  clockSkew,
  doubleMachine,
  doubleMac,
  doubleAddress,
  kernelFeatures,
  stolenDevices,
  disk,
  openFiles,
  nodeRuntime,
  kvm,
  guestMemory,
  imageCache,
  health,
];

/** How the doctor reads and changes the machine. */
export interface DoctorInput {
  readonly collect: () => Promise<Evidence>;
  /** Writes one kernel setting. @throws MESH_KERNEL_REFUSED */
  readonly set: (setting: Setting) => void;
}

/** Runs the checks, for the agent's control socket. */
export class Doctor {
  readonly #input: DoctorInput;

  constructor(input: DoctorInput) {
    this.#input = input;
  }

  /** Collects evidence and judges it; changes nothing. */
  async examine(): Promise<DoctorView> {
    return { checks: CHECKS.map(({ name }) => name), findings: findings(await this.#input.collect()), fixed: [] };
  }

  /**
   * Changes the settings in the `fix` of the findings, and examines again; the result has the findings that are left.
   * This is one of the four kernel changes that are no step of a plan: an administrator asks for these settings once,
   * and no loop keeps them.
   * @throws MESH_KERNEL_REFUSED
   */
  async fix(): Promise<DoctorView> {
    const evidence = await this.#input.collect();
    const settings = findings(evidence).flatMap(({ fix = [] }) => fix);
    const fixed = settings.map((setting) => {
      const before = evidence.setting(setting.name) ?? '';
      this.#input.set(setting);
      return { ...setting, before };
    });
    return { ...(await this.examine()), fixed };
  }
}

/** The findings of all checks, errors first. */
export function findings(evidence: Evidence): DoctorFinding[] {
  return CHECKS.flatMap(({ name: check, find }) =>
    find(evidence).map((finding) => ({ check, message: finding.saw, ...finding })),
  ).sort((a, b) => Number(b.severity === 'error') - Number(a.severity === 'error'));
}
