/** `mesh plan` and `mesh drift`: what the agent is about to do, and what is not as it should be. */
import { Command } from 'commander';
import { agentClient } from '../../protocol/calls/control-client.ts';
import type { DriftView, PlanView, StepView } from '../../protocol/documents/views.ts';
import type { Context } from '../context.ts';
import type { Paint, Tone } from '../print/color.ts';
import { printable } from '../print/printable.ts';

/** `mesh plan`: the steps of the next pass. The exit code is 0 also when there are some. */
export function planCommand(context: Context): Command {
  return new Command('plan').addHelpText('after', '\nExample:\n  $ mesh plan').action(async () => {
    const plan = await agentClient(context.paths).ask('GET /v1/plan');
    context.answer(plan, () => planText(plan, context.paint));
  });
}

/** `mesh drift`: the steps that a new look at the kernel asks for. Exit code 1 when there are some. */
export function driftCommand(context: Context): Command {
  return new Command('drift')
    .addHelpText('after', '\nExit code 0 without drift, 1 with some.\n\nExample:\n  $ mesh drift')
    .action(async () => {
      const drift = await agentClient(context.paths).ask('GET /v1/drift');
      if (drift.steps.length > 0) context.exitCode = 1;
      context.answer(drift, () => driftText(drift, context.paint));
    });
}

function planText({ steps, findings = [] }: PlanView, paint: Paint): string {
  const mends = findings.map(
    ({ message, remedy }) => `${paint('bad', 'error')} ${printable(message)}\n  → ${printable(remedy)}\n`,
  );
  if (steps.length > 0) return `${stepsText(steps, paint)}\n${countOf(steps)} to do.\n${mends.join('')}`;
  if (mends.length > 0) return `Nothing that the agent can do.\n${mends.join('')}`;
  return 'Nothing to do: everything is as it should be.\n';
}

const MARKS: Record<StepView['action'], { readonly mark: string; readonly tone: Tone }> = {
  create: { mark: '+', tone: 'good' },
  change: { mark: '~', tone: 'warning' },
  recreate: { mark: '±', tone: 'warning' },
  delete: { mark: '-', tone: 'bad' },
};

function stepsText(steps: readonly StepView[], paint: Paint): string {
  return steps
    .map(({ action, text, difference }) => {
      const { mark, tone } = MARKS[action];
      const why = difference === undefined ? '' : paint('quiet', `  # ${printable(difference)}`);
      return `${paint(tone, mark)} ${printable(text)}${why}\n`;
    })
    .join('');
}

function driftText({ steps, cacheDifference }: DriftView, paint: Paint): string {
  const cache =
    cacheDifference === 0 ? '' : `The agent's own picture of the kernel was wrong in ${cacheDifference} items.\n`;
  if (steps.length === 0) return `No drift: the kernel is as it should be.\n${cache}`;
  return `${stepsText(steps, paint)}\n${countOf(steps)} would put the kernel right.\n${cache}`;
}

function countOf(steps: readonly StepView[]): string {
  return steps.length === 1 ? '1 step' : `${steps.length} steps`;
}
