/** Applies a plan to the kernel: rank after rank, each rank in as few calls as possible. */
import { MeshError } from '../../model/error.ts';
import { kindOf } from '../items/item.ts';
import type { ItemKey, ItemOperation, ServiceOperation } from '../items/item-kind.ts';
import type { KernelPort } from '../kernel/kernel-port.ts';
import { rankOf, type Step } from './plan.ts';
import type { ServicePort } from './service-port.ts';

/** The result of one step: done when neither `error` nor `waitsFor` is set. */
export interface StepOutcome {
  readonly step: Step;
  readonly error?: MeshError;
  /** The failed item that the step's item depends on; the step was not tried. */
  readonly waitsFor?: ItemKey;
}

interface Entry {
  readonly step: Step;
  readonly operation: ItemOperation;
  readonly removal: boolean;
}

type Answers = readonly (MeshError | undefined)[];
type CarryOut = (operations: readonly ItemOperation[]) => Promise<Answers>;

/** Errors of a removal that say that the object is already gone. */
const GONE = new Set(['ENODEV', 'ENOENT', 'ESRCH', 'EADDRNOTAVAIL', 'ENXIO']);

/**
 * Performs the steps in their order. A step that depends on a failed one is not tried.
 * @param held items whose steps failed before and are not due yet: what is made after them waits, too
 * @returns one outcome for each step, in any order; errors of the kernel are never thrown
 */
export async function apply(
  steps: readonly Step[],
  kernel: Pick<KernelPort, 'apply'>,
  services?: Pick<ServicePort, 'apply'>,
  held: ReadonlySet<ItemKey> = new Set(),
): Promise<StepOutcome[]> {
  const outcomes: StepOutcome[] = [];
  const failed = new Set<ItemKey>();
  for (const batch of byRank(steps)) {
    const ready: Step[] = [];
    for (const step of batch) {
      const kind = kindOf(step.item);
      const waitsFor =
        kind.dependsOn(step.item).find((key) => failed.has(key)) ??
        kind.after?.(step.item).find((key) => failed.has(key) || held.has(key));
      if (waitsFor === undefined || step.action === 'delete') ready.push(step);
      else outcomes.push({ step, waitsFor });
    }
    for (const outcome of await applyBatch(ready, (operations) => perform(operations, kernel, services))) {
      outcomes.push(outcome);
      if (outcome.error !== undefined) failed.add(outcome.step.key);
    }
  }
  return outcomes;
}

/** Carries operations out in the kernel, or beside it. All of one rank are of one sort. */
async function perform(
  operations: readonly ItemOperation[],
  kernel: Pick<KernelPort, 'apply'>,
  services: Pick<ServicePort, 'apply'> | undefined,
): Promise<Answers> {
  const here = operations.filter(isLocal);
  if (here.length === 0) return await kernel.apply(operations.filter((operation) => !isLocal(operation)));
  if (services === undefined) throw new MeshError('MESH_INTERNAL', 'this agent has no processes and files');
  return await services.apply(here);
}

function isLocal(operation: ItemOperation): operation is ServiceOperation {
  return ['process-', 'file-', 'space-'].some((sort) => operation.do.startsWith(sort));
}

/** Groups consecutive steps of one rank, deletes apart: they do not depend on each other. */
function byRank(steps: readonly Step[]): Step[][] {
  const batches: Step[][] = [];
  let last: string | undefined;
  for (const step of steps) {
    const group = `${step.action === 'delete'} ${rankOf(step)}`;
    if (group !== last) batches.push([]);
    last = group;
    batches.at(-1)?.push(step);
  }
  return batches;
}

/**
 * Performs the first operation of each step, which creates or changes the object, and then the remaining ones where the
 * first succeeded. If a link cannot be created because a foreign link has taken its name, the foreign link must not get
 * our mark.
 */
async function applyBatch(steps: readonly Step[], carryOut: CarryOut): Promise<StepOutcome[]> {
  const errors = new Map<Step, MeshError>();
  const perform = async (entries: readonly Entry[]): Promise<void> => {
    if (entries.length === 0) return;
    const answers = await carryOut(entries.map(({ operation }) => operation));
    for (const [index, { step, removal }] of entries.entries()) {
      const error = answers[index];
      if (error === undefined || errors.has(step) || (removal && isGone(error))) continue;
      errors.set(step, error);
    }
  };
  const additions = new Map(steps.map((step) => [step, additionsOf(step)]));
  await perform(
    steps.flatMap((step) => [
      ...removalsOf(step).map((operation) => ({ step, operation, removal: true })),
      ...(additions.get(step) ?? []).slice(0, 1).map((operation) => ({ step, operation, removal: false })),
    ]),
  );
  const rest = steps.flatMap((step) =>
    errors.has(step)
      ? []
      : (additions.get(step) ?? []).slice(1).map((operation) => ({ step, operation, removal: false })),
  );
  // Settings come last: a write to /proc between two netlink messages would cost a round trip for each.
  const isSetting = ({ operation }: Entry) => operation.do === 'sysctl' || operation.do === 'sysctl-return';
  await perform([...rest.filter((entry) => !isSetting(entry)), ...rest.filter(isSetting)]);
  return steps.map((step) => {
    const error = errors.get(step);
    return error === undefined ? { step } : { step, error };
  });
}

function removalsOf(step: Step): readonly ItemOperation[] {
  switch (step.action) {
    case 'create':
    case 'change':
      return [];
    case 'recreate':
      return kindOf(step.item).remove(step.have);
    case 'delete':
      return kindOf(step.item).remove(step.item);
  }
}

function additionsOf(step: Step): readonly ItemOperation[] {
  switch (step.action) {
    case 'create':
    case 'recreate':
      return kindOf(step.item).create(step.item);
    case 'change':
      return kindOf(step.item).change(step.have, step.item);
    case 'delete':
      return [];
  }
}

function isGone({ cause }: MeshError): boolean {
  return typeof cause === 'object' && cause !== null && 'name' in cause && GONE.has(String(cause.name));
}
