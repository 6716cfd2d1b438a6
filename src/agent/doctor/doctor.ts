/** `mesh doctor`: collects evidence, lets every check judge them, and mends what is safe to mend. */
import type { DoctorFinding, DoctorView, Setting } from '../../protocol/documents/views.ts';
import { clockSkew } from './checks/clock.ts';
import { bridgedPackets, firewalld } from './checks/firewall.ts';
import { ipv6Disabled, reversePath, segmentForwarding } from './checks/forwarding.ts';
import { health } from './checks/health.ts';
import { disk, nodeRuntime } from './checks/host.ts';
import { doubleMac, doubleMachine, twoHost0s } from './checks/identity.ts';
import { kernelFeatures, stolenDevices } from './checks/kernel.ts';
import { neighbourTable } from './checks/neighbour-table.ts';
import { checksums } from './checks/offload.ts';
import { linkMtu, pathMtu, vxlanPort } from './checks/underlay.ts';
import type { Check, Evidence } from './evidence.ts';

const CHECKS: readonly Check[] = [
  vxlanPort,
  linkMtu,
  pathMtu,
  twoHost0s,
  neighbourTable,
  reversePath,
  segmentForwarding,
  ipv6Disabled,
  bridgedPackets,
  firewalld,
  checksums,
  clockSkew,
  doubleMachine,
  doubleMac,
  kernelFeatures,
  stolenDevices,
  disk,
  nodeRuntime,
  health,
];

export interface DoctorInput {
  readonly collect: () => Promise<Evidence>;
  /** @throws MESH_KERNEL_REFUSED */
  readonly set: (setting: Setting) => void;
}

export class Doctor {
  readonly #input: DoctorInput;

  constructor(input: DoctorInput) {
    this.#input = input;
  }

  async examine(): Promise<DoctorView> {
    return { checks: CHECKS.map(({ name }) => name), findings: findings(await this.#input.collect()), fixed: [] };
  }

  /**
   * Sets what the findings say is safe to set, and looks again: what is left are the findings after it. One of the three
   * changes of a kernel that are no step of a plan: an administrator asks for these settings once, and no loop keeps them.
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

export function findings(evidence: Evidence): DoctorFinding[] {
  return CHECKS.flatMap(({ name: check, find }) =>
    find(evidence).map((finding) => ({ check, message: finding.saw, ...finding })),
  ).sort((a, b) => Number(b.severity === 'error') - Number(a.severity === 'error'));
}
