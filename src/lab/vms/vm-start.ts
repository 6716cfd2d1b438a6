/** How each machine of a lab comes up: as a copy of a template, or by a boot of its own. The boot always works. */
import { MeshError } from '../../model/error.ts';
import { awaitEnd, type ProcessMark, signalProcess } from '../../services/process/process-mark.ts';
import type { QemuSpec } from '../../services/qemu/qemu-spec.ts';
import type { OnStage } from '../cluster/lab.ts';
import { GUEST_APPEND } from '../guest/guest-image.ts';
import { templateKey } from '../templates/template-key.ts';
import { findTemplate, removeTemplate, type Template } from '../templates/template-shelf.ts';
import { planMachines, type VmPlan } from '../topologies/vm-plan.ts';
import type { ClusterRecord } from './cluster-record.ts';
import { copySpec, startCopy } from './vm-copy.ts';
import { cardOf, labWords, machineOf, switchVmOn, type VmSetting, vmSpec } from './vm-emulator.ts';
import { directoryOfVm, writeVmRecord } from './vm-files.ts';
import { makeTemplate, type TemplateSetting } from './vm-template.ts';

/** A template, or why a machine boots without one. */
export type VmSource = { readonly template: Template } | { readonly cold: string };

/** What a template boots: nothing of the lab. It is told that it waits. */
const TEMPLATE_APPEND = `${GUEST_APPEND} lab.waits=1`;
const END_WITHIN_MS = 20_000;

/** Machines that have all in common but their numbers and cards share a template. */
function kindOf({ overlays, memoryMib }: VmPlan): string {
  return [memoryMib ?? '', ...overlays].join('\0');
}

/**
 * Where machines come from, by their kinds. Templates that are not there are made.
 * @param settings what machines boot, by their overlays
 */
export async function vmSources(
  plans: readonly VmPlan[],
  record: ClusterRecord,
  settings: ReadonlyMap<string, VmSetting>,
  place: TemplateSetting,
  onStage: OnStage = () => {},
): Promise<(plan: VmPlan) => VmSource> {
  const sources = new Map<string, VmSource>();
  for (const plan of plans) {
    const setting = settings.get(plan.overlays.join('\0'));
    if (sources.has(kindOf(plan)) || setting === undefined) continue;
    const refusal = whyCold(record);
    const source =
      refusal === undefined
        ? await templateOr(plan, setting, isWorthMaking(plan, record), place, onStage)
        : { cold: refusal };
    sources.set(kindOf(plan), source);
  }
  return (plan) => sources.get(kindOf(plan)) ?? { cold: 'it has no template' };
}

/** Why the machines of a lab have no template; undefined where they may have one. */
function whyCold({ start, netSetup, topology }: ClusterRecord): string | undefined {
  if (start === 'cold') return 'that was asked for';
  if (topology.images !== undefined) return 'images of the topology do not wait for their cards';
  if (netSetup !== undefined) return 'the net set-up prints cards that are there from the start';
  return undefined;
}

/** Whether a template pays that is not there yet: to make one takes as long as one boot. */
function isWorthMaking(plan: VmPlan, { start, topology }: ClusterRecord): boolean {
  return start === 'template' || planMachines(topology).filter((other) => kindOf(other) === kindOf(plan)).length > 1;
}

async function templateOr(
  plan: VmPlan,
  setting: VmSetting,
  mayMake: boolean,
  place: TemplateSetting,
  onStage: OnStage,
): Promise<VmSource> {
  const { kernel, initrd } = setting.boot;
  const spec = {
    ...machineOf(setting.accelerator, plan.memoryMib ?? setting.memoryMib),
    boot: { kernel, initrd, append: TEMPLATE_APPEND },
  };
  try {
    const found = await findTemplate(templateKey(spec));
    if (found !== undefined) return { template: found };
    if (!mayMake) return { cold: 'no other machine of the lab is of its kind' };
    onStage('making a template of the machines');
    return { template: await makeTemplate(spec, plan.overlays, place) };
  } catch (error) {
    place.signal?.throwIfAborted();
    return { cold: MeshError.from(error).message };
  }
}

/** Starts a machine on taps that are there. A copy that fails is started again by a boot. @throws MESH_LAB_FAILED */
export async function startOnTaps(
  setting: VmSetting,
  plan: VmPlan,
  nets: readonly number[],
  source: VmSource,
): Promise<void> {
  const cold = vmSpec(setting, plan);
  if ('cold' in source) {
    startCold(setting, plan, cold, source.cold);
    return;
  }
  const { template } = source;
  const own = directoryOfVm(setting.directory, plan.number);
  recordStart(setting, plan, { template: template.key });
  let emulator: ProcessMark | undefined;
  try {
    const spec = copySpec(own, cold, template, labWords(setting.topology, nets));
    emulator = switchVmOn(setting, plan.number, spec);
    const cards = plan.nets.map((net) => cardOf(plan.number, net));
    await startCopy(own, emulator, template, cards);
  } catch (error) {
    if (emulator !== undefined) await end(emulator);
    // Another template may be better; a machine that boots does not ask.
    await removeTemplate(template);
    startCold(setting, plan, cold, `the copy has failed: ${MeshError.from(error).message}`);
  }
}

/** Starts a machine by a boot of its own. */
export function startCold(setting: VmSetting, plan: VmPlan, spec: QemuSpec, why: string): void {
  recordStart(setting, plan, { cold: why });
  switchVmOn(setting, plan.number, spec);
}

function recordStart(
  setting: VmSetting,
  plan: VmPlan,
  how: { readonly template: string } | { readonly cold: string },
): void {
  const { number, nets, memoryMib = setting.memoryMib } = plan;
  writeVmRecord(directoryOfVm(setting.directory, number), { number, nets, memoryMib, ...how });
}

async function end(emulator: ProcessMark): Promise<void> {
  signalProcess(emulator, 'SIGKILL');
  await awaitEnd([emulator], END_WITHIN_MS);
}
