/** Carries out a plan: rank after rank, each rank in as few calls to the kernel as can be. */
import type { MeshError } from '../../model/error.ts';
import { kindOf } from '../items/item.ts';
import type { ItemKey, Operation } from '../items/item-kind.ts';
import type { KernelPort } from '../kernel/kernel-port.ts';
import { rankOf, type Step } from './plan.ts';

export interface StepOutcome {
  readonly step: Step;
  /** Undefined: done. */
  readonly error?: MeshError;
  /** Not tried, since what it stands on failed. */
  readonly waitsFor?: ItemKey;
}

interface Entry {
  readonly step: Step;
  readonly operation: Operation;
  readonly removal: boolean;
}

/** Errors of a removal that say that it is gone already. */
const GONE = new Set(['ENODEV', 'ENOENT', 'ESRCH', 'EADDRNOTAVAIL', 'ENXIO']);

export async function apply(steps: readonly Step[], kernel: KernelPort): Promise<StepOutcome[]> {
  const outcomes: StepOutcome[] = [];
  const failed = new Set<ItemKey>();
  for (const batch of byRank(steps)) {
    const ready: Step[] = [];
    for (const step of batch) {
      const waitsFor = kindOf(step.item)
        .dependsOn(step.item)
        .find((key) => failed.has(key));
      if (waitsFor === undefined || step.action === 'delete') ready.push(step);
      else outcomes.push({ step, waitsFor });
    }
    for (const outcome of await applyBatch(ready, kernel)) {
      outcomes.push(outcome);
      if (outcome.error !== undefined) failed.add(outcome.step.key);
    }
  }
  return outcomes;
}

/** Neighbouring steps of one action class and rank: they do not depend on each other. */
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
 * First what makes or changes each thing, then what completes it, and only where that was done: a link that could not be
 * made since somebody else's has its name by now must not be marked as ours.
 */
async function applyBatch(steps: readonly Step[], kernel: KernelPort): Promise<StepOutcome[]> {
  const errors = new Map<Step, MeshError>();
  const perform = async (entries: readonly Entry[]): Promise<void> => {
    if (entries.length === 0) return;
    const answers = await kernel.apply(entries.map(({ operation }) => operation));
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
  // Writing /proc between two netlink messages would cost a round trip for each.
  const isSetting = ({ operation }: Entry) => operation.do === 'sysctl';
  await perform([...rest.filter((entry) => !isSetting(entry)), ...rest.filter(isSetting)]);
  return steps.map((step) => {
    const error = errors.get(step);
    return error === undefined ? { step } : { step, error };
  });
}

function removalsOf(step: Step): readonly Operation[] {
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

function additionsOf(step: Step): readonly Operation[] {
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
